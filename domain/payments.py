"""The payment gateway as a contract: payments, refunds, and the page on which a card is entered.

A docstring here is what every adapter promises. Every method raises `Transient` when no clear
answer came: what was asked for may or may not have been done, and asking again is safe. Of those
`Throttled` says that nothing was done, since the gateway is asked too often.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from domain.errors import PauseError


class PaymentState(StrEnum):
    """Where one payment stands at the gateway. The last two are final: a decline stays one."""

    CREATED = "created"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"


@dataclass(frozen=True)
class Order:
    """What is to be paid, by which card. Token and customer are the gateway's own names.

    `billing_on` is the date that is paid for; the gateway keeps it with the payment, so that both
    records can be compared by date.
    """

    account_id: str
    card_token: str
    amount_minor: int
    currency: str
    customer_id: str | None = None
    billing_on: date | None = None


@dataclass(frozen=True)
class Payment:
    """The gateway's own record of one payment. `decline_code` says why it was declined.

    `account_id`, `key` and `billing_on` are what the payment was created with; empty and None for
    one that somebody made by other means. `created_at` is by the gateway's clock.
    """

    payment_id: str
    account_id: str
    amount_minor: int
    currency: str
    state: PaymentState
    decline_code: str | None = None
    key: str | None = None
    billing_on: date | None = None
    customer_id: str | None = None
    created_at: datetime | None = None


class RefundState(StrEnum):
    """Where one refund stands at the gateway. A refund may fail after it has succeeded."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Refund:
    """The gateway's own record of one refund of a payment; `key` is None for somebody else's."""

    refund_id: str
    payment_id: str
    amount_minor: int
    currency: str
    state: RefundState
    key: str | None = None
    created_at: datetime | None = None


class PaymentGateway(Protocol):
    """Moves money, in two steps, so that a lost answer can always be looked up."""

    @property
    def name(self) -> str:
        """Whose record it is: `sandbox`, `stripe-test`, `stripe-live`.

        Cards and payments of one are unknown to the others.
        """
        ...

    def create_payment(self, key: str, order: Order) -> Payment:
        """Prepare a payment; moves no money. The same key gives the same payment.

        Raises:
            Rejected: `payment_method_required`: the gateway no longer has that card.
            InvariantViolated: the key was used for another order.
        """
        ...

    def find_payment(self, key: str, order: Order) -> Payment | None:
        """The payment that was created under `key`, however long ago; None if there is none."""
        ...

    def confirm_payment(self, payment_id: str) -> Payment:
        """Charge the prepared payment, once however often it is asked; a decline is an answer."""
        ...

    def get_payment(self, payment_id: str) -> Payment:
        """The payment as it stands.

        Raises:
            InvariantViolated: the gateway knows no such payment.
        """
        ...

    def refund_payment(self, key: str, payment_id: str, amount_minor: int) -> Refund:
        """Give `amount_minor` of a payment that succeeded back. The same key gives the same refund.

        Gateways forget keys after a day, so ask `find_refund` first after a lost answer.

        Raises:
            Rejected: `validation_failed`: more than what is left of the payment.
        """
        ...

    def find_refund(self, key: str, payment_id: str) -> Refund | None:
        """The refund that was made under `key`, however long ago; None if there is none."""
        ...

    def get_refund(self, refund_id: str) -> Refund:
        """The refund as it stands.

        Raises:
            InvariantViolated: the gateway knows no such refund.
        """
        ...

    def payments_between(self, since: datetime, until: datetime) -> Iterator[Payment]:
        """All payments created in ``[since, until)`` by the gateway's clock, in any order.

        Also those that were not created through this port.
        """
        ...

    def refunds_between(self, since: datetime, until: datetime) -> Iterator[Refund]:
        """All refunds created in ``[since, until)`` by the gateway's clock, in any order."""
        ...


@dataclass(frozen=True)
class CardPage:
    """A page of the gateway's on which one card can be entered for one account."""

    page_id: str
    url: str
    customer_id: str | None
    expires_at: datetime


@dataclass(frozen=True)
class EnteredCard:
    """A card as the gateway hands it over after it was entered on the gateway's own page (R8)."""

    token: str
    brand: str
    last4: str
    expires_month: int
    expires_year: int
    customer_id: str | None = None


class PageState(StrEnum):
    """Whether a card has been entered on a page. The last two are final."""

    OPEN = "open"
    ENTERED = "entered"
    EXPIRED = "expired"


@dataclass(frozen=True)
class PageAnswer:
    """What became of a page; `card` is there once one was entered."""

    state: PageState
    card: EnteredCard | None = None


class CardPages(Protocol):
    """The gateway's hosted pages for entering a card."""

    def open_page(
        self, key: str, account_id: str, customer_id: str | None, return_url: str
    ) -> CardPage:
        """A fresh page; the same key gives the same page while the gateway remembers it.

        A customer that the gateway does not know (`customer_id` None) is made. The browser is sent
        to `return_url` afterwards.
        """
        ...

    def look_up_page(self, page_id: str) -> PageAnswer:
        """What became of the page.

        Raises:
            InvariantViolated: the gateway knows no such page.
        """
        ...


class KeyRefused(PauseError):
    """The gateway does not accept the key that this process was given."""


class Gateway(PaymentGateway, CardPages, Protocol):
    """All that a payment gateway is to us."""

    def check(self) -> None:
        """Whether it accepts us, for whoever starts; no answer is no reason not to start.

        Raises:
            KeyRefused: it does not.
        """
        ...
