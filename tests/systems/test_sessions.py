"""Sessions: found, used, idle, over, and ended at once."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from domain.states import Role
from systems.db import Database
from systems.identity import Identity
from systems.identity.sessions import ABSOLUTE, IDLE
from systems.tables import ApiKeyRow, DeviceRow, SessionRow, UserRow
from tests.fakes.hasher import FastHasher
from tests.systems.examples import ACCOUNT, ADMIN
from tests.systems.people import (
    A_MOMENT,
    NOW,
    OPERATOR,
    PASSWORD,
    column,
    logged_in,
    prepared,
)


@pytest.fixture
def identity(database: Database) -> Identity:
    return prepared(database, FastHasher())


def test_a_session_is_found_by_its_token_with_the_role_of_the_moment(
    database: Database, identity: Identity
) -> None:
    token = logged_in(identity).token
    with database.transaction() as session:
        session.get_one(UserRow, ADMIN).role = Role.REPORTING

    found = identity.sessions.find(token, NOW)

    assert found is not None
    assert (ADMIN, ACCOUNT, Role.REPORTING) == (
        found.user.user_id,
        found.user.account_id,
        found.user.role,
    )
    assert identity.sessions.find(token + "x", NOW) is None


def test_only_hashes_of_secrets_are_stored(database: Database, identity: Identity) -> None:
    new = logged_in(identity)
    key = identity.api_keys.create(ADMIN, "backend", NOW, OPERATOR)
    secrets = {new.token, new.device, key.secret, PASSWORD}
    with database.transaction() as session:
        stored = {
            str(value)
            for table in (SessionRow, DeviceRow, ApiKeyRow, UserRow)
            for row in session.scalars(select(table))
            for value in vars(row).values()
        }

    assert set() == secrets & stored
    assert not any(secret in repr((new, key)) for secret in secrets)


def test_an_idle_session_ends_and_a_used_one_goes_on(identity: Identity) -> None:
    """``--[==used==)-----used--)``"""
    sessions = identity.sessions
    idle, used = logged_in(identity).token, logged_in(identity).token

    assert sessions.find(used, NOW + IDLE - A_MOMENT)
    assert sessions.find(idle, NOW + IDLE) is None
    assert sessions.find(used, NOW + IDLE * 2 - 2 * A_MOMENT)


def test_no_session_lasts_longer_than_two_weeks(identity: Identity) -> None:
    token, at = logged_in(identity).token, NOW
    while at < NOW + ABSOLUTE - IDLE:
        at += IDLE / 2
        assert identity.sessions.find(token, at)

    assert identity.sessions.find(token, NOW + ABSOLUTE - A_MOMENT)
    assert identity.sessions.find(token, NOW + ABSOLUTE) is None


def test_reading_marks_a_session_as_used_at_most_once_a_minute(
    database: Database, identity: Identity
) -> None:
    token = logged_in(identity).token

    identity.sessions.find(token, NOW + timedelta(seconds=59))
    unmarked = column(database, SessionRow.seen_at)
    identity.sessions.find(token, NOW + timedelta(seconds=60))

    assert {NOW} == unmarked
    assert {NOW + timedelta(seconds=60)} == column(database, SessionRow.seen_at)


def test_one_session_is_ended_and_the_others_stay(identity: Identity) -> None:
    first, second = logged_in(identity), logged_in(identity, NOW + A_MOMENT)

    identity.sessions.end(first.session.session_id, NOW)
    identity.sessions.end(first.session.session_id, NOW)

    assert identity.sessions.find(first.token, NOW) is None
    assert [second.session.session_id] == [
        each.session_id for each in identity.sessions.of_user(ADMIN, NOW + A_MOMENT)
    ]


@pytest.mark.parametrize("how", ["end_all", "set_password", "block"])
def test_all_sessions_of_a_user_end_at_once(identity: Identity, how: str) -> None:
    tokens = [logged_in(identity).token, logged_in(identity).token]

    match how:
        case "end_all":
            identity.sessions.end_all(ADMIN, NOW)
        case "set_password":
            identity.users.set_password(ADMIN, PASSWORD, NOW, OPERATOR)
        case _:
            identity.users.block(ADMIN, NOW, OPERATOR)

    assert [None, None] == [identity.sessions.find(token, NOW) for token in tokens]


def test_ended_sessions_are_cleared_away_when_another_begins(
    database: Database, identity: Identity
) -> None:
    logged_in(identity)
    logged_in(identity, NOW + IDLE)

    assert 1 == len(column(database, SessionRow.id))
