"""The audit: who did what, when and why, written in the transaction that does it."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from systems.tables import AuditRow

# The two actors that are no user of the account.
OPERATOR = "operator"
SYSTEM = "system"

# How many characters a line has room for, where people write them.
LONGEST = {"actor": 255, "reason": 1000}


def actor_of(requested_by: str | None, *, is_planned: bool = False) -> str:
    """The user who asked; else the system where it was planned, else an operator (R1)."""
    return requested_by or (SYSTEM if is_planned else OPERATOR)


def write(
    session: Session,
    *,
    account_id: str,
    at: datetime,
    what: str,
    actor: str = SYSTEM,
    act_id: str | None = None,
    reason: str | None = None,
    **detail: Any,
) -> None:
    """Add a line. `what` is a stable word; `detail` holds ids, counts, dates and amounts."""
    session.add(
        AuditRow(
            account_id=account_id,
            act_id=act_id,
            at=at,
            actor=actor,
            what=what,
            detail=detail,
            reason=reason,
        )
    )


def write_once(
    session: Session,
    *,
    account_id: str,
    act_id: str | None,
    at: datetime,
    actor: str,
    what: str,
    reason: str | None = None,
) -> None:
    """Add a line unless the same one is there: for what is no effect, but may be repeated.

    The caller holds the account's lock.
    """
    same = (
        AuditRow.account_id == account_id,
        AuditRow.act_id == act_id,
        AuditRow.at == at,
        AuditRow.actor == actor,
        AuditRow.what == what,
    )
    if session.scalar(select(AuditRow.id).where(*same).limit(1)) is None:
        write(
            session,
            account_id=account_id,
            act_id=act_id,
            at=at,
            actor=actor,
            what=what,
            reason=reason,
        )
