"""The table of routes: per route its method and path, who may call it to do what, what it answers.

`describing.py` makes OpenAPI of what stands here.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from domain.policy import Action
from starter.web.api.guard import Guards

PREFIX = "/api/v1"

# Under these the table keeps for OpenAPI what FastAPI has no place for.
CODES, ALSO = "x-codes", "x-also"

Handler = Callable[..., Any]


class Table:
    """Collects the routes of one thing; `router` is what comes of it."""

    def __init__(self, tag: str, guards: Guards) -> None:
        """`tag` is the heading under which the API tells of them."""
        self.router = APIRouter(prefix=PREFIX, tags=[tag])
        self._guards = guards

    def of_account(
        self,
        method: str,
        path: str,
        handler: Handler,
        action: Action,
        answers: type[BaseModel],
        *,
        administrator: bool = False,
        **more: Any,
    ) -> None:
        """A route that is `action` on the account in its path. `more`: see `_add`."""
        guard = self._guards.account(action, administrator=administrator)
        self._add(method, path, handler, [guard], answers, **more)

    def of_user(
        self, method: str, path: str, handler: Handler, answers: type[BaseModel] | None, **more: Any
    ) -> None:
        """A route for anybody who is known."""
        self._add(method, path, handler, [self._guards.user()], answers, **more)

    def public(
        self, method: str, path: str, handler: Handler, answers: type[BaseModel], **more: Any
    ) -> None:
        """A route for everybody; `guard.PUBLIC` has to list it."""
        self._add(method, path, handler, [], answers, **more)

    def _add(
        self,
        method: str,
        path: str,
        handler: Handler,
        guards: list[Any],
        answers: type[BaseModel] | None,
        *,
        status: HTTPStatus = HTTPStatus.OK,
        also: HTTPStatus | None = None,
        codes: Sequence[str] = (),
        headers: Mapping[str, Any] | None = None,
        links: Mapping[str, Any] | None = None,
    ) -> None:
        """`also` is another status with the same document; `codes` are those of its own rules."""
        self.router.add_api_route(
            path,
            handler,
            methods=[method],
            dependencies=guards,
            operation_id=_name(handler),
            status_code=status,
            response_model=answers,
            responses={int(status): {"headers": {**(headers or {})}, "links": {**(links or {})}}},
            openapi_extra={CODES: list(map(str, codes)), ALSO: also},
        )


def link(
    operation_id: str,
    parameters: Mapping[str, str] | None = None,
    body: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What an answer leads to: another operation on the same account."""
    described: dict[str, Any] = {
        "operationId": operation_id,
        "parameters": {"account_id": "$request.path.account_id", **(parameters or {})},
    }
    return {operation_id: {**described, "requestBody": dict(body)} if body else described}


def _name(handler: Handler) -> str:
    """`get_pause` is `getPause` to clients."""
    first, *others = handler.__name__.split("_")
    return first + "".join(map(str.capitalize, others))
