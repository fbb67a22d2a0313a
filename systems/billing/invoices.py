"""Invoices as people and programs read them: lines, attempts and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from domain.messages import ChargeStatus
from systems.billing.plan import Line
from systems.billing.settling import CHARGE_STATES
from systems.tables import (
    AttemptRow,
    AttemptState,
    InvoiceKind,
    InvoiceLineRow,
    InvoiceRow,
    InvoiceState,
)


@dataclass(frozen=True)
class AttemptView:
    """One attempt to have an invoice paid; `key` and `payment_id` lead to the gateway's record."""

    key: str
    attempt: int
    rung: int | None
    state: AttemptState
    card_last4: str | None
    payment_id: str | None
    decline_code: str | None
    began_at: datetime
    answered_at: datetime | None


@dataclass(frozen=True)
class InvoiceView:
    """One invoice. `act_id` names the pause whose fee it is, None for the plan's.

    `held_at` is set while the gateway's record contradicts the order and an operator has to look.
    """

    invoice_id: str
    billing_on: date
    due_at: datetime
    kind: InvoiceKind
    act_id: str | None
    amount_minor: int
    currency: str
    state: InvoiceState
    held_at: datetime | None
    answered_at: datetime | None
    lines: tuple[Line, ...]
    attempts: tuple[AttemptView, ...]


def invoice_views(session: Session, account_id: str) -> list[InvoiceView]:
    """All invoices of the account, by billing date."""
    rows = session.scalars(_of_account(account_id)).all()
    lines = session.scalars(
        select(InvoiceLineRow)
        .where(InvoiceLineRow.account_id == account_id)
        .order_by(InvoiceLineRow.key)
    ).all()
    attempts = session.scalars(
        select(AttemptRow)
        .join(InvoiceRow, InvoiceRow.id == AttemptRow.invoice_id)
        .where(InvoiceRow.account_id == account_id)
        .order_by(AttemptRow.attempt)
    ).all()
    return [_view(row, lines, attempts) for row in rows]


def charge_statuses(
    session: Session, account_id: str, act_id: str | None = None
) -> list[ChargeStatus]:
    """The fees that have been taken, by billing date: of one pause, or of all."""
    query = _of_account(account_id).where(InvoiceRow.kind == InvoiceKind.FEE)
    if act_id is not None:
        query = query.where(InvoiceRow.act_id == act_id)
    return [
        ChargeStatus(
            billing_on=row.billing_on,
            due_at=row.due_at,
            amount_minor=row.amount_minor,
            currency=row.currency,
            state=CHARGE_STATES[row.state],
            decline_code=_last_decline(session, row),
        )
        for row in session.scalars(query)
    ]


def _last_decline(session: Session, invoice: InvoiceRow) -> str | None:
    if invoice.state is not InvoiceState.PAST_DUE:
        return None
    query = select(AttemptRow.decline_code).where(AttemptRow.invoice_id == invoice.id)
    return session.scalar(query.order_by(AttemptRow.attempt.desc()).limit(1))


def _of_account(account_id: str) -> Select[InvoiceRow]:
    return (
        select(InvoiceRow)
        .where(InvoiceRow.account_id == account_id)
        .order_by(InvoiceRow.billing_on)
    )


def _view(
    row: InvoiceRow, lines: Sequence[InvoiceLineRow], attempts: Sequence[AttemptRow]
) -> InvoiceView:
    return InvoiceView(
        invoice_id=row.id,
        billing_on=row.billing_on,
        due_at=row.due_at,
        kind=row.kind,
        act_id=row.act_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        state=row.state,
        held_at=row.held_at,
        answered_at=row.answered_at,
        lines=tuple(
            Line(line.kind, line.description, line.amount_minor)
            for line in lines
            if line.invoice_id == row.id
        ),
        attempts=tuple(_attempt(each) for each in attempts if each.invoice_id == row.id),
    )


def _attempt(row: AttemptRow) -> AttemptView:
    return AttemptView(
        key=row.key,
        attempt=row.attempt,
        rung=row.rung,
        state=row.state,
        card_last4=row.card_last4,
        payment_id=row.payment_id,
        decline_code=row.decline_code,
        began_at=row.began_at,
        answered_at=row.answered_at,
    )
