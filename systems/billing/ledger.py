"""The ledger: what was invoiced, charged, refunded and written off, in double entry (M4, M5).

One row is one transaction: an amount in whole cents that goes from one book account to another, so
that it sums to zero whoever writes it. Rows are only ever added; the database refuses the rest.

    invoice       receivable  <- plan or fee revenue     somebody owes us
    charge        gateway     <- receivable              the gateway took it for us
    refund        refunds     <- gateway                 the gateway gave it back
    write_off     write_offs  <- receivable              nobody will pay it any more
    stray_charge  gateway     <- unallocated             received, and belonging to no invoice
    stray_refund  unallocated <- gateway                 and given back
    reversal      gateway     <- what the refund debited the refund failed after all

All functions that add expect the account's lock to be held, and add once per key.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import InvariantViolated
from domain.payments import Payment
from systems.tables import (
    AttemptRow,
    InvoiceKind,
    InvoiceRow,
    LedgerAccount,
    LedgerKind,
    LedgerRow,
    RefundRow,
)

# Where each kind moves its amount: (debit, credit).
SIDES = {
    LedgerKind.CHARGE: (LedgerAccount.GATEWAY, LedgerAccount.RECEIVABLE),
    LedgerKind.REFUND: (LedgerAccount.REFUNDS, LedgerAccount.GATEWAY),
    LedgerKind.WRITE_OFF: (LedgerAccount.WRITE_OFFS, LedgerAccount.RECEIVABLE),
    LedgerKind.STRAY_CHARGE: (LedgerAccount.GATEWAY, LedgerAccount.UNALLOCATED),
    LedgerKind.STRAY_REFUND: (LedgerAccount.UNALLOCATED, LedgerAccount.GATEWAY),
}
# The kinds that say what the gateway took, and what it gave back.
CHARGES = frozenset({LedgerKind.CHARGE, LedgerKind.STRAY_CHARGE})
REFUNDS = frozenset({LedgerKind.REFUND, LedgerKind.STRAY_REFUND})
REVENUE = {
    InvoiceKind.PLAN: LedgerAccount.PLAN_REVENUE,
    InvoiceKind.FEE: LedgerAccount.FEE_REVENUE,
}


@dataclass(frozen=True)
class LedgerEntry:
    """One transaction, as people and programs read it."""

    key: str
    account_id: str
    kind: LedgerKind
    debit: LedgerAccount
    credit: LedgerAccount
    amount_minor: int
    currency: str
    at: datetime
    invoice_id: str | None
    payment_id: str | None
    refund_id: str | None
    entry_id: int


def book_invoice(session: Session, invoice: InvoiceRow, owed_minor: int) -> None:
    """The invoice is owed, as of its due instant.

    `owed_minor` is what it adds: a fee that was moved to it is owed since its own invoice.
    """
    sides = (LedgerAccount.RECEIVABLE, REVENUE[invoice.kind])
    _book_for_invoice(session, LedgerKind.INVOICE, sides, invoice, owed_minor, invoice.due_at)


def book_charge(session: Session, invoice: InvoiceRow, attempt: AttemptRow, at: datetime) -> None:
    """The attempt has been paid."""
    debit, credit = SIDES[LedgerKind.CHARGE]
    _book(
        session,
        LedgerRow(
            key=f"{attempt.key}:{LedgerKind.CHARGE}",
            account_id=invoice.account_id,
            kind=LedgerKind.CHARGE,
            debit=debit,
            credit=credit,
            amount_minor=invoice.amount_minor,
            currency=invoice.currency,
            at=at,
            invoice_id=invoice.id,
            payment_id=attempt.payment_id,
        ),
    )


def book_write_off(session: Session, invoice: InvoiceRow, at: datetime) -> None:
    """Nobody will pay the invoice any more."""
    sides = SIDES[LedgerKind.WRITE_OFF]
    _book_for_invoice(session, LedgerKind.WRITE_OFF, sides, invoice, invoice.amount_minor, at)


def book_stray_charge(session: Session, account_id: str, payment: Payment, at: datetime) -> None:
    """The gateway has received a payment of the account's that belongs to no invoice."""
    debit, credit = SIDES[LedgerKind.STRAY_CHARGE]
    _book(
        session,
        LedgerRow(
            key=f"{payment.payment_id}:{LedgerKind.STRAY_CHARGE}",
            account_id=account_id,
            kind=LedgerKind.STRAY_CHARGE,
            debit=debit,
            credit=credit,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            at=at,
            payment_id=payment.payment_id,
        ),
    )


def book_refund(session: Session, refund: RefundRow, at: datetime) -> None:
    """The refund has succeeded; one of a payment without an invoice empties `unallocated`."""
    kind = LedgerKind.REFUND if refund.invoice_id else LedgerKind.STRAY_REFUND
    _book_for_refund(session, kind, SIDES[kind], refund, at)


def book_reversal(session: Session, refund: RefundRow, at: datetime) -> None:
    """A refund that had succeeded has failed: the money is at the gateway again."""
    kind = LedgerKind.REFUND if refund.invoice_id else LedgerKind.STRAY_REFUND
    debit, credit = SIDES[kind]
    _book_for_refund(session, LedgerKind.REVERSAL, (credit, debit), refund, at)


def entries(session: Session, account_id: str) -> list[LedgerEntry]:
    """The account's transactions, in the order in which they were booked."""
    query = select(LedgerRow).where(LedgerRow.account_id == account_id).order_by(LedgerRow.id)
    return [entry_of(row) for row in session.scalars(query)]


def entry_of(row: LedgerRow) -> LedgerEntry:
    """The transaction as others see it."""
    return LedgerEntry(
        row.key,
        row.account_id,
        row.kind,
        row.debit,
        row.credit,
        row.amount_minor,
        row.currency,
        row.at,
        row.invoice_id,
        row.payment_id,
        row.refund_id,
        row.id,
    )


def balances(booked: Sequence[LedgerEntry]) -> dict[LedgerAccount, int]:
    """What each book account holds, debits less credits, in cents; together they are zero."""
    sums: Counter[LedgerAccount] = Counter()
    for entry in booked:
        sums[entry.debit] += entry.amount_minor
        sums[entry.credit] -= entry.amount_minor
    return dict(sums)


def _book_for_invoice(
    session: Session,
    kind: LedgerKind,
    sides: tuple[LedgerAccount, LedgerAccount],
    invoice: InvoiceRow,
    amount_minor: int,
    at: datetime,
) -> None:
    debit, credit = sides
    _book(
        session,
        LedgerRow(
            key=f"{invoice.id}:{kind}",
            account_id=invoice.account_id,
            kind=kind,
            debit=debit,
            credit=credit,
            amount_minor=amount_minor,
            currency=invoice.currency,
            at=at,
            invoice_id=invoice.id,
        ),
    )


def _book_for_refund(
    session: Session,
    kind: LedgerKind,
    sides: tuple[LedgerAccount, LedgerAccount],
    refund: RefundRow,
    at: datetime,
) -> None:
    debit, credit = sides
    _book(
        session,
        LedgerRow(
            key=f"{refund.key}:{kind}",
            account_id=refund.account_id,
            kind=kind,
            debit=debit,
            credit=credit,
            amount_minor=refund.amount_minor,
            currency=refund.currency,
            at=at,
            invoice_id=refund.invoice_id,
            payment_id=refund.payment_id,
            refund_id=refund.refund_id,
        ),
    )


def _book(session: Session, row: LedgerRow) -> None:
    if row.amount_minor == 0:
        # Nothing is owed, so there is nothing to book; the database would refuse it.
        return
    known = session.scalar(select(LedgerRow).where(LedgerRow.key == row.key))
    if known is None:
        session.add(row)
        session.flush()
    elif (known.amount_minor, known.payment_id) != (row.amount_minor, row.payment_id):
        raise InvariantViolated(f"account {row.account_id}: {row.key} is booked with other figures")
