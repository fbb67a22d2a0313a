"""Closing, paused or active, in every state: numbers go last, nothing stands in the way (R14)."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.service import RPCError

from domain import names
from domain.errors import Code
from domain.messages import Status
from domain.names import RESUME, RETRY, Activity
from domain.states import AccountStatus, ChargeState, NumberState, PauseState, Role
from tests.covering import covering, leading
from tests.workflows.faults import Fault
from tests.workflows.stage import Stage, eventually, gathered, refusal_of

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)

OUT_FOR_GOOD = (
    Activity.DISABLE_SCRIPT,
    Activity.CLOSE_ACCESS,
    Activity.CLOSE_BILLING,
    Activity.RELEASE_NUMBERS,
    Activity.MARK_CLOSED,
)


def closing(
    stage: Stage, confirm: str = "CLOSE", by: str | None = None
) -> Coroutine[Any, Any, Status]:
    return stage.pauses.close(stage.account_id, by or stage.administrator, confirm)


def assert_closed(stage: Stage) -> None:
    assert stage.account_status() is AccountStatus.CLOSED
    assert stage.number_states() == {NumberState.RELEASED}
    assert not stage.swaps()
    assert not stage.may_open_reports()


async def test_a_paused_account_is_closed_and_its_numbers_are_released_last(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        status = await closing(stage)
        ended = await handle.result()

    assert status.state is PauseState.CLOSED
    assert ended.state is PauseState.CLOSED
    assert_closed(stage)
    steps = [name for name, _ in stage.faults.calls]
    assert steps[-2:] == [Activity.RELEASE_NUMBERS, Activity.MARK_CLOSED]
    assert steps.index(Activity.BEGIN_CLOSE) < steps.index(Activity.RELEASE_NUMBERS)
    assert stage.notices() == ["paused", "closed"]
    assert stage.paid() == []


async def test_an_active_account_is_closed_without_a_pause(stage: Stage) -> None:
    async with stage.worker():
        status = await closing(stage)
        again = await closing(stage)

    assert status.state is PauseState.CLOSED
    assert again.state is PauseState.CLOSED
    assert again.ended_at == status.ended_at
    assert_closed(stage)
    assert stage.notices() == ["closed"]


async def test_closing_twice_at_once_has_one_effect(stage: Stage) -> None:
    async with stage.worker():
        await stage.paused()
        answers = await gathered(closing(stage) for _ in range(5))

    assert {getattr(answer, "state", answer) for answer in answers} == {PauseState.CLOSED}
    assert stage.notices() == ["paused", "closed"]
    assert stage.faults.count(Activity.RELEASE_NUMBERS) == 1


@pytest.mark.parametrize("confirm", ["", "yes", "close it"])
async def test_a_close_that_was_not_confirmed_is_refused(stage: Stage, confirm: str) -> None:
    async with stage.worker():
        handle = await stage.paused()
        answers = await gathered([closing(stage, confirm)])
        request = {"requested_by": stage.administrator, "confirm": confirm}
        raw = await gathered([handle.execute_update(names.CLOSE, request)])

    assert refusal_of(answers[0]) is Code.VALIDATION_FAILED
    assert isinstance(raw[0], Exception)
    assert stage.number_states() == {NumberState.ACTIVE}


@pytest.mark.parametrize("role", [Role.MANAGER, Role.REPORTING])
async def test_only_an_administrator_closes(stage: Stage, role: Role) -> None:
    async with stage.worker():
        handle = await stage.paused()
        answers = await gathered([closing(stage, by=stage.user(role))])
        request = {"requested_by": stage.user(role), "confirm": "CLOSE"}
        raw = await gathered([handle.execute_update(names.CLOSE, request)])
        status = await stage.current(handle)

    assert refusal_of(answers[0]) is Code.NOT_AN_ADMINISTRATOR
    assert isinstance(raw[0], Exception)
    assert status.state is PauseState.PAUSED


async def test_a_close_while_still_pausing_is_kept_until_the_effects_stand(stage: Stage) -> None:
    held = stage.faults.hold(Activity.DISABLE_SCRIPT)
    async with stage.worker():
        await stage.start()
        await stage.until_begun(Activity.DISABLE_SCRIPT)
        close = asyncio.create_task(closing(stage))
        await asyncio.sleep(0.2)
        assert stage.number_states() == {NumberState.ACTIVE}
        held.set()
        status = await close

    assert status.state is PauseState.CLOSED
    assert_closed(stage)


async def test_a_close_while_a_pause_is_being_undone_closes_the_active_account(
    stage: Stage,
) -> None:
    stage.faults.plan(Activity.SUSPEND_PLAN, Fault.REFUSED)
    held = stage.faults.hold(Activity.DISABLE_SCRIPT)
    async with stage.worker():
        await stage.start()
        await stage.until_begun(Activity.DISABLE_SCRIPT)
        close = asyncio.create_task(closing(stage))
        await asyncio.sleep(0.2)
        held.set()
        status = await close

    assert status.state is PauseState.CLOSED
    assert_closed(stage)


async def test_a_close_while_resuming_closes_the_account_once_it_is_back(stage: Stage) -> None:
    held = stage.faults.hold(Activity.MARK_RESUMED)
    async with stage.worker():
        handle = await stage.paused()
        await handle.signal(RESUME)
        await stage.until_begun(Activity.MARK_RESUMED)
        close = asyncio.create_task(closing(stage))
        await asyncio.sleep(0.2)
        held.set()
        status = await close

    assert status.state is PauseState.CLOSED
    assert_closed(stage)
    assert stage.notices() == ["paused", "resumed", "closed"]


async def test_a_resume_while_closing_is_too_late(stage: Stage) -> None:
    held = stage.faults.hold(Activity.CLOSE_BILLING)
    async with stage.worker():
        handle = await stage.paused()
        close = asyncio.create_task(closing(stage))
        await stage.until_begun(Activity.CLOSE_BILLING)
        await handle.signal(RESUME)
        held.set()
        status = await close

    assert status.state is PauseState.CLOSED
    assert_closed(stage)


async def test_an_unpaid_fee_is_tried_once_more_and_then_written_off(stage: Stage) -> None:
    stage.enter_card("declined")
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + HOUR)
        await stage.until_charge(handle, 0, ChargeState.DECLINED)
        status = await closing(stage)
        ended = await handle.result()

    assert status.state is PauseState.CLOSED
    assert ended.charges[0].state is ChargeState.WRITTEN_OFF
    assert {charge.state for charge in ended.charges[1:]} == {ChargeState.NOT_OWED}
    assert stage.faults.count(Activity.COLLECT_FEE) == 2


async def test_an_unpaid_fee_that_is_paid_at_the_last_try_is_paid(stage: Stage) -> None:
    stage.enter_card("declined")
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + HOUR)
        await stage.until_charge(handle, 0, ChargeState.DECLINED)
        stage.enter_card("visa")
        await closing(stage)
        ended = await handle.result()

    assert ended.charges[0].state is ChargeState.PAID
    assert stage.paid() == [500]


async def test_a_gateway_that_says_nothing_delays_no_close(stage: Stage) -> None:
    stage.enter_card("away")
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + SECOND)
        await stage.until_charge(handle, 0, ChargeState.UNKNOWN)
        status = await closing(stage)
        ended = await handle.result()

    assert status.state is PauseState.CLOSED
    assert ended.charges[0].state is ChargeState.UNKNOWN
    assert_closed(stage)


@pytest.mark.parametrize(
    ("step", "fault"),
    covering([Activity.BEGIN_CLOSE, *OUT_FOR_GOOD], [Fault.FAILED, Fault.ANSWER_LOST]),
)
async def test_a_close_survives_a_system_that_is_away(
    stage: Stage, step: Activity, fault: Fault
) -> None:
    async with stage.worker():
        await stage.paused()
        stage.faults.plan(step, fault)
        status = await closing(stage)

    assert status.state is PauseState.CLOSED
    assert_closed(stage)
    assert stage.notices() == ["paused", "closed"]


@pytest.mark.parametrize("step", leading(OUT_FOR_GOOD, 2))
async def test_a_close_that_is_stuck_asks_for_an_operator_and_goes_on_after_a_retry(
    stage: Stage, step: Activity
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        stage.faults.plan(step, Fault.REFUSED)
        close = asyncio.create_task(closing(stage))
        reason = await stage.until_stuck(handle)
        await handle.signal(RETRY)
        status = await close

    assert step in reason
    assert "retry" in reason
    assert status.state is PauseState.CLOSED
    assert status.needs_operator is None
    assert_closed(stage)


async def test_a_cancel_of_a_close_comes_too_late(stage: Stage) -> None:
    held = stage.faults.hold(Activity.RELEASE_NUMBERS)
    async with stage.worker():
        handle = await stage.paused()
        close = asyncio.create_task(closing(stage))
        await stage.until_begun(Activity.RELEASE_NUMBERS)
        await handle.cancel()
        held.set()
        status = await close
        ended = await handle.result()

    assert status.state is PauseState.CLOSED
    assert ended.state is PauseState.CLOSED
    assert_closed(stage)


async def test_a_closed_account_cannot_be_paused(stage: Stage) -> None:
    async with stage.worker():
        await closing(stage)
        answers = await gathered([stage.pauses.pause(stage.account_id, stage.administrator)])

    assert refusal_of(answers[0]) is Code.ACCOUNT_CLOSED


async def test_the_close_of_an_active_account_that_is_stuck_goes_on_after_a_retry(
    stage: Stage,
) -> None:
    stage.faults.plan(Activity.RELEASE_NUMBERS, Fault.REFUSED)
    async with stage.worker():
        close = asyncio.create_task(closing(stage))
        await stage.until_begun(Activity.RELEASE_NUMBERS)
        handle = stage.close_handle()
        status = await stage.until_close_is_stuck()
        await handle.signal(RETRY)
        closed = await close

    assert "release_numbers" in status
    assert closed.state is PauseState.CLOSED
    assert_closed(stage)


async def test_the_close_of_an_active_account_counts_from_when_it_was_asked_for(
    stage: Stage,
) -> None:
    # asked for -- no worker for a while -- read
    closing_it = asyncio.create_task(closing(stage))

    async def started_at() -> datetime | None:
        with suppress(RPCError):
            return (await stage.close_handle().describe()).start_time
        return None

    asked_at = await eventually(started_at)
    await stage.until(lambda: datetime.now(UTC) > asked_at + SECOND)
    async with stage.worker():
        closed = await closing_it
    [act] = stage.systems.accounts.acts(stage.account_id)

    assert PauseState.CLOSED is closed.state
    assert asked_at == closed.ended_at == act.ends_at


async def test_the_close_of_an_active_account_cannot_be_cancelled_half_way(stage: Stage) -> None:
    held = stage.faults.hold(Activity.CLOSE_BILLING)
    async with stage.worker():
        close = asyncio.create_task(closing(stage))
        await stage.until_begun(Activity.CLOSE_BILLING)
        await stage.close_handle().cancel()
        await asyncio.sleep(0.2)
        held.set()
        closed = await close

    assert closed.state is PauseState.CLOSED
    assert_closed(stage)


async def test_a_close_by_somebody_else_is_refused_and_leaves_the_account_active(
    stage: Stage,
) -> None:
    request = {"account_id": stage.account_id, "requested_by": stage.user(Role.MANAGER)}
    async with stage.worker():
        handle = await stage.client.start_workflow(
            names.ACCOUNT_CLOSE,
            request,
            id=names.close_workflow_id(stage.account_id),
            task_queue=names.TASK_QUEUE,
            result_type=Status,
        )
        status: Status = await handle.result()

    assert status.refusal is not None
    assert status.refusal.code == Code.NOT_AN_ADMINISTRATOR
    assert stage.account_status() is AccountStatus.ACTIVE
    assert stage.number_states() == {NumberState.ACTIVE}
