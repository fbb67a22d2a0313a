"""The API over one stage: its application, and callers with keys and sessions."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI

from domain.states import Role
from settings import Settings
from starter.backend import Backend
from starter.web.api import api_routes
from starter.web.api.services import services
from starter.web.app import build_app
from starter.web.identity.entrance import Entrance
from starter.web.problems import install
from systems.identity.sessions import begin
from systems.requests import Requests
from systems.sample import SampleAccount, create_account
from systems.tables import UserRow
from systems.wiring import Systems
from tests.starter.web.shop import client_of

URL = "http://shop.example"
PASSWORD = "correct horse battery"
OURS = {"Origin": URL}
TERMS = {"terms_version": "2026-11"}


def settings_with(**more: Any) -> Settings:
    """Settings under which nobody is throttled, unless said otherwise."""
    return Settings(**{"public_url": URL, "requests_per_minute": 1_000_000, **more})


def api_app(backend: Backend, **more: Any) -> FastAPI:
    """The application, as the web process has it."""
    return build_app(settings_with(**more), backend.systems, backend)


def narrow_app(backend: Backend, requests: Requests, clock: Callable[[], datetime]) -> FastAPI:
    """The API alone, with a store of answers that may fail, and a clock that may be moved."""
    app = FastAPI()
    install(app)
    entrance = Entrance(backend.systems.identity, URL)
    app.include_router(api_routes(services(backend, entrance, URL, requests, clock)))
    return app


@dataclass(frozen=True)
class Caller:
    """Somebody with a way to show who they are."""

    client: httpx.AsyncClient
    headers: Mapping[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """What the API answers to this caller."""
        headers = {**self.headers, **more.pop("headers", {})}
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **more)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        """A question."""
        return await self.ask("GET", path, **more)

    async def post(
        self, path: str, document: Any = None, key: str | None = None, **more: Any
    ) -> httpx.Response:
        """A command, under an idempotency key if there is one."""
        keyed = {"Idempotency-Key": key} if key else {}
        return await self.ask("POST", path, json=document, headers=keyed, **more)


@dataclass(frozen=True)
class Desk:
    """The API and who comes to it."""

    systems: Systems
    client: httpx.AsyncClient

    def with_key(self, user_id: str) -> Caller:
        """A backend that acts for the user."""
        new = self.systems.identity.api_keys.create(user_id, "test", datetime.now(UTC), "operator")
        return Caller(self.client, {"Authorization": f"Bearer {new.secret}"})

    def let_in(self, user_id: str) -> str:
        """Give the user a password; returns the e-mail to log in with."""
        users = self.systems.identity.users
        users.set_password(user_id, PASSWORD, datetime.now(UTC), "operator")
        return users.user(user_id).email

    def with_session(self, user_id: str) -> Caller:
        """A browser in which the user is logged in."""
        with self.systems.db.transaction() as session:
            new = begin(session, session.get_one(UserRow, user_id), datetime.now(UTC))
        return browser(self.client, new.token, new.session.csrf_secret)

    def anonymous(self) -> Caller:
        """Somebody whom nobody knows."""
        return Caller(self.client)


def browser(client: httpx.AsyncClient, token: str, csrf_token: str) -> Caller:
    """A browser with the cookie of a session, on a page of ours."""
    cookie = f"account_pause_session={token}"
    return Caller(client, {"Cookie": cookie, "X-CSRF-Token": csrf_token, **OURS})


@asynccontextmanager
async def desk_of(backend: Backend, **more: Any) -> AsyncIterator[Desk]:
    """The API over `backend`."""
    async with client_of(api_app(backend, **more)) as client:
        yield Desk(backend.systems, client)


def new_account(systems: Systems, **more: Any) -> SampleAccount:
    """A fresh account beside the others."""
    return create_account(
        systems,
        **{
            "key": uuid4().hex,
            "name": "Another",
            "time_zone": "America/Chicago",
            "billing_day": 15,
            "created_at": datetime.now(UTC),
            **more,
        },
    )


def of_role(systems: Systems, account_id: str, role: Role) -> str:
    """The account's user in that role."""
    users = systems.accounts.users(account_id)
    return next(user.user_id for user in users if user.role is role)


def code_of(answer: httpx.Response) -> str:
    """The code of a problem document, which the answer has to be."""
    assert "application/problem+json" == answer.headers["content-type"], answer.text
    problem = answer.json()
    assert answer.status_code == problem["status"]
    return str(problem["code"])
