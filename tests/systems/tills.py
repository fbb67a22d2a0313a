"""Payment gateways set up for tests: the fake, the sandbox and Stripe's adapter, behind one face.

What a test asks of a till is what happens on the other side: people enter cards, time goes by,
answers are lost.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Protocol, TypeVar

import pytest

from domain.errors import Transient
from domain.payments import Gateway, Order, Payment, PaymentState, Refund
from domain.stripe_access import StripeAccess
from systems.db import Database
from systems.gateways.sandbox import CARDS, SandboxGateway
from systems.gateways.stripe import StripeGateway
from tests.fakes.gateway import FakeGateway, FaultyGateway, Method
from tests.standin.control import Standin
from tests.standin.faults import Kind
from tests.standin.world import TEST_KEY

TILLS = ["fake", "sqlite", "postgresql", "stripe"]
JAN_15 = date(2026, 1, 15)
RETURN_URL = "https://app.example.com/accounts/ACC1/card"

Result = TypeVar("Result")

# What each method of the port comes to at Stripe.
OPERATIONS: dict[Method, str] = {
    "create_payment": "create_payment_intent",
    "find_payment": "list_payment_intents",
    "confirm_payment": "confirm_payment_intent",
    "get_payment": "retrieve_payment_intent",
    "refund_payment": "create_refund",
    "find_refund": "list_refunds",
    "get_refund": "retrieve_refund",
    "payments_between": "list_payment_intents",
    "refunds_between": "list_refunds",
    "open_page": "create_session",
    "look_up_page": "retrieve_session",
}


class Till(Protocol):
    """A gateway, and what a test has to say about the other side."""

    @property
    def gateway(self) -> Gateway: ...

    def order(
        self, card_name: str = "visa", amount_minor: int = 500, account_id: str = "ACC1"
    ) -> Order: ...

    def lose_the_answer(self, method: Method) -> None: ...
    def advance(self, by: timedelta) -> None: ...
    def now(self) -> datetime: ...
    def slow_refunds(self) -> None: ...
    def settle(self, refund: Refund) -> None: ...
    def enter_card(self, page_id: str, card_name: str) -> None: ...
    def payment_ids(self) -> list[str]: ...
    def refund_ids(self) -> list[str]: ...


class Clock:
    """What time it is at a gateway of our own."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 15, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


class OwnTill:
    """A gateway of our own, with whatever faults a test asks for."""

    def __init__(self, record: FakeGateway | SandboxGateway, clock: Clock) -> None:
        self.gateway = FaultyGateway(record)
        self._record = record
        self._clock = clock

    def order(
        self, card_name: str = "visa", amount_minor: int = 500, account_id: str = "ACC1"
    ) -> Order:
        token = CARDS[card_name].token
        return Order(account_id, token, amount_minor, "USD", f"cus_{account_id}", JAN_15)

    def lose_the_answer(self, method: Method) -> None:
        self.gateway.fail_next(method, "after")

    def advance(self, by: timedelta) -> None:
        self._clock.at += by

    def now(self) -> datetime:
        return self._clock.at

    def slow_refunds(self) -> None:
        """Those of a card that is slow are."""

    def settle(self, refund: Refund) -> None:
        """Looking it up does."""

    def enter_card(self, page_id: str, card_name: str) -> None:
        self._record.enter_card(page_id, card_name)

    def payment_ids(self) -> list[str]:
        return [payment.payment_id for payment in self._record.payments()]

    def refund_ids(self) -> list[str]:
        return [refund.refund_id for refund in self._record.refunds()]


class StripeTill:
    """The adapter on the stand-in, which knows customers and their cards."""

    def __init__(self, standin: Standin) -> None:
        self.standin = standin
        self.gateway = StripeGateway(StripeAccess(TEST_KEY, standin.url))
        self._customers: dict[str, str] = {}
        self._cards: dict[tuple[str, str], str] = {}

    def order(
        self, card_name: str = "visa", amount_minor: int = 500, account_id: str = "ACC1"
    ) -> Order:
        customer_id, token = self.customer(account_id), self._card(account_id, card_name)
        return Order(account_id, token, amount_minor, "USD", customer_id, JAN_15)

    def customer(self, account_id: str) -> str:
        """The customer of that account, the same every time."""
        if account_id not in self._customers:
            made = self.standin.client().v1.customers.create()
            self._customers[account_id] = made.id
        return self._customers[account_id]

    def lose_the_answer(self, method: Method) -> None:
        self.standin.fault(Kind.RESET_AFTER, OPERATIONS[method])

    def advance(self, by: timedelta) -> None:
        self.standin.advance(by)

    def now(self) -> datetime:
        return self.standin.now()

    def slow_refunds(self) -> None:
        self.standin.begin_refunds("pending")

    def settle(self, refund: Refund) -> None:
        self.standin.settle_refund(refund.refund_id, "succeeded")

    def enter_card(self, page_id: str, card_name: str) -> None:
        self.standin.complete_session(page_id, card_name)

    def payment_ids(self) -> list[str]:
        return [intent["id"] for intent in self.standin.payment_intents()]

    def refund_ids(self) -> list[str]:
        return [refund["id"] for refund in self.standin.refunds()]

    def _card(self, account_id: str, card_name: str) -> str:
        if (account_id, card_name) not in self._cards:
            saved = self.standin.save_card(self.customer(account_id), card_name)
            self._cards[account_id, card_name] = saved
        return self._cards[account_id, card_name]


def open_till(kind: str, request: pytest.FixtureRequest) -> Iterator[Till]:
    """The till of that kind; a generator, for fixtures to yield from."""
    clock = Clock()
    if kind == "fake":
        yield OwnTill(FakeGateway(clock), clock)
    elif kind == "stripe":
        yield StripeTill(request.getfixturevalue("standin"))
    else:
        database: Database = request.getfixturevalue(f"{kind}_database")
        yield OwnTill(SandboxGateway(database.engine, clock=clock), clock)


def insisted(ask: Callable[[], Result]) -> Result:
    """The answer in the end: a gateway that is busy with the same thing says so."""
    for _ in range(20):
        try:
            return ask()
        except Transient:
            continue
    raise AssertionError("the gateway gave no clear answer, however often it was asked")


def paid(till: Till, key: str, amount_minor: int = 500, card_name: str = "visa") -> Payment:
    """A payment that has succeeded."""
    gateway, order = till.gateway, till.order(card_name, amount_minor)
    payment = gateway.confirm_payment(gateway.create_payment(key, order).payment_id)
    while payment.state is PaymentState.PROCESSING:
        payment = gateway.get_payment(payment.payment_id)
    assert payment.state is PaymentState.SUCCEEDED
    return payment
