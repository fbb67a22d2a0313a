"""Billing's own jobs, run by the worker: invoice the plan where it is due, settle what is unknown.

Any number of workers may run them at once: each account is looked at again under its lock, and an
invoice is collected by the same attempt whoever collects it.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from domain.agenda import JUST_AFTER
from domain.calendar import FURTHEST_AHEAD, due_instant
from domain.errors import InvariantViolated, Throttled
from domain.messages import FeeAnswer
from domain.states import ChargeState
from systems.accounts.act_rows import open_act_row
from systems.billing.collecting import Collector, Pending, begin_attempt
from systems.billing.plan import subscription_of, take_due
from systems.db import Database, lock_account
from systems.tables import (
    ActRow,
    InvoiceKind,
    InvoiceRow,
    InvoiceState,
    SubscriptionRow,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Invoice:
    invoice_id: str
    account_id: str


def release_holds(session: Session, account_id: str) -> int:
    """Let what was held be collected again; returns how many. The account's lock is held."""
    query = select(InvoiceRow).where(
        InvoiceRow.account_id == account_id, InvoiceRow.held_at.is_not(None)
    )
    held = session.scalars(query).all()
    for invoice in held:
        invoice.held_at = invoice.look_up_at = None
    return len(held)


class BillingJobs:
    """The jobs, over one database and one collector."""

    def __init__(self, db: Database, collector: Collector) -> None:
        """Take dates in `db`, have them paid by `collector`."""
        self._db = db
        self._collector = collector

    def invoice_plans_due(self, now: datetime, limit: int) -> int:
        """See `SqlBilling.invoice_plans_due`."""
        with self._db.transaction() as session:
            accounts = _accounts_due(session, now, limit)
        taken = sum(self._take(account_id, now) for account_id in accounts)
        with self._db.transaction() as session:
            is_open = and_(
                InvoiceRow.kind == InvoiceKind.PLAN, InvoiceRow.state == InvoiceState.OPEN
            )
            invoices = _invoices(session, is_open, limit)
        self._collect(invoices, now)
        return taken

    def settle_unknown(self, now: datetime) -> int:
        """See `SqlBilling.settle_unknown`."""
        with self._db.transaction() as session:
            invoices = _invoices(session, and_(_is_left_to_billing(), _is_to_be_looked_up(now)))
        answers = self._collect(invoices, now)
        return sum(answer.state is not ChargeState.UNKNOWN for answer in answers)

    def look_up(self, account_id: str, invoice_id: str, now: datetime) -> FeeAnswer:
        """See `SqlBilling.look_up`."""
        return self._collect_one(_Invoice(invoice_id, account_id), now)

    def _take(self, account_id: str, now: datetime) -> int:
        with self._db.transaction() as session:
            lock_account(session, account_id)
            subscription = subscription_of(session, account_id)
            # Looked at again under the lock: a pause may have begun meanwhile.
            if not _is_the_plans(session, subscription):
                return 0
            return len(take_due(session, subscription, now + JUST_AFTER))

    def _collect(self, invoices: Sequence[_Invoice], now: datetime) -> list[FeeAnswer]:
        answers = []
        # Each worker in an order of its own, or all would wait at the gateway for the same invoice.
        for invoice in random.sample(invoices, len(invoices)):
            try:
                answers.append(self._collect_one(invoice, now))
            except Throttled as error:
                logger.warning("the rest of the invoices waits for the next round: %s", error)
                break
            except InvariantViolated:
                # One invoice that a person has to look at holds up no others.
                logger.exception("invoice %s cannot be collected", invoice.invoice_id)
        return answers

    def _collect_one(self, invoice: _Invoice, now: datetime) -> FeeAnswer:
        def begin(session: Session) -> FeeAnswer | Pending:
            row = session.get_one(InvoiceRow, invoice.invoice_id)
            # The plan has one attempt and no ladder; of a fee never tried this is the first rung.
            rung = None if row.kind is InvoiceKind.PLAN else 0
            return begin_attempt(session, row, row.act_id or row.account_id, 1, rung, now)

        return self._collector.collect(invoice.account_id, begin, now)


def _accounts_due(session: Session, now: datetime, limit: int) -> list[str]:
    rows = session.execute(
        select(
            SubscriptionRow.account_id,
            SubscriptionRow.next_billing_on,
            SubscriptionRow.time_zone,
        )
        .where(
            SubscriptionRow.next_billing_on <= (now + FURTHEST_AHEAD).date(),
            SubscriptionRow.suspended_by.is_(None),
            SubscriptionRow.ended_at.is_(None),
            ~_has_open_act(),
        )
        .order_by(SubscriptionRow.next_billing_on, SubscriptionRow.account_id)
    )
    due = (row.account_id for row in rows if due_instant(row.next_billing_on, row.time_zone) <= now)
    return [account_id for _, account_id in zip(range(limit), due, strict=False)]


def _has_open_act() -> ColumnElement[bool]:
    return exists().where(
        ActRow.account_id == SubscriptionRow.account_id, ActRow.ended_at.is_(None)
    )


def _is_the_plans(session: Session, subscription: SubscriptionRow) -> bool:
    is_free = subscription.suspended_by is None and subscription.ended_at is None
    return is_free and open_act_row(session, subscription.account_id) is None


def _is_left_to_billing() -> ColumnElement[bool]:
    """Unknown invoices that no run looks up: the plan's, and fees of pauses that have ended."""
    has_ended = exists().where(ActRow.id == InvoiceRow.act_id, ActRow.ended_at.is_not(None))
    is_unsettled = InvoiceRow.state.in_([InvoiceState.OPEN, InvoiceState.UNKNOWN])
    return or_(
        and_(InvoiceRow.kind == InvoiceKind.PLAN, InvoiceRow.state == InvoiceState.UNKNOWN),
        and_(InvoiceRow.kind == InvoiceKind.FEE, is_unsettled, has_ended),
    )


def _is_to_be_looked_up(now: datetime) -> ColumnElement[bool]:
    """Not before its time: 5 minutes after the first doubt, an hour after it, then daily (R13)."""
    return or_(InvoiceRow.look_up_at.is_(None), InvoiceRow.look_up_at <= now)


def _invoices(
    session: Session, which: ColumnElement[bool], limit: int | None = None
) -> list[_Invoice]:
    query = select(InvoiceRow.id, InvoiceRow.account_id).where(which, InvoiceRow.held_at.is_(None))
    rows = session.execute(query.order_by(InvoiceRow.due_at, InvoiceRow.id).limit(limit))
    return [_Invoice(row.id, row.account_id) for row in rows]
