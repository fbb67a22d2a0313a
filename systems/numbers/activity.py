"""The activity log as pages read it: call by call, a page at a time, and counted in reports.

Everything is one account's: nothing here can be asked without its id. Whether the account may read
it at the moment is the caller's question (R6). Both queries walk the index `calls_by_account`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from domain.errors import invalid
from domain.ids import Prefix, checked_id
from systems.db import Database, account_row
from systems.numbers.calls import CallView, call_view
from systems.numbers.reports import CallFact, Report, begins_at, report
from systems.tables import CallRow, CompanyRow, NumberRow, TrackerRow

LARGEST_PAGE = 200
# A leap year.
MOST_DAYS = 366
# Further away there are no calls, and at the calendar's ends no days of every time zone.
FIRST_ON, LAST_ON = date(2000, 1, 1), date(2100, 1, 1)

ROWS_AT_ONCE = 2_000


@dataclass(frozen=True)
class CallPage:
    """A part of the log, the latest call first; `next_cursor` asks for the one after it."""

    calls: tuple[CallView, ...]
    next_cursor: str | None


class Activity:
    """Reads the activity log of one account."""

    def __init__(self, db: Database) -> None:
        """Read from `db`."""
        self._db = db

    def calls(
        self,
        account_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        tracker_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> CallPage:
        """The calls in ``[since, until)``, the latest first, `limit` of them after `cursor`.

        A cursor stays good while calls are added: nothing is shown twice and nothing left out. Use
        it with the same filters. An unknown account or tracker has no calls.

        Raises:
            Rejected: `validation_failed`: a cursor that was not given out for this account, a
                limit that is not 1 to 200, what is no tracker's id.
        """
        if not 1 <= limit <= LARGEST_PAGE:
            raise invalid("limit", f"A page has 1 to {LARGEST_PAGE} calls.")
        where = [*_of(account_id, tracker_id), *_between(since, until)]
        with self._db.transaction() as session:
            if cursor is not None:
                where += _after(session, account_id, cursor)
            calls = _views(session, where, limit + 1)
        has_more = len(calls) > limit
        return CallPage(calls[:limit], calls[limit - 1].call_id if has_more else None)

    def report(
        self, account_id: str, since_on: date, until_on: date, *, tracker_id: str | None = None
    ) -> Report:
        """The calls of the account's local days in ``[since_on, until_on)``, counted.

        Raises:
            Rejected: `account_not_found`; `validation_failed` for days that end before they begin,
                are more than 366 or lie outside of this century; for what is no tracker's id.
        """
        if not FIRST_ON <= since_on <= until_on <= LAST_ON:
            raise invalid("until", f"A report lies between {FIRST_ON} and {LAST_ON}.")
        if (until_on - since_on).days > MOST_DAYS:
            raise invalid("until", f"A report is about {MOST_DAYS} days at most.")
        with self._db.transaction() as session:
            zone = account_row(session, account_id).time_zone
            days = _between(begins_at(since_on, zone), begins_at(until_on, zone))
            where = [*_of(account_id, tracker_id), *days]
            return report(_facts(session, where), since_on, until_on, zone)

    def tracker_names(self, account_id: str) -> Mapping[str, str]:
        """What the trackers of a report are called, the disabled ones too, by id.

        Those that share a name have their company's behind it.
        """
        query = (
            select(TrackerRow.id, TrackerRow.name, CompanyRow.name.label("company"))
            .join(CompanyRow, CompanyRow.id == TrackerRow.company_id)
            .where(TrackerRow.account_id == account_id)
        )
        with self._db.transaction() as session:
            rows = session.execute(query).all()
        often = Counter(row.name for row in rows)
        return {
            row.id: row.name if often[row.name] == 1 else f"{row.name}, {row.company}"
            for row in rows
        }


Where = list[ColumnElement[bool]]


def _of(account_id: str, tracker_id: str | None) -> Where:
    where: Where = [CallRow.account_id == account_id]
    if tracker_id is not None:
        where.append(CallRow.tracker_id == checked_id(Prefix.TRACKER, tracker_id))
    return where


def _between(since: datetime | None, until: datetime | None) -> Where:
    where: Where = []
    if since is not None:
        where.append(CallRow.at >= since)
    if until is not None:
        where.append(CallRow.at < until)
    return where


def _after(session: Session, account_id: str, cursor: str) -> Where:
    """What comes after the call that the cursor names. Calls are never deleted."""
    last = session.get(CallRow, checked_id(Prefix.CALL, cursor))
    if last is None or last.account_id != account_id:
        raise invalid("cursor", "That is no cursor of this account; begin again without one.")
    same_moment = and_(CallRow.at == last.at, CallRow.id > last.id)
    # Said twice for the index: the first condition is a range of it, the second is not.
    return [CallRow.at <= last.at, or_(CallRow.at < last.at, same_moment)]


def _views(session: Session, where: Where, limit: int) -> tuple[CallView, ...]:
    rows = session.execute(
        select(CallRow, NumberRow.number)
        .join(NumberRow, NumberRow.id == CallRow.number_id)
        .where(*where)
        .order_by(CallRow.at.desc(), CallRow.id)
        .limit(limit)
    )
    return tuple(call_view(row, number) for row, number in rows)


def _facts(session: Session, where: Where) -> Iterator[CallFact]:
    query = select(
        CallRow.at,
        CallRow.source,
        CallRow.tracker_id,
        CallRow.caller,
        CallRow.duration_seconds,
        CallRow.is_answered,
    ).where(*where)
    rows = session.execute(query, execution_options={"yield_per": ROWS_AT_ONCE})
    return (CallFact(*row) for row in rows)
