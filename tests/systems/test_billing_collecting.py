"""The contract of `Billing.collect_fee`, for the fake and the real one (R7, R13)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from domain.errors import Code, Rejected
from domain.messages import FeeAnswer
from domain.payments import Order, Payment
from domain.states import ChargeState, LadderEnd
from domain.terms import Offer
from tests.fakes.gateway import PassedOn
from tests.systems.billing_shop import (
    FEB_15,
    JAN_15,
    MAR_15,
    SHOPS,
    Shop,
    add_account,
    local,
    new_pause,
    open_shop,
    paused,
    succeeded,
    use_card,
)

PAID = FeeAnswer(state=ChargeState.PAID)
NOT_OWED = FeeAnswer(state=ChargeState.NOT_OWED)
DAY = timedelta(days=1)


@pytest.fixture(params=SHOPS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    yield from open_shop(request.param, request)


def test_a_date_in_the_pause_is_charged_to_the_card_on_file(shop: Shop) -> None:
    pause = paused(shop)

    answer = pause.collect(JAN_15)

    assert PAID == answer
    assert [(500, "USD")] == [
        (payment.amount_minor, payment.currency) for payment in succeeded(shop, pause.account_id)
    ]
    assert [(JAN_15, "fee", 500)] == shop.taken(pause.account_id)
    assert [("receipt", JAN_15)] == shop.notices(pause.account_id)


# --15 Jan 09:00--[=======)----   a fee is owed in [paused_at, end): the first instant counts
@pytest.mark.parametrize(
    ("paused_at", "resumed_at", "expected"),
    [
        ("2026-01-15 09:00", "2026-01-16 09:00", PAID),
        ("2026-01-15 09:01", "2026-01-16 09:00", NOT_OWED),
        ("2026-01-14 09:00", "2026-01-15 09:00", NOT_OWED),
        ("2026-01-14 09:00", "2026-01-15 09:01", PAID),
    ],
)
def test_a_fee_is_owed_if_it_fell_due_in_the_pause(
    shop: Shop, paused_at: str, resumed_at: str, expected: FeeAnswer
) -> None:
    pause = paused(shop, paused_at)
    pause.restore(local(resumed_at))

    answer = pause.collect(JAN_15, local("2026-02-01 12:00"))

    assert expected == answer
    assert (expected is PAID) == bool(shop.record.payments(pause.account_id))


def test_a_date_that_the_plan_took_or_another_pause_is_not_owed(shop: Shop) -> None:
    first = paused(shop, "2026-01-20 12:00")
    first.collect(FEB_15)
    first.restore(local("2026-02-20 12:00"))
    second = new_pause(shop, first.account_id)
    second.suspend(local("2026-02-21 12:00"))

    assert NOT_OWED == second.collect(JAN_15)
    assert NOT_OWED == second.collect(FEB_15)
    assert 1 == len(shop.record.payments(first.account_id))


def test_nothing_is_owed_to_a_pause_that_never_suspended_the_plan(shop: Shop) -> None:
    pause = new_pause(shop, add_account(shop))

    assert NOT_OWED == pause.collect(JAN_15)
    assert [] == shop.taken(pause.account_id)


def test_collecting_twice_charges_once_and_answers_the_same(shop: Shop) -> None:
    pause = paused(shop)

    assert PAID == pause.collect(JAN_15)
    assert PAID == pause.collect(JAN_15, at=local("2026-05-01 12:00"))
    assert PAID == pause.collect(JAN_15, attempt=2, rung=1)
    assert 1 == len(shop.record.payments(pause.account_id))
    assert 1 == len(shop.notices(pause.account_id))


def test_many_workers_collecting_one_date_at_once_charge_once(shop: Shop) -> None:
    pause = paused(shop)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: pause.collect(JAN_15), range(4)))

    assert [PAID] * 4 == answers
    assert 1 == len(succeeded(shop, pause.account_id))
    assert [("receipt", JAN_15)] == shop.notices(pause.account_id)


def test_dates_collected_in_any_order_are_each_taken_once(shop: Shop) -> None:
    pause = paused(shop)

    for billing_on in (MAR_15, JAN_15, FEB_15):
        pause.collect(billing_on, local("2026-03-20 12:00"))

    assert [JAN_15, FEB_15, MAR_15] == [day for day, _, _ in shop.taken(pause.account_id)]
    assert date(2026, 4, 15) == shop.billing.quote(pause.account_id).next_billing_on


def test_a_first_decline_starts_the_ladder_without_a_mail(shop: Shop) -> None:
    pause = paused(shop, card_name="insufficient_funds")

    answer = pause.collect(JAN_15)

    assert answer == FeeAnswer(
        state=ChargeState.DECLINED,
        rung=0,
        rung_at=local("2026-01-16 09:00"),
        decline_code="insufficient_funds",
    )
    assert [] == shop.notices(pause.account_id)


def test_each_rung_up_to_the_final_notice_is_told_once_and_the_last_attempt_is_not(
    shop: Shop,
) -> None:
    pause = paused(shop, card_name="declined")
    at, rungs = local("2026-01-15 09:00"), []

    for rung in range(6):
        answer = pause.collect(JAN_15, at, attempt=rung + 1, rung=rung)
        assert answer == pause.collect(JAN_15, at, attempt=rung + 1, rung=rung)
        rungs.append(answer.rung_at)
        at = answer.rung_at or at

    days = ["01-16", "01-20", "01-25", "01-30", "02-09"]
    assert [*(local(f"2026-{day} 09:00") for day in days), None] == rungs
    kinds = [kind for kind, _ in shop.notices(pause.account_id)]
    assert ["declined", "declined", "declined", "final_notice"] == kinds
    assert 6 == len(shop.record.payments(pause.account_id))


def test_no_card_on_file_is_a_decline_that_never_reaches_the_gateway(shop: Shop) -> None:
    pause = new_pause(shop, add_account(shop, card_name=None))
    pause.suspend(local("2026-01-10 14:00"))

    answer = pause.collect(JAN_15)

    assert (ChargeState.DECLINED, "no_card") == (answer.state, answer.decline_code)
    assert local("2026-01-16 09:00") == answer.rung_at
    assert [] == shop.gateway.calls


def test_a_card_that_the_gateway_no_longer_has_is_a_decline(shop: Shop) -> None:
    pause = paused(shop)
    shop.gateway.gateway = Cardless(shop.gateway.gateway)

    answer = pause.collect(JAN_15)

    assert (ChargeState.DECLINED, "card_removed") == (answer.state, answer.decline_code)
    assert local("2026-01-16 09:00") == answer.rung_at


class Cardless(PassedOn):
    """A gateway from which somebody has removed every card."""

    def create_payment(self, key: str, order: Order) -> Payment:
        raise Rejected(Code.PAYMENT_METHOD_REQUIRED, "The card is gone.")


def test_an_attempt_on_a_new_card_moves_no_ladder_and_sends_no_mail(shop: Shop) -> None:
    pause = paused(shop, card_name="declined")
    pause.collect(JAN_15)
    use_card(shop, pause.account_id, "lost_card", at=local("2026-01-15 11:00"))

    answer = pause.collect(JAN_15, local("2026-01-15 11:00"), attempt=2, rung=None)

    assert FeeAnswer(state=ChargeState.DECLINED, decline_code="lost_card") == answer
    assert [] == shop.notices(pause.account_id)


def test_a_new_attempt_is_charged_to_the_card_on_file_by_then(shop: Shop) -> None:
    pause = paused(shop, card_name="declined")
    pause.collect(JAN_15)
    use_card(shop, pause.account_id, "mastercard", at=local("2026-01-15 11:00"))

    assert PAID == pause.collect(JAN_15, local("2026-01-15 11:00"), attempt=2, rung=None)
    assert ["receipt"] == [kind for kind, _ in shop.notices(pause.account_id)]


def test_with_keep_the_last_decline_writes_the_date_off(shop: Shop) -> None:
    pause = paused(shop, card_name="declined", offer=Offer(ladder_end=LadderEnd.KEEP))

    states = [pause.collect(JAN_15, attempt=n + 1, rung=n).state for n in range(6)]

    assert [*[ChargeState.DECLINED] * 5, ChargeState.WRITTEN_OFF] == states
    assert ChargeState.WRITTEN_OFF is pause.collect(JAN_15, attempt=7, rung=None).state
    assert 6 == len(shop.record.payments(pause.account_id))
