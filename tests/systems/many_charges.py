"""Ten thousand charges in our books and at Stripe, and forty ways in which the two may differ."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import insert

from domain.calendar import due_instant
from domain.states import AccountStatus
from systems.db import Database
from systems.tables import (
    AccountRow,
    AttemptRow,
    AttemptState,
    InvoiceKind,
    InvoiceRow,
    InvoiceState,
    LedgerAccount,
    LedgerKind,
    LedgerRow,
    RefundRow,
    RefundRowState,
)
from tests.standin.control import Standin

ACCOUNTS = 500
DATES = 20
ZONE = "America/New_York"
GATEWAY = "stripe-test"
AMOUNT_MINOR = 4500
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DECLINED = {
    "status": "requires_payment_method",
    "last_payment_error": {"code": "card_declined", "decline_code": "generic_decline"},
    "amount_received": 0,
}


@dataclass
class Charge:
    """One plan invoice that was paid, on both sides; tests change either."""

    number: int
    account_id: str
    billing_on: date
    created_at: datetime
    payment_id: str = ""
    invoice_state: InvoiceState = InvoiceState.PAID
    unknown_since: datetime | None = None
    attempt_state: AttemptState = AttemptState.PAID
    knows_payment: bool = True

    @property
    def invoice_id(self) -> str:
        return f"INV{self.number:032x}"

    @property
    def key(self) -> str:
        return f"{self.account_id}:{self.billing_on}:1"

    @property
    def customer_id(self) -> str:
        return f"cus_{self.account_id[-6:]}"

    def at_stripe(self, **changes: Any) -> dict[str, Any]:
        """The payment as Stripe would have it."""
        return {
            "amount": AMOUNT_MINOR,
            "currency": "usd",
            "customer": self.customer_id,
            "created": int(self.created_at.timestamp()),
            "status": "succeeded",
            "metadata": {
                "account_id": self.account_id,
                "key": self.key,
                "billing_on": self.billing_on.isoformat(),
            },
            **changes,
        }


@dataclass
class Books:
    """Both records. `planted` counts the differences, by what is to become of them."""

    standin: Standin
    charges: list[Charge]
    settled: int = 0
    refunded: int = 0
    waiting: int = 0
    refunds: list[dict[str, Any]] = field(default_factory=list)
    taken: Iterator[int] = field(default_factory=lambda: count(0, 97))

    @property
    def planted(self) -> int:
        return self.settled + self.refunded + self.waiting

    def next(self) -> Charge:
        """One that nothing was done to so far."""
        return self.charges[next(self.taken) % len(self.charges)]


def ten_thousand(standin: Standin, now: datetime) -> Books:
    """The same on both sides, spread over the last month."""
    charges = [
        Charge(
            number=account * DATES + position,
            account_id=f"ACC{account:032x}",
            billing_on=date(2025, 1, 15) + position * 31 * DAY,
            created_at=(now - 30 * DAY + (account * DATES + position) * timedelta(seconds=240)),
        )
        for account in range(ACCOUNTS)
        for position in range(DATES)
    ]
    ids = standin.seed_payment_intents(charge.at_stripe() for charge in charges)
    for charge, payment_id in zip(charges, ids, strict=True):
        charge.payment_id = payment_id
    return Books(standin, charges)


def write(database: Database, books: Books) -> None:
    """Put our side into the database."""
    with database.transaction() as session:
        for table, rows in (
            (AccountRow, _accounts(books)),
            (InvoiceRow, map(_invoice, books.charges)),
            (AttemptRow, map(_attempt, books.charges)),
            (LedgerRow, (row for charge in books.charges for row in _ledger(charge))),
            (RefundRow, books.refunds),
        ):
            listed = list(rows)
            if listed:
                session.execute(insert(table), listed)


# --- the forty -----------------------------------------------------------------------------------


def plant_forty(books: Books, now: datetime) -> None:
    """Each kind of difference on each side, and each remedy."""
    for plant, times in (
        (_unanswered_here, 4),
        (_declined_there_meanwhile, 2),
        (_known_by_our_key_only, 2),
        (_paid_after_a_decline, 2),
        (_refunded_by_hand, 1),
        (_refund_failed_since, 1),
        (_charged_twice, 3),
        (_made_by_hand, 4),
        (_gone_there, 4),
        (_another_amount, 4),
        (_another_currency, 2),
        (_another_owner, 4),
        (_paid_after_it_was_written_off, 1),
        (_declined_after_it_was_paid, 2),
        (_charged_twice_differently, 1),
        (_unknown_for_days, 1),
        (_refund_of_another_amount, 1),
        (_refund_gone_there, 1),
    ):
        for _ in range(times):
            plant(books, books.next(), now)


def _unanswered_here(books: Books, charge: Charge, now: datetime) -> None:
    charge.attempt_state, charge.invoice_state = AttemptState.SENT, InvoiceState.UNKNOWN
    charge.unknown_since = now - DAY
    books.settled += 1


def _declined_there_meanwhile(books: Books, charge: Charge, now: datetime) -> None:
    _unanswered_here(books, charge, now)
    books.standin.edit(charge.payment_id, **DECLINED)


def _known_by_our_key_only(books: Books, charge: Charge, now: datetime) -> None:
    _unanswered_here(books, charge, now)
    charge.attempt_state, charge.knows_payment = AttemptState.RESERVED, False


def _paid_after_a_decline(books: Books, charge: Charge, now: datetime) -> None:
    charge.attempt_state, charge.invoice_state = AttemptState.DECLINED, InvoiceState.PAST_DUE
    books.settled += 1


def _refunded_by_hand(books: Books, charge: Charge, now: datetime) -> None:
    _refund(books, charge, now)
    books.settled += 1


def _refund_failed_since(books: Books, charge: Charge, now: datetime) -> None:
    _record_refund(books, charge, _refund(books, charge, now, status="failed"), now)
    books.settled += 1


def _charged_twice(books: Books, charge: Charge, now: datetime, **changes: Any) -> None:
    again = {**charge.at_stripe()["metadata"], "key": f"{charge.key}:again"}
    books.standin.seed_payment_intents([charge.at_stripe(metadata=again, **changes)])
    books.refunded += 1


def _made_by_hand(books: Books, charge: Charge, now: datetime) -> None:
    books.standin.seed_payment_intents([charge.at_stripe(metadata={})])
    books.waiting += 1


def _gone_there(books: Books, charge: Charge, now: datetime) -> None:
    books.standin.delete(charge.payment_id)
    books.waiting += 1


def _another_amount(books: Books, charge: Charge, now: datetime) -> None:
    books.standin.edit(charge.payment_id, amount=4700, amount_received=4700)
    books.waiting += 1


def _another_currency(books: Books, charge: Charge, now: datetime) -> None:
    books.standin.edit(charge.payment_id, currency="eur")
    books.waiting += 1


def _another_owner(books: Books, charge: Charge, now: datetime) -> None:
    metadata = {**charge.at_stripe()["metadata"], "account_id": "ACC" + "f" * 32}
    books.standin.edit(charge.payment_id, metadata=metadata)
    books.waiting += 1


def _paid_after_it_was_written_off(books: Books, charge: Charge, now: datetime) -> None:
    charge.attempt_state, charge.invoice_state = AttemptState.DECLINED, InvoiceState.WRITTEN_OFF
    books.waiting += 1


def _declined_after_it_was_paid(books: Books, charge: Charge, now: datetime) -> None:
    books.standin.edit(charge.payment_id, **DECLINED)
    books.waiting += 1


def _charged_twice_differently(books: Books, charge: Charge, now: datetime) -> None:
    _charged_twice(books, charge, now, amount=9900)
    books.refunded -= 1
    books.waiting += 1


def _unknown_for_days(books: Books, charge: Charge, now: datetime) -> None:
    charge.attempt_state, charge.invoice_state = AttemptState.SENT, InvoiceState.UNKNOWN
    charge.unknown_since = now - 9 * DAY
    books.standin.edit(charge.payment_id, status="processing", amount_received=0)
    books.waiting += 1


def _refund_of_another_amount(books: Books, charge: Charge, now: datetime) -> None:
    refund_id = _refund(books, charge, now)
    _record_refund(books, charge, refund_id, now)
    books.standin.edit(refund_id, amount=300)
    books.waiting += 1


def _refund_gone_there(books: Books, charge: Charge, now: datetime) -> None:
    refund_id = _refund(books, charge, now)
    _record_refund(books, charge, refund_id, now)
    books.standin.delete(refund_id)
    books.waiting += 1


def _refund(books: Books, charge: Charge, now: datetime, status: str = "succeeded") -> str:
    created = int((now - 2 * HOUR).timestamp())
    [refund_id] = books.standin.seed_refunds(
        [
            {
                "payment_intent": charge.payment_id,
                "amount": AMOUNT_MINOR,
                "created": created,
                "status": status,
            }
        ]
    )
    return refund_id


def _record_refund(books: Books, charge: Charge, refund_id: str, now: datetime) -> None:
    books.refunds.append(
        {
            "key": f"{charge.payment_id}:refund:1",
            "account_id": charge.account_id,
            "payment_id": charge.payment_id,
            "invoice_id": charge.invoice_id,
            "amount_minor": AMOUNT_MINOR,
            "currency": "USD",
            "gateway": GATEWAY,
            "state": RefundRowState.SUCCEEDED,
            "refund_id": refund_id,
            "actor": "operator",
            "began_at": now - 2 * HOUR,
            "look_up_at": None,
            "answered_at": now - 2 * HOUR,
        }
    )


# --- rows ----------------------------------------------------------------------------------------


def _accounts(books: Books) -> Iterable[dict[str, Any]]:
    for account_id in dict.fromkeys(charge.account_id for charge in books.charges):
        yield {
            "id": account_id,
            "name": f"Shop {account_id[-4:]}",
            "time_zone": ZONE,
            "status": AccountStatus.ACTIVE,
            "created_at": datetime(2024, 1, 1, tzinfo=UTC),
        }


def _invoice(charge: Charge) -> dict[str, Any]:
    return {
        "id": charge.invoice_id,
        "account_id": charge.account_id,
        "billing_on": charge.billing_on,
        "due_at": due_instant(charge.billing_on, ZONE),
        "kind": InvoiceKind.PLAN,
        "act_id": None,
        "amount_minor": AMOUNT_MINOR,
        "currency": "USD",
        "state": charge.invoice_state,
        "first_unknown_at": charge.unknown_since,
        "answered_at": charge.created_at,
    }


def _attempt(charge: Charge) -> dict[str, Any]:
    return {
        "key": charge.key,
        "invoice_id": charge.invoice_id,
        "attempt": 1,
        "state": charge.attempt_state,
        "gateway": GATEWAY,
        "customer_id": charge.customer_id,
        "card_token": "pm_1",
        "card_last4": "4242",
        "payment_id": charge.payment_id if charge.knows_payment else None,
        "payment_created_at": charge.created_at if charge.knows_payment else None,
        "began_at": charge.created_at,
    }


def _ledger(charge: Charge) -> Iterator[dict[str, Any]]:
    row = {
        "account_id": charge.account_id,
        "amount_minor": AMOUNT_MINOR,
        "currency": "USD",
        "at": charge.created_at,
        "invoice_id": charge.invoice_id,
    }
    yield {
        **row,
        "key": f"{charge.invoice_id}:invoice",
        "kind": LedgerKind.INVOICE,
        "debit": LedgerAccount.RECEIVABLE,
        "credit": LedgerAccount.PLAN_REVENUE,
        "payment_id": None,
    }
    if charge.attempt_state is AttemptState.PAID:
        yield {
            **row,
            "key": f"{charge.key}:charge",
            "kind": LedgerKind.CHARGE,
            "debit": LedgerAccount.GATEWAY,
            "credit": LedgerAccount.RECEIVABLE,
            "payment_id": charge.payment_id,
        }
