"""Collecting an invoice so that money moves at most once per date, whatever crashes when (M1).

    reserve      our row: the attempt, its key, the card        one transaction
    create       the gateway prepares the payment               moves no money
    mark sent    our row: which payment, from now on for ever   one transaction
    confirm      the gateway charges that one payment
    settle       our row: paid, declined or unknown             one transaction

Run again after a crash at any line, it goes on with the same attempt: a payment that is on record
is looked up first and confirmed only while it stands as created. Only a definite decline makes
room for another attempt. The gateway may even forget our key: before `sent` no money has moved,
after it the payment's id is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import InvariantViolated, Transient
from domain.messages import FeeAnswer
from domain.ports import Order, Payment, PaymentGateway, PaymentState
from systems.billing.settling import (
    ANSWERED,
    FINAL,
    final_answer,
    recorded_answer,
    settle,
    settle_declined,
)
from systems.db import Database, lock_account
from systems.tables import AttemptRow, AttemptState, CardRow, InvoiceRow, InvoiceState

# Why an attempt without a card on file was declined; the gateway is not asked then (R13).
NO_CARD = "no_card"


@dataclass(frozen=True)
class Pending:
    """An attempt that waits for the gateway. `payment_id` is set once it may have been charged."""

    key: str
    billing_on: date
    order: Order
    payment_id: str | None


class Collector:
    """Carries attempts out at the gateway and settles them."""

    def __init__(self, db: Database, gateway: PaymentGateway) -> None:
        """Record in `db`, charge at `gateway`; never both at once."""
        self._db = db
        self._gateway = gateway

    def collect(
        self, account_id: str, begin: Callable[[Session], FeeAnswer | Pending], at: datetime
    ) -> FeeAnswer:
        """Begin an attempt under the account's lock, then carry it out unless it was answered.

        A gateway that does not answer makes the attempt `unknown`.

        Raises:
            Transient: the database did not answer; call again.
            InvariantViolated: the gateway's payment has another amount, currency or owner.
        """
        with self._db.transaction() as session:
            lock_account(session, account_id)
            begun = begin(session)
        if isinstance(begun, FeeAnswer):
            return begun
        payment = self._charge(begun)
        with self._db.transaction() as session:
            lock_account(session, account_id)
            return settle(session, session.get_one(AttemptRow, begun.key), payment, at)

    def _charge(self, pending: Pending) -> Payment | None:
        payment = self._prepared(pending)
        if payment is None or payment.state is not PaymentState.CREATED:
            return payment
        payment_id = self._mark_sent(pending, payment.payment_id)
        return self._asked(pending, lambda: self._gateway.confirm_payment(payment_id))

    def _prepared(self, pending: Pending) -> Payment | None:
        payment_id = pending.payment_id
        if payment_id is not None:
            return self._asked(pending, lambda: self._gateway.get_payment(payment_id))
        return self._asked(
            pending, lambda: self._gateway.create_payment(pending.key, pending.order)
        )

    def _mark_sent(self, pending: Pending, payment_id: str) -> str:
        if pending.payment_id is not None:
            return pending.payment_id
        with self._db.transaction() as session:
            lock_account(session, pending.order.account_id)
            attempt = session.get_one(AttemptRow, pending.key)
            # The first one recorded stays the one, should the gateway have forgotten the key.
            attempt.payment_id = attempt.payment_id or payment_id
            if attempt.state is AttemptState.RESERVED:
                attempt.state = AttemptState.SENT
            return attempt.payment_id

    def _asked(self, pending: Pending, ask: Callable[[], Payment]) -> Payment | None:
        try:
            payment = ask()
        except Transient:
            return None
        _check_is_ours(pending, payment)
        return payment


def begin_attempt(
    session: Session, invoice: InvoiceRow, prefix: str, attempt: int, rung: int | None, at: datetime
) -> FeeAnswer | Pending:
    """The attempt to carry out, or the answer where there is none to make.

    `prefix` with date and number makes the gateway's key. An attempt that is still unanswered comes
    first, whatever number was asked for; one already answered is answered as it was.
    """
    if invoice.state in FINAL:
        return final_answer(invoice)
    attempts = _attempts(session, invoice)
    for row in attempts:
        if row.state not in ANSWERED:
            return _pending(invoice, row)
    for row in attempts:
        if row.attempt >= attempt:
            return recorded_answer(invoice, row)
    row = _reserve(session, invoice, f"{prefix}:{invoice.billing_on}:{attempt}", attempt, rung, at)
    if row.card_token is None:
        settle_declined(session, invoice, row, NO_CARD, at)
        return recorded_answer(invoice, row)
    return _pending(invoice, row)


def _attempts(session: Session, invoice: InvoiceRow) -> list[AttemptRow]:
    query = select(AttemptRow).where(AttemptRow.invoice_id == invoice.id)
    return list(session.scalars(query.order_by(AttemptRow.attempt)))


def _reserve(
    session: Session, invoice: InvoiceRow, key: str, attempt: int, rung: int | None, at: datetime
) -> AttemptRow:
    card = session.get(CardRow, invoice.account_id)
    row = AttemptRow(
        key=key,
        invoice_id=invoice.id,
        attempt=attempt,
        rung=rung,
        state=AttemptState.RESERVED,
        card_token=card.token if card else None,
        card_last4=card.last4 if card else None,
        began_at=at,
    )
    session.add(row)
    invoice.state = InvoiceState.OPEN
    return row


def _pending(invoice: InvoiceRow, row: AttemptRow) -> Pending:
    order = Order(
        account_id=invoice.account_id,
        card_token=row.card_token or "",
        amount_minor=invoice.amount_minor,
        currency=invoice.currency,
    )
    return Pending(row.key, invoice.billing_on, order, row.payment_id)


def _check_is_ours(pending: Pending, payment: Payment) -> None:
    order = pending.order
    ordered = (order.account_id, order.amount_minor, order.currency)
    if (payment.account_id, payment.amount_minor, payment.currency) != ordered:
        raise InvariantViolated(
            f"account {order.account_id}: payment {payment.payment_id} at the gateway is not what"
            f" was ordered for {pending.billing_on} (amount, currency or owner); nothing was"
            " settled, compare both records"
        )
