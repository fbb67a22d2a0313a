"""The contract of `PaymentGateway`: for the fake, the sandbox on both databases, and Stripe."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import uuid4

import pytest

from domain.errors import Code, InvariantViolated, Rejected, Transient
from domain.payments import Order, Payment, PaymentState, Refund, RefundState
from tests.fakes.gateway import FakeGateway, PassedOn
from tests.systems.tills import JAN_15, TILLS, Clock, OwnTill, Till, insisted, open_till, paid

KEY = "PAU1:2026-01-15:1"
REFUND_KEY = "pay_1:refund:1"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Made = TypeVar("Made", Payment, Refund)


@pytest.fixture(params=TILLS)
def till(request: pytest.FixtureRequest) -> Iterator[Till]:
    yield from open_till(request.param, request)


def test_a_gateway_that_accepts_us_lets_a_start_go_on(till: Till) -> None:
    till.gateway.check()


# --- payments ------------------------------------------------------------------------------------


def test_creating_a_payment_moves_no_money_and_keeps_what_was_ordered(till: Till) -> None:
    order = till.order()

    payment = till.gateway.create_payment(KEY, order)

    assert (PaymentState.CREATED, None) == (payment.state, payment.decline_code)
    assert ("ACC1", 500, "USD") == (payment.account_id, payment.amount_minor, payment.currency)
    assert (KEY, JAN_15) == (payment.key, payment.billing_on)
    assert order.customer_id == payment.customer_id
    assert payment == till.gateway.get_payment(payment.payment_id)


def test_a_payment_is_dated_by_the_gateway_s_clock(till: Till) -> None:
    before = till.now()

    payment = till.gateway.create_payment(KEY, till.order())

    assert payment.created_at is not None
    assert payment.created_at.utcoffset() == timedelta(0)
    assert before <= payment.created_at <= till.now()


def test_an_order_without_a_date_is_a_payment_without_one(till: Till) -> None:
    order = replace(till.order(), billing_on=None)

    assert till.gateway.create_payment(KEY, order).billing_on is None


def test_the_same_key_gives_the_same_payment_also_after_it_was_charged(till: Till) -> None:
    created = till.gateway.create_payment(KEY, till.order())
    till.gateway.confirm_payment(created.payment_id)

    again = till.gateway.create_payment(KEY, till.order())

    assert created.payment_id == again.payment_id
    assert PaymentState.SUCCEEDED is again.state
    assert [created.payment_id] == till.payment_ids()


@pytest.mark.parametrize(
    ("card_name", "amount_minor", "account_id"),
    [("visa", 501, "ACC1"), ("mastercard", 500, "ACC1"), ("visa", 500, "ACC2")],
    ids=["amount", "card", "account"],
)
def test_a_key_that_was_used_for_another_order_is_a_mistake_of_ours(
    till: Till, card_name: str, amount_minor: int, account_id: str
) -> None:
    till.gateway.create_payment(KEY, till.order())
    other = till.order(card_name, amount_minor, account_id)

    with pytest.raises(InvariantViolated, match=KEY):
        till.gateway.create_payment(KEY, other)

    assert 1 == len(till.payment_ids())


def test_one_key_asked_for_by_many_at_once_is_one_payment(till: Till) -> None:
    order = till.order()

    with ThreadPoolExecutor(8) as pool:
        payments = pool.map(
            lambda _: insisted(lambda: till.gateway.create_payment(KEY, order)), range(8)
        )

    assert till.payment_ids() == list({payment.payment_id for payment in payments})


def test_a_payment_is_charged_once_however_often_it_is_confirmed(till: Till) -> None:
    payment_id = till.gateway.create_payment(KEY, till.order()).payment_id

    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda _: insisted(lambda: till.gateway.confirm_payment(payment_id)), range(8)
        )

    assert {PaymentState.SUCCEEDED} == {answer.state for answer in answers}
    assert [payment_id] == till.payment_ids()


def test_a_decline_is_an_answer_and_stays(till: Till) -> None:
    payment = till.gateway.create_payment(KEY, till.order("insufficient_funds"))

    first = till.gateway.confirm_payment(payment.payment_id)
    second = till.gateway.confirm_payment(payment.payment_id)

    assert (PaymentState.DECLINED, "insufficient_funds") == (first.state, first.decline_code)
    assert first == second == till.gateway.get_payment(payment.payment_id)
    assert first == till.gateway.find_payment(KEY, till.order("insufficient_funds"))


@pytest.mark.parametrize("name", ["expired_card", "lost_card", "authentication_required"])
def test_a_decline_says_why(till: Till, name: str) -> None:
    payment = till.gateway.create_payment(KEY, till.order(name))

    confirmed = till.gateway.confirm_payment(payment.payment_id)

    assert (PaymentState.DECLINED, name) == (confirmed.state, confirmed.decline_code)


def test_a_payment_in_processing_succeeds_at_a_later_look_up(till: Till) -> None:
    payment = till.gateway.create_payment(KEY, till.order("processing"))
    confirmed = till.gateway.confirm_payment(payment.payment_id)

    looked_up = [till.gateway.get_payment(payment.payment_id).state for _ in range(4)]

    processing, succeeded = PaymentState.PROCESSING, PaymentState.SUCCEEDED
    assert processing is confirmed.state
    assert [processing, processing, succeeded, succeeded] == looked_up


def test_a_payment_nobody_made_is_a_mistake_of_ours(till: Till) -> None:
    with pytest.raises(InvariantViolated, match="pay_never"):
        till.gateway.get_payment("pay_never")
    with pytest.raises(InvariantViolated, match="pay_never"):
        till.gateway.confirm_payment("pay_never")


# --- after a lost answer -------------------------------------------------------------------------


def test_a_payment_whose_answer_was_lost_is_found_by_its_key(till: Till) -> None:
    order = till.order()
    assert till.gateway.find_payment(KEY, order) is None
    till.lose_the_answer("create_payment")
    with pytest.raises(Transient):
        till.gateway.create_payment(KEY, order)

    found = till.gateway.find_payment(KEY, order)

    assert found is not None
    assert (KEY, PaymentState.CREATED) == (found.key, found.state)
    assert found == till.gateway.create_payment(KEY, order)
    assert [found.payment_id] == till.payment_ids()


def test_a_payment_is_found_among_others_however_long_ago_it_was_made(till: Till) -> None:
    order = till.order()
    made = till.gateway.create_payment(KEY, order)
    till.advance(400 * DAY)
    for month in range(3):
        till.gateway.create_payment(f"PAU1:later:{month}", order)

    assert made == till.gateway.find_payment(KEY, order)


def test_a_charge_whose_answer_was_lost_can_be_looked_up(till: Till) -> None:
    payment_id = till.gateway.create_payment(KEY, till.order()).payment_id
    till.lose_the_answer("confirm_payment")
    with pytest.raises(Transient):
        till.gateway.confirm_payment(payment_id)

    assert PaymentState.SUCCEEDED is till.gateway.get_payment(payment_id).state
    assert PaymentState.SUCCEEDED is till.gateway.confirm_payment(payment_id).state


def test_a_decline_whose_answer_was_lost_can_be_looked_up(till: Till) -> None:
    payment_id = till.gateway.create_payment(KEY, till.order("lost_card")).payment_id
    till.lose_the_answer("confirm_payment")
    with pytest.raises(Transient):
        till.gateway.confirm_payment(payment_id)

    looked_up = till.gateway.get_payment(payment_id)

    assert (PaymentState.DECLINED, "lost_card") == (looked_up.state, looked_up.decline_code)


# --- refunds -------------------------------------------------------------------------------------


def test_a_payment_is_given_back_in_parts_and_never_more_than_was_paid(till: Till) -> None:
    payment_id = paid(till, KEY).payment_id

    first = till.gateway.refund_payment("refund:1", payment_id, 300)
    with pytest.raises(Rejected) as refusal:
        till.gateway.refund_payment("refund:2", payment_id, 201)
    rest = till.gateway.refund_payment("refund:3", payment_id, 200)
    with pytest.raises(Rejected):
        till.gateway.refund_payment("refund:4", payment_id, 1)

    assert Code.VALIDATION_FAILED is refusal.value.code
    assert [first.refund_id, rest.refund_id] == till.refund_ids()
    assert PaymentState.SUCCEEDED is till.gateway.get_payment(payment_id).state


def test_a_refund_tells_what_it_is_of(till: Till) -> None:
    payment = paid(till, KEY)

    refund = till.gateway.refund_payment(REFUND_KEY, payment.payment_id, 500)

    assert refund == Refund(
        refund.refund_id,
        payment.payment_id,
        500,
        "USD",
        RefundState.SUCCEEDED,
        REFUND_KEY,
        refund.created_at,
    )
    assert refund.created_at is not None
    assert refund.created_at <= till.now()
    assert refund == till.gateway.get_refund(refund.refund_id)


def test_the_same_key_gives_the_same_refund(till: Till) -> None:
    payment_id = paid(till, KEY).payment_id

    first = till.gateway.refund_payment(REFUND_KEY, payment_id, 500)
    second = till.gateway.refund_payment(REFUND_KEY, payment_id, 500)

    assert first == second
    assert [first.refund_id] == till.refund_ids()


def test_one_refund_asked_for_by_many_at_once_is_one_refund(till: Till) -> None:
    payment_id = paid(till, KEY).payment_id

    with ThreadPoolExecutor(8) as pool:
        refunds = pool.map(
            lambda _: insisted(lambda: till.gateway.refund_payment(REFUND_KEY, payment_id, 100)),
            range(8),
        )

    assert till.refund_ids() == list({refund.refund_id for refund in refunds})


def test_a_refund_key_that_was_used_for_another_amount_is_a_mistake_of_ours(till: Till) -> None:
    payment_id = paid(till, KEY).payment_id
    till.gateway.refund_payment(REFUND_KEY, payment_id, 200)

    with pytest.raises(InvariantViolated, match=REFUND_KEY):
        till.gateway.refund_payment(REFUND_KEY, payment_id, 201)


@pytest.mark.parametrize("card_name", ["visa", "lost_card"])
def test_what_was_not_paid_cannot_be_given_back(till: Till, card_name: str) -> None:
    payment_id = till.gateway.create_payment(KEY, till.order(card_name)).payment_id
    if card_name == "lost_card":
        till.gateway.confirm_payment(payment_id)

    with pytest.raises(Rejected) as refusal:
        till.gateway.refund_payment(REFUND_KEY, payment_id, 1)

    assert Code.VALIDATION_FAILED is refusal.value.code


def test_nothing_is_no_refund(till: Till) -> None:
    payment_id = paid(till, KEY).payment_id

    with pytest.raises(Rejected):
        till.gateway.refund_payment(REFUND_KEY, payment_id, 0)


def test_a_refund_of_a_payment_nobody_made_is_a_mistake_of_ours(till: Till) -> None:
    with pytest.raises(InvariantViolated, match="pay_never"):
        till.gateway.refund_payment(REFUND_KEY, "pay_never", 500)
    with pytest.raises(InvariantViolated, match="ref_never"):
        till.gateway.get_refund("ref_never")


def test_a_refund_whose_answer_was_lost_is_found_by_its_key(till: Till) -> None:
    payment_id = paid(till, KEY).payment_id
    other = till.gateway.refund_payment("refund:other", payment_id, 100)
    assert till.gateway.find_refund(REFUND_KEY, payment_id) is None
    till.lose_the_answer("refund_payment")
    with pytest.raises(Transient):
        till.gateway.refund_payment(REFUND_KEY, payment_id, 200)
    till.advance(40 * DAY)

    found = till.gateway.find_refund(REFUND_KEY, payment_id)

    assert found is not None
    assert (REFUND_KEY, 200) == (found.key, found.amount_minor)
    assert [other.refund_id, found.refund_id] == till.refund_ids()


def test_a_refund_that_takes_its_time_succeeds_in_the_end(till: Till) -> None:
    payment_id = paid(till, KEY, card_name="processing").payment_id
    till.slow_refunds()
    refund = till.gateway.refund_payment(REFUND_KEY, payment_id, 500)
    with pytest.raises(Rejected):
        till.gateway.refund_payment("another", payment_id, 1)

    till.settle(refund)
    states = [till.gateway.get_refund(refund.refund_id).state for _ in range(4)]

    assert RefundState.PENDING is refund.state
    assert RefundState.SUCCEEDED is states[-1]


# --- lists ---------------------------------------------------------------------------------------


def test_payments_are_listed_from_an_instant_up_to_but_not_including_another(till: Till) -> None:
    # --*[*===)*===*--
    payments = [
        spaced(till, lambda n: till.gateway.create_payment(n, till.order())) for _ in "1234"
    ]
    first, second, third, _ = payments
    since, until = created(second), created(third)

    assert [second] == list(till.gateway.payments_between(since, until))
    assert payments[1:] == in_order(till.gateway.payments_between(since, till.now()))
    assert [first] == list(till.gateway.payments_between(created(first), since))
    assert [] == list(till.gateway.payments_between(since, since))
    assert [] == list(till.gateway.payments_between(till.now(), till.now() + HOUR))


def test_refunds_are_listed_from_an_instant_up_to_but_not_including_another(till: Till) -> None:
    payment_id = paid(till, KEY).payment_id
    refunds = [
        spaced(till, lambda n: till.gateway.refund_payment(n, payment_id, 100)) for _ in "123"
    ]
    first, second, third = refunds

    assert [second] == list(till.gateway.refunds_between(created(second), created(third)))
    assert refunds == in_order(till.gateway.refunds_between(created(first), till.now()))
    assert [] == list(till.gateway.refunds_between(created(third) + HOUR, till.now() + HOUR))


def test_a_list_shows_payments_as_they_stand(till: Till) -> None:
    before = till.now()
    paid(till, "paid")
    till.gateway.create_payment("created", till.order())
    refused = till.gateway.create_payment("declined", till.order("lost_card"))
    till.gateway.confirm_payment(refused.payment_id)

    listed = till.gateway.payments_between(before, till.now() + HOUR)

    assert {it.key: it.state for it in listed} == {
        "paid": PaymentState.SUCCEEDED,
        "created": PaymentState.CREATED,
        "declined": PaymentState.DECLINED,
    }


def spaced(till: Till, make: Callable[[str], Made]) -> Made:
    """Something made under a fresh key, an hour before the next."""
    made = make(uuid4().hex)
    till.advance(HOUR)
    return made


def created(it: Payment | Refund) -> datetime:
    assert it.created_at is not None
    return it.created_at


def in_order(made: Iterable[Made]) -> list[Made]:
    return sorted(made, key=created)


# --- controls ------------------------------------------------------------------------------------


class ForgetsKeys(PassedOn):
    """Every call makes a payment of its own."""

    def create_payment(self, key: str, order: Order) -> Payment:
        return super().create_payment(uuid4().hex, order)


class FindsNothing(PassedOn):
    """What was made cannot be found again."""

    def find_payment(self, key: str, order: Order) -> Payment | None:
        return None

    def find_refund(self, key: str, payment_id: str) -> Refund | None:
        return None


class ChangesItsMind(PassedOn):
    """What it answers later is not what it answered first."""

    def get_payment(self, payment_id: str) -> Payment:
        return replace(super().get_payment(payment_id), state=PaymentState.PROCESSING)


class GivesTooMuch(PassedOn):
    """Nobody counts what is left."""

    def refund_payment(self, key: str, payment_id: str, amount_minor: int) -> Refund:
        payment = self.get_payment(payment_id)
        state = RefundState.SUCCEEDED
        return Refund(f"ref_{key}", payment_id, amount_minor, payment.currency, state, key)


class ListsTheEnd(PassedOn):
    """The end of the list is a moment too late."""

    def payments_between(self, since: datetime, until: datetime) -> Iterator[Payment]:
        return super().payments_between(since, until + timedelta(seconds=1))

    def refunds_between(self, since: datetime, until: datetime) -> Iterator[Refund]:
        return super().refunds_between(since, until + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (ForgetsKeys, test_the_same_key_gives_the_same_payment_also_after_it_was_charged),
        (ForgetsKeys, test_one_key_asked_for_by_many_at_once_is_one_payment),
        (FindsNothing, test_a_payment_whose_answer_was_lost_is_found_by_its_key),
        (FindsNothing, test_a_refund_whose_answer_was_lost_is_found_by_its_key),
        (ChangesItsMind, test_a_decline_is_an_answer_and_stays),
        (ChangesItsMind, test_a_charge_whose_answer_was_lost_can_be_looked_up),
        (GivesTooMuch, test_a_payment_is_given_back_in_parts_and_never_more_than_was_paid),
        (GivesTooMuch, test_a_refund_that_takes_its_time_succeeds_in_the_end),
        (ListsTheEnd, test_payments_are_listed_from_an_instant_up_to_but_not_including_another),
        (ListsTheEnd, test_refunds_are_listed_from_an_instant_up_to_but_not_including_another),
    ],
)
def test_control_a_gateway_that_breaks_a_promise_is_noticed(
    broken: type[PassedOn], promise: Callable[[Till], None]
) -> None:
    clock = Clock()
    till = OwnTill(FakeGateway(clock), clock)
    till.gateway.gateway = broken(till.gateway.gateway)

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        promise(till)
