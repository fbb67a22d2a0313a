"""The API as it describes itself: valid, complete, pinned, and told the same by its page."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import APIRouter, FastAPI

from domain.errors import Code, InvariantViolated
from starter.backend import Backend
from starter.web.api import api_routes
from starter.web.api.codes import MEANING, status_of
from starter.web.api.describing import operations
from starter.web.api.documents import Pause
from starter.web.api.guard import PUBLIC, guard_of, unguarded
from starter.web.api.routes.sessions import session_routes
from starter.web.api.services import services
from starter.web.identity.entrance import Entrance
from starter.web.problems import MEDIA_TYPE
from tests.house.documents import document
from tests.starter.web.api.desk import URL, Desk, api_app
from tests.starter.web.api.pin import PINNED, unused_backend

PAGE = document("docs/api.md")

# Fields that the design promises to callers.
PROMISED = {
    "unauthenticated": 401,
    "not_an_administrator": 403,
    "account_paused": 403,
    "account_closed": 403,
    "account_not_found": 404,
    "pause_not_found": 404,
    "account_already_paused": 409,
    "account_not_paused": 409,
    "idempotency_key_in_use": 409,
    "payment_method_required": 422,
    "terms_not_accepted": 422,
    "too_many_tracking_numbers": 422,
    "invalid_resume_date": 422,
    "validation_failed": 422,
    "idempotency_key_reused": 422,
    "rate_limited": 429,
    "unavailable": 503,
}


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with unused_backend() as unused:
        yield unused


@pytest.fixture(scope="module")
def app(backend: Backend) -> FastAPI:
    return api_app(backend)


@pytest.fixture
def described(app: FastAPI) -> dict[str, Any]:
    return copy.deepcopy(app.openapi())


def of_api(described: dict[str, Any]) -> list[dict[str, Any]]:
    """Every operation."""
    return [operation for path in described["paths"].values() for operation in path.values()]


def test_the_description_is_valid(described: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(described).validate()

    assert "3.1.0" == described["openapi"]


def test_control_a_description_that_is_not_valid_is_noticed(described: dict[str, Any]) -> None:
    of_api(described)[0]["responses"] = "none"

    with pytest.raises(Exception, match="responses"):
        schemathesis.openapi.from_dict(described).validate()


async def test_it_is_served(quiet_desk: Desk) -> None:
    served = await quiet_desk.client.get("/openapi.json")

    assert 200 == served.status_code
    assert "/api/v1/accounts/{account_id}/pause" in served.json()["paths"]
    assert not [path for path in served.json()["paths"] if not path.startswith("/api/v1/")]


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))

    assert named == set(described["components"]["schemas"])


def test_every_operation_says_who_may_call_it_and_what_it_answers(
    described: dict[str, Any],
) -> None:
    for operation in of_api(described):
        name = operation["operationId"]
        ways: list[Any] = [] if name in PUBLIC else [{"apiKey": []}, {"session": []}]
        assert ways == operation["security"], name
        assert operation["description"], name
        responses = operation["responses"]
        assert {"422", "429", "500", "503"} <= set(responses), name
        for status, response in responses.items():
            kind = "application/json" if status < "300" else MEDIA_TYPE
            content = response.get("content", {})
            assert status == "204" or {kind} == set(content), f"{name} {status}"


def test_the_example_of_a_pause_is_a_pause(described: dict[str, Any]) -> None:
    examples = described["components"]["schemas"]["Pause"]["examples"]

    assert examples == [Pause.model_validate(each).model_dump(mode="json") for each in examples]


def test_every_command_takes_an_idempotency_key(described: dict[str, Any]) -> None:
    posts = [
        path["post"]
        for path in described["paths"].values()
        if "post" in path and path["post"]["operationId"] not in PUBLIC
    ]

    assert 5 == len(posts)
    for operation in posts:
        assert "Idempotency-Key" in [each["name"] for each in operation["parameters"]]
        done = min(operation["responses"])
        assert "Idempotency-Replayed" in operation["responses"][done]["headers"]


def test_every_link_leads_to_an_operation_that_exists(described: dict[str, Any]) -> None:
    known = {operation["operationId"] for operation in of_api(described)}
    linked = {
        link["operationId"]
        for operation in of_api(described)
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    }

    assert linked <= known
    assert {"getPause", "resumeAccount", "changeResumeDate", "disableTracker"} <= linked


# --- what others build against -------------------------------------------------------------------


def test_the_api_only_grows(described: dict[str, Any]) -> None:
    pinned = json.loads(PINNED.read_text(encoding="utf-8"))

    assert pinned == json.loads(json.dumps(described)), (
        "the API has changed. Operations, fields and codes may be added, never renamed, retyped or"
        " removed, and nothing new may be required. If that holds: .venv/bin/python -m"
        " tests.starter.web.api.pin"
    )


def test_the_promised_codes_have_their_statuses() -> None:
    assert PROMISED == {code: int(status_of(code)) for code in PROMISED}


def test_every_code_has_a_meaning() -> None:
    assert set(Code) <= set(MEANING)


def test_the_page_tells_of_every_code_with_its_status_and_meaning() -> None:
    told = {row[0].strip("`"): (row[1], row[2]) for row in PAGE.rows if len(row) == 3}

    for code, meaning in MEANING.items():
        assert (str(int(status_of(code))), meaning) == told.get(code), f"docs/api.md on {code}"


def test_the_page_tells_of_every_operation_and_no_other(described: dict[str, Any]) -> None:
    told = {row[0].strip("`") for row in PAGE.rows if "/api/v1/" in row[0]}
    exists = {
        f"{method.upper()} {path}"
        for path in described["paths"]
        for method in described["paths"][path]
    }

    assert exists == told


# --- guards --------------------------------------------------------------------------------------


def test_every_operation_is_guarded_or_meant_to_be_public(app: FastAPI) -> None:
    public = {str(route.operation_id) for route in operations(app) if guard_of(route) is None}

    assert public == PUBLIC


def test_control_a_route_without_a_guard_is_noticed_however_deep_it_is() -> None:
    router, nested = APIRouter(), APIRouter()
    router.get("/open", operation_id="open")(lambda: None)
    nested.include_router(router)

    assert ["{'GET'} /open"] == unguarded(router) == unguarded(nested)


def test_the_api_does_not_start_with_a_route_that_nobody_guards(backend: Backend) -> None:
    api = services(backend, Entrance(backend.systems.identity, URL), URL)

    def careless(_: object) -> APIRouter:
        router = session_routes(api)
        router.get("/open", operation_id="open")(lambda: None)
        return router

    with pytest.raises(InvariantViolated, match="/open"):
        api_routes(api, [careless])
