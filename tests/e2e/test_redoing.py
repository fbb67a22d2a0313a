"""Putting on record what runs have done: what hides nothing, what holds up nobody, what waits."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy.engine import make_url
from temporalio import activity, workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from domain import names
from domain.errors import Transient
from domain.messages import PauseInput, Step
from domain.names import Activity
from domain.states import AccountStatus, PauseState
from starter.redoing import ON_RECORD_IN_A_ROW, Redo, catches_up
from systems.dni import SqlDni
from systems.tables import EffectRow
from systems.wiring import Systems, open_systems
from tests.temporal import running_server
from tests.workflows.faults import Fault
from tests.workflows.stage import Stage, open_stage

NOBODY = "USR" + 32 * "0"
NEWER_STEP = "polish_numbers"


@pytest.fixture
async def stage(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """On a server of its own: what other tests have left behind would not be on record here."""
    with running_server(tmp_path / "server.log") as server:
        async with open_stage(server, sqlite_url, gateway_of(tmp_path)) as opened:
            yield opened


def gateway_of(directory: Path) -> str:
    return f"sqlite:///{directory / 'gateway.db'}"


@contextmanager
def older_copy(stage: Stage, directory: Path) -> Iterator[Systems]:
    """The record as it is now, whatever happens to it later."""
    source, copy = make_url(str(stage.systems.engine.url)).database or "", directory / "older.db"
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)
    older = open_systems(f"sqlite:///{copy}", gateway_of(directory))
    try:
        yield older
    finally:
        older.close()


async def paused_and_resumed(stage: Stage) -> str:
    handle = await stage.paused()
    await stage.resume(handle)
    return await stage.current_pause_id()


async def test_runs_that_were_refused_at_once_hide_nothing_from_a_worker_that_catches_up(
    stage: Stage, tmp_path: Path
) -> None:
    with older_copy(stage, tmp_path) as older:
        async with stage.worker():
            pause_id = await paused_and_resumed(stage)
            for _ in range(ON_RECORD_IN_A_ROW):
                refused = await stage.start(requested_by=NOBODY)
                await refused.result()
        redone = await Redo(stage.client, older).catch_up(datetime.now(UTC))
        act = older.accounts.act(pause_id)

    assert [(pause_id, None)] == [(each.act_id, each.problem) for each in redone]
    assert act is not None
    assert PauseState.RESUMED is act.state


class AwayOnce:
    """DNI that does not answer the first time."""

    def __init__(self, dni: SqlDni) -> None:
        self._dni = dni
        self._is_away = True

    def disable_script(self, step: Step) -> object:
        if self._is_away:
            self._is_away = False
            raise Transient("the database is busy")
        return self._dni.disable_script(step)

    def __getattr__(self, name: str) -> object:
        return getattr(self._dni, name)


async def test_a_system_that_is_away_makes_a_worker_catch_up_once_more(
    stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with older_copy(stage, tmp_path) as older:
        async with stage.worker():
            await stage.paused()
        away = replace(older, dni=cast(SqlDni, AwayOnce(older.dni)))
        redo = Redo(stage.client, away)
        with caplog.at_level(logging.WARNING, "account_pause.redo"):
            first, second = await catches_up(redo), await catches_up(redo)
        status = older.accounts.account(stage.account_id).status

    assert (False, True) == (first, second)
    assert AccountStatus.PAUSED is status
    assert "the jobs wait" in caplog.text


@workflow.defn(name=names.ACCOUNT_PAUSE, sandboxed=False)
class NewerPause:
    """A pause of a later release, which was taken back: it has a step that nobody knows here."""

    @workflow.run
    async def run(self, request: PauseInput) -> None:
        step = Step(act_id=request.pause_id or "", account_id=request.account_id, at=workflow.now())
        await workflow.execute_activity(
            NEWER_STEP, step, start_to_close_timeout=timedelta(seconds=10)
        )


@activity.defn(name=NEWER_STEP)
async def polish_numbers(_: Step) -> None:
    """Nothing, successfully."""


async def test_a_step_of_a_release_that_was_taken_back_is_told_and_ends_no_worker(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(
        stage.client,
        task_queue=f"newer-{stage.account_id}",
        workflows=[NewerPause],
        activities=[polish_numbers],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    pause_id = f"PAU{stage.account_id[3:]}"
    async with worker:
        await stage.client.execute_workflow(
            NewerPause.run,
            PauseInput(
                account_id=stage.account_id, requested_by=stage.administrator, pause_id=pause_id
            ),
            id=names.pause_workflow_id(stage.account_id),
            task_queue=worker.task_queue,
        )
    with caplog.at_level(logging.ERROR, "account_pause.redo"):
        is_done = await catches_up(Redo(stage.client, stage.systems))

    assert is_done
    assert pause_id in caplog.text
    assert NEWER_STEP in caplog.text


async def test_a_resume_that_is_half_done_forgets_nothing_on_an_older_copy(
    stage: Stage, tmp_path: Path
) -> None:
    # paused, copy made, numbers and plan back; the script waits for an operator; copy put back
    async with stage.worker():
        handle = await stage.paused()
        with older_copy(stage, tmp_path) as older:
            stage.faults.plan(Activity.ENABLE_SCRIPT, Fault.REFUSED)
            resume = asyncio.create_task(stage.resume(handle))
            await stage.until_stuck(handle)
            await stage.until(lambda: stage.may_open_reports())
            redone = await Redo(stage.client, older).catch_up(datetime.now(UTC))
            there = Stage(stage.client, older, stage.account)
            act = older.accounts.open_act(stage.account_id)
            may_open_reports = there.may_open_reports()
        await handle.signal(names.RETRY)
        await resume

    assert [None] == [each.problem for each in redone]
    assert act is not None
    assert PauseState.RESUMING is act.state
    assert may_open_reports


async def test_a_resume_that_a_failover_has_half_forgotten_ends_after_redo_and_retry(
    stage: Stage,
) -> None:
    # dashboards open again | the database loses its last second | the account is back
    async with stage.worker():
        handle = await stage.paused()
        pause_id = await stage.current_pause_id()
        stage.faults.hold(Activity.MARK_RESUMED)
        resume = asyncio.create_task(stage.resume(handle))
        await stage.until_begun(Activity.MARK_RESUMED)
        with stage.systems.db.transaction() as session:
            session.delete(session.get_one(EffectRow, f"{pause_id}:{Activity.RESTORE_ACCESS}"))
        stage.faults.release_all()
        asked = await stage.until_stuck(handle)
        redo = Redo(stage.client, stage.systems)
        redone = [await redo.redo_run(run) for run in await redo.runs(stage.account_id)]
        await handle.signal(names.RETRY)
        status = await resume

    assert Activity.MARK_RESUMED in asked
    assert [(1, None)] == [(it.put_on_record, it.problem) for it in redone if it]
    assert PauseState.RESUMED is status.state
