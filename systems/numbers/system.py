"""Tracking numbers: kept, given back, released, behind the port `Numbers`."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.messages import Count, Step
from domain.names import Activity
from domain.ports import Snapshot
from domain.states import NumberState
from systems import audit
from systems.db import Database
from systems.effects import is_recorded, once
from systems.numbers.calls import Calls
from systems.numbers.trackers import Trackers
from systems.tables import CallFlowRow, NumberRow, TrackerRow


class SqlNumbers(Trackers, Calls):
    """The port `Numbers` on the database, and what the product backend asks beside it."""

    def __init__(self, db: Database) -> None:
        """Work on `db`."""
        self._db = db

    def count_active(self, account_id: str) -> int:
        """See the port."""
        with self._db.transaction() as session:
            return _count(session, account_id, NumberState.ACTIVE)

    def retain_numbers(self, step: Step) -> Count:
        """See the port. Too late, after a release by the same act: nothing is retained either."""
        with self._db.transaction() as session:
            return once(
                session,
                Activity.RETAIN_NUMBERS,
                step,
                Count,
                lambda: _retain(session, step),
                undone_by=Activity.REACTIVATE_NUMBERS,
                otherwise=Count(count=0),
            )

    def reactivate_numbers(self, step: Step) -> Count:
        """See the port. Returns how many are active again."""
        with self._db.transaction() as session:
            return once(
                session,
                Activity.REACTIVATE_NUMBERS,
                step,
                Count,
                lambda: _reactivate(session, step),
            )

    def release_numbers(self, step: Step) -> Count:
        """See the port. Returns how many were released."""
        with self._db.transaction() as session:
            return once(
                session, Activity.RELEASE_NUMBERS, step, Count, lambda: _release(session, step)
            )

    def snapshot(self, account_id: str) -> Snapshot:
        """See the port.

        A number whose retention has not been taken back counts as active: that is what it comes
        back as. So snapshots from before, during and after a pause are equal, and one that was
        forgotten by `reactivate_numbers` shows.
        """
        with self._db.transaction() as session:
            return {
                "trackers": _trackers(session, account_id),
                "numbers": _numbers(session, account_id),
                "call_flows": _call_flows(session, account_id),
            }


def _retain(session: Session, step: Step) -> Count:
    if is_recorded(session, step.act_id, Activity.RELEASE_NUMBERS):
        return Count(count=0)
    for row in _in_state(session, step.account_id, NumberState.ACTIVE):
        row.state = NumberState.RETAINED
        row.retained_by = step.act_id
    session.flush()
    count = _count(session, step.account_id, NumberState.RETAINED)
    _audit(session, step, "numbers_retained", count)
    return Count(count=count)


def _reactivate(session: Session, step: Step) -> Count:
    rows = _in_state(session, step.account_id, NumberState.RETAINED)
    for row in rows:
        row.state = NumberState.ACTIVE
    _audit(session, step, "numbers_reactivated", len(rows))
    return Count(count=len(rows))


def _release(session: Session, step: Step) -> Count:
    rows = _in_state(session, step.account_id, NumberState.ACTIVE, NumberState.RETAINED)
    for row in rows:
        row.state = NumberState.RELEASED
        row.released_at = step.at
    trackers = select(TrackerRow).where(
        TrackerRow.account_id == step.account_id, TrackerRow.disabled_at.is_(None)
    )
    for tracker in session.scalars(trackers):
        tracker.disabled_at = step.at
    _audit(session, step, "numbers_released", len(rows))
    return Count(count=len(rows))


def _in_state(session: Session, account_id: str, *states: NumberState) -> Sequence[NumberRow]:
    return session.scalars(
        select(NumberRow).where(NumberRow.account_id == account_id, NumberRow.state.in_(states))
    ).all()


def _count(session: Session, account_id: str, state: NumberState) -> int:
    query = select(func.count()).where(NumberRow.account_id == account_id, NumberRow.state == state)
    return session.execute(query).scalar_one()


def _trackers(session: Session, account_id: str) -> dict[str, Any]:
    rows = session.scalars(
        select(TrackerRow).where(
            TrackerRow.account_id == account_id, TrackerRow.disabled_at.is_(None)
        )
    )
    return {
        row.id: {
            "company_id": row.company_id,
            "name": row.name,
            "type": row.type.value,
            "source": row.source,
            "destination_number": row.destination_number,
            "call_flow_id": row.call_flow_id,
            "swap_targets": row.swap_targets,
        }
        for row in rows
    }


def _numbers(session: Session, account_id: str) -> dict[str, Any]:
    rows = _in_state(session, account_id, NumberState.ACTIVE, NumberState.RETAINED)
    acts = {row.retained_by for row in rows if row.state is NumberState.RETAINED}
    standing = {
        act_id
        for act_id in acts
        if act_id and not is_recorded(session, act_id, Activity.REACTIVATE_NUMBERS)
    }
    return {
        row.id: {
            "number": row.number,
            "tracker_id": row.tracker_id,
            "is_active": row.state is NumberState.ACTIVE or row.retained_by in standing,
        }
        for row in rows
    }


def _call_flows(session: Session, account_id: str) -> dict[str, Any]:
    rows = session.scalars(select(CallFlowRow).where(CallFlowRow.account_id == account_id))
    return {row.id: {"name": row.name, "steps": row.steps} for row in rows}


def _audit(session: Session, step: Step, what: str, count: int) -> None:
    audit.write(
        session,
        account_id=step.account_id,
        act_id=step.act_id,
        at=step.at,
        what=what,
        count=count,
    )
