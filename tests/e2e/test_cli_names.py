"""The public names work from Temporal's own command line, as the documentation promises them."""

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from domain.names import pause_workflow_id
from domain.states import AccountStatus, PauseState
from tests.temporal import TemporalServer
from tests.workflows.stage import PauseHandle, Stage, eventually

DETAILS = "__temporal_workflow_metadata"


@dataclass(frozen=True)
class Terminal:
    """Somebody with the `temporal` command and an account's id, and nothing else of the product."""

    server: TemporalServer
    stage: Stage

    @property
    def workflow_id(self) -> str:
        return pause_workflow_id(self.stage.account_id)

    async def run(self, *words: str, **flags: str) -> Any:
        """What `temporal workflow ...` prints, as JSON; fails if the command does."""
        options = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]
        command = ("workflow", *words, *options, "--output", "json")
        done = await asyncio.to_thread(self.server.command, *command)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null") if done.stdout.startswith(("{", "[")) else None

    async def start(self) -> PauseHandle:
        """Start a pause from nothing but the two required fields, and see it in effect."""
        request = {
            "account_id": self.stage.account_id,
            "requested_by": self.stage.administrator,
        }
        await self.run(
            "start",
            type="AccountPause",
            task_queue="account-pause",
            workflow_id=self.workflow_id,
            input=json.dumps(request),
        )
        handle = self.stage.handle()
        await self.stage.until_state(handle, PauseState.PAUSED)
        return handle

    async def query(self, kind: str) -> Any:
        """What a query answers."""
        answer = await self.run("query", workflow_id=self.workflow_id, type=kind)
        return answer["queryResult"][0]

    async def signal(self, name: str, **flags: str) -> None:
        """Send a signal."""
        await self.run("signal", workflow_id=self.workflow_id, name=name, **flags)

    async def listed(self, query: str) -> list[str]:
        """The ids of the runs that a search finds, once it finds any: the index lags behind."""

        async def found() -> list[str]:
            runs = await self.run("list", query=query)
            return [run["execution"]["workflowId"] for run in runs or []]

        return await eventually(found)

    async def update(self, name: str, **request: object) -> Any:
        """Send an update and wait for its answer."""
        answer = await self.run(
            *("update", "execute"),
            workflow_id=self.workflow_id,
            name=name,
            input=json.dumps(request),
        )
        return answer["result"]


@pytest.fixture
def terminal(temporal_server: TemporalServer, stage: Stage) -> Terminal:
    return Terminal(temporal_server, stage)


async def test_a_pause_is_started_queried_and_found_by_its_public_names(
    terminal: Terminal, stage: Stage
) -> None:
    async with stage.worker():
        await terminal.start()
        status = await terminal.query("status")
        found = await terminal.listed(f'AccountId = "{stage.account_id}" AND PauseState = "paused"')

    assert stage.account_id == status["account_id"]
    assert "paused" == status["state"]
    assert 3 == status["retained_numbers"]
    assert {"kind", "at"} == set(status["next_event"])
    assert {"billing_on", "due_at", "amount_minor", "currency", "state"} == set(
        status["charges"][0]
    )
    assert {"pause_id", "paused_at", "resume_at", "past_due", "needs_operator", "terms"} <= set(
        status
    )
    assert [terminal.workflow_id] == found


@pytest.mark.parametrize("flags", [{}, {"input": "{}"}], ids=["no payload", "empty object"])
async def test_a_resume_needs_no_payload(
    terminal: Terminal, stage: Stage, flags: dict[str, str]
) -> None:
    async with stage.worker():
        handle = await terminal.start()
        await terminal.signal("resume", **flags)
        status = await handle.result()

    assert status.state is PauseState.RESUMED
    assert ("operator", "resume_begun") in stage.audited()


async def test_a_run_under_an_id_of_its_own_pauses_the_account_that_its_input_names(
    terminal: Terminal, stage: Stage
) -> None:
    request = {"account_id": stage.account_id, "requested_by": stage.administrator}
    async with stage.worker():
        await terminal.run(
            "start",
            type="AccountPause",
            task_queue="account-pause",
            workflow_id=f"by-hand-{stage.account_id}",
            input=json.dumps(request),
        )
        await stage.until(lambda: stage.account_status() is AccountStatus.PAUSED)
        await terminal.run("signal", workflow_id=f"by-hand-{stage.account_id}", name="resume")
        await stage.until(lambda: stage.account_status() is AccountStatus.ACTIVE)

    assert stage.last_state() is PauseState.RESUMED


async def test_garbage_in_a_resume_is_ignored_and_noted_and_never_fatal(
    terminal: Terminal, stage: Stage
) -> None:
    async with stage.worker():
        handle = await terminal.start()
        for garbage in ('"now!"', "[1, 2]", '{"requested_at": "soon"}'):
            await terminal.signal("resume", input=garbage)
        await terminal.signal("resume", input="no json at all", input_meta="encoding=binary/plain")
        details = (await terminal.query(DETAILS))["currentDetails"]
        still = await stage.current(handle)
        await terminal.signal("resume")
        ended = await handle.result()

    assert "a resume was ignored" in details
    assert still.state is PauseState.PAUSED
    assert ended.state is PauseState.RESUMED


async def test_the_resume_date_is_changed_and_the_account_closed_by_updates(
    terminal: Terminal, stage: Stage
) -> None:
    async with stage.worker():
        handle = await terminal.start()
        resume_on = ((await stage.now(handle)).date() + timedelta(days=40)).isoformat()
        changed = await terminal.update(
            "change_resume_date", requested_by=stage.administrator, resume_on=resume_on
        )
        dropped = await terminal.update(
            "change_resume_date", requested_by=stage.administrator, resume_on=None
        )
        closed = await terminal.update("close", requested_by=stage.administrator, confirm="CLOSE")

    assert resume_on == changed["resume_on"]
    assert resume_on < dropped["resume_on"]
    assert "closed" == closed["state"]
    assert stage.account_status() is AccountStatus.CLOSED


async def test_an_operator_reads_the_story_without_the_code(
    terminal: Terminal, stage: Stage
) -> None:
    async with stage.worker():
        await stage.pauses.pause(stage.account_id, stage.administrator)
        described = await terminal.run("describe", workflow_id=terminal.workflow_id)
        metadata = await terminal.query(DETAILS)

    shown = described["executionConfig"]["userMetadata"]
    handlers = metadata["definition"]
    assert stage.account_id in json.dumps(shown["summary"])
    assert stage.administrator in json.dumps(shown["details"])
    assert metadata["currentDetails"].startswith("### Paused")
    described_handlers = handlers["signalDefinitions"] + handlers["updateDefinitions"]
    assert all(handler["description"] for handler in described_handlers)
