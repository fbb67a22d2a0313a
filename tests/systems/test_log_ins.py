"""Logging in: passwords, the same effort for whoever fails, and browsers that are known."""

import pytest

from domain.errors import Rejected
from systems.db import Database
from systems.identity import Identity, Passwords
from systems.identity.log_ins import DEVICE_FORGOTTEN_AFTER
from systems.identity.passwords import LANES, MEMORY_KIB, OF_NOBODY, PASSES
from systems.tables import DeviceRow, SessionRow, UserRow
from tests.fakes.hasher import FastHasher
from tests.systems.examples import ADMIN, KEY, add_account
from tests.systems.people import (
    A_MOMENT,
    EMAIL,
    NOW,
    OPERATOR,
    PASSWORD,
    column,
    logged_in,
    prepared,
)


@pytest.fixture
def hasher() -> FastHasher:
    return FastHasher()


@pytest.fixture
def identity(database: Database, hasher: FastHasher) -> Identity:
    return prepared(database, hasher)


def test_passwords_are_hashed_as_the_guideline_asks() -> None:
    passwords = Passwords()

    stored = passwords.hashed(PASSWORD)

    assert stored.startswith(f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$")
    assert (19 * 1024, 2, 1) == (MEMORY_KIB, PASSES, LANES)
    assert passwords.are_same(stored, PASSWORD)
    assert not passwords.are_same(stored, PASSWORD + "!")


def test_nobodys_password_takes_as_long_as_anybody_elses() -> None:
    passwords = Passwords()

    assert not passwords.is_outdated(OF_NOBODY), "hash some random password anew"
    assert not passwords.are_same(None, "")


def test_the_same_password_from_another_keyboard_is_the_same() -> None:
    passwords = Passwords(FastHasher())
    composed, decomposed = "cr\u00e8me br\u00fbl\u00e9e", "cre\u0300me bru\u0302le\u0301e"

    assert passwords.are_same(passwords.hashed(composed), decomposed)


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 257])
def test_a_password_of_the_wrong_length_is_refused(identity: Identity, password: str) -> None:
    with pytest.raises(Rejected) as refused:
        identity.users.set_password(ADMIN, password, NOW, OPERATOR)

    assert {"field": "password"} == refused.value.figures
    assert identity.log_ins.log_in(EMAIL, PASSWORD, NOW), "the old one still holds"


def test_what_is_stored_that_is_no_hash_lets_nobody_in() -> None:
    assert not Passwords().are_same("plain text", "plain text")


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (EMAIL, "wrong"),
        ("nobody@example.example", PASSWORD),
        (f"manager@{KEY}.example", PASSWORD),
        ("", ""),
    ],
    ids=["wrong", "unknown", "no password", "nothing"],
)
def test_unknown_and_wrong_get_the_same_answer_for_the_same_effort(
    identity: Identity, hasher: FastHasher, email: str, password: str
) -> None:
    assert identity.log_ins.log_in(email, password, NOW) is None
    assert ["verify"] == hasher.asked


def test_control_the_right_password_lets_in(identity: Identity, hasher: FastHasher) -> None:
    assert logged_in(identity).session.user.user_id == ADMIN
    assert ["verify"] == hasher.asked


def test_an_email_is_the_same_however_it_is_written(identity: Identity) -> None:
    assert identity.log_ins.log_in(f"  {EMAIL.upper()} ", PASSWORD, NOW)


def test_a_password_with_old_parameters_is_hashed_anew(database: Database) -> None:
    add_account(database)
    old = Identity(database, Passwords(FastHasher(passes=1)))
    old.users.set_password(ADMIN, PASSWORD, NOW, OPERATOR)
    before = column(database, UserRow.password_hash)

    new = Identity(database, Passwords(FastHasher(passes=2)))
    logged_in(new)
    renewed = column(database, UserRow.password_hash)
    logged_in(new)

    assert before != renewed
    assert renewed == column(database, UserRow.password_hash)


def test_a_password_that_changes_while_it_is_compared_lets_nobody_in(database: Database) -> None:
    add_account(database)

    class Slow(FastHasher):
        def verify(self, hash: str, password: str) -> bool:
            users.block(ADMIN, NOW, OPERATOR)
            return super().verify(hash, password)

    identity = Identity(database, Passwords(Slow()))
    users = identity.users
    users.set_password(ADMIN, PASSWORD, NOW, OPERATOR)

    assert identity.log_ins.log_in(EMAIL, PASSWORD, NOW) is None
    assert set() == column(database, SessionRow.id)


def test_a_device_is_known_to_its_user_only_and_forgotten_after_a_while(
    identity: Identity,
) -> None:
    log_ins, device = identity.log_ins, logged_in(identity).device
    almost = NOW + DEVICE_FORGOTTEN_AFTER - A_MOMENT

    assert log_ins.is_known_device(EMAIL, device, almost)
    assert not log_ins.is_known_device(EMAIL, device, almost + A_MOMENT)
    assert not log_ins.is_known_device(f"manager@{KEY}.example", device, NOW)
    assert not log_ins.is_known_device("nobody@example.example", device, NOW)
    assert not log_ins.is_known_device(EMAIL, "made up", NOW)


def test_forgotten_devices_are_cleared_away(database: Database, identity: Identity) -> None:
    logged_in(identity)
    logged_in(identity, NOW + DEVICE_FORGOTTEN_AFTER)

    assert 1 == len(column(database, DeviceRow.token_hash))
