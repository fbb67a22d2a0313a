"""The plan: what it costs, whose each billing date is, and taking it (R7).

Plan and fee take a date by inserting its invoice and advancing `next_billing_on` in one
transaction, under the account's lock. All functions here expect that lock to be held.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.calendar import billing_dates_from, due_instant
from domain.errors import InvariantViolated
from domain.ids import Prefix, make_id
from domain.money import share_of_period
from domain.period import PeriodLeft
from domain.ports import Snapshot
from domain.terms import Terms
from systems.accounts.act_rows import TERMS
from systems.billing.ledger import book_invoice
from systems.tables import (
    AddOnRow,
    InvoiceKind,
    InvoiceLineRow,
    InvoiceRow,
    InvoiceState,
    LineKind,
    SubscriptionRow,
    SuspensionRow,
)


@dataclass(frozen=True)
class Line:
    """One line of an invoice, as people read it."""

    kind: LineKind
    description: str
    amount_minor: int


def take_due(
    session: Session,
    subscription: SubscriptionRow,
    before: datetime,
    suspension: SuspensionRow | None = None,
) -> list[InvoiceRow]:
    """Take every date due before `before` that nobody has: the fee's, if due in the suspension.

    The suspension counts from its `paused_at`; what is due earlier, or without one, is the plan's.
    """
    zone = terms_of(suspension).time_zone if suspension else subscription.time_zone
    taken = []
    while (due_at := due_instant(subscription.next_billing_on, zone)) < before:
        day = subscription.next_billing_on
        if suspension is not None and suspension.paused_at <= due_at:
            taken.append(take_for_fee(session, subscription, suspension, day, due_at))
        else:
            taken.append(_take_for_plan(session, subscription, day, due_at))
    return taken


def take_for_fee(
    session: Session,
    subscription: SubscriptionRow,
    suspension: SuspensionRow,
    billing_on: date,
    due_at: datetime,
) -> InvoiceRow:
    """Invoice the fee of a date that nobody has; the next billing date advances past it."""
    terms = terms_of(suspension)
    line = Line(LineKind.FEE, f"Paused account, {billing_on}", terms.fee_minor)
    invoice = _invoice(
        session, subscription, billing_on, due_at, [line], suspension.act_id, terms.currency
    )
    book_invoice(session, invoice, invoice.amount_minor)
    return invoice


def invoice_of(session: Session, account_id: str, billing_on: date) -> InvoiceRow | None:
    """The invoice that took the date, if one has."""
    return session.scalar(
        select(InvoiceRow).where(
            InvoiceRow.account_id == account_id, InvoiceRow.billing_on == billing_on
        )
    )


def subscription_of(session: Session, account_id: str) -> SubscriptionRow:
    """The account's subscription.

    Raises:
        InvariantViolated: there is none; every account is made with one.
    """
    subscription = session.get(SubscriptionRow, account_id)
    if subscription is None:
        raise InvariantViolated(f"account {account_id} has no subscription")
    return subscription


def terms_of(suspension: SuspensionRow) -> Terms:
    """The terms that were pinned when the pause began (R18)."""
    return TERMS.validate_python(suspension.terms)


def monthly_lines(session: Session, subscription: SubscriptionRow) -> list[Line]:
    """The plan and its add-ons: what every plan invoice consists of."""
    add_ons = session.scalars(
        select(AddOnRow).where(AddOnRow.account_id == subscription.account_id).order_by(AddOnRow.id)
    )
    return [
        Line(LineKind.PLAN, subscription.plan, subscription.amount_minor),
        *(Line(LineKind.ADD_ON, row.name, row.amount_minor) for row in add_ons),
    ]


def pending_lines(session: Session, account_id: str) -> Sequence[InvoiceLineRow]:
    """The lines that wait for the plan's next invoice."""
    return session.scalars(
        select(InvoiceLineRow)
        .where(InvoiceLineRow.account_id == account_id, InvoiceLineRow.invoice_id.is_(None))
        .order_by(InvoiceLineRow.key)
    ).all()


def total(lines: Iterable[Line | InvoiceLineRow]) -> int:
    """What the lines come to together."""
    return sum(line.amount_minor for line in lines)


def put_down(session: Session, account_id: str, key: str, line: Line) -> None:
    """Have `line` wait for the plan's next invoice, once per `key`."""
    if session.get(InvoiceLineRow, key) is None:
        session.add(_line_row(key, account_id, None, line))


def remaining_days(
    session: Session, subscription: SubscriptionRow, left: PeriodLeft
) -> Line | None:
    """The plan's share of what is left of its period, if any (R9)."""
    return remaining_days_line(total(monthly_lines(session, subscription)), left)


def remaining_days_line(monthly_minor: int, left: PeriodLeft) -> Line | None:
    """The share of `monthly_minor`, the plan with its add-ons, for what is left of its period."""
    share = share_of_period(monthly_minor, left.days, left.length)
    if share == 0:
        return None
    words = f"Plan from {left.from_on} until {left.ends_on}, {left.days} of {left.length} days"
    return Line(LineKind.REMAINING_DAYS, words, share)


def snapshot(session: Session, account_id: str) -> Snapshot:
    """What must be the same after a pause; the dates, the card and pending lines are not of it."""
    subscription = subscription_of(session, account_id)
    return {
        "plan": {
            "name": subscription.plan,
            "amount_minor": subscription.amount_minor,
            "currency": subscription.currency,
            "billing_day": subscription.billing_day,
        },
        "add_ons": [
            {"name": line.description, "amount_minor": line.amount_minor}
            for line in monthly_lines(session, subscription)
            if line.kind is LineKind.ADD_ON
        ],
    }


def _take_for_plan(
    session: Session, subscription: SubscriptionRow, billing_on: date, due_at: datetime
) -> InvoiceRow:
    waiting = pending_lines(session, subscription.account_id)
    lines = monthly_lines(session, subscription)
    invoice = _invoice(session, subscription, billing_on, due_at, lines)
    for row in waiting:
        row.invoice_id = invoice.id
    invoice.amount_minor += total(waiting)
    if invoice.amount_minor == 0:
        # Nothing to collect, and gateways refuse an order about nothing.
        invoice.state, invoice.answered_at = InvoiceState.PAID, due_at
    moved = total(row for row in waiting if row.kind is LineKind.UNPAID_FEE)
    book_invoice(session, invoice, invoice.amount_minor - moved)
    return invoice


def _invoice(
    session: Session,
    subscription: SubscriptionRow,
    billing_on: date,
    due_at: datetime,
    lines: list[Line],
    act_id: str | None = None,
    currency: str | None = None,
) -> InvoiceRow:
    invoice = InvoiceRow(
        id=make_id(Prefix.INVOICE, uuid4()),
        account_id=subscription.account_id,
        billing_on=billing_on,
        due_at=due_at,
        kind=InvoiceKind.PLAN if act_id is None else InvoiceKind.FEE,
        act_id=act_id,
        amount_minor=total(lines),
        currency=currency or subscription.currency,
        state=InvoiceState.OPEN,
    )
    session.add(invoice)
    session.flush()
    session.add_all(
        _line_row(f"{invoice.id}:{number:03}", invoice.account_id, invoice.id, line)
        for number, line in enumerate(lines, start=1)
    )
    _advance(session, subscription)
    return invoice


def _advance(session: Session, subscription: SubscriptionRow) -> None:
    # After an outage fees are collected side by side, so a later date may be taken first.
    taken = set(
        session.scalars(
            select(InvoiceRow.billing_on).where(
                InvoiceRow.account_id == subscription.account_id,
                InvoiceRow.billing_on >= subscription.next_billing_on,
            )
        )
    )
    dates = billing_dates_from(subscription.billing_day, subscription.next_billing_on)
    subscription.next_billing_on = next(day for day in dates if day not in taken)


def _line_row(key: str, account_id: str, invoice_id: str | None, line: Line) -> InvoiceLineRow:
    return InvoiceLineRow(
        key=key,
        account_id=account_id,
        invoice_id=invoice_id,
        kind=line.kind,
        description=line.description,
        amount_minor=line.amount_minor,
    )
