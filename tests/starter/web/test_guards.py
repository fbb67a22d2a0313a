"""What every answer has, what no request may have, and how little an error tells."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Form
from starlette.responses import PlainTextResponse

from domain.errors import Code, InvariantViolated, Rejected, Transient
from starter.web.guards import BODY_BYTES, HEADERS
from systems.wiring import Systems
from tests.starter.web.shop import client_of, opened, shop_app

SECRET_WORDS = "Dana Whitfield, 4242"

ERRORS: dict[str, Exception] = {
    "rejected": Rejected(Code.TOO_MANY_TRACKING_NUMBERS, "53 are too many.", active=53),
    "not_found": Rejected(Code.ACCOUNT_NOT_FOUND, "There is no account ACC1."),
    "transient": Transient(f"the database did not answer: {SECRET_WORDS}"),
    "invariant": InvariantViolated(SECRET_WORDS),
    "unforeseen": ValueError(SECRET_WORDS),
}


@pytest.fixture
def systems(sqlite_url: str, tmp_path: Path) -> Iterator[Systems]:
    yield from opened(sqlite_url, tmp_path)


@pytest.fixture
def app(systems: Systems) -> FastAPI:
    """The application, with routes that fail."""
    app = shop_app(systems)

    @app.get("/fails/{how}")
    def fails(how: str) -> None:
        raise ERRORS[how]

    @app.get("/fails-in-the-middle")
    async def fails_in_the_middle() -> None:
        raise ERRORS["unforeseen"]

    @app.get("/number/{number}")
    def number(number: int) -> int:
        return number

    @app.get("/framed")
    def framed() -> PlainTextResponse:
        return PlainTextResponse("own", headers={"X-Frame-Options": "SAMEORIGIN"})

    @app.post("/form")
    def form(card: str = Form()) -> str:
        return card

    return app


@pytest.mark.parametrize(
    "path",
    [
        *("/healthz", "/readyz", "/static/pages.css", "/cards/entered", "/nothing-here"),
        *("/sandbox/cards/nothing", "/fails/unforeseen", "/webhooks/stripe"),
    ],
)
async def test_every_answer_has_the_safe_headers(app: FastAPI, path: str) -> None:
    async with client_of(app) as client:
        answer = await client.get(path)

    missing = {name for name in HEADERS if name not in answer.headers}
    assert not missing
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [("https://app.example", "max-age=31536000"), ("http://127.0.0.1:8000", None)],
)
async def test_behind_tls_browsers_are_told_to_stay_there(
    systems: Systems, public_url: str, expected: str | None
) -> None:
    async with client_of(shop_app(systems, public_url=public_url)) as client:
        answer = await client.get("/healthz")

    assert expected == answer.headers.get("Strict-Transport-Security")


async def test_a_route_may_have_a_header_of_its_own(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.get("/framed")

    assert "SAMEORIGIN" == answer.headers["X-Frame-Options"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nothing-here", 404, "not_found"),
        ("/fails/rejected", 422, Code.TOO_MANY_TRACKING_NUMBERS),
        ("/fails/not_found", 404, Code.ACCOUNT_NOT_FOUND),
        ("/fails/transient", 503, Code.UNAVAILABLE),
        ("/fails/invariant", 500, "internal_error"),
        ("/fails/unforeseen", 500, "internal_error"),
        ("/fails-in-the-middle", 500, "internal_error"),
        ("/number/4242", 200, None),
        ("/number/Dana", 422, Code.VALIDATION_FAILED),
    ],
)
async def test_what_goes_wrong_is_a_problem_document_that_tells_no_secret(
    app: FastAPI, path: str, status: int, code: str | None
) -> None:
    async with client_of(app) as client:
        answer = await client.get(path)

    assert status == answer.status_code
    if code is not None:
        assert "application/problem+json" == answer.headers["Content-Type"]
        assert (code, status) == (answer.json()["code"], answer.json()["status"])
        assert {"type", "title", "status", "code", "detail"} <= set(answer.json())
        assert "Dana" not in answer.text


async def test_a_refusal_has_the_figures_to_act_on(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.get("/fails/rejected")

    assert {"active": 53} == answer.json()["figures"]


async def test_what_is_away_says_when_to_try_again(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.get("/fails/transient")

    assert int(answer.headers["Retry-After"]) > 0


async def test_a_method_that_is_not_there_says_which_are(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.delete("/webhooks/stripe")

    assert (405, "POST") == (answer.status_code, answer.headers["Allow"])
    assert "method_not_allowed" == answer.json()["code"]


async def test_the_log_says_where_it_failed_and_not_with_which_words(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with client_of(app) as client:
            await client.get("/fails/unforeseen")
            await client.get("/fails/invariant")

    assert "ValueError" in caplog.text
    assert "in fails" in caplog.text
    assert SECRET_WORDS not in caplog.text


@pytest.mark.parametrize("is_announced", [True, False])
async def test_the_limit_holds_for_forms_too(app: FastAPI, is_announced: bool) -> None:
    body = b"card=" + b"x" * BODY_BYTES

    async def in_parts() -> AsyncIterator[bytes]:
        for begin in range(0, len(body), 10_000):
            yield body[begin : begin + 10_000]

    async with client_of(app) as client:
        answer = await client.post(
            "/form",
            content=body if is_announced else in_parts(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

    assert (413, "payload_too_large") == (answer.status_code, answer.json()["code"])


async def test_control_a_form_within_the_limit_gets_through(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.post("/form", data={"card": "x" * 1_000})

    assert 200 == answer.status_code
