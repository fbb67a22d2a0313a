"""Requests under idempotency keys: each is answered once, and its answer kept for seven months.

    begin    our row: who asks for what; one at a time works on it
    act      whatever the request does, under ids made of the row's `effect_id`
    answer   our row: what it was answered with, replayed from now on

After a crash between any two lines the same request goes on under the same ids, as soon as the row
is no longer held; what it had done already is found by those ids and not done twice (R15).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID, uuid4

from dateutil.relativedelta import relativedelta
from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import Code, Rejected
from systems.db import Database
from systems.tables import RequestRow, UserRow

KEPT_FOR = relativedelta(months=7)
REMOVED_AT_ONCE = 20

# Longer than any request may take. Whoever has not answered by then has died.
HELD_FOR = timedelta(seconds=90)


@dataclass(frozen=True)
class Scope:
    """What a key is good for: this user's requests of this kind. Elsewhere it is another key."""

    user_id: str
    method: str
    path: str
    key: str


@dataclass(frozen=True)
class Answered:
    """What a request was answered with, word for word."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Begun:
    """A request to work on. What it makes gets its id from `effect_id`.

    `began_at` is when it was asked for first. `is_repeat`: it was cut off before.
    """

    effect_id: UUID
    began_at: datetime
    held_until: datetime
    is_repeat: bool


class Progress(Enum):
    """How far a request has come."""

    UNKNOWN = auto()
    BEGUN = auto()
    ANSWERED = auto()


class Requests:
    """The requests of all users."""

    def __init__(self, db: Database) -> None:
        """Keep them in `db`."""
        self._db = db

    def begin(
        self, scope: Scope, fingerprint: str, at: datetime, left: datetime | None = None
    ) -> Begun | Answered:
        """Take the request on, or tell what it was answered with.

        `fingerprint` tells whether it is the same request. `left`: whoever holds it until then is
        known to have given up.

        Raises:
            Rejected: `idempotency_key_in_use` while somebody works on it; `idempotency_key_reused`
                for another request under the same key.
        """
        with self._db.transaction() as session:
            # Of several that come at once the first one makes the row.
            session.get_one(UserRow, scope.user_id, with_for_update=True)
            _remove_old(session, at)
            row = _row(session, scope)
            is_repeat = row is not None
            if row is None:
                row = _insert(session, scope, fingerprint, at)
            _check(row, fingerprint, at, left)
            if row.status is not None:
                return Answered(row.status, row.headers or {}, row.body or "")
            row.held_until = at + HELD_FOR
            return Begun(UUID(row.effect_id), row.began_at, row.held_until, is_repeat)

    def answer(self, scope: Scope, answered: Answered) -> None:
        """Keep what the request was answered with; the first answer stays."""
        with self._db.transaction() as session:
            row = _row(session, scope)
            if row is not None and row.status is None:
                row.status, row.body = answered.status, answered.body
                row.headers = dict(answered.headers)
                row.held_until = None

    def let_go(self, scope: Scope, begun: Begun) -> None:
        """The request came to nothing that counts: whoever repeats it may do so at once."""
        with self._db.transaction() as session:
            row = _row(session, scope)
            # Somebody else may have it by now, should we have been away for long.
            if row is not None and row.held_until == begun.held_until:
                row.held_until = None

    def progress(self, scope: Scope) -> Progress:
        """How far the request has come."""
        with self._db.transaction() as session:
            row = _row(session, scope)
            if row is None:
                return Progress.UNKNOWN
            return Progress.BEGUN if row.status is None else Progress.ANSWERED


def _row(session: Session, scope: Scope) -> RequestRow | None:
    key = (scope.user_id, scope.method, scope.path, scope.key)
    return session.get(RequestRow, key, with_for_update=True)


def _insert(session: Session, scope: Scope, fingerprint: str, at: datetime) -> RequestRow:
    row = RequestRow(
        user_id=scope.user_id,
        method=scope.method,
        path=scope.path,
        key=scope.key,
        fingerprint=fingerprint,
        effect_id=uuid4().hex,
        began_at=at,
    )
    session.add(row)
    return row


def _check(row: RequestRow, fingerprint: str, at: datetime, left: datetime | None) -> None:
    if row.fingerprint != fingerprint:
        raise Rejected(
            Code.IDEMPOTENCY_KEY_REUSED,
            "That idempotency key belongs to another request; a new request needs a new key.",
        )
    if row.held_until not in (None, left) and at < row.held_until:
        raise Rejected(
            Code.IDEMPOTENCY_KEY_IN_USE,
            "The first request with that idempotency key is still being worked on; ask again soon.",
        )


def _remove_old(session: Session, at: datetime) -> None:
    old = (
        select(RequestRow)
        .where(RequestRow.began_at < at - KEPT_FOR)
        .order_by(RequestRow.began_at)
        .limit(REMOVED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    for row in session.scalars(old):
        session.delete(row)
    session.flush()
