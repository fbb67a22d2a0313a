"""Calls to tracking numbers: where they go, and what is remembered of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.ids import Prefix, make_id
from domain.messages import Step
from domain.states import AccountStatus, NumberState
from systems.db import Database, lock_account
from systems.effects import is_recorded, once
from systems.tables import CallFlowRow, CallRow, NumberRow, TrackerRow

# A call's id is derived from the carrier's; fixed for ever.
NAMESPACE = UUID("5a3d2f8f-51a6-4c5e-8f5e-6f0d6c1f2a77")
RETAINED_CALL = "count_retained_call"

# Stands in the log for a caller whose number is withheld, or is no phone number.
ANONYMOUS = "anonymous"


class Treatment(StrEnum):
    """What a caller meets: the business, the intercept message, or a number that is nobody's."""

    CONNECT = "connect"
    INTERCEPT = "intercept"
    REJECT = "reject"


@dataclass(frozen=True)
class Route:
    """Where a call to one number goes. A rejected one has nothing but its treatment.

    `call_flow` is what the caller goes through, in order; `retained_by` the pause that keeps the
    number.
    """

    treatment: Treatment
    account_id: str | None = None
    company_id: str | None = None
    tracker_id: str | None = None
    number_id: str | None = None
    source: str | None = None
    destination_number: str | None = None
    call_flow_id: str | None = None
    call_flow: tuple[Mapping[str, Any], ...] = ()
    retained_by: str | None = None


REJECTED = Route(Treatment.REJECT)


@dataclass(frozen=True)
class Incoming:
    """A call as the carrier tells of it: `caller` dialled `number`, both E.164.

    `caller` is `ANONYMOUS` where no phone number is known.
    """

    carrier_call_id: str
    number: str
    caller: str
    at: datetime


@dataclass(frozen=True)
class CallView:
    """One line of the activity log. `tracking_number` is the one that was dialled."""

    call_id: str
    tracker_id: str
    company_id: str
    tracking_number: str
    caller: str
    source: str
    at: datetime
    duration_seconds: int
    is_answered: bool


class Calls:
    """Routing, what goes into the activity log, and the count of calls that heard the intercept."""

    _db: Database

    def route(self, number: str) -> Route:
        """Where a call to `number` (E.164) goes now (R4)."""
        with self._db.transaction() as session:
            row = _holder(session, number)
            return REJECTED if row is None else _route(session, row)

    def take(self, call: Incoming) -> Route:
        """Where this call goes, written down in the same moment.

        A connected call is added to the activity log, as not answered yet; one that hears the
        intercept is counted (R4). Safe to repeat under the carrier's call id, at once too: a call
        goes where it went the first time, unless its number is gone since (R14).
        """
        with self._db.transaction() as session:
            return _taken(session, call)

    def finish(self, call: Incoming, duration_seconds: int, *, is_answered: bool) -> Route:
        """Note what became of a call, and say which way it took.

        Reports may come repeatedly and in any order, before `take` too: a call was answered if one
        of them says so, and took as long as the longest. Calls that were not connected stay as
        they are.
        """
        with self._db.transaction() as session:
            row = _logged(session, call)
            route = _taken(session, call) if row is None else _route_of(session, row)
            if route.treatment is Treatment.CONNECT:
                _note(session, call, duration_seconds, is_answered=is_answered)
            return route

    def call_flow(self, call_flow_id: str) -> Sequence[Mapping[str, Any]]:
        """The steps of a call flow; none for one that nobody has."""
        with self._db.transaction() as session:
            row = session.get(CallFlowRow, call_flow_id)
            return () if row is None else tuple(row.steps)

    def retained_calls(self, account_id: str) -> dict[str, int]:
        """How many calls heard the intercept, per number of the account that is still its own."""
        with self._db.transaction() as session:
            rows = session.execute(
                select(NumberRow.number, NumberRow.retained_calls)
                .where(
                    NumberRow.account_id == account_id,
                    NumberRow.state != NumberState.RELEASED,
                )
                .order_by(NumberRow.number)
            )
            return {row.number: row.retained_calls for row in rows}


def call_view(row: CallRow, number: str) -> CallView:
    """The line of the activity log about a call to `number`."""
    return CallView(
        call_id=row.id,
        tracker_id=row.tracker_id,
        company_id=row.company_id,
        tracking_number=number,
        caller=row.caller,
        source=row.source,
        at=row.at,
        duration_seconds=row.duration_seconds,
        is_answered=row.is_answered,
    )


def _taken(session: Session, call: Incoming) -> Route:
    number = _holder(session, call.number)
    if number is None:
        return REJECTED
    account = lock_account(session, number.account_id)
    # Only under the lock it is certain what the number is: a pause or close may just have moved it.
    session.refresh(number)
    if number.state is NumberState.RELEASED or account.status is AccountStatus.CLOSED:
        return REJECTED
    route, row = _route(session, number), _logged(session, call)
    if row is not None:
        # One call rings one number; another's call id is no call that a carrier has put through.
        is_same = row.number_id == number.id
        return replace(route, treatment=Treatment.CONNECT) if is_same else REJECTED
    if number.state is NumberState.RETAINED or _is_counted(session, number, call):
        route = replace(route, treatment=Treatment.INTERCEPT, retained_by=number.retained_by)
        _count(session, route, call)
        return route
    session.add(_row(route, call))
    session.flush()
    return route


def _note(session: Session, call: Incoming, duration_seconds: int, *, is_answered: bool) -> None:
    row = session.get_one(CallRow, _call_id(call.carrier_call_id))
    lock_account(session, row.account_id)
    session.refresh(row)
    row.duration_seconds = max(row.duration_seconds, duration_seconds)
    row.is_answered = row.is_answered or is_answered


def _holder(session: Session, number: str) -> NumberRow | None:
    return session.scalar(
        select(NumberRow).where(NumberRow.number == number, NumberRow.state != NumberState.RELEASED)
    )


def _logged(session: Session, call: Incoming) -> CallRow | None:
    return session.get(CallRow, _call_id(call.carrier_call_id))


def _route_of(session: Session, row: CallRow) -> Route:
    """The way that a call of the log took, whatever has become of its number since."""
    route = _route(session, session.get_one(NumberRow, row.number_id))
    return replace(route, treatment=Treatment.CONNECT)


def _count(session: Session, route: Route, call: Incoming) -> None:
    step = Step(act_id=route.retained_by or "", account_id=route.account_id or "", at=call.at)

    def count() -> None:
        session.get_one(NumberRow, route.number_id).retained_calls += 1

    once(session, RETAINED_CALL, step, type(None), count, part=call.carrier_call_id)


def _is_counted(session: Session, number: NumberRow, call: Incoming) -> bool:
    part = f"{RETAINED_CALL}:{call.carrier_call_id}"
    return number.retained_by is not None and is_recorded(session, number.retained_by, part)


def _call_id(carrier_call_id: str) -> str:
    return make_id(Prefix.CALL, uuid5(NAMESPACE, carrier_call_id))


def _row(route: Route, call: Incoming) -> CallRow:
    return CallRow(
        id=_call_id(call.carrier_call_id),
        account_id=route.account_id,
        company_id=route.company_id,
        tracker_id=route.tracker_id,
        number_id=route.number_id,
        carrier_call_id=call.carrier_call_id,
        caller=call.caller,
        source=route.source,
        at=call.at,
        duration_seconds=0,
        is_answered=False,
    )


def _route(session: Session, row: NumberRow) -> Route:
    tracker = session.get_one(TrackerRow, row.tracker_id)
    call_flow = session.get_one(CallFlowRow, tracker.call_flow_id)
    is_retained = row.state is NumberState.RETAINED
    return Route(
        treatment=Treatment.INTERCEPT if is_retained else Treatment.CONNECT,
        account_id=row.account_id,
        company_id=tracker.company_id,
        tracker_id=tracker.id,
        number_id=row.id,
        source=tracker.source,
        destination_number=tracker.destination_number,
        call_flow_id=call_flow.id,
        call_flow=tuple(call_flow.steps),
        retained_by=row.retained_by if is_retained else None,
    )
