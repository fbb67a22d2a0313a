"""How much of everything there is at this moment: what the gauges show of our database.

A handful of queries over what is open; what has ended is not looked at, however much there is.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from domain.calendar import FURTHEST_AHEAD, due_instant
from domain.differences import DifferenceKind
from domain.states import ActKind, PauseState
from systems.billing.settling import UNSETTLED
from systems.db import Database
from systems.tables import (
    ActRow,
    AttemptRow,
    DifferenceRow,
    DifferenceState,
    GatewayEventRow,
    InvoiceKind,
    InvoiceRow,
    InvoiceState,
    NoticeRow,
    ReconciliationRow,
    RefundRow,
    RefundRowState,
    SubscriptionRow,
)

# What is still neither asked for nor answered this long after it fell due is late: the jobs and the
# pauses take a date within seconds.
LATE = timedelta(hours=1)

# By its tenth failure a mail has been tried for more than eight hours.
STUCK_FAILURES = 10

_OPEN_STATES = tuple(state for state in PauseState if not state.is_final)


@dataclass(frozen=True)
class Figures:
    """Counts and ages. Every key that there can be is there, with 0 if there is none.

    `due` and `overdue`: charges that are owed and that nobody has answered or is looking up; for
    longer than `LATE`, or held for an operator, they are overdue. `rungs`: unpaid fees by the step
    of their ladder that was tried last. Ages are of the oldest, zero where there is none.
    """

    pauses: Mapping[PauseState, int]
    closes: int
    charges: Mapping[tuple[InvoiceKind, InvoiceState], int]
    due: Mapping[InvoiceKind, int]
    overdue: Mapping[InvoiceKind, int]
    rungs: Mapping[int, int]
    unknown_for: timedelta
    refunds_pending: int
    differences: Mapping[DifferenceKind, int]
    reconciled_at: datetime | None
    events_waiting: int
    notices_waiting: int
    notices_retried: int
    notices_stuck: int
    notices_late_by: timedelta


def read_figures(db: Database, now: datetime) -> Figures:
    """The figures at `now`.

    Raises:
        Transient: the database is away.
    """
    with db.transaction() as session:
        acts = _acts(session)
        due, overdue = _owed(session, now)
        return Figures(
            pauses={state: acts[ActKind.PAUSE, state] for state in _OPEN_STATES},
            closes=sum(acts[ActKind.CLOSE, state] for state in _OPEN_STATES),
            charges=_charges(session),
            due=due,
            overdue=overdue,
            rungs=_rungs(session),
            unknown_for=_age(_first_unknown_at(session), now),
            refunds_pending=_count(session, RefundRow.state == RefundRowState.RESERVED),
            differences=_differences(session),
            reconciled_at=session.scalar(select(func.max(ReconciliationRow.ended_at))),
            events_waiting=_count(session, GatewayEventRow.handled_at.is_(None)),
            notices_waiting=_unsent(session),
            notices_retried=_unsent(session, NoticeRow.failures > 0),
            notices_stuck=_unsent(session, NoticeRow.failures >= STUCK_FAILURES),
            notices_late_by=_age(_oldest_notice_at(session), now),
        )


def _acts(session: Session) -> Counter[tuple[ActKind, PauseState]]:
    rows = session.execute(
        select(ActRow.kind, ActRow.state, func.count())
        .where(ActRow.ended_at.is_(None))
        .group_by(ActRow.kind, ActRow.state)
    )
    return Counter({(kind, state): count for kind, state, count in rows})


def _charges(session: Session) -> dict[tuple[InvoiceKind, InvoiceState], int]:
    rows = session.execute(
        select(InvoiceRow.kind, InvoiceRow.state, func.count())
        .where(InvoiceRow.state.in_(UNSETTLED))
        .group_by(InvoiceRow.kind, InvoiceRow.state)
    )
    found = Counter({(kind, state): count for kind, state, count in rows})
    return {key: found[key] for key in product(InvoiceKind, UNSETTLED)}


def _owed(session: Session, now: datetime) -> tuple[dict[InvoiceKind, int], dict[InvoiceKind, int]]:
    """What is due, and what of it is overdue: dates that nobody took, invoices without answer."""
    owed = [*_dates_not_taken(session, now), *_invoices_not_answered(session, now)]
    due = Counter(kind for kind, _ in owed)
    overdue = Counter(kind for kind, is_late in owed if is_late)
    return {kind: due[kind] for kind in InvoiceKind}, {kind: overdue[kind] for kind in InvoiceKind}


def _dates_not_taken(session: Session, now: datetime) -> list[tuple[InvoiceKind, bool]]:
    rows = session.execute(
        select(
            SubscriptionRow.next_billing_on, SubscriptionRow.time_zone, SubscriptionRow.suspended_by
        ).where(
            SubscriptionRow.next_billing_on <= (now + FURTHEST_AHEAD).date(),
            SubscriptionRow.ended_at.is_(None),
        )
    )
    dates = [
        (InvoiceKind.FEE if suspended_by else InvoiceKind.PLAN, due_instant(billing_on, zone))
        for billing_on, zone, suspended_by in rows
    ]
    return [(kind, due_at <= now - LATE) for kind, due_at in dates if due_at <= now]


def _invoices_not_answered(session: Session, now: datetime) -> list[tuple[InvoiceKind, bool]]:
    is_held = InvoiceRow.held_at.is_not(None)
    rows = session.execute(
        select(InvoiceRow.kind, or_(InvoiceRow.due_at <= now - LATE, is_held)).where(
            InvoiceRow.due_at <= now,
            InvoiceRow.state.in_(UNSETTLED),
            or_(InvoiceRow.state == InvoiceState.OPEN, is_held),
        )
    )
    return [(kind, bool(is_late)) for kind, is_late in rows]


def _rungs(session: Session) -> dict[int, int]:
    climbing = (
        select(func.max(AttemptRow.rung).label("rung"))
        .join(InvoiceRow, InvoiceRow.id == AttemptRow.invoice_id)
        .where(InvoiceRow.kind == InvoiceKind.FEE, InvoiceRow.state == InvoiceState.PAST_DUE)
        .group_by(AttemptRow.invoice_id)
        .subquery()
    )
    rows = session.execute(select(climbing.c.rung, func.count()).group_by(climbing.c.rung))
    return {rung or 0: count for rung, count in rows}


def _first_unknown_at(session: Session) -> datetime | None:
    is_unknown = InvoiceRow.state == InvoiceState.UNKNOWN
    return session.scalar(select(func.min(InvoiceRow.first_unknown_at)).where(is_unknown))


def _differences(session: Session) -> dict[DifferenceKind, int]:
    rows = session.execute(
        select(DifferenceRow.kind, func.count())
        .where(DifferenceRow.state == DifferenceState.OPEN)
        .group_by(DifferenceRow.kind)
    )
    found = Counter(dict(rows.all()))
    return {kind: found[kind] for kind in DifferenceKind}


def _unsent(session: Session, *which: ColumnElement[bool]) -> int:
    return _count(session, and_(NoticeRow.sent_at.is_(None), *which))


def _oldest_notice_at(session: Session) -> datetime | None:
    return session.scalar(select(func.min(NoticeRow.at)).where(NoticeRow.sent_at.is_(None)))


def _count(session: Session, which: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).where(which)) or 0


def _age(since: datetime | None, now: datetime) -> timedelta:
    # The clock of an account on a local stack may run ahead of ours.
    return max(now - since, timedelta(0)) if since else timedelta(0)
