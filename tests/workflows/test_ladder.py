"""Charges that are not paid at once: a decline's ladder, and doubts to be resolved (R13)."""

from collections import Counter
from datetime import timedelta

import pytest

from domain.messages import CollectFee
from domain.names import PAYMENT_METHOD_UPDATED, Activity
from domain.states import AccountStatus, ChargeState, LadderEnd, NumberState, PauseState
from domain.terms import Offer
from tests.workflows.stage import PauseHandle, Stage
from workflows.account_pause import AccountPause

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def attempts(stage: Stage) -> list[CollectFee]:
    return [request for name, request in stage.faults.calls if name == Activity.COLLECT_FEE]


async def declined(stage: Stage) -> PauseHandle:
    """A pause whose first date was declined a minute ago."""
    stage.enter_card("declined")
    handle = await stage.paused()
    due_at = (await stage.current(handle)).charges[0].due_at
    await stage.move_to(handle, due_at + MINUTE)
    await stage.until_charge(handle, 0, ChargeState.DECLINED)
    return handle


async def test_a_fee_that_is_never_paid_closes_the_account_after_every_notice(
    stage: Stage,
) -> None:
    # day 0 declined, 1 5 10 15 mails, 25 last attempt and close
    stage.enter_card("declined")
    async with stage.worker():
        handle = await stage.start(skipping=True)
        status = await handle.result()

    first = attempts(stage)[0]
    of_the_first = [one for one in attempts(stage) if one.billing_on == first.billing_on]
    assert status.state is PauseState.CLOSED
    assert [round((one.at - first.at) / DAY) for one in of_the_first] == [0, 1, 5, 10, 15, 25]
    assert stage.account_status() is AccountStatus.CLOSED
    assert stage.number_states() == {NumberState.RELEASED}
    assert Counter(stage.notices()) == {
        "paused": 1,
        "declined": 3,
        "final_notice": 1,
        "closed": 1,
    }
    assert stage.paid() == []


@pytest.mark.thorough
async def test_terms_that_keep_the_account_write_the_date_off_and_go_on(stage: Stage) -> None:
    stage.enter_card("declined")
    stage.offer = Offer(ladder_end=LadderEnd.KEEP)
    async with stage.worker():
        handle = await stage.start(skipping=True)
        status = await handle.result()

    assert status.state is PauseState.RESUMED
    assert status.charges[0].state is ChargeState.WRITTEN_OFF
    assert status.charges[-1].state is ChargeState.MOVED
    assert stage.number_states() == {NumberState.ACTIVE}


async def test_a_new_card_is_tried_at_once_and_ends_the_ladder(stage: Stage) -> None:
    async with stage.worker():
        handle = await declined(stage)
        assert (await stage.current(handle)).past_due
        stage.enter_card("visa")
        await stage.pauses.payment_method_updated(stage.account_id)
        status = await stage.until_charge(handle, 0, ChargeState.PAID)
        await stage.skipper.fast_forward(handle)
        ended = await handle.result()

    assert not status.past_due
    assert attempts(stage)[1].rung is None
    assert ended.state is PauseState.RESUMED
    assert stage.paid() == [500] * 6
    assert "declined" not in stage.notices()


async def test_a_new_card_that_is_declined_too_moves_no_ladder(stage: Stage) -> None:
    async with stage.worker():
        handle = await declined(stage)
        before = (await stage.current(handle)).next_event
        stage.enter_card("insufficient_funds")
        await handle.signal(PAYMENT_METHOD_UPDATED)
        await stage.until(lambda: stage.faults.count(Activity.COLLECT_FEE) == 2)
        await stage.until_charge(handle, 0, ChargeState.DECLINED)
        after = (await stage.current(handle)).next_event

    assert before == after
    assert "declined" not in stage.notices()


async def test_a_fee_paid_on_a_later_rung_is_collected_once(stage: Stage) -> None:
    async with stage.worker():
        handle = await declined(stage)
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + DAY + HOUR)
        await stage.until(lambda: stage.notices() == ["paused", "declined"])
        stage.enter_card("visa")
        await stage.skipper.fast_forward(handle)
        ended = await handle.result()

    assert ended.state is PauseState.RESUMED
    assert stage.paid() == [500] * 6
    assert Counter(stage.notices())["declined"] == 1
    rungs = [one.rung for one in attempts(stage) if one.billing_on == ended.charges[0].billing_on]
    assert rungs == [0, 1, 2]


async def test_a_resume_ends_the_ladder_and_moves_what_is_unpaid(stage: Stage) -> None:
    async with stage.worker():
        await declined(stage)
        status = await stage.pauses.resume(stage.account_id, stage.administrator)

    assert status.state is PauseState.RESUMED
    assert status.charges[0].state is ChargeState.MOVED
    assert not status.past_due
    assert ("unpaid_fee", 500) in stage.plan_lines()
    assert stage.account_status() is AccountStatus.ACTIVE


async def test_a_missing_card_is_a_decline(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        stage.remove_card()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + MINUTE)
        status = await stage.until_charge(handle, 0, ChargeState.DECLINED)

    assert status.past_due
    assert stage.systems.sandbox.payments(stage.account_id) == []


@pytest.mark.parametrize(
    ("card", "known_after", "outcome"),
    [
        pytest.param("times_out", 10 * MINUTE, ChargeState.PAID, id="it had been paid"),
        pytest.param(
            "times_out_declined", 10 * MINUTE, ChargeState.DECLINED, id="it had been declined"
        ),
        pytest.param("processing", 2 * DAY, ChargeState.PAID, id="it was paid later"),
    ],
)
async def test_an_answer_that_never_came_is_looked_up_until_it_is_known(
    stage: Stage, card: str, known_after: timedelta, outcome: ChargeState
) -> None:
    stage.enter_card(card)
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + MINUTE)
        unknown = await stage.until_charge(handle, 0, ChargeState.UNKNOWN)
        await stage.move_to(handle, due_at + known_after)
        await stage.until_charge(handle, 0, outcome)

    assert unknown.next_event is not None
    assert unknown.next_event.kind == "look_up"
    assert round((unknown.next_event.at - due_at) / MINUTE) == 5
    assert not unknown.past_due
    assert len(stage.systems.sandbox.payments(stage.account_id)) == 1


async def test_news_from_the_gateway_has_an_unknown_charge_looked_up_before_its_time(
    stage: Stage,
) -> None:
    stage.enter_card("times_out")
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + MINUTE)
        await stage.until_charge(handle, 0, ChargeState.UNKNOWN)
        await handle.signal(AccountPause.payment_news)
        await stage.until_charge(handle, 0, ChargeState.PAID)

    assert len(stage.systems.sandbox.payments(stage.account_id)) == 1


@pytest.mark.thorough
async def test_a_gateway_that_is_away_for_weeks_starts_no_ladder_and_closes_nothing(
    stage: Stage,
) -> None:
    stage.enter_card("away")
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + 40 * DAY)
        status = await stage.current(handle)

    assert status.state is PauseState.PAUSED
    assert status.charges[0].state is ChargeState.UNKNOWN
    assert not status.past_due
    assert "declined" not in stage.notices()


async def test_each_unpaid_date_climbs_its_own_ladder(stage: Stage) -> None:
    # The second date is declined while the first is climbing; the first closes the account.
    stage.enter_card("declined")
    stage.offer = Offer(ladder_days=(1, 5, 10, 40), last_attempt_day=50)
    async with stage.worker():
        handle = await stage.start(skipping=True)
        status = await handle.result()

    by_date = Counter(day for day, _ in {(one.billing_on, one.attempt) for one in attempts(stage)})
    assert status.state is PauseState.CLOSED
    # The first: due, four rungs, the last attempt. The second: due and three rungs.
    assert sorted(by_date.values(), reverse=True) == [6, 4]
