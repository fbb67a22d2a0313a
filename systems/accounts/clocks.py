"""How far an account's clock runs ahead of real time, where its pause was moved (local only)."""

from datetime import timedelta

from sqlalchemy.orm import Session

from domain.states import ActKind
from systems.accounts.act_rows import last_act_row


def clock_ahead(session: Session, account_id: str) -> timedelta:
    """That of the open pause, else of the last one."""
    last = last_act_row(session, account_id, ActKind.PAUSE)
    return timedelta(seconds=last.clock_ahead_seconds if last else 0)
