"""Log-ins for the sample accounts, with one password that everybody may know: local stacks only."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from systems.identity import Passwords
from systems.tables import UserRow

PASSWORD = "pause-my-account"


def add_log_ins(session: Session, account_ids: Iterable[str], hashed: str) -> None:
    """Let the users of these accounts in; passwords that are set stay."""
    query = select(UserRow).where(
        UserRow.account_id.in_(account_ids), UserRow.password_hash.is_(None)
    )
    for row in session.scalars(query):
        row.password_hash = hashed


def hashed_password() -> str:
    """The password as it is stored: hashed once for all, since each time takes a moment."""
    return Passwords().hashed(PASSWORD)
