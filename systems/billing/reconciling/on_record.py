"""Our side of the comparison: attempts and refunds, as the rules compare them. Nothing here writes.

What is read under the account's lock stays as it is while the lock is held.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import chain

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select
from sqlalchemy.orm import Session

from domain.differences import Attempt, OnRecord, OurRefund, Verdict
from domain.payments import Payment, Refund
from domain.reconciling import Window, is_made_by
from systems.billing.refund_rows import REFUND_STATES
from systems.billing.settling import ANSWERED, CHARGE_STATES
from systems.tables import (
    AccountRow,
    AttemptRow,
    AttemptState,
    CardRow,
    CustomerRow,
    InvoiceRow,
    InvoiceState,
    RefundRow,
)

VERDICTS = {
    AttemptState.RESERVED: Verdict.UNANSWERED,
    AttemptState.SENT: Verdict.UNANSWERED,
    AttemptState.PAID: Verdict.PAID,
    AttemptState.DECLINED: Verdict.DECLINED,
}

# The gateway's id and our key of something that we have on record.
Names = tuple[str | None, str]


# --- one object, in full -------------------------------------------------------------------------


def attempt_of(session: Session, payment_id: str | None, key: str | None) -> Attempt | None:
    """The attempt that made the payment: by its id, or by our key while no id is on record."""
    by_id = AttemptRow.payment_id == payment_id
    by_key = and_(AttemptRow.key == key, AttemptRow.payment_id.is_(None))
    for which, name in ((by_id, payment_id), (by_key, key)):
        found = session.execute(_attempts(which)).first() if name else None
        if found is not None:
            return _attempt(found)
    return None


def stray_on_record(session: Session, payment: Payment) -> OnRecord:
    """What we know of a payment that no attempt has made."""
    account_id = _account_of(session, payment)
    paid_by = _paid_by(session, payment, account_id)
    other_id = paid_by.payment_id if paid_by else None
    ids = [payment.payment_id, *([other_id] if other_id else [])]
    query = select(RefundRow).where(RefundRow.payment_id.in_(ids)).order_by(RefundRow.key)
    refunds = tuple(_refund(row) for row in session.scalars(query))
    return OnRecord(None, account_id, paid_by, refunds)


def refund_of(session: Session, refund_id: str | None, key: str | None) -> OurRefund | None:
    """Our row of the refund: by its id, or by our key while no id is on record."""
    by_id = RefundRow.refund_id == refund_id
    by_key = and_(RefundRow.key == key, RefundRow.refund_id.is_(None))
    for which, name in ((by_id, refund_id), (by_key, key)):
        row = session.scalar(select(RefundRow).where(which)) if name else None
        if row is not None:
            return _refund(row)
    return None


def _account_of(session: Session, payment: Payment) -> str | None:
    """The account that the payment names, if it is one of ours; else its customer's."""
    if payment.account_id and session.get(AccountRow, payment.account_id) is not None:
        return payment.account_id
    return customers_of(session, [payment]).get(payment.customer_id or "")


def _paid_by(session: Session, payment: Payment, account_id: str | None) -> Attempt | None:
    if account_id is None or payment.billing_on is None:
        return None
    found = session.execute(
        _attempts(
            and_(
                InvoiceRow.account_id == account_id,
                InvoiceRow.billing_on == payment.billing_on,
                AttemptRow.state == AttemptState.PAID,
            )
        )
    ).first()
    return _attempt(found) if found is not None else None


# --- many at once --------------------------------------------------------------------------------


def attempts_of(session: Session, payments: Sequence[Payment]) -> dict[str, Attempt]:
    """The attempts that made these payments, by payment id."""
    ids = [payment.payment_id for payment in payments]
    keys = [payment.key for payment in payments if payment.key]
    which = or_(AttemptRow.payment_id.in_(ids), AttemptRow.key.in_(keys))
    found = [_attempt(row) for row in session.execute(_attempts(which))]
    by_id = {attempt.payment_id: attempt for attempt in found}
    by_key = {attempt.key: attempt for attempt in found}
    made_by = {}
    for payment in payments:
        attempt = by_id.get(payment.payment_id) or by_key.get(payment.key or "")
        if attempt is not None and is_made_by(attempt, payment):
            made_by[payment.payment_id] = attempt
    return made_by


def refunds_of(session: Session, refunds: Sequence[Refund]) -> dict[str, OurRefund]:
    """Our rows of these refunds, by refund id."""
    ids = [refund.refund_id for refund in refunds]
    keys = [refund.key for refund in refunds if refund.key]
    by_key = and_(RefundRow.key.in_(keys), RefundRow.refund_id.is_(None))
    query = select(RefundRow).where(or_(RefundRow.refund_id.in_(ids), by_key))
    rows = [_refund(row) for row in session.scalars(query)]
    ours = {row.refund_id or row.key: row for row in rows}
    pairs = (
        (each.refund_id, ours.get(each.refund_id) or ours.get(each.key or "")) for each in refunds
    )
    return {refund_id: row for refund_id, row in pairs if row is not None}


def owners_of(session: Session, payment_ids: Collection[str]) -> dict[str, str]:
    """By payment the account, for the payments that are on record: an attempt's, or given back."""
    attempts = (
        select(AttemptRow.payment_id, InvoiceRow.account_id)
        .join(InvoiceRow, InvoiceRow.id == AttemptRow.invoice_id)
        .where(AttemptRow.payment_id.in_(payment_ids))
    )
    refunds = select(RefundRow.payment_id, RefundRow.account_id).where(
        RefundRow.payment_id.in_(payment_ids)
    )
    rows = chain(session.execute(attempts), session.execute(refunds))
    return {payment_id: account_id for payment_id, account_id in rows if payment_id}


def customers_of(session: Session, payments: Sequence[Payment]) -> dict[str, str]:
    """By customer the account, for those customers of the payments whom we know."""
    ids = {payment.customer_id for payment in payments if payment.customer_id}
    if not ids:
        return {}
    attempts = (
        select(AttemptRow.customer_id, InvoiceRow.account_id)
        .join(InvoiceRow, InvoiceRow.id == AttemptRow.invoice_id)
        .where(AttemptRow.customer_id.in_(ids))
        .distinct()
    )
    cards = select(CardRow.customer_id, CardRow.account_id).where(CardRow.customer_id.in_(ids))
    known = select(CustomerRow.customer_id, CustomerRow.account_id).where(
        CustomerRow.customer_id.in_(ids)
    )
    # The last one wins: that table is the one that is made for it.
    rows = chain(session.execute(attempts), session.execute(cards), session.execute(known))
    return {customer_id: account_id for customer_id, account_id in rows if customer_id}


def payments_made(session: Session, gateway: str, window: Window) -> Iterator[Names]:
    """The payments that we have on record as made in the window, by the gateway's clock."""
    query = select(AttemptRow.payment_id, AttemptRow.key).where(
        AttemptRow.gateway == gateway,
        AttemptRow.payment_id.is_not(None),
        AttemptRow.payment_created_at >= window.since,
        AttemptRow.payment_created_at < window.until,
    )
    return ((row[0], row[1]) for row in session.execute(query))


def refunds_made(session: Session, gateway: str, window: Window) -> Iterator[Names]:
    """The refunds that we have on record as made in the window, by our clock."""
    query = select(RefundRow.refund_id, RefundRow.key).where(
        RefundRow.gateway == gateway,
        RefundRow.refund_id.is_not(None),
        RefundRow.began_at >= window.since,
        RefundRow.began_at < window.until,
    )
    return ((row[0], row[1]) for row in session.execute(query))


def unknown_since(session: Session, gateway: str, before: datetime) -> Iterator[Names]:
    """The payments whose outcome nobody has known since before that instant."""
    query = (
        select(AttemptRow.payment_id, AttemptRow.key)
        .join(InvoiceRow, InvoiceRow.id == AttemptRow.invoice_id)
        .where(
            AttemptRow.gateway == gateway,
            AttemptRow.state.not_in(ANSWERED),
            InvoiceRow.state == InvoiceState.UNKNOWN,
            InvoiceRow.first_unknown_at < before,
        )
    )
    return ((row[0], row[1]) for row in session.execute(query))


# --- rows as values ------------------------------------------------------------------------------


def _attempts(which: ColumnElement[bool]) -> Select[AttemptRow, InvoiceRow]:
    return (
        select(AttemptRow, InvoiceRow)
        .join(InvoiceRow, InvoiceRow.id == AttemptRow.invoice_id)
        .where(which)
    )


def _attempt(found: Row[AttemptRow, InvoiceRow]) -> Attempt:
    row, invoice = found
    return Attempt(
        key=row.key,
        invoice_id=invoice.id,
        account_id=invoice.account_id,
        billing_on=invoice.billing_on,
        amount_minor=invoice.amount_minor,
        currency=invoice.currency,
        verdict=VERDICTS[row.state],
        charge=CHARGE_STATES[invoice.state],
        gateway=row.gateway,
        payment_id=row.payment_id,
        customer_id=row.customer_id,
        unknown_since=invoice.first_unknown_at,
    )


def _refund(row: RefundRow) -> OurRefund:
    return OurRefund(
        key=row.key,
        account_id=row.account_id,
        payment_id=row.payment_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        state=REFUND_STATES[row.state],
        refund_id=row.refund_id,
    )
