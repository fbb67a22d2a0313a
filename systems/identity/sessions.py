"""Sessions: who is logged in, kept on the server, so that ending one takes effect at once."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from domain.ids import Prefix, make_id
from systems import audit
from systems.db import Database
from systems.identity.tokens import hash_of, new_secret
from systems.identity.users import User, user_of
from systems.tables import SessionRow, UserRow

# A working day at the longest, and never more than two weeks without a password.
IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=14)

# A session that was seen within this time is not written down as seen again: reading stays reading.
SEEN_ANEW_AFTER = timedelta(minutes=1)


@dataclass(frozen=True)
class LiveSession:
    """A session that has not ended, and whose it is. `csrf_secret` proves that our page asks."""

    session_id: str
    user: User
    csrf_secret: str = field(repr=False)
    began_at: datetime
    seen_at: datetime

    @property
    def ends_at(self) -> datetime:
        """When it ends unless it is used again."""
        return min(self.seen_at + IDLE, self.began_at + ABSOLUTE)


@dataclass(frozen=True)
class NewSession:
    """A session that has just begun; its `token` is known to nobody but the browser."""

    token: str = field(repr=False)
    session: LiveSession


class Sessions:
    """The sessions of all users. They begin in `LogIns`."""

    def __init__(self, db: Database) -> None:
        """Keep them in `db`."""
        self._db = db

    def find(self, token: str, at: datetime) -> LiveSession | None:
        """The session with that token, which is in use as of `at`; None if it has ended."""
        with self._db.transaction() as session:
            row = session.scalar(select(SessionRow).where(SessionRow.token_hash == hash_of(token)))
            if row is None or has_ended(row, at):
                return None
            if at - row.seen_at >= SEEN_ANEW_AFTER:
                row.seen_at = at
            return _live(row, session.get_one(UserRow, row.user_id))

    def of_user(self, user_id: str, at: datetime) -> list[LiveSession]:
        """The user's sessions, the latest first."""
        with self._db.transaction() as session:
            user = session.get_one(UserRow, user_id)
            rows = session.scalars(
                select(SessionRow)
                .where(SessionRow.user_id == user_id)
                .order_by(SessionRow.began_at.desc())
            )
            return [_live(row, user) for row in rows if not has_ended(row, at)]

    def end(self, session_id: str, at: datetime) -> None:
        """The session ends now: its user has logged out. Safe to repeat."""
        with self._db.transaction() as session:
            row = session.get(SessionRow, session_id, with_for_update=True)
            if row is not None:
                _audit(session, row.user_id, "logged_out", at, session_id=session_id)
                session.delete(row)

    def end_all(self, user_id: str, at: datetime) -> None:
        """All sessions of the user end now: they have logged out everywhere. Safe to repeat."""
        with self._db.transaction() as session:
            of_user = SessionRow.user_id == user_id
            ended = session.scalars(delete(SessionRow).where(of_user).returning(SessionRow.id))
            if count := len(ended.all()):
                _audit(session, user_id, "logged_out_everywhere", at, count=count)


def begin(session: Session, user: UserRow, at: datetime) -> NewSession:
    """Begin a session of the user, and clear away those that have ended."""
    session.execute(
        delete(SessionRow).where(
            SessionRow.user_id == user.id,
            or_(SessionRow.seen_at <= at - IDLE, SessionRow.began_at <= at - ABSOLUTE),
        )
    )
    token = new_secret()
    row = SessionRow(
        id=make_id(Prefix.SESSION, uuid4()),
        token_hash=hash_of(token),
        user_id=user.id,
        csrf_secret=new_secret(),
        began_at=at,
        seen_at=at,
    )
    session.add(row)
    return NewSession(token, _live(row, user))


def has_ended(row: SessionRow, at: datetime) -> bool:
    """Whether the session is over at `at`, though its row may still be there."""
    return at >= min(row.seen_at + IDLE, row.began_at + ABSOLUTE)


def _audit(session: Session, user_id: str, what: str, at: datetime, **detail: Any) -> None:
    account_id = session.get_one(UserRow, user_id).account_id
    audit.write(session, account_id=account_id, at=at, what=what, actor=user_id, **detail)


def _live(row: SessionRow, user: UserRow) -> LiveSession:
    return LiveSession(row.id, user_of(user), row.csrf_secret, row.began_at, row.seen_at)
