"""The subscription beyond single dates: made, priced, and begun again after a close (R14).

Functions that change something expect the account's lock to be held.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from domain.calendar import billing_date, local_date, next_billing_date
from domain.errors import Code, InvariantViolated, Rejected, Transient
from domain.money import CURRENCY
from domain.period import PeriodLeft
from domain.ports import PlanQuote
from systems.accounts.act_rows import open_act_row
from systems.billing.cards import refuse_card_numbers
from systems.billing.plan import (
    Line,
    invoice_of,
    monthly_lines,
    pending_lines,
    put_down,
    remaining_days,
    subscription_of,
    total,
)
from systems.tables import AddOnRow, CardRow, InvoiceKind, LineKind, SubscriptionRow


@dataclass(frozen=True)
class NewSubscription:
    """A plan as it is sold: the price per month, and what is booked beside it by name."""

    plan: str
    amount_minor: int
    time_zone: str
    billing_day: int
    next_billing_on: date
    add_ons: tuple[tuple[str, int], ...] = ()
    currency: str = CURRENCY


def create(session: Session, account_id: str, new: NewSubscription) -> None:
    """Put the account on its plan; one that is on a plan stays as it is.

    Raises:
        InvariantViolated: `next_billing_on` is not a billing date, or an amount is below zero.
    """
    if session.get(SubscriptionRow, account_id) is not None:
        return
    refuse_card_numbers(account_id, plan=new.plan, add_ons=[name for name, _ in new.add_ons])
    first = new.next_billing_on
    if first != billing_date(first.year, first.month, new.billing_day):
        raise InvariantViolated(f"account {account_id}: {first} is not one of its billing dates")
    if min(new.amount_minor, *(amount for _, amount in new.add_ons), 0) < 0:
        raise InvariantViolated(f"account {account_id}: no part of a plan costs less than nothing")
    session.add(
        SubscriptionRow(
            account_id=account_id,
            plan=new.plan,
            amount_minor=new.amount_minor,
            currency=new.currency,
            time_zone=new.time_zone,
            billing_day=new.billing_day,
            next_billing_on=first,
        )
    )
    session.add_all(
        AddOnRow(account_id=account_id, name=name, amount_minor=amount)
        for name, amount in new.add_ons
    )


def quote(session: Session, account_id: str) -> PlanQuote:
    """What the plan's next invoice comes to, and who pays it."""
    subscription = subscription_of(session, account_id)
    monthly, pending = monthly_lines(session, subscription), pending_lines(session, account_id)
    card = session.get(CardRow, account_id)
    return PlanQuote(
        amount_minor=total(monthly) + total(pending),
        currency=subscription.currency,
        next_billing_on=subscription.next_billing_on,
        billing_day=subscription.billing_day,
        card_last4=card.last4 if card else None,
        pending=tuple((line.description, line.amount_minor) for line in pending),
    )


def next_lines(session: Session, account_id: str) -> list[Line]:
    """The lines of the plan's next invoice, as far as they are known; they come to the quote."""
    monthly = monthly_lines(session, subscription_of(session, account_id))
    pending = pending_lines(session, account_id)
    return [*monthly, *(Line(row.kind, row.description, row.amount_minor) for row in pending)]


def reopen(session: Session, account_id: str, at: datetime) -> None:
    """The plan that has ended begins anew on the local date of `at`, its new anchor (R14).

    A plan that has not ended, or ended after `at` (a late repeat), stays as it is.

    Raises:
        Transient: the close is still under way.
        Rejected: `payment_method_required`.
    """
    subscription = subscription_of(session, account_id)
    if subscription.ended_at is None or at < subscription.ended_at:
        return
    if open_act_row(session, account_id) is not None:
        raise Transient(f"account {account_id} is still being closed; try again in a minute")
    if session.get(CardRow, account_id) is None:
        raise Rejected(
            Code.PAYMENT_METHOD_REQUIRED,
            f"Account {account_id} has no card on file; enter one to reopen it.",
        )
    today = local_date(at, subscription.time_zone)
    subscription.ended_at = None
    subscription.billing_day, subscription.next_billing_on = today.day, today
    _skip_date_already_taken(session, subscription, today)


def _skip_date_already_taken(session: Session, subscription: SubscriptionRow, today: date) -> None:
    """Closed and reopened on one billing date: no date is invoiced twice (R7).

    If a pause's fee had taken it, the plan's month is a line of the next invoice, as at a resume.
    """
    taken = invoice_of(session, subscription.account_id, today)
    if taken is None:
        return
    ends_on = next_billing_date(subscription.billing_day, today)
    subscription.next_billing_on = ends_on
    if taken.kind is InvoiceKind.FEE:
        month = remaining_days(session, subscription, PeriodLeft(today, today, ends_on))
        if month is not None:
            key = f"{taken.id}:{LineKind.REMAINING_DAYS}"
            put_down(session, subscription.account_id, key, month)
