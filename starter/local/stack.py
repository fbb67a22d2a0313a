"""The life of a local stack: start server, worker and web, follow them, stop them."""

import asyncio
import importlib.util
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr
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
from starter.schedules import NOT_SCHEDULED, schedule_reconciliation

READY_SECONDS = 30
POLL_SECONDS = 0.1

# Steps take milliseconds here; what takes longer is killed, which is safe at any moment.
WORKER_STOP_SECONDS = 5
WEB_STOP_SECONDS = 8
SERVER_STOP_SECONDS = 5

# A child that dies again and again is started ever more slowly.
RESTART_SECONDS = 0.5
RESTART_SECONDS_AT_MOST = 30.0


class StackFailed(Exception):
    """The stack cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """What is to run: on the ports given, or against the service at `address`.

    `ui_port` None: no Web UI. `web_port` None: no web process.
    """

    settings: Settings
    port: int
    ui_port: int | None
    address: str | None = None
    namespace: str = "default"
    web_port: int | None = None

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

    @property
    def web_url(self) -> str | None:
        """Where the stack's web process answers."""
        return f"http://{LOOPBACK}:{self.web_port}" if self.web_port is not None else None

    @property
    def public_url(self) -> str:
        """Where browsers reach it: as the settings say, else here; empty without a web process."""
        return self.settings.pages_url or self.web_url or ""


class Stack:
    """The child processes of one stack."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        """`say` tells the person at the terminal what happens."""
        self._plan = plan
        self._say = say
        self._server = None if plan.address else self._own_server()
        self._worker = self._own("worker", [sys.executable, _worker_file()])
        self._web = self._own("web", _web_command(plan.web_port)) if plan.web_port else None

    async def start(self) -> Client:
        """Start what there is to start; returns a client once all of it is ready.

        The database must be migrated.

        Raises:
            StackFailed: a port is taken, or something ended at once.
        """
        try:
            self._refuse_taken_ports()
            client = await self._start_server()
            await self._schedule_reconciliation(client)
            self._say("Starting the worker")
            await self._worker.start()
            if self._web is not None:
                await self._web.start()
            await self._until_ready(self._worker, lambda: _is_asked(client))
            if self._web is not None:
                await self._until_ready(self._web, self._web_answers)
        except NoServer as error:
            raise StackFailed(self._with_tail(str(error), self._server)) from None
        return client

    async def follow(self) -> None:
        """Start worker and web again whenever they die. Ends only with an error.

        Raises:
            StackFailed: the server has ended.
        """
        children = [self._worker, *([self._web] if self._web else [])]
        followed = [asyncio.create_task(self._follow(child)) for child in children]
        if self._server is not None:
            followed.append(asyncio.create_task(self._follow_server(self._server)))
        try:
            await asyncio.gather(*followed)
        finally:
            for task in followed:
                task.cancel()

    async def stop(self) -> None:
        """Stop the web process, the worker, then the server; those that run."""
        if self._web is not None:
            await self._web.stop(WEB_STOP_SECONDS)
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

    def _own(self, name: str, command: list[str]) -> Child:
        plan = self._plan
        return Child(
            name,
            command,
            plan.state_dir / "logs" / f"{name}.log",
            {
                "TEMPORAL_ADDRESS": plan.target,
                "ACCOUNT_PAUSE_STATE_DIR": str(plan.state_dir),
                "DATABASE_URL": plan.settings.database_url,
                "ACCOUNT_PAUSE_GATEWAY_URL": plan.settings.gateway_url,
                "STRIPE_API_KEY": plan.settings.stripe_api_key.get_secret_value(),
                "STRIPE_WEBHOOK_SECRET": plan.settings.stripe_webhook_secret.get_secret_value(),
                "ACCOUNT_PAUSE_STRIPE_URL": plan.settings.stripe_url,
                "ACCOUNT_PAUSE_PUBLIC_URL": plan.public_url,
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

    async def _schedule_reconciliation(self, client: Client) -> None:
        try:
            await schedule_reconciliation(client)
        except RPCError as error:
            # Pauses do without it; `account-pause reconcile` does the same by hand.
            self._say(f"{NOT_SCHEDULED} ({error.status.name}).")

    def _refuse_taken_ports(self) -> None:
        plan = self._plan
        own = {"--port": plan.port, "--ui-port": plan.ui_port} if self._server else {}
        for option, port in {**own, "--web-port": plan.web_port}.items():
            if port is not None and is_taken(port):
                advice = (
                    f"Stop that program, or choose another port: `account-pause up {option} PORT`"
                )
                if option == "--port":
                    advice += (
                        ", or, if it is a Temporal server to be used, say"
                        f" TEMPORAL_ADDRESS={plan.target}"
                    )
                raise StackFailed(f"Port {port} is taken by another program. {advice}.")

    async def _until_ready(self, child: Child, is_ready: Callable[[], Awaitable[bool]]) -> None:
        deadline = asyncio.get_running_loop().time() + READY_SECONDS
        while not await is_ready():
            if self._server is not None and not self._server.is_running:
                raise NoServer("The Temporal server has ended.")
            is_late = asyncio.get_running_loop().time() > deadline
            if is_late or not child.is_running:
                raise StackFailed(self._with_tail(f"The {child.name} did not start.", child))
            await asyncio.sleep(POLL_SECONDS)

    async def _web_answers(self) -> bool:
        port = self._plan.web_port
        return port is not None and is_taken(port)

    async def _follow(self, child: Child) -> None:
        pause = RESTART_SECONDS
        while True:
            began = asyncio.get_running_loop().time()
            code = await child.wait()
            if asyncio.get_running_loop().time() - began > RESTART_SECONDS_AT_MOST:
                pause = RESTART_SECONDS
            self._say(
                f"The {child.name} ended ({_exit(code)}); starting it again. Log: {child.log}"
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, RESTART_SECONDS_AT_MOST)
            await child.start()

    async def _follow_server(self, server: Child) -> None:
        code = await server.wait()
        raise StackFailed(
            self._with_tail(f"The Temporal server has ended ({_exit(code)}).", server)
        )

    def _with_tail(self, message: str, child: Child | None) -> str:
        words = tail(child.log) if child is not None else ""
        return f"{message} The end of {child.log}:\n{words}" if child and words else message


def ephemeral(plan: Plan, state_dir: Path) -> Plan:
    """The same plan with everything in `state_dir`: nothing of it is seen or charged elsewhere."""
    settings = plan.settings.model_copy(
        update={
            "state_dir": state_dir,
            "database_url": "",
            "gateway_url": "",
            "smtp_url": "",
            "stripe_api_key": SecretStr(""),
        }
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


def _web_command(port: int) -> list[str]:
    # -P: what lies in the folder of whoever calls must not stand in for a module of ours.
    command = [sys.executable, "-P", "-m", "starter.cli", "web"]
    return [*command, "--host", LOOPBACK, "--port", str(port)]


def _exit(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
