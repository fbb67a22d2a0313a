"""The contract of `Access`, for the fake and for the real one on both databases."""

from typing import Protocol

import pytest

from domain.errors import Code, Rejected
from domain.policy import ALLOWED_WHILE_CLOSED, ALLOWED_WHILE_PAUSED, Action
from domain.ports import Access
from systems.access import SqlAccess
from systems.db import Database
from tests.fakes.access import FakeAccess
from tests.systems.examples import (
    ACCOUNT,
    CLOSE,
    LATER,
    NEXT_PAUSE,
    OTHER,
    OTHER_KEY,
    add_account,
    step,
)
from tests.together import together


class CheckedAccess(Access, Protocol):
    """The port, and the question that shows what it did."""

    def check(self, account_id: str, action: Action) -> None: ...


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def access(request: pytest.FixtureRequest) -> CheckedAccess:
    if request.param == "fake":
        fake = FakeAccess()
        fake.add(ACCOUNT)
        fake.add(OTHER)
        return fake
    return _real_access(request.getfixturevalue(f"{request.param}_database"))


def _real_access(database: Database) -> SqlAccess:
    add_account(database)
    add_account(database, OTHER_KEY)
    return SqlAccess(database)


def _allowed(access: CheckedAccess, account_id: str = ACCOUNT) -> set[Action]:
    return {action for action in Action if _refusal(access, account_id, action) is None}


def _refusal(access: CheckedAccess, account_id: str, action: Action) -> Code | None:
    try:
        access.check(account_id, action)
    except Rejected as refused:
        return refused.code
    return None


def test_an_active_account_allows_everything(access: CheckedAccess) -> None:
    assert set(Action) == _allowed(access)


def test_suspended_access_allows_what_a_pause_allows(access: CheckedAccess) -> None:
    for _ in range(2):
        access.suspend_access(step())

    assert ALLOWED_WHILE_PAUSED == _allowed(access)
    assert Code.ACCOUNT_PAUSED is _refusal(access, ACCOUNT, Action.REPORTS)
    assert set(Action) == _allowed(access, OTHER)


def test_restored_access_allows_everything(access: CheckedAccess) -> None:
    access.suspend_access(step())

    for _ in range(2):
        access.restore_access(step(at=LATER))

    assert set(Action) == _allowed(access)


def test_a_late_retry_does_not_suspend_after_the_resume(access: CheckedAccess) -> None:
    access.restore_access(step())

    access.suspend_access(step())

    assert set(Action) == _allowed(access)


def test_the_next_pause_suspends_again(access: CheckedAccess) -> None:
    access.suspend_access(step())
    access.restore_access(step())

    access.suspend_access(step(NEXT_PAUSE))

    assert ALLOWED_WHILE_PAUSED == _allowed(access)


@pytest.mark.parametrize("first_suspended", [True, False])
def test_closed_access_allows_coming_back_only(
    access: CheckedAccess, first_suspended: bool
) -> None:
    if first_suspended:
        access.suspend_access(step())

    for _ in range(2):
        access.close_access(step())

    assert ALLOWED_WHILE_CLOSED == _allowed(access)
    assert Code.ACCOUNT_CLOSED is _refusal(access, ACCOUNT, Action.REPORTS)


def test_what_is_closed_is_neither_suspended_nor_restored(access: CheckedAccess) -> None:
    access.close_access(step())

    access.suspend_access(step())
    access.restore_access(step())

    assert ALLOWED_WHILE_CLOSED == _allowed(access)


def test_steps_at_once_leave_nothing_suspended_behind_a_restore(access: CheckedAccess) -> None:
    answers = together(
        *[lambda: access.suspend_access(step())] * 4,
        *[lambda: access.restore_access(step())] * 4,
    )

    assert [None] * 8 == answers
    assert set(Action) == _allowed(access)


# --- what only the real one does -----------------------------------------------------------------


def test_an_unknown_account_is_not_found(database: Database) -> None:
    access = _real_access(database)

    assert Code.ACCOUNT_NOT_FOUND is _refusal(access, "ACC" + "0" * 32, Action.LOG_IN)


def test_reopened_access_allows_everything(database: Database) -> None:
    access = _real_access(database)
    access.close_access(step(CLOSE))

    for _ in range(2):
        access.reopen(ACCOUNT, LATER)

    assert set(Action) == _allowed(access)


def test_reopening_does_not_end_a_pause(database: Database) -> None:
    access = _real_access(database)
    access.suspend_access(step())

    access.reopen(ACCOUNT, LATER)

    assert ALLOWED_WHILE_PAUSED == _allowed(access)
