"""M1 and M7 on Stripe: every fault at every point of the protocol, and the worker killed there.

A fault meets one request, the process dies at one point, or both. Then the same step is asked for
again, as a restarted worker does and as later look-ups do, until there is an answer. Money has
moved once, and gateway, ledger and invoice say the same.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import product
from typing import ClassVar
from uuid import uuid4

import pytest

from domain.errors import InvariantViolated, Throttled, Transient
from domain.messages import FeeAnswer
from domain.payments import Order, PaymentGateway
from domain.states import ChargeState
from systems.db import Database
from systems.tables import CardRow
from tests.standin.control import Standin
from tests.standin.faults import Kind
from tests.systems.billing_shop import JAN_15, Pause, add_account, local
from tests.systems.stripe_shop import StripeShop, collected
from tests.systems.test_billing_crashes import Crash

DUE_AT = local("2026-01-15 09:00")
OPERATIONS = ["create_payment_intent", "confirm_payment_intent", "retrieve_payment_intent"]
# What each may leave an operator to look at.
CONTRADICTIONS = {Kind.WRONG_AMOUNT, Kind.WRONG_CURRENCY, Kind.OTHER_CUSTOMER, Kind.FORGETS}
FAULTS = [
    (kind, operation)
    for kind, operation in product(Kind, OPERATIONS)
    # A gateway that denies the card it was just given declines; that is tested by itself.
    if (kind, operation) != (Kind.FORGETS, "create_payment_intent")
]
# Three transactions and two calls of the gateway, each with a point before and one after.
POINTS = range(1, 11)
LOOK_UPS = 6


@pytest.fixture
def shop(sqlite_database: Database, standin: Standin) -> StripeShop:
    return StripeShop(sqlite_database, standin)


@pytest.mark.parametrize(("kind", "operation"), FAULTS)
def test_whatever_the_gateway_does_a_date_is_paid_once(
    shop: StripeShop, kind: Kind, operation: str
) -> None:
    check_paid_once(shop, kind, operation, crash_at=None)


@pytest.mark.slow
@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(("kind", "operation"), FAULTS)
def test_and_wherever_the_worker_dies_meanwhile(
    request: pytest.FixtureRequest,
    standin: Standin,
    kind: Kind,
    operation: str,
    database_kind: str,
) -> None:
    shop = StripeShop(request.getfixturevalue(f"{database_kind}_database"), standin)
    for crash_at in POINTS:
        check_paid_once(shop, kind, operation, crash_at)


@pytest.mark.parametrize("crash_at", POINTS)
def test_wherever_the_worker_dies_a_date_is_paid_once(shop: StripeShop, crash_at: int) -> None:
    check_paid_once(shop, None, "", crash_at)


def check_paid_once(
    shop: StripeShop, kind: Kind | None, operation: str, crash_at: int | None
) -> None:
    """One date under one fault and one crash comes to one charge that all records agree on."""
    pause = shop.paused()
    if operation == "retrieve_payment_intent":
        # Nothing is looked up before an answer was lost.
        shop.standin.fault(Kind.RESET_AFTER, "confirm_payment_intent")
        pause.collect(JAN_15, DUE_AT)
    if kind is not None:
        shop.standin.fault(kind, operation, seconds=1.0)
    shop.fuse.arm(crash_at or 0)

    try:
        first = collected(pause, JAN_15, DUE_AT + timedelta(minutes=5))
    except Crash:
        first = None
    shop.standin.clear_faults()
    shop.fuse.arm(0)
    answer = looked_up(shop, pause, first)

    where = f"{kind} on {operation}, crash at {crash_at}"
    paid = [(payment.payment_id, 500) for payment in shop.succeeded(pause.account_id)]
    assert FeeAnswer(state=ChargeState.PAID) == answer, where
    assert 1 == len(paid), where
    assert paid == shop.charged(pause.account_id), where
    assert [] == [row for row in shop.sql.invoices(pause.account_id) if row.state != "paid"], where


def looked_up(shop: StripeShop, pause: Pause, answer: FeeAnswer | None) -> FeeAnswer | None:
    """What look-ups, a day apart, come to in the end; gateways forget keys after a day."""
    at = DUE_AT
    for _ in range(LOOK_UPS):
        if answer is not None and answer.state is not ChargeState.UNKNOWN:
            return answer
        at += timedelta(days=1)
        shop.standin.advance(timedelta(hours=25))
        answer = collected(pause, JAN_15, at)
    return answer


@pytest.mark.parametrize("operation", OPERATIONS[:2])
def test_asked_too_often_the_gateway_is_asked_again_by_the_same_attempt(
    shop: StripeShop, operation: str
) -> None:
    pause = shop.paused()
    shop.standin.fault(Kind.RATE_LIMITED_429, operation, times=2)

    for _ in range(2):
        with pytest.raises(Throttled):
            pause.collect(JAN_15, DUE_AT)
    [waiting] = shop.sql.invoices(pause.account_id)
    answer = pause.collect(JAN_15, DUE_AT)

    assert ("open", None) == (waiting.state, waiting.answered_at)
    assert FeeAnswer(state=ChargeState.PAID) == answer
    [payment] = shop.truth.payments(pause.account_id)
    assert [(payment.payment_id, 500)] == shop.charged(pause.account_id)


def test_asked_too_often_the_gateway_is_left_alone_for_the_rest_of_the_round(
    shop: StripeShop,
) -> None:
    account_ids = [add_account(shop, card_name=None) for _ in range(3)]
    for account_id in account_ids:
        shop.use_stripe_card(account_id, "visa")
    shop.standin.fault(Kind.RATE_LIMITED_429, "create_payment_intent")

    taken = shop.sql.invoice_plans_due(DUE_AT, 100)
    paid_at_once = [shop.succeeded(account_id) for account_id in account_ids]
    shop.sql.invoice_plans_due(DUE_AT, 100)

    assert 3 == taken
    assert [] in paid_at_once, "the one that was refused"
    assert [1, 1, 1] == [len(shop.succeeded(account_id)) for account_id in account_ids]


@pytest.mark.parametrize("kind", sorted(CONTRADICTIONS - {Kind.FORGETS}))
@pytest.mark.parametrize("operation", OPERATIONS[:2])
def test_what_contradicts_the_order_is_held_and_settles_nothing(
    shop: StripeShop, kind: Kind, operation: str
) -> None:
    pause = shop.paused()
    shop.standin.fault(kind, operation)

    with pytest.raises(InvariantViolated, match=pause.account_id):
        pause.collect(JAN_15, DUE_AT)

    [invoice] = shop.sql.invoices(pause.account_id)
    assert invoice.held_at == DUE_AT
    assert [] == shop.charged(pause.account_id)


def test_a_card_that_was_removed_at_stripe_is_a_decline_and_the_next_one_is_charged(
    shop: StripeShop,
) -> None:
    pause = shop.paused()
    shop.remove_at_stripe(pause.account_id)

    declined = pause.collect(JAN_15, DUE_AT)
    shop.use_stripe_card(pause.account_id, "mastercard", DUE_AT)
    paid = pause.collect(JAN_15, DUE_AT + timedelta(hours=1), attempt=2, rung=None)

    assert (ChargeState.DECLINED, "card_removed") == (declined.state, declined.decline_code)
    assert ChargeState.PAID is paid.state
    assert 1 == len(shop.succeeded(pause.account_id))


@pytest.mark.parametrize(
    "away", [timedelta(hours=25), timedelta(hours=72), timedelta(days=40)], ids=str
)
@pytest.mark.parametrize("kind", [Kind.RESET_BEFORE, Kind.RESET_AFTER, Kind.ERROR_500_AFTER])
@pytest.mark.parametrize("operation", OPERATIONS[:2])
def test_an_outage_of_days_or_weeks_opens_no_second_payment(
    shop: StripeShop, away: timedelta, kind: Kind, operation: str
) -> None:
    pause = shop.paused()
    shop.standin.fault(kind, operation)
    pause.collect(JAN_15, DUE_AT)
    shop.standin.away()
    during = pause.collect(JAN_15, DUE_AT + timedelta(minutes=5))
    shop.standin.advance(away)
    shop.standin.back()

    after = pause.collect(JAN_15, DUE_AT + away)

    assert ChargeState.UNKNOWN is during.state
    assert ChargeState.PAID is after.state
    # Not even one that stays unpaid: the first is found by its key, which Stripe has forgotten.
    assert 1 == len(shop.truth.payments(pause.account_id))


@pytest.mark.parametrize("crash_at", POINTS)
def test_a_crash_between_a_decline_and_the_next_attempt_makes_no_third(
    shop: StripeShop, crash_at: int
) -> None:
    pause = shop.paused("insufficient_funds")
    pause.collect(JAN_15, DUE_AT)
    next_at = DUE_AT + timedelta(days=1)
    shop.fuse.arm(crash_at)

    try:
        pause.collect(JAN_15, next_at, attempt=2, rung=1)
    except Crash:
        shop.fuse.arm(0)
    again = pause.collect(JAN_15, next_at, attempt=2, rung=1)

    assert (ChargeState.DECLINED, 1) == (again.state, again.rung)
    assert 2 == len(shop.truth.payments(pause.account_id))
    assert [] == shop.succeeded(pause.account_id)


def test_a_card_of_another_mode_is_never_charged_and_asks_for_an_operator(
    shop: StripeShop,
) -> None:
    pause = shop.paused()
    with shop.database.transaction() as session:
        session.get_one(CardRow, pause.account_id).gateway = "stripe-live"

    with pytest.raises(InvariantViolated, match="stripe-live"):
        pause.collect(JAN_15, DUE_AT)

    assert [] == shop.truth.payments(pause.account_id)
    assert not shop.sql.has_card(pause.account_id)


def test_an_attempt_that_never_reached_a_gateway_goes_on_with_a_card_of_this_one(
    shop: StripeShop,
) -> None:
    pause = shop.paused()
    with shop.database.transaction() as session:
        session.get_one(CardRow, pause.account_id).gateway = "stripe-live"
    collected(pause, JAN_15, DUE_AT)
    shop.use_stripe_card(pause.account_id, "visa", DUE_AT)

    assert ChargeState.PAID is pause.collect(JAN_15, DUE_AT + timedelta(hours=1)).state


class Naive:
    """How a first draft charges, in two ways; see the control."""

    def __init__(self, gateway: PaymentGateway, order: Order) -> None:
        self._gateway = gateway
        self._order = order

    def collect(self, key: str) -> bool:
        """Whether it believes to have been paid; a lost answer counts as a failure."""
        try:
            payment = self._gateway.create_payment(key, self._order)
            self._gateway.confirm_payment(payment.payment_id)
        except Transient:
            return False
        return True


class TestControl:
    """Done otherwise, the same faults charge twice: this file can see a double charge."""

    KEYS: ClassVar[dict[str, Callable[[int], str]]] = {
        "a key per attempt": lambda _: uuid4().hex,
        "unknown taken for failed": lambda attempt: f"PAU1:2026-01-15:{attempt}",
    }

    @pytest.mark.parametrize("how", KEYS)
    def test_control(self, shop: StripeShop, how: str) -> None:
        pause = shop.paused()
        naive = Naive(shop.stripe, order_of(shop, pause))
        shop.standin.fault(Kind.RESET_AFTER, "confirm_payment_intent")

        believed = [naive.collect(self.KEYS[how](attempt)) for attempt in (1, 2)]

        assert [False, True] == believed
        assert 2 == len(shop.succeeded(pause.account_id))


def order_of(shop: StripeShop, pause: Pause, day: date = JAN_15) -> Order:
    with shop.database.transaction() as session:
        card = session.get_one(CardRow, pause.account_id)
    return Order(pause.account_id, card.token, 500, "USD", card.customer_id, day)


def test_the_clock_of_the_stand_in_is_not_ours(standin: Standin) -> None:
    before = standin.now()

    standin.advance(timedelta(days=40))

    assert timedelta(days=40) <= standin.now() - before < timedelta(days=41)
    assert datetime.now(before.tzinfo) - before < timedelta(days=1)
