"""A pause from end to end on the real server: what happens when, and what must not."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from dateutil.relativedelta import relativedelta

from domain.errors import Code
from domain.messages import PauseInput
from domain.names import Activity
from domain.states import AccountStatus, ChargeState, NumberState, PauseState, Role
from domain.terms import Offer
from tests.workflows.stage import Stage, gathered, refusal_of

MINUTE = timedelta(minutes=1)


async def test_a_pause_that_nobody_ends_charges_six_fees_and_resumes_by_itself(
    stage: Stage,
) -> None:
    # [ $ $ $ $ $ $ )
    before = stage.snapshot()
    async with stage.worker():
        handle = await stage.start(skipping=True)
        status = await handle.result()

    assert status.state is PauseState.RESUMED
    assert status.ended_at == status.resume_at
    assert [charge.state for charge in status.charges] == [ChargeState.PAID] * 6
    assert stage.paid() == [500] * 6
    assert stage.account_status() is AccountStatus.ACTIVE
    assert stage.snapshot() == before
    assert stage.number_states() == {NumberState.ACTIVE}
    assert stage.may_open_reports()
    assert stage.swaps()
    assert Counter(stage.notices()) == {"paused": 1, "receipt": 6, "reminder": 3, "resumed": 1}


async def test_a_pause_takes_effect_at_once_but_for_the_routing(stage: Stage) -> None:
    async with stage.worker():
        status = await stage.pauses.pause(stage.account_id, stage.administrator)

        assert status.state is PauseState.PAUSED
        assert stage.account_status() is AccountStatus.PAUSED
        assert not stage.may_open_reports()
        assert not stage.swaps()
        assert stage.number_states() == {NumberState.ACTIVE}

        handle = stage.handle()
        await stage.move_to(handle, (await stage.now(handle)) + 61 * MINUTE)
        await stage.until(lambda: stage.number_states() == {NumberState.RETAINED})

    assert stage.notices() == ["paused"]


async def test_without_a_drain_routing_stops_with_the_rest(stage: Stage) -> None:
    stage.offer = Offer(drain_minutes=0)
    async with stage.worker():
        await stage.paused()
        await stage.until(lambda: stage.number_states() == {NumberState.RETAINED})


async def test_fifty_starts_at_once_give_one_pause(stage: Stage) -> None:
    async with stage.worker():
        answers = await gathered(
            stage.pauses.pause(stage.account_id, stage.administrator) for _ in range(50)
        )

    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert len(refused) == 49
    assert {refusal_of(error) for error in refused} == {Code.ACCOUNT_ALREADY_PAUSED}
    assert stage.faults.count(Activity.SUSPEND_PLAN) == 1


async def test_the_same_request_twice_gives_one_pause_and_the_same_answer(stage: Stage) -> None:
    pause_id = "PAU" + "7" * 32
    async with stage.worker():
        answers = await gathered(
            stage.pauses.pause(stage.account_id, stage.administrator, pause_id=pause_id)
            for _ in range(5)
        )

    assert {getattr(answer, "pause_id", answer) for answer in answers} == {pause_id}
    assert stage.faults.count(Activity.BEGIN_PAUSE) == 1


async def test_a_request_repeated_after_the_end_is_told_how_it_ended(stage: Stage) -> None:
    async with stage.worker():
        first = await stage.skipping_pauses.pause(stage.account_id, stage.administrator)
        ended = await stage.handle().result()
        repeated = await stage.pauses.pause(
            stage.account_id, stage.administrator, pause_id=first.pause_id
        )

    assert repeated.state is PauseState.RESUMED
    assert repeated.ended_at == ended.ended_at
    assert stage.account_status() is AccountStatus.ACTIVE


async def test_pausing_again_at_once_waits_for_the_last_run_and_charges_no_date_twice(
    stage: Stage,
) -> None:
    # [ $ )[ $ ...  both on one billing date: the first pause has taken it
    async with stage.worker():
        handle = await stage.paused()
        status = await stage.current(handle)
        due_at = status.charges[0].due_at
        await stage.move_to(handle, due_at + MINUTE)
        await stage.until_charge(handle, 0, ChargeState.PAID)
        held = stage.faults.hold(Activity.MARK_RESUMED)
        resuming = asyncio.create_task(stage.pauses.resume(stage.account_id, stage.administrator))
        await stage.until_begun(Activity.MARK_RESUMED)
        pausing = asyncio.create_task(stage.pauses.pause(stage.account_id, stage.administrator))
        await asyncio.sleep(0.2)
        held.set()
        resumed, again = await resuming, await pausing

        assert resumed.state is PauseState.RESUMED
        assert again.state is PauseState.PAUSED
        second = await stage.current(stage.handle())

    assert stage.paid() == [500]
    assert status.charges[0].billing_on not in [charge.billing_on for charge in second.charges]


async def test_a_pause_is_refused_before_anything_is_touched(stage: Stage) -> None:
    before = stage.snapshot()
    manager = stage.user(Role.MANAGER)
    async with stage.worker():
        handle = await stage.start(requested_by=manager)
        status = await handle.result()

    assert status.state is PauseState.REFUSED
    assert status.refusal is not None
    assert status.refusal.code == Code.NOT_AN_ADMINISTRATOR
    assert stage.snapshot() == before
    assert stage.faults.count(Activity.SUSPEND_PLAN) == 0
    assert stage.account_status() is AccountStatus.ACTIVE


async def test_too_many_numbers_are_refused_with_the_figures_to_act(stage: Stage) -> None:
    stage.offer = Offer(max_numbers=1)
    async with stage.worker():
        status = await (await stage.start()).result()

    assert status.refusal is not None
    assert status.refusal.code == Code.TOO_MANY_TRACKING_NUMBERS
    assert status.refusal.figures == {"active": 3, "limit": 1, "excess": 2}


async def test_terms_are_pinned_when_the_pause_begins(stage: Stage) -> None:
    stage.offer = Offer(fee_minor=700)
    async with stage.worker():
        handle = await stage.paused()
    stage.offer = Offer(fee_minor=900)
    async with stage.worker():
        await stage.skipper.fast_forward(handle)
        status = await handle.result()

    assert {charge.amount_minor for charge in status.charges} == {700}
    assert stage.paid() == [700] * 6


async def test_what_was_promised_is_what_happens(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.start(skipping=True)
        status = await handle.result()

    act = stage.systems.accounts.act(status.pause_id)
    assert act is not None
    assert act.timeline is not None
    assert [fee.billing_on for fee in act.timeline.fees] == [
        charge.billing_on for charge in status.charges
    ]
    collected = [
        request.billing_on for name, request in stage.faults.calls if name == Activity.COLLECT_FEE
    ]
    assert collected == [fee.billing_on for fee in act.timeline.fees]


async def test_an_outage_over_everything_settles_the_fees_and_skips_what_was_overtaken(
    stage: Stage,
) -> None:
    # paused [ ... $ $ $ $ $ $ ) ... now: drain, reminders, fees and resume are all overdue
    paused_at = datetime.now(UTC) - timedelta(days=230)
    pause_id = stage.pause_in_the_past(paused_at)
    handle = await stage.start(pause_id=pause_id)
    async with stage.worker():
        status = await handle.result()

    assert status.state is PauseState.RESUMED
    assert status.ended_at == status.resume_at
    assert len(status.charges) in (5, 6)
    assert stage.paid() == [500] * len(status.charges)
    assert stage.faults.count(Activity.RETAIN_NUMBERS) == 0
    assert stage.faults.count(Activity.SEND_REMINDER) == 0


async def test_after_an_outage_only_the_latest_missed_reminder_is_sent(stage: Stage) -> None:
    # paused [ ... r30 r14 r3 . now )
    paused_at = datetime.now(UTC) + timedelta(days=2) - relativedelta(months=6)
    pause_id = stage.pause_in_the_past(paused_at)
    handle = await stage.start(pause_id=pause_id)
    async with stage.worker():
        await stage.until(lambda: stage.faults.count(Activity.SEND_REMINDER) == 1)
        reminders = [
            request.reminder.days_before
            for name, request in stage.faults.calls
            if name == Activity.SEND_REMINDER
        ]
        await stage.resume(handle)

    assert reminders == [3]


async def test_an_input_that_makes_no_sense_fails_at_once_and_says_what_is_wrong(
    stage: Stage,
) -> None:
    async with stage.worker():
        failure = await stage.failure_of({"account_id": 5})

    assert failure.type == Code.VALIDATION_FAILED
    assert "requested_by: missing" in failure.message


def test_an_input_needs_two_fields_only() -> None:
    request = PauseInput(account_id="ACC", requested_by="USR")

    assert request.pause_id is None
