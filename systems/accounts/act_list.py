"""The list of pauses and closes: filtered and sorted by the database, read page by page.

Ids first, in one cheap statement, so that the list is of one moment; then what they stand for, a
page at a time, each in a short transaction and with two statements however many there are.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session

from domain.states import ActKind, PauseState
from domain.timeline import Timeline
from systems.accounts.act_rows import TIMELINE
from systems.billing.settling import FINAL
from systems.db import Database
from systems.tables import (
    AccountRow,
    ActRow,
    AttemptRow,
    AttemptState,
    InvoiceKind,
    InvoiceRow,
    InvoiceState,
)

# Well below what either database takes as parameters of one statement.
PAGE = 500


class Order(StrEnum):
    """What a list is sorted by: the latest first for `began` and `paused`, else ascending."""

    BEGAN = "began"
    PAUSED = "paused"
    RESUMES = "resumes"
    ACCOUNT = "account"
    STATE = "state"


@dataclass(frozen=True)
class Wanted:
    """Which acts: all of these hold. `states` None: those that are open, or all with `ended_too`.

    `resumes_before` is a date in each account's own time zone, `since` when the act was begun.
    """

    states: Collection[PauseState] | None = None
    ended_too: bool = False
    account_id: str | None = None
    resumes_before: date | None = None
    since: datetime | None = None
    past_due: bool = False
    account_ids: Collection[str] | None = None


@dataclass(frozen=True)
class FeeLine:
    """A fee that was taken. `again_at` is when it is tried again, or looked up if `is_unknown`."""

    billing_on: date
    is_past_due: bool
    is_unknown: bool
    again_at: datetime | None


@dataclass(frozen=True)
class ActLine:
    """One act as a list needs it, with its account's name and zone and the fees taken so far."""

    act_id: str
    account_id: str
    account_name: str
    time_zone: str
    kind: ActKind
    state: PauseState
    began_at: datetime
    paused_at: datetime | None
    ended_at: datetime | None
    retained_numbers: int
    clock_ahead_seconds: int
    timeline: Timeline | None
    fees: tuple[FeeLine, ...] = ()

    @property
    def is_past_due(self) -> bool:
        """Whether a fee of a pause that is not over was declined and is still unpaid."""
        return self.ended_at is None and any(each.is_past_due for each in self.fees)


COLUMNS = (
    ActRow.id,
    ActRow.account_id,
    AccountRow.name,
    AccountRow.time_zone,
    ActRow.kind,
    ActRow.state,
    ActRow.began_at,
    ActRow.paused_at,
    ActRow.ended_at,
    ActRow.retained_numbers,
    ActRow.clock_ahead_seconds,
    ActRow.timeline,
)
SORTED_BY: dict[Order, ColumnElement[Any]] = {
    Order.BEGAN: ActRow.began_at.desc(),
    Order.PAUSED: ActRow.paused_at.desc().nulls_last(),
    Order.RESUMES: ActRow.resume_on.asc().nulls_last(),
    Order.ACCOUNT: func.lower(AccountRow.name).asc(),
    Order.STATE: ActRow.state.asc(),
}


def found(
    db: Database, wanted: Wanted, order: Order = Order.BEGAN, limit: int | None = None
) -> list[str]:
    """The ids of the acts that are wanted, sorted; the first `limit` of them."""
    query = _matching(wanted, select(ActRow.id)).order_by(SORTED_BY[order], ActRow.id.desc())
    with db.transaction() as session:
        return list(session.scalars(query.limit(limit)))


def count(db: Database, wanted: Wanted) -> int:
    """How many acts are wanted."""
    with db.transaction() as session:
        return session.scalar(_matching(wanted, select(func.count(ActRow.id)))) or 0


def lines(db: Database, act_ids: list[str]) -> Iterator[ActLine]:
    """What these acts are, in the same order."""
    for start in range(0, len(act_ids), PAGE):
        page = act_ids[start : start + PAGE]
        with db.transaction() as session:
            read = _read(session, page)
        yield from (read[act_id] for act_id in page if act_id in read)


def _matching(wanted: Wanted, query: Select[Any]) -> Select[Any]:
    query = query.join(AccountRow, AccountRow.id == ActRow.account_id)
    if wanted.states is not None:
        query = query.where(ActRow.state.in_(wanted.states))
    elif not wanted.ended_too:
        query = query.where(ActRow.ended_at.is_(None))
    if wanted.account_id is not None:
        query = query.where(ActRow.account_id == wanted.account_id)
    if wanted.resumes_before is not None:
        is_ahead = ActRow.ended_at.is_(None)
        query = query.where(is_ahead, ActRow.resume_on < wanted.resumes_before)
    if wanted.since is not None:
        query = query.where(ActRow.began_at >= wanted.since)
    if wanted.past_due:
        query = query.where(ActRow.ended_at.is_(None), _has_declined_fee())
    if wanted.account_ids is not None:
        query = query.where(ActRow.ended_at.is_(None), ActRow.account_id.in_(wanted.account_ids))
    return query


def _has_declined_fee() -> ColumnElement[bool]:
    was_declined = exists().where(
        AttemptRow.invoice_id == InvoiceRow.id, AttemptRow.state == AttemptState.DECLINED
    )
    return exists().where(
        InvoiceRow.act_id == ActRow.id,
        InvoiceRow.kind == InvoiceKind.FEE,
        InvoiceRow.state.not_in(FINAL),
        was_declined,
    )


def _read(session: Session, act_ids: list[str]) -> dict[str, ActLine]:
    query = select(*COLUMNS).join(AccountRow, AccountRow.id == ActRow.account_id)
    fees = _fees(session, act_ids)
    read: dict[str, ActLine] = {}
    for row in session.execute(query.where(ActRow.id.in_(act_ids))):
        read[row.id] = ActLine(
            act_id=row.id,
            account_id=row.account_id,
            account_name=row.name,
            time_zone=row.time_zone,
            kind=row.kind,
            state=row.state,
            began_at=row.began_at,
            paused_at=row.paused_at,
            ended_at=row.ended_at,
            retained_numbers=row.retained_numbers,
            clock_ahead_seconds=row.clock_ahead_seconds,
            timeline=None if row.timeline is None else TIMELINE.validate_python(row.timeline),
            fees=tuple(fees.get(row.id, ())),
        )
    return read


def _fees(session: Session, act_ids: list[str]) -> dict[str | None, list[FeeLine]]:
    declined = AttemptRow.state == AttemptState.DECLINED
    query = (
        select(
            InvoiceRow.act_id,
            InvoiceRow.billing_on,
            InvoiceRow.state,
            InvoiceRow.look_up_at,
            func.count(AttemptRow.key),
            func.max(AttemptRow.rung_at),
        )
        .outerjoin(AttemptRow, (AttemptRow.invoice_id == InvoiceRow.id) & declined)
        .where(InvoiceRow.act_id.in_(act_ids), InvoiceRow.kind == InvoiceKind.FEE)
        .group_by(InvoiceRow.id)
    )
    fees: dict[str | None, list[FeeLine]] = {}
    for act_id, billing_on, state, look_up_at, declines, rung_at in session.execute(query):
        is_unknown = state is InvoiceState.UNKNOWN
        again_at = None if state in FINAL else look_up_at if is_unknown else rung_at
        is_past_due = declines > 0 and state not in FINAL
        fees.setdefault(act_id, []).append(FeeLine(billing_on, is_past_due, is_unknown, again_at))
    return fees
