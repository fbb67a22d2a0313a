"""The API as OpenAPI tells it, complete enough to generate a client from.

A route says its name, its answer and the codes of its own rules (`routes/table.py`). The rest
follows from its guard and its parameters, and is added here for all alike: none is forgotten.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from domain.errors import Code
from domain.policy import ALLOWED_WHILE_CLOSED, ALLOWED_WHILE_PAUSED, Action
from starter.web.api.codes import BAD_REQUEST, PROBLEM, problem_responses
from starter.web.api.documents import PAUSE_EXAMPLE
from starter.web.api.guard import PUBLIC, AccountGuard, guard_of
from starter.web.api.once import HEADER, REPLAYED
from starter.web.api.routes.table import ALSO, CODES
from starter.web.identity.forgery import CROSS_SITE, SAFE_METHODS
from starter.web.problems import INTERNAL_ERROR, PAYLOAD_TOO_LARGE

VERSION = "1"

ABOUT = """
Pause and resume accounts from the product's backend.

An answer that is not what was asked for is a problem document (RFC 9457) with a stable `code`; its
`figures` are what one needs to act. Fields and codes are added now and then; none is renamed,
retyped or removed.
"""

# Whatever is asked, this may be the answer.
ALWAYS = (Code.VALIDATION_FAILED, Code.RATE_LIMITED, Code.UNAVAILABLE, INTERNAL_ERROR)

REPLAYED_HEADER = {
    "description": "`true`: this is the answer that the first request with that key got.",
    "schema": {"type": "string", "const": "true"},
}


def describe(app: FastAPI) -> None:
    """Let `app` tell of its API at `/openapi.json`."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    # FastAPI means it to be replaced so.
    app.openapi = openapi  # type: ignore[method-assign]


def operations(app: FastAPI) -> Iterator[APIRoute]:
    """The routes that the API consists of."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.include_in_schema:
            yield route


def codes_of(route: APIRoute) -> set[str]:
    """Every code with which the route may answer."""
    codes: set[str] = {*ALWAYS, *(route.openapi_extra or {}).get(CODES, ())}
    guard = guard_of(route)
    if guard is not None:
        codes |= {Code.UNAUTHENTICATED}
        codes |= set() if set(route.methods or ()) <= SAFE_METHODS else {CROSS_SITE}
    if isinstance(guard, AccountGuard):
        codes |= {Code.ACCOUNT_NOT_FOUND, *_shut_to(guard.action)}
        codes |= {Code.NOT_AN_ADMINISTRATOR} if guard.administrator else set()
    if route.body_field is not None:
        codes |= {BAD_REQUEST, PAYLOAD_TOO_LARGE}
    if takes_a_key(route):
        codes |= {Code.IDEMPOTENCY_KEY_IN_USE, Code.IDEMPOTENCY_KEY_REUSED}
    return codes


def takes_a_key(route: APIRoute) -> bool:
    """Whether the route takes an idempotency key."""
    return any(field.alias == HEADER for field in route.dependant.header_params)


def _shut_to(action: Action) -> Iterator[str]:
    if action not in ALLOWED_WHILE_PAUSED:
        yield Code.ACCOUNT_PAUSED
    if action not in ALLOWED_WHILE_CLOSED:
        yield Code.ACCOUNT_CLOSED


def _described(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title, version=VERSION, description=ABOUT.strip(), routes=app.routes
    )
    by_id = {route.operation_id: route for route in operations(app)}
    for path in schema["paths"].values():
        for described in path.values():
            if CODES in described:
                _complete(described, by_id[described["operationId"]])
    schemas = schema["components"]["schemas"]
    schemas["Problem"] = PROBLEM
    # Here, since FastAPI leaves out of examples what is null.
    schemas["Pause"]["examples"] = [PAUSE_EXAMPLE]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return schema


def _complete(described: dict[str, Any], route: APIRoute) -> None:
    del described[CODES]
    also = described.pop(ALSO, None)
    done = described["responses"].pop(str(route.status_code))
    done["description"] = HTTPStatus(route.status_code or HTTPStatus.OK).phrase
    if takes_a_key(route):
        done["headers"][REPLAYED] = REPLAYED_HEADER
    answers = {str(route.status_code): done}
    if also is not None:
        answers[str(int(also))] = {**done, "description": "Not done yet, and under way."}
    described["responses"] = {**answers, **problem_responses(codes_of(route))}
    if route.operation_id in PUBLIC:
        described["security"] = []
