"""Every step failing in each way, in both directions, and a cancel in every wait (R3, R16)."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import CancelledError

from domain.errors import Code
from domain.names import RESUME, RETRY, Activity
from domain.states import AccountStatus, ChargeState, NumberState, PauseState
from tests.covering import covering, leading
from tests.workflows.faults import Fault
from tests.workflows.stage import PauseHandle, Stage

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

INTO_THE_PAUSE = (
    Activity.SUSPEND_PLAN,
    Activity.DISABLE_SCRIPT,
    Activity.SUSPEND_ACCESS,
    Activity.MARK_PAUSED,
)
UNDO = (
    Activity.RESTORE_ACCESS,
    Activity.ENABLE_SCRIPT,
    Activity.RESTORE_PLAN,
    Activity.MARK_REFUSED,
)
OUT_OF_THE_PAUSE = (
    Activity.BEGIN_RESUME,
    Activity.REACTIVATE_NUMBERS,
    Activity.ENABLE_SCRIPT,
    Activity.RESTORE_PLAN,
    Activity.RESTORE_ACCESS,
    Activity.MARK_RESUMED,
)
COMES_BACK = (Fault.FAILED, Fault.ANSWER_LOST)


def assert_active(stage: Stage) -> None:
    assert stage.account_status() is AccountStatus.ACTIVE
    assert stage.number_states() == {NumberState.ACTIVE}
    assert stage.may_open_reports()
    assert stage.swaps()
    assert stage.systems.accounts.open_act(stage.account_id) is None


# --- into the pause --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "fault"), covering([Activity.BEGIN_PAUSE, *INTO_THE_PAUSE], COMES_BACK)
)
async def test_a_pause_takes_effect_once_the_system_is_back(
    stage: Stage, step: Activity, fault: Fault
) -> None:
    stage.faults.plan(step, fault)
    async with stage.worker():
        await stage.paused()

    assert stage.account_status() is AccountStatus.PAUSED
    assert stage.faults.count(step) == 2
    assert stage.notices() == ["paused"]


@pytest.mark.parametrize("step", leading(INTO_THE_PAUSE, 2))
async def test_a_pause_that_cannot_take_effect_is_undone(stage: Stage, step: Activity) -> None:
    before = stage.snapshot()
    stage.faults.plan(step, Fault.REFUSED)
    async with stage.worker():
        status = await (await stage.start()).result()

    assert status.state is PauseState.REFUSED
    assert status.refusal is not None
    assert status.refusal.code == Code.PAUSING_FAILED
    assert stage.snapshot() == before
    assert stage.notices() == []
    assert_active(stage)


async def test_an_undo_goes_in_reverse_and_never_beside_the_step_it_undoes(stage: Stage) -> None:
    held = stage.faults.hold(Activity.DISABLE_SCRIPT)
    stage.faults.plan(Activity.SUSPEND_ACCESS, Fault.REFUSED)
    async with stage.worker():
        handle = await stage.start()
        await stage.until_begun(Activity.DISABLE_SCRIPT)
        await asyncio.sleep(0.3)
        assert stage.faults.count(Activity.RESTORE_ACCESS) == 0
        held.set()
        status = await handle.result()

    undone = [name for name, _ in stage.faults.calls if name in UNDO]
    assert undone == list(UNDO)
    assert status.state is PauseState.REFUSED
    assert_active(stage)


@pytest.mark.parametrize(("step", "fault"), covering(UNDO, list(Fault)))
async def test_an_undo_comes_to_its_end_whatever_happens(
    stage: Stage, step: Activity, fault: Fault
) -> None:
    stage.faults.plan(Activity.SUSPEND_PLAN, Fault.REFUSED)
    stage.faults.plan(step, fault)
    async with stage.worker():
        handle = await stage.start()
        if fault is Fault.REFUSED:
            stuck = await stage.until_stuck(handle)
            assert step in stuck
            await handle.signal(RETRY)
        status = await handle.result()

    assert status.state is PauseState.REFUSED
    assert_active(stage)


# --- while paused ----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", leading(list(Fault)))
async def test_the_end_of_the_drain_is_done_whatever_happens(stage: Stage, fault: Fault) -> None:
    stage.faults.plan(Activity.RETAIN_NUMBERS, fault)
    async with stage.worker():
        handle = await stage.paused()
        await stage.move_to(handle, await stage.now(handle) + 2 * HOUR)
        if fault is Fault.REFUSED:
            await stage.until_stuck(handle)
            await handle.signal(RETRY)
        await stage.until(lambda: stage.number_states() == {NumberState.RETAINED})
        status = await stage.current(handle)

    assert status.state is PauseState.PAUSED
    assert status.needs_operator is None


async def test_while_one_step_is_stuck_dates_and_commands_go_on(stage: Stage) -> None:
    stage.faults.plan(Activity.RETAIN_NUMBERS, Fault.REFUSED)
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + HOUR)
        charged = await stage.until_charge(handle, 0, ChargeState.PAID)
        status = await stage.pauses.resume(stage.account_id, stage.administrator)

    assert charged.needs_operator is not None
    assert "retain_numbers" in charged.needs_operator
    assert status.state is PauseState.RESUMED
    assert status.needs_operator is None
    assert_active(stage)


async def test_a_charge_that_is_stuck_holds_up_nothing_and_is_collected_after_a_retry(
    stage: Stage,
) -> None:
    stage.faults.plan(Activity.COLLECT_FEE, Fault.REFUSED)
    async with stage.worker():
        handle = await stage.paused()
        charges = (await stage.current(handle)).charges
        await stage.move_to(handle, charges[0].due_at + HOUR)
        await stage.until_stuck(handle)
        await stage.move_to(handle, charges[1].due_at + HOUR)
        later = await stage.until_charge(handle, 1, ChargeState.PAID)
        await handle.signal(RETRY)
        status = await stage.until_charge(handle, 0, ChargeState.PAID)

    assert later.charges[0].state is ChargeState.UNKNOWN
    assert status.needs_operator is None
    assert stage.paid() == [500, 500]


async def test_a_charge_that_stays_stuck_is_left_to_billing_at_the_end(stage: Stage) -> None:
    stage.faults.plan(Activity.COLLECT_FEE, Fault.REFUSED)
    async with stage.worker():
        handle = await stage.paused()
        charges = (await stage.current(handle)).charges
        await stage.move_to(handle, charges[0].due_at + HOUR)
        await stage.until_stuck(handle)
        status = await stage.pauses.resume(stage.account_id, stage.administrator)

    assert status.state is PauseState.RESUMED
    assert_active(stage)


@pytest.mark.parametrize("fault", leading(COMES_BACK))
async def test_a_charge_whose_answer_is_lost_is_made_once(stage: Stage, fault: Fault) -> None:
    stage.faults.plan(Activity.COLLECT_FEE, *[fault] * 3)
    async with stage.worker():
        handle = await stage.start(skipping=True)
        await handle.result()

    assert stage.paid() == [500] * 6


@pytest.mark.parametrize("fault", leading(list(Fault)))
async def test_a_reminder_is_sent_once_whatever_happens(stage: Stage, fault: Fault) -> None:
    stage.faults.plan(Activity.SEND_REMINDER, fault)
    async with stage.worker():
        handle = await stage.paused()
        resume_at = (await stage.current(handle)).resume_at
        assert resume_at is not None
        await stage.move_to(handle, resume_at - 20 * DAY)
        if fault is Fault.REFUSED:
            await stage.until_stuck(handle)
            await handle.signal(RETRY)
        await stage.until(lambda: "reminder" in stage.notices())

    assert stage.notices().count("reminder") == 1


# --- out of the pause ------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "fault"), covering(OUT_OF_THE_PAUSE, COMES_BACK))
async def test_a_resume_is_finished_once_the_system_is_back(
    stage: Stage, step: Activity, fault: Fault
) -> None:
    before = stage.snapshot()
    async with stage.worker():
        handle = await stage.paused()
        stage.faults.plan(step, fault)
        await handle.signal(RESUME)
        status = await handle.result()

    assert status.state is PauseState.RESUMED
    assert stage.snapshot() == before
    assert stage.notices() == ["paused", "resumed"]
    assert_active(stage)


@pytest.mark.parametrize("step", leading(OUT_OF_THE_PAUSE[1:], 2))
async def test_a_resume_that_is_stuck_asks_for_an_operator_and_goes_on_after_a_retry(
    stage: Stage, step: Activity
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        await stage.move_to(handle, await stage.now(handle) + 2 * HOUR)
        await stage.until(lambda: stage.number_states() == {NumberState.RETAINED})
        stage.faults.plan(step, Fault.REFUSED)
        await handle.signal(RESUME)
        reason = await stage.until_stuck(handle)
        status = await stage.current(handle)
        assert status.state is PauseState.RESUMING
        assert NumberState.RELEASED not in stage.number_states()
        await handle.signal(RETRY)
        ended = await handle.result()

    assert step in reason
    assert "retry" in reason
    assert ended.state is PauseState.RESUMED
    assert_active(stage)


async def test_while_one_step_of_a_resume_is_stuck_the_others_are_done(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        stage.faults.plan(Activity.RESTORE_PLAN, Fault.REFUSED)
        await handle.signal(RESUME)
        await stage.until_stuck(handle)
        await stage.until(lambda: stage.may_open_reports() and stage.swaps())
        await handle.signal(RETRY)
        await handle.result()

    assert_active(stage)


# --- cancel: an operator's abort -------------------------------------------------------------


async def cancelled(handle: PauseHandle) -> None:
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, CancelledError)


@pytest.mark.parametrize("step", leading(INTO_THE_PAUSE))
async def test_a_cancel_while_pausing_restores_the_account(stage: Stage, step: Activity) -> None:
    before = stage.snapshot()
    held = stage.faults.hold(step)
    async with stage.worker():
        handle = await stage.start()
        await stage.until_begun(step)
        await handle.cancel()
        await asyncio.sleep(0.2)
        held.set()
        await cancelled(handle)

    assert stage.snapshot() == before
    assert stage.last_state() is PauseState.RESUMED
    assert_active(stage)


async def test_a_cancel_while_paused_restores_the_account(stage: Stage) -> None:
    before = stage.snapshot()
    async with stage.worker():
        handle = await stage.paused()
        await stage.move_to(handle, await stage.now(handle) + 2 * HOUR)
        await stage.until(lambda: stage.number_states() == {NumberState.RETAINED})
        await handle.cancel()
        await cancelled(handle)

    assert stage.snapshot() == before
    assert stage.last_state() is PauseState.RESUMED
    assert ("operator", "resume_begun") in stage.audited()
    assert_active(stage)


async def test_a_cancel_while_a_charge_runs_restores_the_account_and_keeps_the_charge(
    stage: Stage,
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at - HOUR)
        held = stage.faults.hold(Activity.COLLECT_FEE)
        async with stage.moving(handle, 2 * HOUR):
            await stage.until_begun(Activity.COLLECT_FEE)
            await handle.cancel()
            await stage.until(lambda: stage.account_status() is AccountStatus.ACTIVE)
            held.set()
            await cancelled(handle)

    assert stage.paid() == [500]
    assert_active(stage)


async def test_a_cancel_while_resuming_lets_the_resume_finish(stage: Stage) -> None:
    held = stage.faults.hold(Activity.MARK_RESUMED)
    async with stage.worker():
        handle = await stage.paused()
        await handle.signal(RESUME)
        await stage.until_begun(Activity.MARK_RESUMED)
        await handle.cancel()
        await asyncio.sleep(0.2)
        held.set()
        await cancelled(handle)

    assert_active(stage)


async def test_a_cancel_while_a_step_is_stuck_restores_the_account(stage: Stage) -> None:
    stage.faults.plan(Activity.RETAIN_NUMBERS, Fault.REFUSED)
    async with stage.worker():
        handle = await stage.paused()
        await stage.move_to(handle, await stage.now(handle) + 2 * HOUR)
        await stage.until_stuck(handle)
        await handle.cancel()
        await cancelled(handle)

    assert_active(stage)
