"""Requests end in time, whoever is slow: the route, or whoever sends the body."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.middleware import Middleware

from domain.errors import Code
from starter.answers import ANSWER_SECONDS
from starter.web.guards import LastResort
from starter.web.time_limit import SECONDS, TimeLimit
from tests.starter.web.shop import client_of

A_MOMENT = 0.05


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI(middleware=[Middleware(LastResort), Middleware(TimeLimit, seconds=A_MOMENT)])

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.Event().wait()

    @app.get("/failing")
    async def failing() -> None:
        raise TimeoutError

    @app.post("/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    return app


async def trickling() -> AsyncIterator[bytes]:
    """A sender that never comes to the end."""
    yield b"{"
    await asyncio.Event().wait()


async def test_a_slow_route_is_ended_and_may_be_asked_again(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.get("/slow")

    assert (503, Code.UNAVAILABLE) == (answer.status_code, answer.json()["code"])
    assert "retry-after" in answer.headers


async def test_a_body_that_trickles_in_is_cut_off(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.post("/body", content=trickling())

    assert 503 == answer.status_code


async def test_control_a_request_in_time_is_served(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer: httpx.Response = await client.post("/body", content=b"{}")

    assert (200, "2") == (answer.status_code, answer.text)


async def test_a_routes_own_time_out_is_a_mistake_of_ours(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.get("/failing")

    assert 500 == answer.status_code


def test_there_is_time_for_a_pause_to_come_into_effect() -> None:
    assert ANSWER_SECONDS < SECONDS
