"""The Web UI's own buttons do no harm: pressed at any moment, nothing is charged or lost twice.

pausing |[ before a fee  $ after it ... $? in flight, unknown ... )| resuming, or closing

After each press the sweeper comes by, and the pause ends as if nobody had touched it.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateStage
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

from domain import names
from domain.errors import Code
from domain.ids import Prefix, make_id
from domain.messages import PauseInput, Status
from domain.names import Activity
from domain.states import AccountStatus, ChargeState, NumberState, PauseState
from tests.e2e.sweeps import (
    paid_by_date,
    quietly_reconciled,
    reset_to_first_task,
    swept,
    swept_until_it_goes_on,
)
from tests.workflows.stage import PauseHandle, Stage
from workflows.account_pause import AccountPause

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

Moment = Callable[[Stage], Awaitable[PauseHandle]]
Button = Callable[[Stage, PauseHandle], Awaitable[None]]


# --- the moments ---------------------------------------------------------------------------------


async def pausing(stage: Stage) -> PauseHandle:
    stage.faults.hold(Activity.SUSPEND_ACCESS)
    handle = await started(stage)
    await stage.until_begun(Activity.SUSPEND_ACCESS)
    return handle


async def before_a_fee(stage: Stage) -> PauseHandle:
    handle = await started(stage)
    await stage.until_state(handle, PauseState.PAUSED)
    return handle


async def after_a_fee(stage: Stage) -> PauseHandle:
    handle = await before_a_fee(stage)
    first = (await stage.current(handle)).charges[0]
    await stage.move_to(handle, first.due_at + HOUR)
    await stage.until_charge(handle, 0, ChargeState.PAID)
    return handle


async def a_charge_in_flight(stage: Stage) -> PauseHandle:
    stage.faults.hold(Activity.COLLECT_FEE)
    handle = await before_a_fee(stage)
    first = (await stage.current(handle)).charges[0]
    async with stage.moving(handle, first.due_at + MINUTE - await stage.now(handle)):
        await stage.until_begun(Activity.COLLECT_FEE)
    return handle


async def a_charge_unknown(stage: Stage) -> PauseHandle:
    stage.enter_card("times_out")
    handle = await before_a_fee(stage)
    first = (await stage.current(handle)).charges[0]
    await stage.move_to(handle, first.due_at + MINUTE)
    await stage.until_charge(handle, 0, ChargeState.UNKNOWN)
    return handle


async def resuming(stage: Stage) -> PauseHandle:
    handle = await after_a_fee(stage)
    stage.faults.hold(Activity.RESTORE_PLAN)
    await handle.signal(names.RESUME, {"requested_by": stage.administrator})
    await stage.until_begun(Activity.RESTORE_PLAN)
    return handle


async def closing(stage: Stage) -> PauseHandle:
    handle = await after_a_fee(stage)
    stage.faults.hold(Activity.CLOSE_BILLING)
    request = {"requested_by": stage.administrator, "confirm": "CLOSE"}
    await handle.start_update(names.CLOSE, request, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    await stage.until_begun(Activity.CLOSE_BILLING)
    return handle


# --- the buttons ---------------------------------------------------------------------------------


async def reset(stage: Stage, handle: PauseHandle) -> None:
    await reset_to_first_task(stage.client, handle)


async def terminate(stage: Stage, handle: PauseHandle) -> None:
    await handle.terminate()


async def cancel(stage: Stage, handle: PauseHandle) -> None:
    await handle.cancel()


async def start_the_same(stage: Stage, handle: PauseHandle) -> None:
    with pytest.raises(WorkflowAlreadyStartedError):
        await stage.start(pause_id=await stage.current_pause_id())


async def start_the_same_under_another_id(stage: Stage, handle: PauseHandle) -> None:
    with pytest.raises(WorkflowFailureError) as failed:
        await started_elsewhere(stage, pause_id=await stage.current_pause_id())
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    assert Code.VALIDATION_FAILED == cause.type
    assert f"runs as {handle.id}" in cause.message


async def start_another_without_a_pause_id(stage: Stage, handle: PauseHandle) -> None:
    status = await started_elsewhere(stage)
    assert status.refusal is not None
    assert Code.ACCOUNT_ALREADY_PAUSED == status.refusal.code


async def terminate_and_start_without_a_pause_id(stage: Stage, handle: PauseHandle) -> None:
    await handle.terminate()
    refused = await (await stage.start()).result()
    assert refused.refusal is not None
    assert Code.ACCOUNT_ALREADY_PAUSED == refused.refusal.code


MOMENTS: list[Moment] = [
    pausing,
    before_a_fee,
    after_a_fee,
    a_charge_in_flight,
    a_charge_unknown,
    resuming,
    closing,
]
BUTTONS: list[Button] = [
    reset,
    terminate,
    cancel,
    start_the_same,
    start_the_same_under_another_id,
    start_another_without_a_pause_id,
    terminate_and_start_without_a_pause_id,
]


@pytest.mark.slow
@pytest.mark.parametrize("button", BUTTONS, ids=lambda button: button.__name__)
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
async def test_no_button_charges_or_releases_anything_twice(
    stage: Stage, moment: Moment, button: Button
) -> None:
    await assert_harmless(stage, moment, button)


async def test_a_run_that_is_terminated_after_a_fee_goes_on_by_the_sweeper(stage: Stage) -> None:
    await assert_harmless(stage, after_a_fee, terminate)


async def test_a_copy_of_a_run_under_another_id_is_refused_untouched(stage: Stage) -> None:
    await assert_harmless(stage, before_a_fee, start_the_same_under_another_id)


async def test_a_run_that_was_started_without_a_pause_id_may_be_reset(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        before = await stage.current_pause_id()
        await reset_to_first_task(stage.client, handle)
        act = await swept_until_it_goes_on(stage)
        await stage.until_state(handle, PauseState.PAUSED)

    assert before == act.act_id
    assert AccountStatus.PAUSED is stage.account_status()


# --- what may not be -----------------------------------------------------------------------------


async def assert_harmless(stage: Stage, moment: Moment, button: Button) -> None:
    before = stage.snapshot()
    async with stage.worker():
        handle = await moment(stage)
        act_id = await stage.current_pause_id()
        await button(stage, handle)
        stage.faults.release_all()
        goes_on = await swept_until_it_goes_on(stage)
        if button is not cancel and moment not in (resuming, closing):
            await stage.until_state(handle, PauseState.PAUSED)
            await stage.skipper.fast_forward(handle)
        await stage.until(lambda: stage.last_state().is_final)
        found = (await swept(stage)).found

    assert act_id == goes_on.act_id == await stage.current_pause_id()
    assert [] == found, "what is over is nobody's to start again"
    assert {1} >= set(paid_by_date(stage.systems, stage.account_id).values())
    assert expected_fees(moment, button) == len(stage.paid())
    assert 0 == await quietly_reconciled(stage.systems)
    if moment is closing:
        assert {NumberState.RELEASED} == stage.number_states()
        assert AccountStatus.CLOSED is stage.account_status()
        assert 1 == stage.notices().count("closed")
    else:
        assert before == stage.snapshot()
        assert AccountStatus.ACTIVE is stage.account_status()
        assert PauseState.RESUMED is stage.last_state()
        assert 1 == stage.notices().count("resumed")


def expected_fees(moment: Moment, button: Button) -> int:
    """Six months have six fees; an end before the first date has none, one after it has one."""
    if moment in (resuming, closing):
        return 1
    if button is not cancel:
        return 6
    return 0 if moment in (pausing, before_a_fee) else 1


async def started(stage: Stage) -> PauseHandle:
    """The pause, started with an id of its own as our clients do."""
    return await stage.start(pause_id=make_id(Prefix.PAUSE, uuid4()))


async def started_elsewhere(stage: Stage, pause_id: str | None = None) -> Status:
    """What a run comes to that is started like the account's, under another workflow id."""
    request = PauseInput(
        account_id=stage.account_id, requested_by=stage.administrator, pause_id=pause_id
    )
    handle = await stage.client.start_workflow(
        AccountPause.run, request, id=f"copy-{uuid4()}", task_queue=names.TASK_QUEUE
    )
    return await handle.result()
