"""The sweeper on a real server: what it starts anew, what it leaves alone, what it tells."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from typing import cast

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import WorkflowFailureError

from domain import names
from domain.names import Activity
from domain.ports import Act
from domain.states import AccountStatus, PauseState, Role
from domain.sweeping import Finding, OpenAct
from starter.sweeping import Sweeper, Swept, swept_regularly
from systems.accounts import SqlAccounts
from systems.tables import UserRow
from tests.e2e.sweeps import later, of_account, runs, sweeper_of, swept, swept_until_it_goes_on
from tests.workflows.faults import Fault
from tests.workflows.stage import PauseHandle, Stage, eventually, until


async def lost(stage: Stage) -> PauseHandle:
    """A pause in effect whose run was terminated, and Temporal's list has heard of it."""
    handle = await stage.paused()
    await handle.terminate()
    await until_listed_as_gone(stage)
    return handle


async def until_listed_as_gone(stage: Stage) -> None:
    sweeper = sweeper_of(stage.client, stage.systems)

    async def is_gone() -> bool:
        return bool(await sweeper.lost(stage.account_id))

    await eventually(is_gone)


def findings(swept: Swept) -> list[Finding]:
    return [each.finding for each in swept.found]


async def test_of_two_sweepers_at_once_one_starts_the_lost_run_anew(stage: Stage) -> None:
    async with stage.worker():
        handle = await lost(stage)
        both = await asyncio.gather(swept(stage), swept(stage))
        status = await stage.until_state(handle, PauseState.PAUSED)

    assert [Finding.STARTED_ANEW] == [finding for each in both for finding in findings(each)]
    assert await stage.current_pause_id() == status.pause_id
    assert 1 == stage.notices().count("paused")


async def test_a_run_that_has_just_gone_is_left_alone(stage: Stage) -> None:
    async with stage.worker():
        handle = await lost(stage)
        at_once = of_account(stage, await Sweeper(stage.client, stage.systems).sweep())
        later = await swept(stage)

    assert [] == at_once.found
    assert [Finding.STARTED_ANEW] == findings(later)
    assert handle.id


async def test_a_run_that_was_deleted_goes_on(stage: Stage) -> None:
    async with stage.worker():
        handle = await lost(stage)
        execution = WorkflowExecution(workflow_id=handle.id)
        await stage.client.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(
                namespace=stage.client.namespace, workflow_execution=execution
            )
        )
        await swept_until_it_goes_on(stage)
        status = await stage.resume(handle, requested_by=stage.administrator)

    assert PauseState.RESUMED is status.state


async def test_a_run_that_keeps_failing_is_told_until_an_operator_has_it_rebuilt(
    stage: Stage,
) -> None:
    async with stage.worker():
        handle = await lost(stage)
        await stage.client.start_workflow(
            names.ACCOUNT_PAUSE, {"malformed": True}, id=handle.id, task_queue=names.TASK_QUEUE
        )
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        await until_listed_as_gone(stage)
        told = await swept(stage)
        sweeper = sweeper_of(stage.client, stage.systems)
        [act] = await sweeper.lost(stage.account_id)
        rebuilt = await sweeper.rebuild(act)
        await stage.until_state(handle, PauseState.PAUSED)

    assert [Finding.KEEPS_FAILING] == findings(told)
    assert 1 == told.waiting
    assert rebuilt is not None
    assert Finding.STARTED_ANEW is rebuilt.finding


async def test_more_than_a_few_at_once_are_told_and_not_touched(stage: Stage) -> None:
    async with stage.worker():
        handle = await lost(stage)
        told = of_account(
            stage, await Sweeper(stage.client, stage.systems, later, at_once=0).sweep()
        )
        act = stage.systems.accounts.last_act(stage.account_id)
        assert act is not None
        is_running = await runs(handle, act)

    assert [Finding.LOST] == findings(told)
    assert not is_running


class Stale:
    """Accounts as they were a moment ago: an act that has ended is still open at first."""

    def __init__(
        self, stage: Stage, open_acts: list[list[OpenAct]], acts: list[Act | None]
    ) -> None:
        self._accounts = stage.systems.accounts
        self._open_acts = open_acts
        self._acts = acts

    def open_acts(self) -> list[OpenAct]:
        return self._open_acts.pop() if self._open_acts else self._accounts.open_acts()

    def act(self, act_id: str) -> Act | None:
        return self._acts.pop() if self._acts else self._accounts.act(act_id)

    def __getattr__(self, name: str) -> object:
        return getattr(self._accounts, name)


@pytest.mark.parametrize(
    ("lists", "acts", "at_once"),
    [
        pytest.param(1, 0, 0, id="many that end while the runs are listed"),
        pytest.param(2, 1, 25, id="one that another sweeper has put on record"),
    ],
)
async def test_what_has_ended_since_it_was_looked_at_is_no_finding(
    stage: Stage, lists: int, acts: int, at_once: int
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        listed = stage.systems.accounts.open_acts()
        act = stage.systems.accounts.open_act(stage.account_id)
        await stage.resume(handle)
    stale = cast(SqlAccounts, Stale(stage, [listed] * lists, [act] * acts))
    sweeper = Sweeper(stage.client, replace(stage.systems, accounts=stale), later, at_once)

    assert [] == of_account(stage, await sweeper.sweep()).found


async def test_a_close_whose_run_was_lost_is_finished_though_its_administrator_is_none_any_more(
    stage: Stage,
) -> None:
    stage.faults.plan(Activity.CLOSE_BILLING, Fault.REFUSED)
    async with stage.worker():
        closing = asyncio.create_task(
            stage.pauses.close(stage.account_id, stage.administrator, "CLOSE")
        )
        await until(lambda: stage.systems.accounts.open_act(stage.account_id))
        await stage.until_close_is_stuck()
        await stage.close_handle().terminate()
        with suppress(Exception):
            await closing
        with stage.systems.db.transaction() as session:
            session.get_one(UserRow, stage.administrator).role = Role.MANAGER
        await until_listed_as_gone(stage)
        found = findings(await swept(stage))
        await until(lambda: stage.last_state() is PauseState.CLOSED)

    assert [Finding.STARTED_ANEW] == found
    assert AccountStatus.CLOSED is stage.account_status()


async def test_a_pause_that_a_person_started_under_an_id_of_its_own_has_its_run(
    stage: Stage,
) -> None:
    request = {"account_id": stage.account_id, "requested_by": stage.administrator}
    async with stage.worker():
        handle = await stage.client.start_workflow(
            names.ACCOUNT_PAUSE,
            request,
            id=f"by-hand-{stage.account_id}",
            task_queue=names.TASK_QUEUE,
        )
        await until(lambda: stage.account_status() is AccountStatus.PAUSED)
        found = (await swept(stage)).found
        await handle.signal(names.RESUME)
        await handle.result()

    assert [] == found


async def test_a_worker_sweeps_by_itself_counts_what_it_finds_and_says_it_without_names(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    counted: list[tuple[str, int]] = []
    sweeper = sweeper_of(stage.client, stage.systems)
    async with stage.worker():
        handle = await lost(stage)
        pause_id = await stage.current_pause_id()
        with caplog.at_level(logging.WARNING, "account_pause.sweeper"):
            async with swept_regularly(sweeper, 0.05, lambda *it: counted.append(it)):
                await until(lambda: (Finding.STARTED_ANEW, 1) in counted)
        await stage.until_state(handle, PauseState.PAUSED)

    assert [(finding, 0) for finding in Finding] == counted[: len(Finding)]
    assert f"1 of 1 open acts: started_anew, {pause_id}" in caplog.text


async def test_a_worker_that_is_told_not_to_sweep_starts_nothing(stage: Stage) -> None:
    counted: list[tuple[str, int]] = []
    sweeper = sweeper_of(stage.client, stage.systems)

    async with swept_regularly(sweeper, 0, lambda *it: counted.append(it)):
        await asyncio.sleep(0)

    assert {0} == {count for _, count in counted}
