"""A run that is lost and started over, with the same id, goes on from the database (S2, S3).

Somebody terminates it, resets it to its first task, or Temporal loses it; the systems remember.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio.client import WorkflowFailureError

from domain.errors import Code, Transient
from domain.ids import Prefix, make_id
from domain.messages import BeginEnd
from domain.names import PAYMENT_METHOD_UPDATED, RESUME, Activity
from domain.states import AccountStatus, ChargeState, NumberState, PauseState
from starter.anew import start_anew
from systems.sample import create_account
from tests.workflows.faults import Fault
from tests.workflows.stage import PauseHandle, Stage, gathered, refusal_of

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def started_over(stage: Stage, handle: PauseHandle) -> PauseHandle:
    """The run is terminated and started again with the pause's id."""
    act = stage.systems.accounts.last_act(stage.account_id)
    assert act is not None
    await handle.terminate()
    return await stage.start(pause_id=act.act_id)


async def test_a_pause_in_effect_is_taken_up_as_it_stands(stage: Stage) -> None:
    before = stage.snapshot()
    async with stage.worker():
        handle = await stage.paused()
        first = await stage.current(handle)
        await stage.move_to(handle, first.charges[0].due_at + HOUR)
        await stage.until_charge(handle, 0, ChargeState.PAID)
        handle = await started_over(stage, handle)
        status = await stage.until_state(handle, PauseState.PAUSED)
        await stage.skipper.fast_forward(handle)
        ended = await handle.result()

    assert status.resume_at == first.resume_at
    assert ended.state is PauseState.RESUMED
    assert stage.paid() == [500] * 6
    assert stage.snapshot() == before
    assert stage.faults.count(Activity.SUSPEND_PLAN) == 1


async def test_a_ladder_goes_on_where_it_was(stage: Stage) -> None:
    # declined, a new card declined too, then the run is lost: no rung is skipped, nothing is closed
    stage.enter_card("declined")
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + MINUTE)
        await stage.until_charge(handle, 0, ChargeState.DECLINED)
        await handle.signal(PAYMENT_METHOD_UPDATED)
        await stage.until(lambda: stage.faults.count(Activity.COLLECT_FEE) == 2)
        await stage.until_charge(handle, 0, ChargeState.DECLINED)
        handle = await started_over(stage, handle)
        await stage.until_state(handle, PauseState.PAUSED)
        await stage.move_to(handle, due_at + 3 * DAY)
        await stage.until(lambda: "declined" in stage.notices())
        status = await stage.current(handle)

    assert status.state is PauseState.PAUSED
    assert stage.account_status() is AccountStatus.PAUSED
    assert stage.notices().count("declined") == 1


async def test_a_resume_that_had_begun_is_finished(stage: Stage) -> None:
    before = stage.snapshot()
    stage.faults.plan(Activity.RESTORE_PLAN, Fault.REFUSED)
    async with stage.worker():
        handle = await stage.paused()
        await handle.signal(RESUME, {"requested_by": stage.administrator})
        await stage.until_stuck(handle)
        handle = await started_over(stage, handle)
        status = await handle.result()

    assert status.state is PauseState.RESUMED
    assert stage.snapshot() == before
    assert stage.account_status() is AccountStatus.ACTIVE
    assert stage.notices() == ["paused", "resumed"]


async def test_a_close_that_had_begun_is_finished(stage: Stage) -> None:
    stage.faults.plan(Activity.CLOSE_BILLING, Fault.REFUSED)
    async with stage.worker():
        handle = await stage.paused()
        close = asyncio.create_task(
            stage.pauses.close(stage.account_id, stage.administrator, "CLOSE")
        )
        await stage.until_stuck(handle)
        handle = await started_over(stage, handle)
        status = await handle.result()
        await asyncio.gather(close, return_exceptions=True)

    assert status.state is PauseState.CLOSED
    assert stage.number_states() == {NumberState.RELEASED}
    assert stage.notices() == ["paused", "closed"]


async def test_an_undo_that_had_begun_is_finished(stage: Stage) -> None:
    before = stage.snapshot()
    stage.faults.plan(Activity.SUSPEND_PLAN, Fault.REFUSED)
    stage.faults.plan(Activity.ENABLE_SCRIPT, Fault.REFUSED)
    async with stage.worker():
        handle = await stage.start()
        await stage.until_stuck(handle)
        handle = await started_over(stage, handle)
        status = await handle.result()

    assert status.state is PauseState.REFUSED
    assert stage.snapshot() == before
    assert stage.account_status() is AccountStatus.ACTIVE
    assert stage.may_open_reports()


async def test_an_operators_cancel_that_had_begun_to_undo_is_finished(stage: Stage) -> None:
    before = stage.snapshot()
    stage.faults.plan(Activity.ENABLE_SCRIPT, Fault.REFUSED)
    held = stage.faults.hold(Activity.SUSPEND_ACCESS)
    async with stage.worker():
        handle = await stage.start()
        await stage.until_begun(Activity.SUSPEND_ACCESS)
        await handle.cancel()
        held.set()
        await stage.until_stuck(handle)
        handle = await started_over(stage, handle)
        status = await handle.result()

    assert status.state is PauseState.RESUMED
    assert stage.snapshot() == before
    assert stage.account_status() is AccountStatus.ACTIVE


async def test_a_cancel_right_after_starting_over_restores_the_account(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        await stage.move_to(handle, await stage.now(handle) + 2 * HOUR)
        await stage.until(lambda: stage.number_states() == {NumberState.RETAINED})
        await handle.terminate()
    handle = await stage.start(pause_id=(await stage.current_pause_id()))
    await handle.cancel()
    async with stage.worker():
        with pytest.raises(WorkflowFailureError):
            await handle.result()

    assert stage.number_states() == {NumberState.ACTIVE}
    assert stage.account_status() is AccountStatus.ACTIVE


async def test_our_client_starts_a_lost_run_anew(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        await handle.terminate()
        status = await stage.pauses.resume(stage.account_id, stage.administrator)

    assert status.state is PauseState.RESUMED
    assert stage.account_status() is AccountStatus.ACTIVE


async def test_our_client_closes_though_the_run_was_lost(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        await handle.terminate()
        status = await stage.pauses.close(stage.account_id, stage.administrator, "CLOSE")

    assert status.state is PauseState.CLOSED
    assert stage.number_states() == {NumberState.RELEASED}


async def test_a_pause_whose_run_is_lost_does_not_look_as_if_it_went_on(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        await handle.terminate()
        with pytest.raises(Transient, match=r"nothing runs for PAU.* `account-pause rebuild`"):
            await stage.pauses.status(stage.account_id)


async def test_nor_does_one_of_which_temporal_has_forgotten_the_run(stage: Stage) -> None:
    stage.pause_in_the_past(datetime.now(UTC) - DAY)

    with pytest.raises(Transient, match="nothing runs for PAU"):
        await stage.pauses.status(stage.account_id)


async def test_a_retry_reaches_a_step_though_the_run_was_lost(stage: Stage) -> None:
    stage.faults.plan(Activity.RESTORE_PLAN, Fault.REFUSED, Fault.REFUSED)
    async with stage.worker():
        handle = await stage.paused()
        await handle.signal(RESUME)
        await stage.until_stuck(handle)
        await handle.terminate()
        await stage.pauses.retry(stage.account_id)
        await stage.until_stuck(handle)
        await stage.pauses.retry(stage.account_id)
        status = await handle.result()

    assert status.state is PauseState.RESUMED
    assert stage.account_status() is AccountStatus.ACTIVE


async def test_a_close_that_is_started_over_counts_from_when_it_had_begun(stage: Stage) -> None:
    # close begun -- run lost -- billing date -- run started anew: the date is nobody's any more
    before = datetime.now(UTC) - 40 * DAY
    plans = len(stage.systems.billing.invoices(stage.account_id))
    stage.systems.accounts.begin_close(
        BeginEnd(
            act_id=make_id(Prefix.CLOSE, uuid4()),
            account_id=stage.account_id,
            at=before,
            requested_by=stage.administrator,
        )
    )
    act = stage.systems.accounts.open_act(stage.account_id)
    assert act is not None
    async with stage.worker():
        await start_anew(stage.client, act)
        status = await stage.close_handle().result()
        late = [
            invoice.billing_on
            for invoice in stage.systems.billing.invoices(stage.account_id)
            if invoice.due_at >= before
        ]

    assert status.state is PauseState.CLOSED
    assert plans == 0
    assert [] == late


async def test_the_pause_of_another_account_is_nobody_elses(stage: Stage) -> None:
    other = create_account(
        stage.systems,
        key=f"{stage.account_id}-other",
        name="Other",
        time_zone="UTC",
        billing_day=1,
        created_at=stage.created_at,
    )
    async with stage.worker():
        handle = await stage.paused()
        pause_id = await stage.current_pause_id()
        answers = await gathered(
            [stage.pauses.pause(other.account_id, other.administrator_id, pause_id=pause_id)]
        )
        refused = await stage.start_for(other, pause_id)
        resumed = await stage.resume(handle)

    assert refusal_of(answers[0]) is Code.PAUSE_NOT_FOUND
    assert refused.refusal is not None
    assert refused.refusal.code == Code.PAUSE_NOT_FOUND
    assert resumed.state is PauseState.RESUMED
    assert stage.account_status() is AccountStatus.ACTIVE


# --- what the same review of a run's edges brought up --------------------------------------------


async def test_a_drain_that_fails_while_it_is_overtaken_holds_up_no_resume(stage: Stage) -> None:
    stage.faults.plan(Activity.RETAIN_NUMBERS, Fault.FAILED)
    held = stage.faults.hold(Activity.RETAIN_NUMBERS)
    async with stage.worker():
        handle = await stage.paused()
        async with stage.moving(handle, 2 * HOUR):
            await stage.until_begun(Activity.RETAIN_NUMBERS)
            await handle.signal(RESUME)
            await stage.until_state(handle, PauseState.RESUMING)
            held.set()
            status = await handle.result()

    assert status.state is PauseState.RESUMED
    assert status.needs_operator is None
    assert stage.number_states() == {NumberState.ACTIVE}


async def test_a_rung_that_is_taken_late_shifts_what_follows(stage: Stage) -> None:
    # The final notice waits for an operator from day 15 to day 27: the close must wait as well.
    stage.enter_card("declined")
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + 14 * DAY)
        await stage.until(lambda: stage.notices().count("declined") == 3)
        stage.faults.plan(Activity.COLLECT_FEE, Fault.REFUSED)
        await stage.move_to(handle, due_at + 27 * DAY)
        await stage.until_stuck(handle)
        await handle.signal("retry")
        await stage.until(lambda: "final_notice" in stage.notices())
        status = await stage.until_charge(handle, 0, ChargeState.DECLINED)
        await stage.move_to(handle, due_at + 30 * DAY)
        later = await stage.current(handle)

    assert status.state is PauseState.PAUSED
    assert later.state is PauseState.PAUSED
    # Due, three rungs, the refused fourth and its retry; the last attempt is still days away.
    first = later.charges[0].billing_on
    attempts = [
        request.rung
        for name, request in stage.faults.calls
        if name == Activity.COLLECT_FEE and request.billing_on == first
    ]
    assert attempts == [0, 1, 2, 3, 4, 4]


async def test_a_resume_that_fails_without_a_rule_asks_for_an_operator_and_is_not_lost(
    stage: Stage,
) -> None:
    stage.faults.plan(Activity.BEGIN_RESUME, Fault.REFUSED)
    async with stage.worker():
        handle = await stage.paused()
        await handle.signal(RESUME, {"requested_by": stage.administrator})
        reason = await stage.until_stuck(handle)
        await handle.signal("retry")
        status = await handle.result()

    assert "begin_resume" in reason
    assert status.state is PauseState.RESUMED
