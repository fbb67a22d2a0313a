"""A build that pauses in flight cannot go on with: caught ahead of its release, and taken back.

What docs/releases.md tells an operator to do is done here, on a real server with real workers.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.request import urlopen

import pytest
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import WorkflowExecutionDescription

from domain import names
from domain.states import ChargeState, PauseState
from systems.sample import SampleAccount
from tests.e2e.builds import copied, gate, with_a_step_added
from tests.e2e.processes import WorkerProcess, worker_process
from tests.e2e.site import Site, open_site
from tests.temporal import TemporalServer, free_port, running_server
from tests.workflows.stage import PauseHandle

pytestmark = pytest.mark.slow

T = TypeVar("T")

# A task that failed is let go after ten seconds, and is tried again ever more seldom.
WITHIN_SECONDS = 120

HOUR = timedelta(hours=1)
MONTH = timedelta(days=31)

# As Temporal Cloud has it; a server of one's own shows a problem after five failures by default.
SOON = "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2"
STUCK = "TemporalReportedProblems IS NOT NULL"
FAILED = re.compile(
    r'^temporal_workflow_task_execution_failed_total\{.*failure_reason="(\w+)"', re.MULTILINE
)


@dataclass(frozen=True)
class Releases:
    """The builds of one deployment: their workers, and which of them does the work."""

    site: Site
    server: TemporalServer
    metrics: dict[str, str]

    def worker(self, build_id: str, source: Path) -> AbstractContextManager[WorkerProcess]:
        """The worker of a build, from its files at `source`."""
        log = self.site.directory / f"{build_id}.log"
        self.metrics[build_id] = f"127.0.0.1:{free_port()}"
        environment = {
            **self.site.environment,
            "ACCOUNT_PAUSE_BUILD_ID": build_id,
            "ACCOUNT_PAUSE_METRICS_ADDRESS": self.metrics[build_id],
        }
        return worker_process(log, str(source / "worker.py"), environment=environment)

    async def make_current(self, build_id: str) -> None:
        """Let that build do the work, as soon as the server knows of it."""

        async def is_current() -> bool:
            deployment = ("--deployment-name", names.WORKER_DEPLOYMENT, "--build-id", build_id)
            command = ("worker", "deployment", "set-current-version", *deployment, "--yes")
            done = await asyncio.to_thread(self.server.command, *command)
            return done.returncode == 0

        await _eventually(is_current)

    def failures(self, build_id: str) -> set[str]:
        """Why tasks of workflows have failed at that build's worker, by its metrics."""
        with urlopen(f"http://{self.metrics[build_id]}/metrics", timeout=10) as answer:
            return set(FAILED.findall(answer.read().decode()))

    async def stuck(self) -> list[str]:
        """The runs that the list shows as stuck."""
        return [run.id async for run in self.site.stage.client.list_workflows(STUCK)]


def test_the_gate_catches_a_step_that_was_added(tmp_path: Path) -> None:
    build = copied(tmp_path / "build")

    as_it_is = gate(build, "resumed-early")
    changed = gate(with_a_step_added(build), "resumed-early")

    assert as_it_is.returncode == 0, as_it_is.stdout
    assert changed.returncode == 1, changed.stdout
    assert "Nondeterminism" in changed.stdout
    assert "docs/releases.md" in changed.stdout


async def test_a_bad_build_forced_through_is_seen_and_taken_back_and_nobody_pays_for_it(
    sqlite_url: str, tmp_path: Path
) -> None:
    # good [..$|bad: stuck ....|good ..$..$..$..$..$..)
    good, bad = copied(tmp_path / "good"), with_a_step_added(copied(tmp_path / "bad"))
    async with _open_releases(sqlite_url, tmp_path) as releases:
        site = releases.site
        undisturbed, disturbed = site.account("undisturbed"), site.account("disturbed")
        with releases.worker("good", good) as worker:
            worker.until_ready()
            await releases.make_current("good")
            await (await site.start(undisturbed)).result()
            handle = await _past_the_first_fee(site, disturbed)
            with releases.worker("bad", bad) as bad_worker:
                bad_worker.until_ready()
                await releases.make_current("bad")
                async with site.stage.moving(handle, MONTH):
                    await _eventually(releases.stuck)
                    seen = await handle.describe()
                    failure, counted = await _last_failure(handle), releases.failures("bad")
                    charged_meanwhile = site.payments(disturbed)
                    await releases.make_current("good")
                    await _eventually(lambda: _are_charged(site, disturbed, 2))
            stuck_afterwards = await releases.stuck()
            await site.stage.skipper.fast_forward(handle)
            await handle.result()

        assert failure == "WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR"
        assert _problems(seen) == [
            "category=WorkflowTaskFailed",
            "cause=WorkflowTaskFailedCauseNonDeterministicError",
        ]
        assert {"NonDeterminismError"} == counted
        assert [(500, "succeeded")] == charged_meanwhile
        assert [] == stuck_afterwards
        assert [(500, "succeeded")] * 6 == site.payments(undisturbed)
        assert site.outcome(undisturbed) == site.outcome(disturbed)


async def test_a_pause_that_has_gone_the_bad_builds_way_is_started_over(
    sqlite_url: str, tmp_path: Path
) -> None:
    # bad [..$|good: stuck; started over: [$..$..$..$..$..)
    good, bad = copied(tmp_path / "good"), with_a_step_added(copied(tmp_path / "bad"))
    async with _open_releases(sqlite_url, tmp_path) as releases:
        site = releases.site
        undisturbed, led_astray = site.account("undisturbed"), site.account("led-astray")
        with releases.worker("bad", bad) as bad_worker, releases.worker("good", good) as worker:
            bad_worker.until_ready()
            await releases.make_current("bad")
            handle = await _past_the_first_fee(site, led_astray)
            worker.until_ready()
            await releases.make_current("good")
            async with site.stage.moving(handle, MONTH):
                await _eventually(releases.stuck)
            await handle.terminate("it cannot go on with any build that is to stay")
            started_over = await site.start(led_astray, pause_id=site.pause_id(led_astray))
            await asyncio.gather((await site.start(undisturbed)).result(), started_over.result())

        assert [(500, "succeeded")] * 6 == site.payments(undisturbed)
        assert site.outcome(undisturbed) == site.outcome(led_astray)


async def _past_the_first_fee(site: Site, account: SampleAccount) -> PauseHandle:
    handle = await site.start(account, skipping=False)
    status = await site.stage.until_state(handle, PauseState.PAUSED)
    await site.stage.move_to(handle, status.charges[0].due_at + HOUR)
    await site.stage.until_charge(handle, 0, ChargeState.PAID)
    return handle


async def _are_charged(site: Site, account: SampleAccount, count: int) -> bool:
    # Asked at the gateway: a run that is stuck answers no query.
    return len(site.payments(account)) == count


async def _eventually(check: Callable[[], Awaitable[T]]) -> T:
    """What awaiting `check` gives once it gives something true."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while not (found := await check()):
            await asyncio.sleep(0.1)
    return found


async def _last_failure(handle: PauseHandle) -> str:
    """Why the run's last workflow task failed, as its history shows."""
    history = await handle.fetch_history()
    causes = [
        event.workflow_task_failed_event_attributes.cause
        for event in history.events
        if event.event_type is EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]
    return WorkflowTaskFailedCause.Name(causes[-1])


def _problems(description: WorkflowExecutionDescription) -> list[object]:
    return sorted(description.search_attributes.get("TemporalReportedProblems", []), key=str)


@asynccontextmanager
async def _open_releases(database_url: str, directory: Path) -> AsyncIterator[Releases]:
    """A server of its own: which build is current holds for everything that runs on it."""
    with running_server(directory / "server.log", SOON) as server:
        async with open_site(server, database_url, directory) as site:
            yield Releases(site, server, {})
