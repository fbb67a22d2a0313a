"""Logging in: by e-mail and password, from a browser that may be known from before.

The audit has every try, who got in and who did not; those for an unknown e-mail are nobody's.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from systems import audit
from systems.db import Database
from systems.identity.passwords import Passwords
from systems.identity.sessions import LiveSession, begin
from systems.identity.tokens import hash_of, new_secret
from systems.identity.users import by_email
from systems.tables import DeviceRow, UserRow

# A browser that was not used for so long is a stranger again.
DEVICE_FORGOTTEN_AFTER = timedelta(days=180)

# In the audit in place of an account, for tries under an e-mail that is nobody's.
NO_ACCOUNT = "none"


@dataclass(frozen=True)
class LoggedIn:
    """A session that has begun. `token` and `device` are for the browser, and known to it only."""

    session: LiveSession
    token: str = field(repr=False)
    device: str = field(repr=False)


class LogIns:
    """Lets users in."""

    def __init__(self, db: Database, passwords: Passwords) -> None:
        """Compare with what `db` has, by `passwords`."""
        self._db = db
        self._passwords = passwords

    def log_in(self, email: str, password: str, at: datetime) -> LoggedIn | None:
        """A session for whoever has that e-mail and password, else None.

        An unknown e-mail costs as much time as a wrong password: one comparison of hashes, and one
        line of the audit.
        """
        with self._db.transaction() as session:
            row = by_email(session, email)
        stored = row.password_hash if row is not None else None
        # Outside of any transaction: it takes so long that others would wait for the database.
        is_right = self._passwords.are_same(stored, password)
        new = None
        if row is not None and stored is not None and is_right:
            is_outdated = self._passwords.is_outdated(stored)
            renewed = self._passwords.hashed(password) if is_outdated else stored
            new = self._let_in(row.id, stored, renewed, at)
        if new is None:
            self._note_failure(row, at)
        return new

    def is_known_device(self, email: str, device: str, at: datetime) -> bool:
        """Whether somebody with that e-mail has logged in from the device before."""
        with self._db.transaction() as session:
            user, row = by_email(session, email), session.get(DeviceRow, hash_of(device))
            return (
                user is not None
                and row is not None
                and row.user_id == user.id
                and at - row.seen_at < DEVICE_FORGOTTEN_AFTER
            )

    def _let_in(self, user_id: str, stored: str, renewed: str, at: datetime) -> LoggedIn | None:
        with self._db.transaction() as session:
            row = session.get_one(UserRow, user_id, with_for_update=True)
            if row.password_hash != stored:
                # It was changed, or the user blocked, while we were comparing.
                return None
            row.password_hash = renewed
            new = begin(session, row, at)
            audit.write(
                session,
                account_id=row.account_id,
                at=at,
                what="logged_in",
                actor=user_id,
                session_id=new.session.session_id,
            )
            return LoggedIn(new.session, new.token, _remember_device(session, user_id, at))

    def _note_failure(self, user: UserRow | None, at: datetime) -> None:
        # Not by name: whoever is unknown may have typed the password into the wrong field.
        detail = {"user_id": user.id} if user is not None else {}
        account_id = user.account_id if user is not None else NO_ACCOUNT
        with self._db.transaction() as session:
            audit.write(session, account_id=account_id, at=at, what="log_in_failed", **detail)


def _remember_device(session: Session, user_id: str, at: datetime) -> str:
    forgotten = DeviceRow.seen_at <= at - DEVICE_FORGOTTEN_AFTER
    session.execute(delete(DeviceRow).where(DeviceRow.user_id == user_id, forgotten))
    device = new_secret()
    session.add(DeviceRow(token_hash=hash_of(device), user_id=user_id, seen_at=at))
    return device
