"""What the sandbox and its fake do beyond the contract: test cards, and the record laid open."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from domain.errors import Code, InvariantViolated, Rejected, Transient
from domain.payments import Order, PaymentState
from systems.db import Database
from systems.gateways.sandbox import CARDS, SandboxGateway, card
from tests.fakes.gateway import FakeGateway
from tests.systems.tills import RETURN_URL, Clock

KEY = "PAU1:2026-01-15:1"
PAGE_KEY = "ACC1:card:1"
DAY = timedelta(days=1)

Gateway = FakeGateway | SandboxGateway


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def gateway(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Gateway]:
    if request.param == "fake":
        yield FakeGateway(clock)
    else:
        database: Database = request.getfixturevalue(f"{request.param}_database")
        yield SandboxGateway(database.engine, clock=clock)


def order(card_name: str = "visa", amount_minor: int = 500, account_id: str = "ACC1") -> Order:
    return Order(account_id, CARDS[card_name].token, amount_minor, "USD")


# --- test cards ----------------------------------------------------------------------------------


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
def test_the_answer_about_a_card_that_times_out_is_lost(
    gateway: Gateway, name: str, state: PaymentState
) -> None:
    payment = gateway.create_payment(KEY, order(name))

    with pytest.raises(Transient):
        gateway.confirm_payment(payment.payment_id)

    assert state is gateway.get_payment(payment.payment_id).state


def test_the_answer_about_a_refund_to_a_card_that_times_out_is_lost_too(gateway: Gateway) -> None:
    payment = gateway.create_payment(KEY, order("times_out"))
    with pytest.raises(Transient):
        gateway.confirm_payment(payment.payment_id)

    with pytest.raises(Transient):
        gateway.refund_payment("refund:1", payment.payment_id, 500)

    assert gateway.refunds() == [gateway.find_refund("refund:1", payment.payment_id)]


def test_a_gateway_that_is_away_answers_nothing_and_keeps_nothing(gateway: Gateway) -> None:
    with pytest.raises(Transient):
        gateway.create_payment(KEY, order("away"))
    with pytest.raises(Transient):
        gateway.find_payment(KEY, order("away"))

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


# --- entering a card -----------------------------------------------------------------------------


def test_one_page_takes_one_card(gateway: Gateway) -> None:
    page = gateway.open_page(PAGE_KEY, "ACC1", None, RETURN_URL)
    entered = gateway.enter_card(page.page_id, "visa")

    with pytest.raises(Rejected, match="entered"):
        gateway.enter_card(page.page_id, "mastercard")

    assert entered == gateway.look_up_page(page.page_id).card


def test_a_page_that_has_expired_takes_no_card(gateway: Gateway, clock: Clock) -> None:
    page = gateway.open_page(PAGE_KEY, "ACC1", None, RETURN_URL)
    clock.at += DAY

    with pytest.raises(Rejected, match="expired"):
        gateway.enter_card(page.page_id, "visa")


def test_a_page_takes_test_cards_only(gateway: Gateway) -> None:
    page = gateway.open_page(PAGE_KEY, "ACC1", None, RETURN_URL)

    with pytest.raises(Rejected) as refusal:
        gateway.enter_card(page.page_id, "4242 4242 4242 4242")

    assert "4242" not in refusal.value.message
    assert gateway.enter_card(page.page_id, "visa").last4 == "4242"


def test_the_page_is_where_the_sandbox_s_web_server_is_and_leads_back(
    sqlite_database: Database,
) -> None:
    gateway = SandboxGateway(sqlite_database.engine, "https://pay.example.com/")

    page = gateway.open_page(PAGE_KEY, "ACC1", None, RETURN_URL)

    assert f"https://pay.example.com/sandbox/cards/{page.page_id}" == page.url
    assert RETURN_URL == gateway.return_url(page.page_id)
    with pytest.raises(InvariantViolated, match="page_never"):
        gateway.return_url("page_never")


# --- the record ----------------------------------------------------------------------------------


def test_the_record_can_be_read_for_one_account(gateway: Gateway) -> None:
    for account_id in ("ACC1", "ACC2"):
        made = gateway.create_payment(f"{account_id}:1", order(account_id=account_id))
        gateway.confirm_payment(made.payment_id)
        gateway.refund_payment(f"{account_id}:refund", made.payment_id, 100)

    assert ["ACC1:1", "ACC2:1"] == [payment.key for payment in gateway.payments()]
    assert ["ACC1:1"] == [payment.key for payment in gateway.payments("ACC1")]
    assert ["ACC1:refund", "ACC2:refund"] == [refund.key for refund in gateway.refunds()]
    assert ["ACC2:refund"] == [refund.key for refund in gateway.refunds("ACC2")]


def test_a_second_gateway_on_the_same_tables_goes_on_where_the_first_was(
    database: Database,
) -> None:
    first = SandboxGateway(database.engine)
    payment = first.create_payment(KEY, order())
    first.confirm_payment(payment.payment_id)
    refund = first.refund_payment("refund:1", payment.payment_id, 500)
    page = first.open_page(PAGE_KEY, "ACC1", None, RETURN_URL)

    second = SandboxGateway(database.engine)

    assert PaymentState.SUCCEEDED is second.get_payment(payment.payment_id).state
    assert refund == second.get_refund(refund.refund_id)
    assert page == second.open_page(PAGE_KEY, "ACC1", None, RETURN_URL)


def test_it_goes_by_the_host_s_clock(sqlite_database: Database) -> None:
    gateway = SandboxGateway(sqlite_database.engine)
    before = datetime.now(UTC)

    made = gateway.create_payment(KEY, order())

    assert made.created_at is not None
    assert before <= made.created_at <= datetime.now(UTC)


# What the release before kept of a payment.
OLDER = """
    CREATE TABLE sandbox_payments (
        id INTEGER PRIMARY KEY, payment_id VARCHAR(255) NOT NULL UNIQUE,
        key VARCHAR(255) NOT NULL UNIQUE, account_id VARCHAR(255) NOT NULL,
        card_token VARCHAR(255) NOT NULL, amount_minor INTEGER NOT NULL,
        currency VARCHAR(255) NOT NULL, state VARCHAR(255) NOT NULL, decline_code VARCHAR(255),
        look_ups INTEGER NOT NULL)
"""
OLD_PAYMENT = """
    INSERT INTO sandbox_payments VALUES
        (1, 'pay_old', 'old', 'ACC1', 'card_visa', 500, 'USD', 'succeeded', NULL, 0)
"""


@pytest.fixture
def older(database: Database) -> Iterator[Database]:
    """A database in which the release before has kept the sandbox's record."""
    with database.engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS sandbox_payments"))
        connection.execute(text(OLDER))
        connection.execute(text(OLD_PAYMENT))
    yield database
    with database.engine.begin() as connection:
        # The next test's gateway makes its own, as new.
        connection.execute(text("DROP TABLE sandbox_payments"))


def test_what_the_release_before_has_kept_is_still_there(older: Database) -> None:
    gateway = SandboxGateway(older.engine)

    payment = gateway.get_payment("pay_old")

    assert (PaymentState.SUCCEEDED, "old") == (payment.state, payment.key)
    assert (None, None, None) == (payment.created_at, payment.billing_on, payment.customer_id)
    assert payment == gateway.find_payment("old", order())
    assert 500 == gateway.refund_payment("refund:1", "pay_old", 500).amount_minor


def test_two_processes_may_open_what_the_release_before_has_kept_at_once(older: Database) -> None:
    with ThreadPoolExecutor(2) as pool:
        gateways = list(pool.map(lambda _: SandboxGateway(older.engine), range(2)))

    assert ["old"] == [payment.key for payment in gateways[0].payments()]
