"""Collecting an invoice so that money moves at most once per date, whatever crashes when (M1).

    reserve      our row: the attempt, its key, the card        one transaction
    create       the gateway prepares the payment               moves no money; after a lost answer
                                                                it is looked for by its key first
    mark sent    our row: which payment, from now on for ever   one transaction
    confirm      the gateway charges that one payment
    settle       our row: paid, declined or unknown             one transaction

Run again after a crash at any line, it goes on with the same attempt: a payment that is on record
is looked up first and confirmed only while it stands as created. Only a definite decline makes
room for another attempt. The gateway may even forget our key: before `sent` no money has moved,
after it the payment's id is known. A payment that is not what was ordered is held: nothing more is
done with it until an operator has looked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import InvariantViolated, Rejected, Throttled, Transient
from domain.messages import FeeAnswer
from domain.payments import Order, Payment, PaymentGateway, PaymentState
from systems.billing.settling import (
    ANSWERED,
    FINAL,
    GatewayAnswer,
    final_answer,
    note_payment,
    recorded_answer,
    settle,
    settle_declined,
)
from systems.db import Database, lock_account
from systems.tables import AttemptRow, AttemptState, CardRow, InvoiceRow, InvoiceState

# Why an attempt without a card on file was declined; the gateway is not asked then (R13).
NO_CARD = "no_card"
# And why one on a card that the gateway no longer has: somebody removed it there.
CARD_REMOVED = "card_removed"

# What is new to our record need not be new to the gateway: the record may be an older copy that was
# restored. As long as no attempt at the date can be older than this, the gateway's memory of our
# key answers for that, which lasts a day; from then on the payment is looked for first.
KEY_IS_REMEMBERED = timedelta(hours=12)


@dataclass(frozen=True)
class Pending:
    """An attempt that waits for the gateway. `payment_id` is set once it may have been charged.

    `is_fresh`: nobody has asked the gateway about it yet, or so lately that it would repeat itself.
    """

    key: str
    billing_on: date
    order: Order
    payment_id: str | None
    gateway: str | None
    is_fresh: bool


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
            Throttled: the gateway did nothing and takes no more for now; call again in a while.
            Transient: the database did not answer; call again.
            InvariantViolated: the gateway's payment has another amount, currency or owner, or the
                card belongs to another gateway.
        """
        with self._db.transaction() as session:
            lock_account(session, account_id)
            begun = begin(session)
        if isinstance(begun, FeeAnswer):
            return begun
        try:
            payment = self._charge(begun)
        except InvariantViolated:
            self._hold(begun, at)
            raise
        with self._db.transaction() as session:
            lock_account(session, account_id)
            return settle(session, session.get_one(AttemptRow, begun.key), payment, at)

    def _hold(self, pending: Pending, at: datetime) -> None:
        with self._db.transaction() as session:
            lock_account(session, pending.order.account_id)
            attempt = session.get_one(AttemptRow, pending.key)
            if attempt.state not in ANSWERED:
                session.get_one(InvoiceRow, attempt.invoice_id).held_at = at

    def _charge(self, pending: Pending) -> GatewayAnswer:
        self._check_gateway(pending)
        try:
            payment = self._prepared(pending)
        except Rejected:
            return CARD_REMOVED
        if payment is None:
            return None
        payment_id = self._mark_sent(pending, payment)
        if payment.state is PaymentState.CREATED:
            return self._asked(pending, lambda: self._gateway.confirm_payment(payment_id))
        if payment_id == payment.payment_id:
            return payment
        return self._asked(pending, lambda: self._gateway.get_payment(payment_id))

    def _check_gateway(self, pending: Pending) -> None:
        if pending.gateway == self._gateway.name:
            return
        raise InvariantViolated(
            f"account {pending.order.account_id}: the attempt of {pending.billing_on} belongs to"
            f" gateway {pending.gateway} and this worker charges at {self._gateway.name}; nothing"
            " was asked of either. Give the worker the right key, or have the card entered anew"
        )

    def _prepared(self, pending: Pending) -> Payment | None:
        payment_id = pending.payment_id
        if payment_id is not None:
            return self._asked(pending, lambda: self._gateway.get_payment(payment_id))
        return self._asked(pending, lambda: self._found_or_created(pending))

    def _found_or_created(self, pending: Pending) -> Payment:
        # The answer to an earlier call may have been lost, and the key forgotten since.
        key, order = pending.key, pending.order
        found = None if pending.is_fresh else self._gateway.find_payment(key, order)
        return found or self._gateway.create_payment(key, order)

    def _mark_sent(self, pending: Pending, payment: Payment) -> str:
        if pending.payment_id is not None:
            return pending.payment_id
        with self._db.transaction() as session:
            lock_account(session, pending.order.account_id)
            attempt = session.get_one(AttemptRow, pending.key)
            # The first one recorded stays the one, should the gateway have forgotten the key.
            note_payment(attempt, payment)
            if attempt.state is AttemptState.RESERVED:
                attempt.state = AttemptState.SENT
            return attempt.payment_id or payment.payment_id

    def _asked(self, pending: Pending, ask: Callable[[], Payment]) -> Payment | None:
        try:
            payment = ask()
        except Throttled:
            raise
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
            _use_card_on_file(session, invoice, row)
            return _pending(invoice, row, is_fresh=False)
    for row in attempts:
        if row.attempt >= attempt:
            return recorded_answer(invoice, row)
    row = _reserve(session, invoice, f"{prefix}:{invoice.billing_on}:{attempt}", attempt, rung, at)
    if row.card_token is None:
        settle_declined(session, invoice, row, NO_CARD, at)
        return recorded_answer(invoice, row)
    return _pending(invoice, row, is_fresh=at - invoice.due_at < KEY_IS_REMEMBERED)


def _attempts(session: Session, invoice: InvoiceRow) -> list[AttemptRow]:
    query = select(AttemptRow).where(AttemptRow.invoice_id == invoice.id)
    return list(session.scalars(query.order_by(AttemptRow.attempt)))


def _reserve(
    session: Session, invoice: InvoiceRow, key: str, attempt: int, rung: int | None, at: datetime
) -> AttemptRow:
    row = AttemptRow(
        key=key,
        invoice_id=invoice.id,
        attempt=attempt,
        rung=rung,
        state=AttemptState.RESERVED,
        began_at=at,
    )
    _use(session.get(CardRow, invoice.account_id), row)
    session.add(row)
    invoice.state = InvoiceState.OPEN
    return row


def _use(card: CardRow | None, row: AttemptRow) -> None:
    row.gateway = card.gateway if card else None
    row.customer_id = card.customer_id if card else None
    row.card_token = card.token if card else None
    row.card_last4 = card.last4 if card else None


def _use_card_on_file(session: Session, invoice: InvoiceRow, row: AttemptRow) -> None:
    """An attempt that never got as far as a payment moves to the gateway of a newer card."""
    card = session.get(CardRow, invoice.account_id)
    if row.payment_id is None and card is not None and card.gateway != row.gateway:
        _use(card, row)


def _pending(invoice: InvoiceRow, row: AttemptRow, *, is_fresh: bool) -> Pending:
    order = Order(
        account_id=invoice.account_id,
        card_token=row.card_token or "",
        amount_minor=invoice.amount_minor,
        currency=invoice.currency,
        customer_id=row.customer_id,
        billing_on=invoice.billing_on,
    )
    return Pending(row.key, invoice.billing_on, order, row.payment_id, row.gateway, is_fresh)


def _check_is_ours(pending: Pending, payment: Payment) -> None:
    order = pending.order
    ordered = (order.account_id, order.customer_id, order.amount_minor, order.currency)
    shown = (payment.account_id, payment.customer_id, payment.amount_minor, payment.currency)
    if shown != ordered:
        raise InvariantViolated(
            f"account {order.account_id}: payment {payment.payment_id} at the gateway is not what"
            f" was ordered for {pending.billing_on} (amount, currency or owner); nothing was"
            " settled, compare both records"
        )
