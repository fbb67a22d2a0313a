"""Users and API keys: made, found, kept out."""

from datetime import timedelta

import pytest

from domain.errors import Code, Rejected
from domain.states import Role
from systems.db import Database
from systems.identity import Identity
from systems.tables import UserRow
from tests.fakes.hasher import FastHasher
from tests.systems.examples import ACCOUNT, ADMIN, OTHER
from tests.systems.people import EMAIL, NOW, OPERATOR, PASSWORD, prepared
from tests.together import together


@pytest.fixture
def identity(database: Database) -> Identity:
    return prepared(database, FastHasher())


def test_a_user_is_added_let_in_kept_out_and_let_in_again(identity: Identity) -> None:
    users = identity.users

    added = users.add(ACCOUNT, "Nia", " Nia@Example.example", Role.MANAGER, NOW, OPERATOR)
    before = identity.log_ins.log_in(added.email, PASSWORD, NOW)
    users.set_password(added.user_id, PASSWORD, NOW, OPERATOR)
    let_in = identity.log_ins.log_in(added.email, PASSWORD, NOW)
    users.block(added.user_id, NOW, OPERATOR)
    blocked = identity.log_ins.log_in(added.email, PASSWORD, NOW)
    users.set_password(added.user_id, PASSWORD, NOW, OPERATOR)

    assert "nia@example.example" == added.email
    assert (None, None) == (before, blocked)
    assert let_in is not None
    assert identity.log_ins.log_in(added.email, PASSWORD, NOW)
    assert added.user_id in {each.user_id for each in users.of_account(ACCOUNT)}
    assert added.user_id == users.user("NIA@example.example").user_id


@pytest.mark.parametrize(
    ("account_id", "name", "email", "what"),
    [
        (ACCOUNT, "", "a@b.example", {"field": "name"}),
        (ACCOUNT, "x" * 101, "a@b.example", {"field": "name"}),
        (ACCOUNT, "Nia", "nia", {"field": "email"}),
        (ACCOUNT, "Nia", "@b.example", {"field": "email"}),
        (ACCOUNT, "Nia", "a b@c.example", {"field": "email"}),
        (OTHER, "Nia", EMAIL.upper(), {"field": "email"}),
        ("ACC" + "0" * 32, "Nia", "a@b.example", {}),
    ],
)
def test_a_user_that_makes_no_sense_is_refused(
    identity: Identity, account_id: str, name: str, email: str, what: dict[str, str]
) -> None:
    with pytest.raises(Rejected) as refused:
        identity.users.add(account_id, name, email, Role.ADMIN, NOW, OPERATOR)

    assert what == refused.value.figures
    assert EMAIL not in refused.value.message.lower()


def test_of_two_who_add_the_same_email_at_once_one_is_refused(identity: Identity) -> None:
    def add(account_id: str) -> str:
        added = identity.users.add(account_id, "Nia", "n@a.example", Role.ADMIN, NOW, OPERATOR)
        return added.user_id

    came_to = together(lambda: add(ACCOUNT), lambda: add(OTHER))

    assert [Code.VALIDATION_FAILED] == [e.code for e in came_to if isinstance(e, Rejected)]
    assert 1 == len([each for each in came_to if isinstance(each, str)])


def test_who_is_not_there_cannot_be_let_in_or_kept_out(identity: Identity) -> None:
    nobody = "USR" + "0" * 32
    for act in (
        lambda: identity.users.user(nobody),
        lambda: identity.users.set_password(nobody, PASSWORD, NOW, OPERATOR),
        lambda: identity.users.block(nobody, NOW, OPERATOR),
        lambda: identity.api_keys.create(nobody, "backend", NOW, OPERATOR),
        lambda: identity.api_keys.revoke("KEY" + "0" * 32, NOW, OPERATOR),
    ):
        with pytest.raises(Rejected):
            act()


def test_a_key_acts_for_its_user_with_the_role_of_the_moment(
    database: Database, identity: Identity
) -> None:
    key = identity.api_keys.create(ADMIN, " product backend ", NOW, OPERATOR)
    with database.transaction() as session:
        session.get_one(UserRow, ADMIN).role = Role.MANAGER

    user = identity.api_keys.find(key.secret, NOW)

    assert user is not None
    assert (ADMIN, Role.MANAGER) == (user.user_id, user.role)
    assert key.secret.startswith("ap_")
    assert key.secret.endswith(key.key.hint)
    assert "product backend" == key.key.label
    assert identity.api_keys.find(key.secret[:-1], NOW) is None


def test_a_key_tells_when_it_was_used_last(identity: Identity) -> None:
    key = identity.api_keys.create(ADMIN, "backend", NOW, OPERATOR)
    seconds = (0, 59, 60)

    used = []
    for each in seconds:
        identity.api_keys.find(key.secret, NOW + timedelta(seconds=each))
        used.append(identity.api_keys.of_account(ACCOUNT)[0].last_used_at)

    assert key.key.last_used_at is None
    assert [NOW, NOW, NOW + timedelta(seconds=60)] == used
    assert [] == identity.api_keys.of_account(OTHER)


@pytest.mark.parametrize("how", ["revoke", "block"])
def test_a_revoked_key_is_good_for_nothing(identity: Identity, how: str) -> None:
    key = identity.api_keys.create(ADMIN, "backend", NOW, OPERATOR)

    for _ in range(2):
        if how == "revoke":
            identity.api_keys.revoke(key.key.key_id, NOW, OPERATOR)
        else:
            identity.users.block(ADMIN, NOW, OPERATOR)

    assert identity.api_keys.find(key.secret, NOW) is None
    assert [NOW] == [each.revoked_at for each in identity.api_keys.of_account(ACCOUNT)]


@pytest.mark.parametrize("label", ["", "   ", "x" * 101])
def test_a_key_needs_a_label(identity: Identity, label: str) -> None:
    with pytest.raises(Rejected) as refused:
        identity.api_keys.create(ADMIN, label, NOW, OPERATOR)

    assert {"field": "label"} == refused.value.figures
