"""API keys: with one a backend acts for a user, with whatever role that user has at the moment."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import invalid
from domain.ids import Prefix, make_id
from systems import audit
from systems.db import Database
from systems.identity.tokens import hash_of, new_secret
from systems.identity.users import User, user_of
from systems.tables import ApiKeyRow, UserRow

# By this a key is recognised wherever it turns up: in a log, in somebody's repository.
KEY_PREFIX = "ap_"
HINT_LETTERS = 4

# A use within this time of the last one is not written down: reading stays reading.
USED_ANEW_AFTER = timedelta(minutes=1)


@dataclass(frozen=True)
class ApiKey:
    """A key as a list shows it. `hint` is how it ends; the key itself is not known here."""

    key_id: str
    user_id: str
    account_id: str
    label: str
    hint: str
    created_by: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class NewApiKey:
    """A key that was just made. `secret` is the key: it is shown now and never again."""

    secret: str = field(repr=False)
    key: ApiKey


class ApiKeys:
    """The keys of all users."""

    def __init__(self, db: Database) -> None:
        """Keep their hashes in `db`."""
        self._db = db

    def create(self, user_id: str, label: str, at: datetime, actor: str) -> NewApiKey:
        """A key that acts for the user.

        Raises:
            Rejected: `validation_failed`, with the `field`.
        """
        if not 0 < len(label.strip()) <= 100:
            raise invalid("label", "A label has 1 to 100 characters.")
        secret = new_secret(KEY_PREFIX)
        row = ApiKeyRow(
            id=make_id(Prefix.API_KEY, uuid4()),
            key_hash=hash_of(secret),
            user_id=user_id,
            label=label.strip(),
            hint=secret[-HINT_LETTERS:],
            created_by=actor,
            created_at=at,
        )
        with self._db.transaction() as session:
            user = session.get(UserRow, user_id)
            if user is None:
                raise invalid("user", "There is no such user.")
            session.add(row)
            _audit(session, row, user, "api_key_created", at, actor)
            return NewApiKey(secret, _key(row, user))

    def find(self, secret: str, at: datetime) -> User | None:
        """The user for whom that key acts, used as of `at`; None if it is none, or was revoked."""
        with self._db.transaction() as session:
            row = session.scalar(select(ApiKeyRow).where(ApiKeyRow.key_hash == hash_of(secret)))
            if row is None or row.revoked_at is not None:
                return None
            if row.last_used_at is None or at - row.last_used_at >= USED_ANEW_AFTER:
                row.last_used_at = at
            return user_of(session.get_one(UserRow, row.user_id))

    def of_account(self, account_id: str) -> list[ApiKey]:
        """The keys of the account's users, revoked ones too, the oldest first."""
        query = (
            select(ApiKeyRow, UserRow)
            .join(UserRow, UserRow.id == ApiKeyRow.user_id)
            .where(UserRow.account_id == account_id)
            .order_by(ApiKeyRow.created_at, ApiKeyRow.id)
        )
        with self._db.transaction() as session:
            return [_key(row, user) for row, user in session.execute(query)]

    def revoke(self, key_id: str, at: datetime, actor: str) -> ApiKey:
        """The key is good for nothing from now on. Safe to repeat.

        Raises:
            Rejected: `validation_failed`: there is no such key.
        """
        with self._db.transaction() as session:
            row = session.get(ApiKeyRow, key_id, with_for_update=True)
            if row is None:
                raise invalid("key", "There is no such key.")
            user = session.get_one(UserRow, row.user_id)
            if row.revoked_at is None:
                row.revoked_at = at
                _audit(session, row, user, "api_key_revoked", at, actor)
            return _key(row, user)


def _key(row: ApiKeyRow, user: UserRow) -> ApiKey:
    return ApiKey(
        key_id=row.id,
        user_id=row.user_id,
        account_id=user.account_id,
        label=row.label,
        hint=row.hint,
        created_by=row.created_by,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def _audit(
    session: Session, row: ApiKeyRow, user: UserRow, what: str, at: datetime, actor: str
) -> None:
    audit.write(
        session,
        account_id=user.account_id,
        at=at,
        what=what,
        actor=actor,
        key_id=row.id,
        user_id=row.user_id,
    )
