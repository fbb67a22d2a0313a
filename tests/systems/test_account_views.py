from datetime import timedelta

import pytest

from domain.errors import Code
from domain.ports import Act
from domain.states import AccountStatus, PauseState
from systems.accounts import SqlAccounts
from systems.db import Database
from tests.systems.accounts_world import code_of, pause, resume
from tests.systems.examples import (
    ACCOUNT,
    ADMIN,
    AT,
    CLOSE,
    LATER,
    NEXT_PAUSE,
    OTHER,
    OTHER_KEY,
    PAUSE,
    ROLES,
    TERMS,
    add_account,
    begin_pause,
    end,
    step,
)


@pytest.fixture
def real(database: Database) -> SqlAccounts:
    add_account(database)
    add_account(database, OTHER_KEY)
    return SqlAccounts(database)


def test_a_reason_lives_in_the_audit_only(real: SqlAccounts) -> None:
    for _ in range(2):
        real.record_request(PAUSE, ACCOUNT, ADMIN, "pause_asked", "Off season", AT)

    (entry,) = real.audit(ACCOUNT)
    assert ("Off season", ADMIN, "pause_asked", PAUSE, AT) == (
        entry.reason,
        entry.actor,
        entry.what,
        entry.act_id,
        entry.at,
    )
    assert [] == real.audit(OTHER)


def test_acts_are_listed_by_account_state_and_openness(real: SqlAccounts) -> None:
    pause(real)
    resume(real)
    real.begin_pause(begin_pause(NEXT_PAUSE, at=LATER), TERMS, 3)

    def ids(acts: list[Act]) -> list[str]:
        return [act.act_id for act in acts]

    assert [PAUSE, NEXT_PAUSE] == ids(real.acts())
    assert [PAUSE, NEXT_PAUSE] == ids(real.acts(ACCOUNT))
    assert [] == real.acts(OTHER)
    assert [PAUSE] == ids(real.acts(states=[PauseState.RESUMED]))
    assert [NEXT_PAUSE] == ids(real.acts(open_only=True))


def test_accounts_and_users_are_listed(real: SqlAccounts) -> None:
    assert {ACCOUNT, OTHER} == {account.account_id for account in real.accounts()}
    assert ROLES == {user.user_id: user.role for user in real.users(ACCOUNT)}
    assert [] == real.users("ACC" + "0" * 32)


def test_the_clock_ahead_is_that_of_the_open_pause_else_of_the_last(real: SqlAccounts) -> None:
    assert timedelta(0) == real.clock_ahead(ACCOUNT)

    pause(real)
    real.set_clock_ahead(PAUSE, 3600)
    assert timedelta(hours=1) == real.clock_ahead(ACCOUNT)

    resume(real)
    assert timedelta(hours=1) == real.clock_ahead(ACCOUNT)

    # Begun by the real clock, that is before the first one by its own.
    real.begin_pause(begin_pause(NEXT_PAUSE), TERMS, 3)
    assert timedelta(0) == real.clock_ahead(ACCOUNT)
    assert Code.PAUSE_NOT_FOUND is code_of(lambda: real.set_clock_ahead("PAU" + "0" * 32, 1))


def test_a_closed_account_is_reopened_once(real: SqlAccounts) -> None:
    real.begin_close(end(CLOSE))
    assert Code.ACCOUNT_ALREADY_PAUSED is code_of(lambda: real.reopen(ACCOUNT, ADMIN, LATER))
    real.mark_closed(step(CLOSE))

    for _ in range(2):
        real.reopen(ACCOUNT, ADMIN, LATER)

    assert AccountStatus.ACTIVE is real.account(ACCOUNT).status
    assert 1 == [entry.what for entry in real.audit(ACCOUNT)].count("reopened")
