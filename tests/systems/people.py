"""An administrator who logs in, for the tests of who may come in."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from systems.db import Database
from systems.identity import Identity, Passwords
from systems.identity.log_ins import LoggedIn
from tests.fakes.hasher import FastHasher
from tests.systems.examples import ADMIN, KEY, OTHER_KEY, add_account

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
EMAIL, PASSWORD = f"admin@{KEY}.example", "correct horse battery"
OPERATOR = "operator"
A_MOMENT = timedelta(seconds=1)


def prepared(database: Database, hasher: FastHasher) -> Identity:
    """Two accounts; the administrator of the example's may log in."""
    add_account(database)
    add_account(database, OTHER_KEY)
    identity = Identity(database, Passwords(hasher))
    identity.users.set_password(ADMIN, PASSWORD, NOW, OPERATOR)
    hasher.asked.clear()
    return identity


def logged_in(identity: Identity, at: datetime = NOW) -> LoggedIn:
    """The administrator has just logged in."""
    new = identity.log_ins.log_in(EMAIL, PASSWORD, at)
    assert new is not None
    return new


def column(database: Database, what: Any) -> set[Any]:
    """All values of a column."""
    with database.transaction() as session:
        return set(session.scalars(select(what)))
