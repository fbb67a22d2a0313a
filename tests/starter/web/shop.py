"""The web process in this process: the application on fresh systems, and a client of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import inspect

from settings import Settings
from starter.web.app import build_app
from starter.web.server import Server, listening, url_of
from systems.wiring import Systems, open_systems

SECRET = "whsec_of_this_endpoint"
TEST_KEY, LIVE_KEY = "sk_test_shop", "sk_live_shop"
URL = "http://shop.example"

Headers = Sequence[tuple[bytes, bytes]]


def opened(database_url: str, tmp_path: Path) -> Iterator[Systems]:
    """Systems with the sandbox as their gateway; a generator, for fixtures to yield from."""
    gateway_url = f"sqlite:///{tmp_path / 'gateway.db'}"
    systems = open_systems(database_url, gateway_url, pages_url=URL)
    yield systems
    systems.close()


def settings(key: str = TEST_KEY, secret: str = SECRET, **more: Any) -> Settings:
    """Settings under which Stripe's webhooks are believed."""
    given = {"stripe_api_key": key, "stripe_webhook_secret": secret, "public_url": URL}
    return Settings(**{**given, **more})


def shop_app(systems: Systems, **more: Any) -> FastAPI:
    """The application, as the web process has it."""
    return build_app(settings(**more), systems)


@asynccontextmanager
async def client_of(app: FastAPI, address: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    """A browser at that address, or whoever else comes; follows no redirect."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


def everything_in(systems: Systems) -> dict[str, list[str]]:
    """All rows of the product's database as text, by table."""
    with systems.engine.begin() as connection:
        return {
            name: sorted(
                str(row) for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"').all()
            )
            for name in inspect(connection).get_table_names()
        }


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application over real HTTP, from a thread of its own; its address."""
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
    server = Server(config)
    with listening("127.0.0.1", 0) as listener:
        thread = Thread(target=asyncio.run, args=[server.serve(sockets=[listener])])
        thread.start()
        try:
            yield url_of(listener)
        finally:
            server.should_exit = True
            thread.join()


async def posted(app: FastAPI, path: str, body: bytes, headers: Headers = ()) -> tuple[int, bytes]:
    """What one POST is answered, straight through the ASGI interface: for tests that send many."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"shop.example"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    came: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        came.append(message)

    await app(scope, receive, send)
    return came[0]["status"], b"".join(part.get("body", b"") for part in came[1:])
