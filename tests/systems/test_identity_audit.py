"""Who came in, who tried to, who left, and which keys there were: all of it is in the audit."""

from typing import Any

import pytest
from sqlalchemy import select

from systems.db import Database
from systems.identity import Identity
from systems.identity.log_ins import NO_ACCOUNT
from systems.tables import AuditRow
from tests.fakes.hasher import FastHasher
from tests.systems.examples import ACCOUNT, ADMIN
from tests.systems.people import EMAIL, NOW, OPERATOR, PASSWORD, logged_in, prepared

UNKNOWN = "nobody@example.example"


@pytest.fixture
def identity(database: Database) -> Identity:
    return prepared(database, FastHasher())


def audited(database: Database, account_id: str = ACCOUNT) -> list[tuple[str, str, dict[str, Any]]]:
    """Who did what, with its details."""
    query = select(AuditRow).where(AuditRow.account_id == account_id).order_by(AuditRow.id)
    with database.transaction() as session:
        return [(row.actor, row.what, row.detail) for row in session.scalars(query)]


def test_a_log_in_and_both_ways_out_are_audited_once(
    database: Database, identity: Identity
) -> None:
    before = len(audited(database))
    one, two = logged_in(identity).session.session_id, logged_in(identity).session.session_id

    for _ in range(2):
        identity.sessions.end(one, NOW)
    for _ in range(2):
        identity.sessions.end_all(ADMIN, NOW)

    assert [
        (ADMIN, "logged_in", {"session_id": one}),
        (ADMIN, "logged_in", {"session_id": two}),
        (ADMIN, "logged_out", {"session_id": one}),
        (ADMIN, "logged_out_everywhere", {"count": 1}),
    ] == audited(database)[before:]


def test_a_failed_log_in_is_audited_and_costs_the_same_for_whoever_is_unknown(
    database: Database, identity: Identity
) -> None:
    before = len(audited(database))

    identity.log_ins.log_in(EMAIL, "wrong", NOW)
    identity.log_ins.log_in(UNKNOWN, PASSWORD, NOW)

    failed = ("system", "log_in_failed")
    assert [(*failed, {"user_id": ADMIN})] == audited(database)[before:]
    assert [(*failed, {})] == audited(database, NO_ACCOUNT)


def test_a_key_is_audited_when_it_is_made_and_when_it_is_revoked_however_that_is(
    database: Database, identity: Identity
) -> None:
    before = len(audited(database))
    one, two = (identity.api_keys.create(ADMIN, each, NOW, OPERATOR) for each in ("one", "two"))

    identity.api_keys.revoke(one.key.key_id, NOW, OPERATOR)
    identity.users.block(ADMIN, NOW, OPERATOR)

    keys = [(what, detail.get("key_id")) for _, what, detail in audited(database)[before:]]
    assert [
        ("api_key_created", one.key.key_id),
        ("api_key_created", two.key.key_id),
        ("api_key_revoked", one.key.key_id),
        ("api_key_revoked", two.key.key_id),
        ("user_blocked", None),
    ] == keys


def test_the_audit_holds_no_name_and_no_secret(database: Database, identity: Identity) -> None:
    new = logged_in(identity)
    key = identity.api_keys.create(ADMIN, "a label", NOW, OPERATOR)
    identity.log_ins.log_in(UNKNOWN, "wrong", NOW)

    written = str(audited(database) + audited(database, NO_ACCOUNT))
    secrets = (EMAIL, UNKNOWN, PASSWORD, new.token, new.device, key.secret, "a label")
    assert [] == [each for each in secrets if each in written]
