"""What routes answer with: a document, its status and headers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from pydantic import BaseModel
from starlette.responses import Response


@dataclass(frozen=True)
class Answer:
    """A document on its way out."""

    document: BaseModel
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """The answer as it goes out."""
        return Response(
            self.document.model_dump_json(), self.status, dict(self.headers), "application/json"
        )
