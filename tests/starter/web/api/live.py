"""The API over real HTTP with a worker behind it, in a thread of its own beside the test."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from threading import Event, Thread

from uvicorn import Config

from starter.backend import Backend
from starter.web.server import Server, listening, url_of
from systems.wiring import Systems
from tests.starter.web.api.desk import api_app
from tests.temporal import TemporalServer
from tests.workflows.stage import open_stage

START_SECONDS, STOP_SECONDS = 60, 60


@dataclass(frozen=True)
class Live:
    """Where the API answers, and what it stands on."""

    url: str
    systems: Systems


@contextmanager
def running(server: TemporalServer, database_url: str, tmp_path: Path) -> Iterator[Live]:
    """The API, until the block ends."""
    with (
        listening("127.0.0.1", 0) as listener,
        _serving(server, database_url, tmp_path, listener) as systems,
    ):
        yield Live(url_of(listener), systems)


@contextmanager
def _serving(
    server: TemporalServer, database_url: str, tmp_path: Path, listener: socket
) -> Iterator[Systems]:
    started = Event()
    web: list[Server] = []
    opened: list[Systems] = []

    async def serve() -> None:
        gateway_url = f"sqlite:///{tmp_path / 'gateway.db'}"
        async with open_stage(server, database_url, gateway_url) as stage, stage.worker():
            app = api_app(Backend(stage.systems, stage.pauses, stage.offer))
            web.append(Server(Config(app, log_config=None, access_log=False, lifespan="off")))
            opened.append(stage.systems)
            started.set()
            await web[0].serve(sockets=[listener])

    thread = Thread(target=asyncio.run, args=[serve()])
    thread.start()
    assert started.wait(START_SECONDS), "the API did not start"
    try:
        yield opened[0]
    finally:
        web[0].should_exit = True
        thread.join(STOP_SECONDS)
