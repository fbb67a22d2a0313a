"""Resuming: by signal, by date, early and late, and against a fee that falls due (R9-R12).

In the pictures ``[`` is the pause, ``)`` its end, ``$`` a fee's due instant.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.calendar import local_date
from domain.errors import Code
from domain.messages import Status
from domain.names import RESUME, Activity
from domain.states import AccountStatus, ChargeState, NumberState, PauseState, Role
from tests.covering import leading
from tests.workflows.stage import TIME_ZONE, Stage, gathered, refusal_of

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def states(status: Status) -> list[ChargeState]:
    return [charge.state for charge in status.charges]


async def test_a_resume_brings_everything_back_as_it_was(stage: Stage) -> None:
    before = stage.snapshot()
    async with stage.worker():
        handle = await stage.paused()
        await stage.move_to(handle, await stage.now(handle) + 2 * HOUR)
        await stage.until(lambda: stage.number_states() == {NumberState.RETAINED})
        status = await stage.pauses.resume(stage.account_id, stage.administrator)

    assert status.state is PauseState.RESUMED
    assert stage.paid() == []
    assert stage.snapshot() == before
    assert stage.number_states() == {NumberState.ACTIVE}
    assert stage.account_status() is AccountStatus.ACTIVE
    assert stage.may_open_reports()
    assert stage.swaps()
    assert stage.notices() == ["paused", "resumed"]


@pytest.mark.parametrize(
    ("asked", "is_owed"),
    [
        pytest.param(-SECOND, False, id="before"),
        pytest.param(timedelta(0), False, id="at"),
        pytest.param(SECOND, True, id="after"),
    ],
)
async def test_after_an_outage_the_time_of_asking_decides_about_the_fee(
    stage: Stage, asked: timedelta, is_owed: bool
) -> None:
    # [ ---) $   now        [ ---($)   now        [ --- $) now
    pause_id = stage.pause_in_the_past(datetime.now(UTC) - timedelta(days=60))
    first = stage.promised(pause_id).fees[0]
    handle = await stage.start(pause_id=pause_id)
    await handle.signal(RESUME, {"requested_at": (first.due_at + asked).isoformat()})
    async with stage.worker():
        status = await handle.result()

    assert status.ended_at == first.due_at + asked
    assert states(status)[0] is (ChargeState.PAID if is_owed else ChargeState.NOT_OWED)
    assert set(states(status)[1:]) == {ChargeState.NOT_OWED}
    assert stage.paid() == [500] * is_owed


@pytest.mark.parametrize(
    ("asked", "is_owed"),
    [
        pytest.param(-SECOND, False, id="asked before the timer fired"),
        pytest.param(SECOND, True, id="asked after the timer fired"),
    ],
)
async def test_a_timer_and_a_resume_that_a_worker_finds_together_are_told_apart_by_time(
    stage: Stage, asked: timedelta, is_owed: bool
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at - HOUR)
    async with stage.moving(handle, 2 * HOUR):
        await stage.until_now(handle, due_at + 2 * SECOND)
        await handle.signal(RESUME, {"requested_at": (due_at + asked).isoformat()})
        async with stage.worker():
            status = await handle.result()

    assert status.ended_at == due_at + asked
    assert states(status)[0] is (ChargeState.PAID if is_owed else ChargeState.NOT_OWED)
    assert stage.paid() == [500] * is_owed


async def test_a_fee_that_was_taken_stands_though_the_resume_was_asked_for_earlier(
    stage: Stage,
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + HOUR)
        await stage.until_charge(handle, 0, ChargeState.PAID)
        asked_at = (due_at - HOUR).isoformat()
        status = await stage.resume(handle, requested_at=asked_at)

    assert status.ended_at is not None
    assert status.ended_at > due_at
    assert stage.paid() == [500]


async def test_a_time_in_the_future_counts_as_now(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        status = await stage.resume(handle, requested_at="2999-01-01T00:00:00Z")

    assert status.ended_at is not None
    assert status.ended_at < datetime.now(UTC) + HOUR


async def test_a_resume_during_the_drain_leaves_routing_alone(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        await stage.resume(handle)

    assert stage.faults.count(Activity.RETAIN_NUMBERS) == 0
    assert stage.number_states() == {NumberState.ACTIVE}


async def test_no_resume_waits_for_a_charge_that_is_running(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at - HOUR)
        held = stage.faults.hold(Activity.COLLECT_FEE)
        async with stage.moving(handle, HOUR + 5 * SECOND):
            await stage.until_begun(Activity.COLLECT_FEE)
            await handle.signal(RESUME)
            resumed = await stage.until_state(handle, PauseState.RESUMED)
            assert stage.account_status() is AccountStatus.ACTIVE
            assert states(resumed)[0] is ChargeState.COLLECTING
            held.set()
            status = await handle.result()

    assert states(status)[0] is ChargeState.PAID
    assert stage.paid() == [500]


async def test_a_decline_that_comes_after_the_resume_moves_to_the_plans_next_invoice(
    stage: Stage,
) -> None:
    stage.enter_card("declined")
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at - HOUR)
        held = stage.faults.hold(Activity.COLLECT_FEE)
        async with stage.moving(handle, HOUR + 5 * SECOND):
            await stage.until_begun(Activity.COLLECT_FEE)
            await handle.signal(RESUME)
            await stage.until(lambda: stage.account_status() is AccountStatus.ACTIVE)
            held.set()
            status = await handle.result()

    assert states(status)[0] is ChargeState.MOVED
    assert ("unpaid_fee", 500) in stage.plan_lines()


async def test_a_two_day_pause_over_the_billing_date_pays_for_the_rest_of_the_month(
    stage: Stage,
) -> None:
    # [ - $ - ) ~~~~ P   the plan's share of ~ is a line of its next invoice
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + DAY)
        await stage.until_charge(handle, 0, ChargeState.PAID)
        await stage.resume(handle)

    assert [kind for kind, amount in stage.plan_lines() if amount > 0] == ["remaining_days"]


async def test_a_resume_while_still_pausing_is_kept_until_the_effects_stand(stage: Stage) -> None:
    held = stage.faults.hold(Activity.DISABLE_SCRIPT)
    async with stage.worker():
        handle = await stage.start()
        await stage.until_begun(Activity.DISABLE_SCRIPT)
        await handle.signal(RESUME)
        assert (await stage.current(handle)).state is PauseState.PAUSING
        held.set()
        status = await handle.result()

    assert status.state is PauseState.RESUMED
    assert status.paused_at is not None
    assert stage.account_status() is AccountStatus.ACTIVE


@pytest.mark.parametrize(
    "payload",
    leading([None, {}, {"unknown": 1}]),
    ids=["null", "empty object", "unknown field"],
)
async def test_an_operators_resume_needs_no_name(stage: Stage, payload: Any) -> None:
    async with stage.worker():
        handle = await stage.paused()
        await handle.signal(RESUME, payload)
        status = await handle.result()

    assert status.state is PauseState.RESUMED
    assert ("operator", "resume_begun") in stage.audited()


async def test_a_resume_without_any_payload_is_an_operators(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        await handle.signal(RESUME)
        status = await handle.result()

    assert status.state is PauseState.RESUMED


@pytest.mark.parametrize(
    "payload",
    leading(
        ["resume please", {"requested_at": "yesterday"}, 5, [1, 2], {"requested_by": ["x"]}, True],
        2,
    ),
    ids=["text", "no time", "number", "list", "no id", "boolean"],
)
async def test_a_payload_that_makes_no_sense_is_ignored_and_noted(
    stage: Stage, payload: Any
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        await handle.signal(RESUME, payload)
        await handle.signal(RESUME, args=[payload, payload])
        details = await handle.query("__temporal_workflow_metadata")
        status = await stage.current(handle)

    assert status.state is PauseState.PAUSED
    assert "its payload could not be read" in str(details)


async def test_somebody_who_is_no_administrator_is_ignored_and_noted(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        await handle.signal(RESUME, {"requested_by": stage.user(Role.REPORTING)})
        await stage.until(
            lambda: any("not_an_administrator" in what for _, what in stage.audited())
        )
        ignored = await stage.current(handle)
        status = await stage.resume(handle, requested_by=stage.administrator)

    assert ignored.state is PauseState.PAUSED
    assert status.state is PauseState.RESUMED


async def test_a_resume_of_another_pause_changes_nothing(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        await handle.signal(RESUME, {"pause_id": "PAU" + "0" * 32})
        assert (await stage.current(handle)).state is PauseState.PAUSED


async def test_a_resume_sent_many_times_has_one_effect(stage: Stage) -> None:
    async with stage.worker():
        await stage.paused()
        answers = await gathered(
            stage.pauses.resume(stage.account_id, stage.administrator) for _ in range(20)
        )
        late = await stage.pauses.resume(stage.account_id, stage.administrator)

    ended = {getattr(answer, "ended_at", answer) for answer in [*answers, late]}
    assert len(ended) == 1
    assert stage.notices() == ["paused", "resumed"]
    assert stage.faults.count(Activity.BEGIN_RESUME) == 1


async def test_an_account_that_was_never_paused_cannot_resume(stage: Stage) -> None:
    answers = await gathered([stage.pauses.resume(stage.account_id, stage.administrator)])

    assert refusal_of(answers[0]) is Code.ACCOUNT_NOT_PAUSED


# --- the resume date -------------------------------------------------------------------------


async def change(stage: Stage, resume_on: Any) -> Any:
    answers = await gathered(
        [stage.pauses.change_resume_date(stage.account_id, stage.administrator, resume_on)]
    )
    return answers[0]


def days_from_today(days: int) -> Any:
    return local_date(datetime.now(UTC), TIME_ZONE) + timedelta(days=days)


async def test_an_earlier_date_can_be_chosen_and_takes_effect_at_midnight(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        changed = await change(stage, days_from_today(20))
        await stage.skipper.fast_forward(handle)
        status = await handle.result()

    assert changed.resume_on == days_from_today(20)
    assert status.ended_at == changed.resume_at
    assert stage.paid() == [500]
    assert stage.faults.count(Activity.SEND_REMINDER) == 2


async def test_a_chosen_date_can_be_moved_and_dropped(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused(resume_on=days_from_today(5).isoformat())
        first = await stage.current(handle)
        await change(stage, days_from_today(40))
        moved = await stage.current(handle)
        await change(stage, None)
        dropped = await stage.current(handle)

    assert first.resume_on == days_from_today(5)
    assert len(first.charges) == 0
    assert moved.resume_on == days_from_today(40)
    assert len(moved.charges) in (1, 2)
    assert len(dropped.charges) == 6


@pytest.mark.parametrize("days", [-1, 0, 400])
async def test_a_date_outside_tomorrow_to_six_months_is_refused(stage: Stage, days: int) -> None:
    async with stage.worker():
        handle = await stage.paused()
        before = await stage.current(handle)
        refused = await change(stage, days_from_today(days))
        after = await stage.current(handle)

    assert refusal_of(refused) is Code.INVALID_RESUME_DATE
    assert after.resume_on == before.resume_on
    assert ("resume now" in str(refused)) is (days == 0)


async def test_a_date_cannot_be_changed_once_the_pause_is_over(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        await stage.resume(handle)
        refused = await change(stage, days_from_today(20))

    assert refusal_of(refused) is Code.ACCOUNT_NOT_PAUSED


async def test_a_date_changed_while_pausing_waits_until_the_pause_is_in_effect(
    stage: Stage,
) -> None:
    held = stage.faults.hold(Activity.SUSPEND_ACCESS)
    async with stage.worker():
        await stage.start()
        await stage.until_begun(Activity.SUSPEND_ACCESS)
        changing = asyncio.create_task(change(stage, days_from_today(20)))
        await asyncio.sleep(0.2)
        assert not changing.done()
        held.set()
        changed = await changing

    assert changed.resume_on == days_from_today(20)


async def test_a_planned_resume_keeps_its_instant_though_workers_were_down(stage: Stage) -> None:
    paused_at = datetime.now(UTC) - timedelta(days=30)
    resume_on = local_date(paused_at, TIME_ZONE) + timedelta(days=20)
    pause_id = stage.pause_in_the_past(paused_at, resume_on=resume_on)
    handle = await stage.start(pause_id=pause_id)
    await handle.signal(RESUME)
    async with stage.worker():
        status = await handle.result()

    assert status.ended_at == stage.promised(pause_id).resume_at
