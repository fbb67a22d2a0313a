"""What went wrong, as HTTP says it: problem documents (RFC 9457) with a stable `code`.

The one place that turns `domain/errors.py` into HTTP. Nothing that was sent is repeated, and of an
unforeseen error nothing is told but that it happened.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from domain.errors import Code, Figure, InvariantViolated, Rejected, Transient, unforeseen

log = logging.getLogger("account_pause.web")

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER_SECONDS = 5

STATUS_OF_CODE: Mapping[Code, HTTPStatus] = {
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Code.NOT_AN_ADMINISTRATOR: HTTPStatus.FORBIDDEN,
    Code.ACCOUNT_PAUSED: HTTPStatus.FORBIDDEN,
    Code.ACCOUNT_CLOSED: HTTPStatus.FORBIDDEN,
    Code.ACCOUNT_NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.PAUSE_NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.ACCOUNT_ALREADY_PAUSED: HTTPStatus.CONFLICT,
    Code.ACCOUNT_NOT_PAUSED: HTTPStatus.CONFLICT,
    Code.PAUSING_FAILED: HTTPStatus.CONFLICT,
    Code.RUN_IS_ENDING: HTTPStatus.CONFLICT,
    Code.IDEMPOTENCY_KEY_IN_USE: HTTPStatus.CONFLICT,
    Code.PRECONDITION_FAILED: HTTPStatus.PRECONDITION_FAILED,
    Code.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
# Of all other codes: what was sent was understood, and a rule says no to it.
OTHERWISE = HTTPStatus.UNPROCESSABLE_ENTITY

# The codes of what HTTP itself refuses; of any other status the phrase makes the code.
INTERNAL_ERROR = "internal_error"
PAYLOAD_TOO_LARGE = "payload_too_large"


class Problem(HTTPException):
    """Raised where a request ends; `detail` is a sentence for people that holds nothing sent."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        figures: Mapping[str, Figure] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`code` is stable, for programs; `figures` are what one needs to act."""
        super().__init__(status, detail, headers)
        self.code = code
        self.figures = figures or {}

    def response(self) -> JSONResponse:
        """The answer."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status_code).phrase,
            "status": self.status_code,
            "code": self.code,
            "detail": self.detail,
        }
        if self.figures:
            document["figures"] = dict(self.figures)
        headers = dict(self.headers or {})
        if self.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return JSONResponse(document, self.status_code, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let `app` answer with problem documents whatever goes wrong."""
    for kind in (Rejected, Transient, InvariantViolated, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)


def problem_of(error: Exception) -> Problem:
    """What an error means to whoever has asked."""
    match error:
        case Problem():
            return error
        case Rejected():
            status = STATUS_OF_CODE.get(error.code, OTHERWISE)
            return Problem(status, error.code, error.message, error.figures)
        case Transient():
            log.warning("a request could not be served: %s", error)
            detail = "This is not available at the moment; please try again."
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, Code.UNAVAILABLE, detail)
        case RequestValidationError():
            fields = sorted({".".join(map(str, each["loc"])) for each in error.errors()})
            detail = f"Missing or malformed: {', '.join(fields)}."
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, Code.VALIDATION_FAILED, detail)
        case HTTPException():
            phrase = HTTPStatus(error.status_code).phrase
            code = phrase.lower().replace(" ", "_")
            return Problem(error.status_code, code, f"{phrase}.", headers=error.headers)
        case _:
            return _unforeseen(error)


def too_large(limit: int) -> Problem:
    """The answer to a body of more than `limit` bytes."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        PAYLOAD_TOO_LARGE,
        f"The body may have {limit} bytes at most.",
    )


def _unforeseen(error: Exception) -> Problem:
    """The answer to an error that nobody foresaw; the log gets its kind and where it was."""
    log.error("a request failed: %s", unforeseen(error))
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        INTERNAL_ERROR,
        "Something went wrong here; it has been noted.",
    )


async def _answer(_: Request, error: Exception) -> JSONResponse:
    return problem_of(error).response()
