"""Acts as they lie in the database, and as the rest of the product knows them."""

from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import InvariantViolated
from domain.ports import Act
from domain.states import ActKind
from domain.terms import Terms
from domain.timeline import Timeline
from systems.tables import ActRow

Value = TypeVar("Value")

TERMS = TypeAdapter(Terms)
TIMELINE = TypeAdapter(Timeline)


def dumped(adapter: TypeAdapter[Value], value: Value) -> dict[str, Any]:
    """The JSON object that is stored for `value`."""
    stored: dict[str, Any] = adapter.dump_python(value, mode="json")
    return stored


def to_act(row: ActRow) -> Act:
    """The act as a value."""
    return Act(
        act_id=row.id,
        account_id=row.account_id,
        kind=row.kind,
        state=row.state,
        requested_by=row.requested_by,
        began_at=row.began_at,
        terms=None if row.terms is None else TERMS.validate_python(row.terms),
        resume_on=row.resume_on,
        timeline=None if row.timeline is None else TIMELINE.validate_python(row.timeline),
        paused_at=row.paused_at,
        ends_at=row.ends_at,
        ended_at=row.ended_at,
        retained_numbers=row.retained_numbers,
        refusal=row.refusal,
    )


def act_row(session: Session, act_id: str, account_id: str) -> ActRow | None:
    """The act, if it was ever begun.

    Raises:
        InvariantViolated: it was begun on another account.
    """
    row = session.get(ActRow, act_id)
    if row is not None and row.account_id != account_id:
        raise InvariantViolated(f"act {act_id} is not one of account {account_id}")
    return row


def existing_act_row(session: Session, act_id: str, account_id: str) -> ActRow:
    """The act, which must have been begun.

    Raises:
        InvariantViolated: it was not, or on another account.
    """
    row = act_row(session, act_id, account_id)
    if row is None:
        raise InvariantViolated(f"act {act_id} was never begun on account {account_id}")
    return row


def open_act_row(session: Session, account_id: str) -> ActRow | None:
    """The one act of the account that has not ended."""
    return session.scalar(
        select(ActRow).where(ActRow.account_id == account_id, ActRow.ended_at.is_(None))
    )


def last_act_row(session: Session, account_id: str, kind: ActKind | None = None) -> ActRow | None:
    """The open act, else the one that was begun last; of one kind, or of any.

    The open one goes first whatever its time: the clock of the one before may have run ahead.
    """
    query = select(ActRow).where(ActRow.account_id == account_id)
    if kind is not None:
        query = query.where(ActRow.kind == kind)
    return session.scalar(
        query.order_by(ActRow.ended_at.is_(None).desc(), ActRow.began_at.desc()).limit(1)
    )
