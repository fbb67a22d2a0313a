"""Calls to tracking numbers: where they go, and what is remembered of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import InvariantViolated
from domain.ids import Prefix, make_id
from domain.messages import Step
from domain.states import NumberState
from systems.db import Database, lock_account
from systems.effects import once
from systems.tables import CallFlowRow, CallRow, NumberRow, TrackerRow

# A call's id is derived from the carrier's; fixed for ever.
NAMESPACE = UUID("5a3d2f8f-51a6-4c5e-8f5e-6f0d6c1f2a77")
RETAINED_CALL = "count_retained_call"


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
    call_flow: tuple[Mapping[str, Any], ...] = ()
    retained_by: str | None = None


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
    """Routing, the activity log, and the count of calls that heard the intercept."""

    _db: Database

    def route(self, number: str) -> Route:
        """Where a call to `number` (E.164) goes now (R4)."""
        with self._db.transaction() as session:
            row = session.scalar(
                select(NumberRow).where(
                    NumberRow.number == number, NumberRow.state != NumberState.RELEASED
                )
            )
            return Route(Treatment.REJECT) if row is None else _route(session, row)

    def count_retained_call(self, route: Route, carrier_call_id: str, at: datetime) -> None:
        """Count a call that heard the intercept, once per carrier's call id.

        Raises:
            InvariantViolated: the route was no intercept.
        """
        if route.treatment is not Treatment.INTERCEPT:
            raise InvariantViolated("only an intercepted call is counted as one")
        step = Step(act_id=route.retained_by or "", account_id=route.account_id or "", at=at)
        with self._db.transaction() as session:

            def count() -> None:
                session.get_one(NumberRow, route.number_id).retained_calls += 1

            once(session, RETAINED_CALL, step, type(None), count, part=carrier_call_id)

    def log_call(
        self,
        route: Route,
        *,
        carrier_call_id: str,
        caller: str,
        at: datetime,
        duration_seconds: int,
        is_answered: bool,
    ) -> str:
        """Add a call that was connected to the activity log, once per carrier's call id.

        The route is the one that the call took, whatever has become of the number since.

        Returns:
            The call's id.

        Raises:
            InvariantViolated: the route was no connection (R4).
        """
        if route.treatment is not Treatment.CONNECT:
            raise InvariantViolated("only a connected call belongs to the activity log")
        call_id = make_id(Prefix.CALL, uuid5(NAMESPACE, carrier_call_id))
        with self._db.transaction() as session:
            lock_account(session, route.account_id or "")
            if session.get(CallRow, call_id) is None:
                session.add(
                    CallRow(
                        id=call_id,
                        account_id=route.account_id,
                        company_id=route.company_id,
                        tracker_id=route.tracker_id,
                        number_id=route.number_id,
                        carrier_call_id=carrier_call_id,
                        caller=caller,
                        source=route.source,
                        at=at,
                        duration_seconds=duration_seconds,
                        is_answered=is_answered,
                    )
                )
        return call_id

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

    def calls(self, account_id: str, limit: int = 100) -> list[CallView]:
        """The account's activity log, the latest call first."""
        with self._db.transaction() as session:
            rows = session.execute(
                select(CallRow, NumberRow.number)
                .join(NumberRow, NumberRow.id == CallRow.number_id)
                .where(CallRow.account_id == account_id)
                .order_by(CallRow.at.desc(), CallRow.id)
                .limit(limit)
            )
            return [_call(row, number) for row, number in rows]


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
        call_flow=tuple(call_flow.steps),
        retained_by=row.retained_by if is_retained else None,
    )


def _call(row: CallRow, number: str) -> CallView:
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
