"""Who may log in: users with their passwords, found by e-mail; added, blocked and let in again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Select, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.errors import invalid
from domain.ids import Prefix, make_id
from domain.states import Role
from systems import audit
from systems.db import Database, lock_account
from systems.identity.passwords import Passwords, check_password
from systems.tables import ApiKeyRow, DeviceRow, SessionRow, UserRow


@dataclass(frozen=True)
class User:
    """Somebody of one account, with the role that they have now."""

    user_id: str
    account_id: str
    role: Role
    name: str
    email: str
    has_password: bool


class Users:
    """The users of all accounts."""

    def __init__(self, db: Database, passwords: Passwords) -> None:
        """Keep them in `db`, their passwords as `passwords` hashes them."""
        self._db = db
        self._passwords = passwords

    def user(self, named: str) -> User:
        """The user with this id or e-mail.

        Raises:
            Rejected: `validation_failed`: there is none.
        """
        with self._db.transaction() as session:
            row = session.get(UserRow, named) or by_email(session, named)
            if row is None:
                raise invalid("user", "There is no such user.")
            return user_of(row)

    def of_account(self, account_id: str) -> list[User]:
        """The account's users, by name; none for an unknown account."""
        query = select(UserRow).where(UserRow.account_id == account_id)
        with self._db.transaction() as session:
            return [user_of(row) for row in session.scalars(query.order_by(UserRow.name))]

    def add(
        self, account_id: str, name: str, email: str, role: Role, at: datetime, actor: str
    ) -> User:
        """Add a user, who cannot log in before `set_password`.

        Raises:
            Rejected: `account_not_found`; `validation_failed`, with the `field`.
        """
        row = UserRow(
            id=make_id(Prefix.USER, uuid4()),
            account_id=account_id,
            name=_checked_name(name),
            email=_checked_email(email),
            role=role,
        )
        with self._db.transaction() as session:
            lock_account(session, account_id)
            _insert(session, row)
            _audit(session, row, "user_added", at, actor)
            return user_of(row)

    def set_password(self, user_id: str, password: str, at: datetime, actor: str) -> None:
        """Let the user in with `password` from now on; whoever is logged in as them is logged out.

        Their API keys stay: those are in programs, and have nothing to do with the password.

        Raises:
            Rejected: `validation_failed`, with the `field`.
        """
        check_password(password)
        hashed = self._passwords.hashed(password)
        with self._db.transaction() as session:
            row = _locked(session, user_id)
            row.password_hash = hashed
            _log_out(session, user_id)
            _audit(session, row, "password_set", at, actor)

    def block(self, user_id: str, at: datetime, actor: str) -> None:
        """Keep the user out: no log-in, no session, no API key. `set_password` lets them in again.

        Safe to repeat.

        Raises:
            Rejected: `validation_failed`: there is no such user.
        """
        with self._db.transaction() as session:
            row = _locked(session, user_id)
            row.password_hash = None
            _log_out(session, user_id)
            for key in session.scalars(_live_keys(user_id)):
                key.revoked_at = at
                _audit(session, row, "api_key_revoked", at, actor, key_id=key.id)
            _audit(session, row, "user_blocked", at, actor)


def by_email(session: Session, email: str) -> UserRow | None:
    """The user with that e-mail, however it is written."""
    return session.scalar(select(UserRow).where(UserRow.email == normal_email(email)))


def normal_email(email: str) -> str:
    """How an e-mail is stored: without spaces around it, in small letters."""
    return email.strip().lower()


def user_of(row: UserRow) -> User:
    """The user as a value."""
    return User(
        user_id=row.id,
        account_id=row.account_id,
        role=row.role,
        name=row.name,
        email=row.email,
        has_password=row.password_hash is not None,
    )


def _insert(session: Session, row: UserRow) -> None:
    taken = invalid("email", "Somebody has that e-mail already.")
    if by_email(session, row.email) is not None:
        raise taken
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        # Another account, whose lock is another one, has added it since it was looked for.
        raise taken from error


def _locked(session: Session, user_id: str) -> UserRow:
    row = session.get(UserRow, user_id, with_for_update=True)
    if row is None:
        raise invalid("user", "There is no such user.")
    return row


def _log_out(session: Session, user_id: str) -> None:
    session.execute(delete(SessionRow).where(SessionRow.user_id == user_id))
    session.execute(delete(DeviceRow).where(DeviceRow.user_id == user_id))


def _live_keys(user_id: str) -> Select[ApiKeyRow]:
    return select(ApiKeyRow).where(ApiKeyRow.user_id == user_id, ApiKeyRow.revoked_at.is_(None))


def _checked_name(name: str) -> str:
    if not 0 < len(name.strip()) <= 100:
        raise invalid("name", "A name has 1 to 100 characters.")
    return name.strip()


def _checked_email(email: str) -> str:
    # Only the relay can tell whether it exists; this finds what was pasted by mistake.
    email = normal_email(email)
    local, at, domain = email.rpartition("@")
    if not (local and at and domain) or len(email) > 254 or any(map(str.isspace, email)):
        raise invalid("email", "That is no e-mail address.")
    return email


def _audit(
    session: Session, row: UserRow, what: str, at: datetime, actor: str, **detail: str
) -> None:
    audit.write(
        session,
        account_id=row.account_id,
        at=at,
        what=what,
        actor=actor,
        user_id=row.id,
        **detail,
    )
