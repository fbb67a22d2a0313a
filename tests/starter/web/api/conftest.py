"""The API over the stage's account, and over sample accounts without any server."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from domain.terms import Offer
from starter.backend import Backend
from starter.client import PauseClient
from starter.connect import connect
from systems.identity import Identity, Passwords
from systems.wiring import open_systems
from tests.fakes.hasher import FastHasher
from tests.starter.web.api.desk import URL, Caller, Desk, desk_of
from tests.starter.web.api.live import Live, running
from tests.temporal import TemporalServer
from tests.workflows.stage import Stage


@pytest.fixture
async def desk(stage: Stage) -> AsyncIterator[Desk]:
    """The API over the stage's account; acts need `stage.worker()`."""
    async with desk_of(Backend(stage.systems, stage.pauses, stage.offer)) as opened:
        yield opened


@pytest.fixture
def admin(stage: Stage, desk: Desk) -> Caller:
    """A backend that acts for the administrator of the stage's account."""
    return desk.with_key(stage.administrator)


@asynccontextmanager
async def quiet(database_url: str, tmp_path: Path) -> AsyncIterator[Backend]:
    """The product on an empty database; Temporal is away, and passwords are hashed in no time."""
    opened = open_systems(database_url, f"sqlite:///{tmp_path / 'gateway.db'}", pages_url=URL)
    systems = replace(opened, identity=Identity(opened.db, Passwords(FastHasher())))
    client = await connect("127.0.0.1:1", lazy=True)
    yield Backend(systems, PauseClient(client, systems.accounts), Offer())
    systems.close()


@pytest.fixture
async def quiet_backend(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Backend]:
    """It on SQLite."""
    async with quiet(sqlite_url, tmp_path) as backend:
        yield backend


@pytest.fixture
async def quiet_desk(quiet_backend: Backend) -> AsyncIterator[Desk]:
    """The API over it."""
    async with desk_of(quiet_backend) as opened:
        yield opened


@pytest.fixture
async def any_desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """The API over each kind of database."""
    async with quiet(database_url, tmp_path) as backend, desk_of(backend) as opened:
        yield opened


@pytest.fixture
def live(temporal_server: TemporalServer, sqlite_url: str, tmp_path: Path) -> Iterator[Live]:
    """The API over real HTTP, for tests that are no coroutines."""
    with running(temporal_server, sqlite_url, tmp_path) as started:
        yield started
