"""The contract of `PaymentGateway`, for the fake and the sandbox; the test cards, one by one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.errors import Code, InvariantViolated, Rejected, Transient
from domain.ports import Order, PaymentState
from systems.db import Database
from systems.gateways.sandbox import CARDS, SandboxGateway, card
from tests.fakes.gateway import FakeGateway

KEY = "PAU1:2026-01-15:1"

Gateway = FakeGateway | SandboxGateway


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    if request.param == "fake":
        yield FakeGateway()
    else:
        database: Database = request.getfixturevalue(f"{request.param}_database")
        yield SandboxGateway(database.engine)


def order(card_name: str = "visa", amount_minor: int = 500) -> Order:
    return Order("ACC1", CARDS[card_name].token, amount_minor, "USD")


def test_creating_a_payment_moves_no_money(gateway: Gateway) -> None:
    payment = gateway.create_payment(KEY, order())

    assert payment.state is PaymentState.CREATED
    assert (payment.account_id, payment.amount_minor, payment.currency) == ("ACC1", 500, "USD")
    assert [PaymentState.CREATED] == [each.state for each in gateway.payments()]


def test_the_same_key_gives_the_same_payment_also_after_it_was_charged(gateway: Gateway) -> None:
    created = gateway.create_payment(KEY, order())
    gateway.confirm_payment(created.payment_id)

    again = gateway.create_payment(KEY, order())

    assert created.payment_id == again.payment_id
    assert again.state is PaymentState.SUCCEEDED


@pytest.mark.parametrize(
    "other",
    [order(amount_minor=501), order("mastercard"), Order("ACC2", "card_visa", 500, "USD")],
    ids=["amount", "card", "account"],
)
def test_a_key_that_was_used_for_another_order_is_a_mistake_of_ours(
    gateway: Gateway, other: Order
) -> None:
    gateway.create_payment(KEY, order())

    with pytest.raises(InvariantViolated, match=KEY):
        gateway.create_payment(KEY, other)


def test_one_key_asked_for_by_many_at_once_is_one_payment(gateway: Gateway) -> None:
    with ThreadPoolExecutor(8) as pool:
        payments = list(pool.map(lambda _: gateway.create_payment(KEY, order()), range(8)))

    assert 1 == len({payment.payment_id for payment in payments})
    assert 1 == len(gateway.payments())


def test_a_payment_is_charged_once_however_often_it_is_confirmed(gateway: Gateway) -> None:
    payment = gateway.create_payment(KEY, order())

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: gateway.confirm_payment(payment.payment_id), range(8)))

    assert {PaymentState.SUCCEEDED} == {answer.state for answer in answers}
    assert 1 == len(gateway.payments())


def test_a_decline_is_an_answer_and_stays(gateway: Gateway) -> None:
    payment = gateway.create_payment(KEY, order("insufficient_funds"))

    first = gateway.confirm_payment(payment.payment_id)
    second = gateway.confirm_payment(payment.payment_id)

    assert (PaymentState.DECLINED, "insufficient_funds") == (first.state, first.decline_code)
    assert first == second == gateway.get_payment(payment.payment_id)


def test_a_payment_nobody_made_is_a_mistake_of_ours(gateway: Gateway) -> None:
    with pytest.raises(InvariantViolated, match="pay_never"):
        gateway.get_payment("pay_never")
    with pytest.raises(InvariantViolated, match="pay_never"):
        gateway.confirm_payment("pay_never")


def test_the_record_can_be_read_for_one_account(gateway: Gateway) -> None:
    mine = gateway.create_payment(KEY, order())
    gateway.create_payment("other", Order("ACC2", CARDS["visa"].token, 500, "USD"))

    [payment] = gateway.payments("ACC1")

    assert (mine.payment_id, KEY) == (payment.payment_id, payment.key)


@pytest.mark.parametrize(
    ("name", "state", "decline_code"),
    [
        ("visa", PaymentState.SUCCEEDED, None),
        ("mastercard", PaymentState.SUCCEEDED, None),
        ("declined", PaymentState.DECLINED, "card_declined"),
        ("insufficient_funds", PaymentState.DECLINED, "insufficient_funds"),
        ("expired_card", PaymentState.DECLINED, "expired_card"),
        ("lost_card", PaymentState.DECLINED, "lost_card"),
        ("authentication_required", PaymentState.DECLINED, "authentication_required"),
        ("processing", PaymentState.PROCESSING, None),
    ],
)
def test_a_test_card_behaves_as_its_name_says(
    gateway: Gateway, name: str, state: PaymentState, decline_code: str | None
) -> None:
    payment = gateway.create_payment(KEY, order(name))

    confirmed = gateway.confirm_payment(payment.payment_id)

    assert (state, decline_code) == (confirmed.state, confirmed.decline_code)


@pytest.mark.parametrize(
    ("name", "state"),
    [("times_out", PaymentState.SUCCEEDED), ("times_out_declined", PaymentState.DECLINED)],
)
def test_a_lost_answer_can_be_looked_up(gateway: Gateway, name: str, state: PaymentState) -> None:
    payment = gateway.create_payment(KEY, order(name))

    with pytest.raises(Transient):
        gateway.confirm_payment(payment.payment_id)

    assert state is gateway.get_payment(payment.payment_id).state


def test_a_payment_in_processing_succeeds_at_a_later_look_up(gateway: Gateway) -> None:
    payment = gateway.create_payment(KEY, order("processing"))
    gateway.confirm_payment(payment.payment_id)

    looked_up = [gateway.get_payment(payment.payment_id).state for _ in range(4)]

    processing, succeeded = PaymentState.PROCESSING, PaymentState.SUCCEEDED
    assert [processing, processing, succeeded, succeeded] == looked_up


def test_a_gateway_that_is_away_answers_nothing_and_keeps_nothing(gateway: Gateway) -> None:
    with pytest.raises(Transient):
        gateway.create_payment(KEY, order("away"))

    assert [] == gateway.payments()


def test_a_token_of_no_card_is_declined(gateway: Gateway) -> None:
    payment = gateway.create_payment(KEY, Order("ACC1", "tok_from_elsewhere", 500, "USD"))

    assert "unknown_card" == gateway.confirm_payment(payment.payment_id).decline_code


def test_an_unknown_name_is_refused_with_the_choices_and_is_not_repeated() -> None:
    typed_by_mistake = "4242 4242 4242 4242"

    with pytest.raises(Rejected) as refusal:
        card(typed_by_mistake)

    assert Code.VALIDATION_FAILED is refusal.value.code
    assert all(name in refusal.value.message for name in CARDS)
    assert "4242" not in refusal.value.message


def test_a_second_gateway_on_the_same_tables_goes_on_where_the_first_was(
    database: Database,
) -> None:
    first = SandboxGateway(database.engine)
    payment = first.create_payment(KEY, order())

    second = SandboxGateway(database.engine)

    assert payment == second.get_payment(payment.payment_id)
