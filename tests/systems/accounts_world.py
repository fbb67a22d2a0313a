"""The accounts system set up for tests: the fake, and the real one on both databases."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pytest
from sqlalchemy import select

from domain.errors import Code, Rejected
from domain.ports import Accounts
from systems.accounts import SqlAccounts
from systems.db import Database
from systems.tables import NoticeRow
from tests.fakes.accounts import FakeAccounts
from tests.systems.examples import (
    ACCOUNT,
    LATER,
    OTHER,
    OTHER_KEY,
    QUOTE,
    ROLES,
    TERMS,
    add_account,
    begin_pause,
    end,
    mark_paused,
    step,
    timeline,
)

SNAPSHOT = {"numbers": {"NUM1": {"is_active": True}}}


@dataclass
class World:
    """The accounts system with one account, and what one can see of it from outside."""

    accounts: Accounts
    notices: Callable[[], list[str]]
    audit: Callable[[], list[tuple[str, str]]]


def fake_world() -> World:
    """The fake."""
    accounts = FakeAccounts()
    accounts.add(ACCOUNT, ROLES)
    accounts.add(OTHER, {})
    return World(
        accounts,
        notices=lambda: list(accounts.notices.values()),
        audit=lambda: [(entry.actor, entry.what) for entry in accounts.entries],
    )


def real_world(database: Database) -> World:
    """The real one."""
    add_account(database)
    add_account(database, OTHER_KEY)
    accounts = SqlAccounts(database)

    def notices() -> list[str]:
        with database.transaction() as session:
            return list(session.scalars(select(NoticeRow.kind).order_by(NoticeRow.at)))

    def audit() -> list[tuple[str, str]]:
        return [(entry.actor, entry.what) for entry in accounts.audit(ACCOUNT)]

    return World(accounts, notices, audit)


def pause(accounts: Accounts) -> None:
    """Begin the pause and put it into effect."""
    accounts.begin_pause(begin_pause(), TERMS, 3)
    accounts.mark_paused(mark_paused(), timeline(), 2, SNAPSHOT)


def resume(accounts: Accounts, at: datetime = LATER) -> None:
    """Resume the pause."""
    accounts.begin_resume(end())
    accounts.mark_resumed(step(at=at), 0, QUOTE)


def code_of(call: Callable[[], object]) -> Code:
    """The code under which `call` is refused."""
    with pytest.raises(Rejected) as refused:
        call()
    return refused.value.code
