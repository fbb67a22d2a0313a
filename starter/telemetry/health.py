"""Whether a worker lives, and whether it can work: for supervisors and rollouts."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from settings import SettingsError
from starter.telemetry.metrics import Metrics
from systems import migrate

# Supervisors ask every few seconds and wait about one.
ANSWER_WITHIN = timedelta(seconds=2)


class Readiness:
    """What a worker needs to work, as far as it has it."""

    def __init__(self, engine: Engine, stop: asyncio.Event) -> None:
        """There is a database and nothing else yet; `stop` is set when the worker is to end."""
        self._engine = engine
        self._stop = stop
        self._client: Client | None = None
        self._worker: Worker | None = None

    def polls(self, client: Client, worker: Worker) -> None:
        """From now on `worker` takes tasks from Temporal."""
        self._client, self._worker = client, worker

    async def hindrance(self) -> str | None:
        """What keeps the worker from working; None if nothing does."""
        if self._stop.is_set():
            return "The worker is stopping."
        if self._client is None or self._worker is None:
            return "Temporal has not answered yet."
        if not self._worker.is_running:
            return "The worker takes no tasks."
        if not await self._temporal_answers(self._client):
            return "Temporal does not answer."
        return await asyncio.to_thread(migrate.hindrance, self._engine)

    async def _temporal_answers(self, client: Client) -> bool:
        try:
            return await client.service_client.check_health(timeout=ANSWER_WITHIN)
        except (RPCError, RuntimeError):
            # The latter from a client that never got through.
            return False


@asynccontextmanager
async def health_served(
    address: str, readiness: Readiness, metrics: Metrics
) -> AsyncIterator[None]:
    """Answer `/healthz` and `/readyz` at `address` within the block; nowhere if it is empty.

    `/healthz` asks nobody: a worker that waits for somebody else is not to be restarted.

    Raises:
        SettingsError: the address cannot be had.
    """
    if not address:
        yield
        return
    # Here, so that a worker without it need not wait for a web server.
    import uvicorn

    from starter.web.server import Server

    config = uvicorn.Config(
        health_app(readiness, metrics),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    with _listener(address) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving


def health_app(readiness: Readiness, metrics: Metrics) -> Starlette:
    """The two routes."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        hindrance = await readiness.hindrance()
        metrics.ready(is_ready=hindrance is None)
        if hindrance:
            return JSONResponse({"status": "not ready", "detail": hindrance}, 503)
        return JSONResponse({"status": "ready"})

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])


def _listener(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if not host:
            # All of the machine's addresses: that has to be said.
            raise ValueError("no ip")
        return socket.create_server((host.strip("[]"), int(port)), family=family)
    except (OSError, ValueError, OverflowError) as error:
        raise SettingsError(
            f"ACCOUNT_PAUSE_HEALTH_ADDRESS, {address}: {error}."
            " It takes an ip:port that no other process of this machine has."
        ) from None
