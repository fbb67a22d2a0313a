"""The contract of `Billing.collect_fee` where the gateway's answer is lost, late or wrong (M7)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import InvariantViolated, Transient
from domain.messages import FeeAnswer
from domain.payments import Gateway, Order, Payment
from domain.states import ChargeState
from tests.fakes.gateway import PassedOn
from tests.systems.billing_shop import (
    JAN_15,
    SHOPS,
    Shop,
    local,
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


def test_a_lost_answer_is_unknown_and_looked_up_by_the_same_attempt(shop: Shop) -> None:
    pause = paused(shop, card_name="times_out")
    asked_at = local("2026-01-15 09:00")

    answer = pause.collect(JAN_15, asked_at)
    looked_up = pause.collect(JAN_15, asked_at + timedelta(minutes=5))

    assert (
        FeeAnswer(state=ChargeState.UNKNOWN, look_up_at=asked_at + timedelta(minutes=5)) == answer
    )
    assert PAID == looked_up
    assert 1 == len(shop.record.payments(pause.account_id))
    assert ["create_payment", "confirm_payment", "get_payment"] == shop.gateway.calls


def test_an_unknown_that_turns_out_declined_starts_its_ladder_then(shop: Shop) -> None:
    pause = paused(shop, card_name="times_out_declined")
    pause.collect(JAN_15)

    looked_up = pause.collect(JAN_15, local("2026-01-18 09:00"))

    assert looked_up == FeeAnswer(
        state=ChargeState.DECLINED,
        rung=0,
        rung_at=local("2026-01-19 09:00"),
        decline_code="card_declined",
    )


def test_look_ups_come_after_five_minutes_an_hour_and_then_daily(shop: Shop) -> None:
    pause = paused(shop, card_name="away")
    first = at = local("2026-01-15 09:00")
    waits = []

    for _ in range(5):
        answer = pause.collect(JAN_15, at)
        assert answer.look_up_at is not None
        at = answer.look_up_at
        waits.append(at - first)

    assert [timedelta(minutes=5), timedelta(hours=1), DAY, 2 * DAY, 3 * DAY] == waits


def test_a_payment_in_processing_is_unknown_until_it_succeeds(shop: Shop) -> None:
    pause = paused(shop, card_name="processing")

    states = [pause.collect(JAN_15, local(f"2026-01-{15 + n} 09:00")).state for n in range(4)]

    assert [*[ChargeState.UNKNOWN] * 3, ChargeState.PAID] == states
    assert 1 == len(shop.record.payments(pause.account_id))


@pytest.mark.parametrize("method", ["create_payment", "confirm_payment"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_gateway_that_fails_never_fails_the_step_and_never_charges_twice(
    shop: Shop, method: str, when: str
) -> None:
    pause = paused(shop)
    shop.gateway.fail_next(method, when)  # type: ignore[arg-type]  # parametrised words

    answer = pause.collect(JAN_15)

    assert ChargeState.UNKNOWN is answer.state
    assert PAID == pause.collect(JAN_15, local("2026-01-15 09:05"))
    assert 1 == len(shop.record.payments(pause.account_id))


def test_a_payment_whose_creation_was_not_answered_is_looked_for_by_its_key(shop: Shop) -> None:
    pause = paused(shop)
    shop.gateway.fail_next("create_payment", "after")
    pause.collect(JAN_15)

    assert PAID == pause.collect(JAN_15, local("2026-01-15 09:05"))
    assert ["create_payment", "find_payment", "confirm_payment"] == shop.gateway.calls


def test_a_failing_look_up_leaves_it_unknown(shop: Shop) -> None:
    pause = paused(shop, card_name="times_out")
    pause.collect(JAN_15)
    shop.gateway.fail_next("get_payment", "before")

    assert ChargeState.UNKNOWN is pause.collect(JAN_15, local("2026-01-15 09:05")).state
    assert PAID == pause.collect(JAN_15, local("2026-01-15 10:00"))


def test_asking_for_the_next_attempt_while_one_is_unanswered_looks_that_one_up(
    shop: Shop,
) -> None:
    pause = paused(shop, card_name="processing")
    pause.collect(JAN_15)

    answers = [pause.collect(JAN_15, attempt=2, rung=1).state for _ in range(3)]

    assert [ChargeState.UNKNOWN, ChargeState.UNKNOWN, ChargeState.PAID] == answers
    assert 1 == len(shop.record.payments(pause.account_id))


def test_a_late_repeat_of_an_attempt_that_was_passed_over_makes_no_new_one(shop: Shop) -> None:
    pause = paused(shop, card_name="times_out_declined")
    pause.collect(JAN_15)
    looked_up = pause.collect(JAN_15, attempt=2, rung=1)
    pause.collect(JAN_15, attempt=3, rung=1)
    pause.collect(JAN_15, attempt=3, rung=1)

    late = pause.collect(JAN_15, attempt=2, rung=1)

    assert ChargeState.DECLINED is looked_up.state
    assert ChargeState.DECLINED is late.state
    assert 2 == len(shop.record.payments(pause.account_id))


def test_each_attempt_s_look_ups_count_from_its_own_first_doubt(shop: Shop) -> None:
    pause = paused(shop, card_name="times_out_declined")
    pause.collect(JAN_15)
    pause.collect(JAN_15, local("2026-01-15 09:05"))

    second = pause.collect(JAN_15, local("2026-01-16 09:00"), attempt=2, rung=1)

    assert local("2026-01-16 09:05") == second.look_up_at


class Overtaken(PassedOn):
    """A gateway whose first confirmation is so slow that another worker does it all meanwhile."""

    def __init__(self, gateway: Gateway, meanwhile: Callable[[], object]) -> None:
        super().__init__(gateway)
        self._meanwhile = [meanwhile]

    def confirm_payment(self, payment_id: str) -> Payment:
        if not self._meanwhile:
            return super().confirm_payment(payment_id)
        self._meanwhile.pop()()
        raise Transient("the answer to the slow one was lost")


def test_what_another_worker_has_settled_meanwhile_stays_settled(shop: Shop) -> None:
    pause = paused(shop)
    shop.gateway.gateway = Overtaken(shop.gateway.gateway, lambda: pause.collect(JAN_15))

    assert PAID == pause.collect(JAN_15)
    assert PAID == pause.collect(JAN_15)
    assert 1 == len(succeeded(shop, pause.account_id))
    assert [("receipt", JAN_15)] == shop.notices(pause.account_id)


def test_the_card_of_an_unknown_attempt_stays_its_card(shop: Shop) -> None:
    pause = paused(shop, card_name="times_out")
    shop.gateway.fail_next("create_payment", "before")
    pause.collect(JAN_15)
    use_card(shop, pause.account_id, "declined", at=local("2026-01-15 09:01"))

    assert ChargeState.UNKNOWN is pause.collect(JAN_15, local("2026-01-15 09:05")).state
    assert PAID == pause.collect(JAN_15, local("2026-01-15 10:00"))


class AnotherPayment(PassedOn):
    """A gateway that answers with something that was never ordered."""

    def __init__(self, gateway: Gateway, **differences: object) -> None:
        super().__init__(gateway)
        self._differences = differences

    def create_payment(self, key: str, order: Order) -> Payment:
        return self._other(super().create_payment(key, order))

    def find_payment(self, key: str, order: Order) -> Payment | None:
        return self._other(super().create_payment(key, order))

    def confirm_payment(self, payment_id: str) -> Payment:
        raise AssertionError(f"{payment_id} must not be confirmed")

    def _other(self, payment: Payment) -> Payment:
        return replace(payment, **self._differences)  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    "difference",
    [{"amount_minor": 50000}, {"currency": "EUR"}, {"account_id": "ACC_of_somebody_else"}],
    ids=lambda difference: next(iter(difference)),
)
def test_a_payment_that_is_not_what_was_ordered_stops_everything(
    shop: Shop, difference: dict[str, object]
) -> None:
    pause = paused(shop)
    shop.gateway.gateway = AnotherPayment(shop.gateway.gateway, **difference)

    with pytest.raises(InvariantViolated):
        pause.collect(JAN_15)
    with pytest.raises(InvariantViolated):
        pause.collect(JAN_15)

    assert [] == shop.notices(pause.account_id)
    assert [] == pause.restore(local("2026-01-20 12:00")).billing_on
