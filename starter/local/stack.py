"""The local stack's life: start server and worker, follow them, stop them; used by `up`, `demo`."""

import asyncio
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from settings import Settings
from starter.local.processes import LOOPBACK, Child, is_taken, tail
from starter.local.server import (
    NoServer,
    has_worker,
    register_search_attributes,
    server_command,
    until_it_answers,
)

WORKER_READY_SECONDS = 30
POLL_SECONDS = 0.1

# Steps take milliseconds here; what takes longer is killed, which is safe at any moment.
WORKER_STOP_SECONDS = 5
SERVER_STOP_SECONDS = 5

# A worker that dies again and again is started ever more slowly.
RESTART_SECONDS = 0.5
RESTART_SECONDS_AT_MOST = 30.0


class StackFailed(Exception):
    """The stack cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """What is to run: on the ports given, or against the service at `address`.

    `ui_port` None: no Web UI.
    """

    settings: Settings
    port: int
    ui_port: int | None
    address: str | None = None
    namespace: str = "default"

    @property
    def state_dir(self) -> Path:
        """Where everything is kept, as an absolute path."""
        return self.settings.state_dir.absolute()

    @property
    def target(self) -> str:
        """Where Temporal answers."""
        return self.address or f"{LOOPBACK}:{self.port}"

    @property
    def ui_url(self) -> str | None:
        """Where the Web UI of the stack's own server answers."""
        if self.address is not None or self.ui_port is None:
            return None
        return f"http://{LOOPBACK}:{self.ui_port}"


class Stack:
    """The child processes of one stack."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        """`say` tells the person at the terminal what happens."""
        self._plan = plan
        self._say = say
        self._server = None if plan.address else self._own_server()
        self._worker = self._own_worker()

    async def start(self) -> Client:
        """Start what there is to start; returns a client once a worker asks for work.

        The database must be migrated.

        Raises:
            StackFailed: a port is taken, or something ended at once.
        """
        try:
            client = await self._start_server()
            self._say("Starting the worker")
            await self._worker.start()
            await self._until_worker_asks(client)
        except NoServer as error:
            raise StackFailed(self._with_tail(str(error), self._server)) from None
        return client

    async def follow(self) -> None:
        """Start the worker again whenever it dies. Ends only with an error.

        Raises:
            StackFailed: the server has ended.
        """
        followed = [asyncio.create_task(self._follow_worker())]
        if self._server is not None:
            followed.append(asyncio.create_task(self._follow_server(self._server)))
        try:
            await asyncio.gather(*followed)
        finally:
            for task in followed:
                task.cancel()

    async def stop(self) -> None:
        """Stop the worker, then the server; those that run."""
        await self._worker.stop(WORKER_STOP_SECONDS)
        if self._server is not None:
            await self._server.stop(SERVER_STOP_SECONDS)

    # --- how -------------------------------------------------------------------------------------

    def _own_server(self) -> Child:
        plan = self._plan
        try:
            command = server_command(
                plan.port,
                ui_port=plan.ui_port,
                database=plan.state_dir / "temporal.db",
                namespace=plan.namespace,
            )
        except NoServer as error:
            raise StackFailed(str(error)) from None
        return Child("Temporal server", command, plan.state_dir / "logs" / "temporal.log", {})

    def _own_worker(self) -> Child:
        plan = self._plan
        return Child(
            "worker",
            [sys.executable, _worker_file()],
            plan.state_dir / "logs" / "worker.log",
            {
                "TEMPORAL_ADDRESS": plan.target,
                "ACCOUNT_PAUSE_STATE_DIR": str(plan.state_dir),
                "DATABASE_URL": plan.settings.database_url,
                "ACCOUNT_PAUSE_GATEWAY_URL": plan.settings.gateway_url,
                "SMTP_URL": plan.settings.smtp_url,
                "ACCOUNT_PAUSE_JOB_SECONDS": str(plan.settings.job_seconds),
                "ACCOUNT_PAUSE_SHUTDOWN_SECONDS": str(WORKER_STOP_SECONDS - 1),
                "PYTHONUNBUFFERED": "1",
            },
        )

    async def _start_server(self) -> Client:
        if self._server is None:
            self._say(f"Using the Temporal service at {self._plan.target}")
            client = await until_it_answers(self._plan.target)
            await self._register_search_attributes(client)
            return client
        self._refuse_taken_ports()
        self._say("Starting the Temporal server")
        await self._server.start()
        client = await until_it_answers(
            self._plan.target, is_alive=lambda: self._server is not None and self._server.is_running
        )
        await self._register_search_attributes(client)
        return client

    async def _register_search_attributes(self, client: Client) -> None:
        try:
            registered = await register_search_attributes(client)
        except RPCError as error:
            raise StackFailed(
                f"The service at {self._plan.target} does not let us register search attributes"
                f" ({error.status.name}); have an operator run `account-pause migrate` against it."
            ) from error
        if registered:
            self._say(f"Registered the search attributes {', '.join(registered)}")

    def _refuse_taken_ports(self) -> None:
        options = {"--port": self._plan.port, "--ui-port": self._plan.ui_port}
        for option, port in options.items():
            if port is not None and is_taken(port):
                raise StackFailed(
                    f"Port {port} is taken by another program. Stop that program, choose another"
                    f" port with {option}, or, if it is a Temporal server to be used, say"
                    f" TEMPORAL_ADDRESS={self._plan.target}."
                )

    async def _until_worker_asks(self, client: Client) -> None:
        deadline = asyncio.get_running_loop().time() + WORKER_READY_SECONDS
        while not await _is_asked(client):
            if self._server is not None and not self._server.is_running:
                raise NoServer("The Temporal server has ended.")
            is_late = asyncio.get_running_loop().time() > deadline
            if is_late or not self._worker.is_running:
                raise StackFailed(self._with_tail("The worker did not start.", self._worker))
            await asyncio.sleep(POLL_SECONDS)

    async def _follow_worker(self) -> None:
        pause = RESTART_SECONDS
        while True:
            began = asyncio.get_running_loop().time()
            code = await self._worker.wait()
            if asyncio.get_running_loop().time() - began > RESTART_SECONDS_AT_MOST:
                pause = RESTART_SECONDS
            self._say(
                f"The worker ended ({_exit(code)}); starting it again. Log: {self._worker.log}"
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, RESTART_SECONDS_AT_MOST)
            await self._worker.start()

    async def _follow_server(self, server: Child) -> None:
        code = await server.wait()
        raise StackFailed(
            self._with_tail(f"The Temporal server has ended ({_exit(code)}).", server)
        )

    def _with_tail(self, message: str, child: Child | None) -> str:
        words = tail(child.log) if child is not None else ""
        return f"{message} The end of {child.log}:\n{words}" if child and words else message


def ephemeral(plan: Plan, state_dir: Path) -> Plan:
    """The same plan with everything in `state_dir`: nothing of it is seen elsewhere."""
    settings = plan.settings.model_copy(
        update={"state_dir": state_dir, "database_url": "", "gateway_url": "", "smtp_url": ""}
    )
    return replace(plan, settings=settings)


async def _is_asked(client: Client) -> bool:
    try:
        return await has_worker(client)
    except RPCError:
        # Whether the server is gone or only busy shows in its process.
        return False


def _worker_file() -> str:
    found = importlib.util.find_spec("worker")
    assert found is not None, "the worker is packaged with the command line"
    assert found.origin is not None, "the worker is a file"
    return found.origin


def _exit(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
