"""Temporal loses its whole database in the middle: the pauses are rebuilt and end as if it had not.

begun |[ drain   $ paid   $x declined   reminded  #  rebuilt ... )| ended
"""

from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateStage

from domain import names
from domain.messages import CloseRequest
from domain.names import Activity
from domain.states import ActKind, ChargeState, PauseState
from domain.sweeping import Finding
from tests.e2e.crowd import Crowd, open_crowd
from tests.e2e.sweeps import paid_by_date, quietly_reconciled, sweeper_of
from tests.temporal import running_server
from tests.workflows.faults import Fault
from tests.workflows.stage import Stage

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

CARDS = {"declined": "declined", "unknown": "times_out"}
ACCOUNTS = (
    *("draining", "paid", "declined", "unknown", "reminded"),
    *("resuming", "closing", "closing_active", "undoing"),
)
# Their step is refused half-way, and they wait for an operator.
STUCK = ("resuming", "closing", "closing_active", "undoing")


@pytest.mark.slow
async def test_after_temporal_has_lost_its_database_all_pauses_end_as_if_it_had_not(
    tmp_path: Path, sqlite_template: Path
) -> None:
    undisturbed = await course(tmp_path / "undisturbed", sqlite_template, loses=False)
    rebuilt = await course(tmp_path / "lost", sqlite_template, loses=True)

    for name in ACCOUNTS:
        assert undisturbed[name] == rebuilt[name], name
    assert [PauseState.CLOSED] == [state for _, state, _ in rebuilt["declined"]["acts"]]
    assert 6 == len(rebuilt["paid"]["payments"])
    assert 3 == rebuilt["reminded"]["notices"]["reminder"]


async def course(directory: Path, template: Path, *, loses: bool) -> dict[str, dict[str, Any]]:
    """What becomes of the accounts, on a database and servers of their own."""
    directory.mkdir()
    (directory / "test.db").write_bytes(template.read_bytes())
    url, gateway_url = f"sqlite:///{directory}/test.db", f"sqlite:///{directory}/gateway.db"
    async with AsyncExitStack() as stack:
        server = stack.enter_context(running_server(directory / "server.log"))
        # Before the crowd, which cleans up at the end on the one that is left.
        another = stack.enter_context(running_server(directory / "another-server.log"))
        crowd = await stack.enter_async_context(
            open_crowd(server, url, gateway_url, ACCOUNTS, CARDS)
        )
        async with crowd.worker():
            await begin(crowd)
            if not loses:
                await go_on(crowd)
        if loses:
            server.process.kill()
            await crowd.move_to(another)
            async with crowd.worker():
                await rebuild(crowd)
                await go_on(crowd)
        for name in ACCOUNTS:
            paid = paid_by_date(crowd.systems, crowd[name].account_id)
            assert {1} >= set(paid.values()), f"{name} was charged twice"
        assert 0 == await quietly_reconciled(crowd.systems)
        return crowd.outcomes()


async def begin(crowd: Crowd) -> None:
    """Bring each account to where its name says."""
    for name in ("draining", "paid", "declined", "unknown", "reminded", "resuming", "closing"):
        await crowd[name].paused()
    for name, state in {
        "paid": ChargeState.PAID,
        "declined": ChargeState.DECLINED,
        "unknown": ChargeState.UNKNOWN,
    }.items():
        await past_first_fee(crowd[name], state)
    await climb(crowd["declined"])
    await be_reminded(crowd["reminded"])
    await get_stuck(crowd)


async def go_on(crowd: Crowd) -> None:
    """Leave the rest to time, and to the operator where one is waited for."""
    for name in ACCOUNTS:
        stage = crowd[name]
        if name in STUCK:
            if not stage.last_state().is_final:
                act = stage.systems.accounts.last_act(stage.account_id)
                assert act is not None
                is_close = act.kind is ActKind.CLOSE
                handle = stage.close_handle() if is_close else stage.handle()
                await handle.signal(names.RETRY)
        else:
            await stage.skipper.fast_forward(stage.handle())
        await stage.until(partial(_is_over, stage))


def _is_over(stage: Stage) -> bool:
    return stage.last_state().is_final


async def rebuild(crowd: Crowd) -> None:
    """As `account-pause rebuild` does it."""
    sweeper = sweeper_of(crowd.first.client, crowd.systems)
    lost = await sweeper.lost()
    found = [await sweeper.rebuild(act) for act in lost]
    again = [await sweeper.rebuild(act) for act in lost]

    assert {crowd[name].account_id for name in ACCOUNTS} == {act.account_id for act in lost}
    assert {Finding.STARTED_ANEW} == {each.finding for each in found if each}
    assert {None} == set(again), "what runs, or has ended meanwhile, is left alone"


async def past_first_fee(stage: Stage, state: ChargeState) -> None:
    handle = stage.handle()
    first = (await stage.current(handle)).charges[0]
    await stage.move_to(handle, first.due_at + timedelta(minutes=1))
    await stage.until_charge(handle, 0, state)


async def climb(stage: Stage) -> None:
    """Two rungs of the ladder."""
    handle = stage.handle()
    await stage.move_to(handle, await stage.now(handle) + 6 * DAY)
    await stage.until(lambda: stage.notices().count("declined") == 2)


async def be_reminded(stage: Stage) -> None:
    """Another resume date, two months ahead, and the first reminder of it."""
    handle = stage.handle()
    act = stage.systems.accounts.last_act(stage.account_id)
    assert act is not None
    resume_on = act.began_at.date() + 45 * DAY
    await stage.pauses.change_resume_date(stage.account_id, stage.administrator, resume_on)
    await stage.move_to(handle, await stage.now(handle) + 20 * DAY)
    await stage.until(lambda: "reminder" in stage.notices())


async def get_stuck(crowd: Crowd) -> None:
    faults = crowd.first.faults
    faults.plan(Activity.RESTORE_PLAN, Fault.REFUSED)
    resuming = crowd["resuming"]
    await resuming.handle().signal(names.RESUME, {"requested_by": resuming.administrator})
    await resuming.until_stuck(resuming.handle())
    faults.plan(Activity.CLOSE_BILLING, Fault.REFUSED, Fault.REFUSED)
    closing = crowd["closing"]
    await closing.handle().start_update(
        names.CLOSE,
        CloseRequest(requested_by=closing.administrator, confirm="CLOSE"),
        wait_for_stage=WorkflowUpdateStage.ACCEPTED,
    )
    await closing.until_stuck(closing.handle())
    active = crowd["closing_active"]
    await active.client.start_workflow(
        names.ACCOUNT_CLOSE,
        {"account_id": active.account_id, "requested_by": active.administrator},
        id=names.close_workflow_id(active.account_id),
        task_queue=names.TASK_QUEUE,
    )
    await active.until_close_is_stuck()
    faults.plan(Activity.SUSPEND_PLAN, Fault.REFUSED)
    faults.plan(Activity.ENABLE_SCRIPT, Fault.REFUSED)
    await crowd["undoing"].start()
    await crowd["undoing"].until_stuck(crowd["undoing"].handle())
