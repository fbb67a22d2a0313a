"""A Temporal server and a worker, processes of their own, and pauses that are put through them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from benchmarks.processor import cpu_seconds
from benchmarks.world import memory_ids
from domain import names
from domain.messages import PauseInput, PauseRequest, Status
from domain.states import PauseState
from tests.e2e.processes import WorkerProcess, worker_process
from tests.temporal import TemporalServer, running_server
from workflows.account_pause import AccountPause
from workflows.view import search_attributes

AT_ONCE = 20
WARM_UP = 20

# Work is over when all processes together take less than this of one processor's second.
QUIET_SECONDS = 0.1
QUIET_WITHIN_SECONDS = 300

# A new pause runs the workflow's module anew, in its sandbox. Where Python may not keep what it has
# compiled, each of them would compile it too; an installed package has it compiled beside it.
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}

PauseHandle = WorkflowHandle[AccountPause, Status]
Account = tuple[str, str]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Used:
    """Processor seconds of worker and server."""

    worker: float
    server: float

    @property
    def both(self) -> float:
        """Their sum."""
        return self.worker + self.server

    def __sub__(self, other: "Used") -> "Used":
        return Used(self.worker - other.worker, self.server - other.server)


@dataclass
class Rig:
    """A server, a client of it, and the worker of the moment."""

    server: TemporalServer
    client: Client
    directory: Path
    skipper: TimeSkipper
    worker: WorkerProcess | None = None
    accounts_used: int = 0

    @contextmanager
    def working(self, *arguments: str) -> Iterator[WorkerProcess]:
        """A worker until the block ends; `arguments` are those of `benchmarks/worker.py`."""
        command = ("-m", "benchmarks.worker", self.server.address, *arguments)
        log = self.directory / "worker.log"
        with worker_process(log, *command, environment=COMPILED) as worker:
            self.worker = worker
            try:
                worker.until_ready()
                yield worker
            finally:
                self.worker = None

    def used(self) -> Used:
        """What worker and server have used so far."""
        worker = cpu_seconds(self.worker.process.pid) if self.worker else 0.0
        return Used(worker, cpu_seconds(self.server.process.pid))

    async def cost(self, work: Awaitable[object]) -> Used:
        """What the work takes, until worker and server have come to rest."""
        before = self.used()
        await work
        await self.until_quiet()
        return self.used() - before

    async def until_quiet(self) -> None:
        """Wait until neither worker nor server has anything left to do."""
        async with asyncio.timeout(QUIET_WITHIN_SECONDS):
            before = self.used().both
            while True:
                await asyncio.sleep(1)
                now = self.used().both
                if now - before < QUIET_SECONDS:
                    return
                before = now

    def memory_accounts(self, count: int) -> list[Account]:
        """Accounts that no pause had so far, where the worker's systems are in memory."""
        first = self.accounts_used
        self.accounts_used += count
        return [memory_ids(number) for number in range(first, first + count)]

    async def pause(self, account: Account, *, skipping: bool = False) -> PauseHandle:
        """Put a pause of the account into effect, as clients do. `skipping`: its clock jumps."""
        account_id, administrator = account
        client = self.skipper.client if skipping else self.client
        status = Status(pause_id="", account_id=account_id, state=PauseState.PAUSING)
        start = WithStartWorkflowOperation(
            AccountPause.run,
            PauseInput(account_id=account_id, requested_by=administrator),
            id=names.pause_workflow_id(account_id),
            task_queue=names.TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=TypedSearchAttributes(search_attributes(status)),
            static_summary=f"pause of {account_id}",
        )
        answer = await client.execute_update_with_start_workflow(
            names.PAUSE,
            PauseRequest(),
            result_type=Status,
            start_workflow_operation=start,
        )
        assert answer.state is PauseState.PAUSED, answer
        return self.handle(account)

    def handle(self, account: Account) -> PauseHandle:
        """The account's pause."""
        workflow_id = names.pause_workflow_id(account[0])
        return self.client.get_workflow_handle_for(AccountPause.run, workflow_id)


@asynccontextmanager
async def open_rig(directory: Path) -> AsyncIterator[Rig]:
    """A server that keeps its data in `directory`, until the block ends; no worker runs yet."""
    directory.mkdir(parents=True, exist_ok=True)
    with running_server(directory / "server.log", database=directory / "temporal.db") as server:
        client = await Client.connect(
            server.address, data_converter=pydantic_data_converter, identity="b"
        )
        skipper = TimeSkipper(client, config=TimeSkippingConfig(max_session_skip_count=5000))
        yield Rig(server, client, directory, skipper)


async def side_by_side(
    items: Sequence[Item], work: Callable[[Item], Awaitable[Result]], at_once: int = AT_ONCE
) -> list[Result]:
    """Do the work for all items, so many at once; the results in the items' order."""
    places = asyncio.Semaphore(at_once)

    async def one(item: Item) -> Result:
        async with places:
            return await work(item)

    return await asyncio.gather(*map(one, items))
