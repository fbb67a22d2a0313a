"""The commands of who may come in, on a database of their own and without any server."""

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.errors import Code
from settings import Settings
from systems.sample import PASSWORD
from systems.wiring import Systems, open_systems
from tests.covering import leading
from tests.starter.conftest import Cli

ADMIN, NIA = "admin@brightside-dental.example", "nia@example.com"
NEW_PASSWORD = "correct horse battery"


@pytest.fixture
def state_dir(cli: Cli, tmp_path: Path) -> Path:
    """Where the sample accounts are."""
    cli(tmp_path, "migrate", "--json", TEMPORAL_ADDRESS="127.0.0.1:1")
    cli(tmp_path, "seed", "--json")
    return tmp_path


@pytest.fixture
def systems(state_dir: Path) -> Iterator[Systems]:
    settings = Settings(state_dir=state_dir)
    opened = open_systems(settings.database, settings.gateway, 1)
    yield opened
    opened.close()


def logs_in(systems: Systems, email: str, password: str) -> bool:
    return systems.identity.log_ins.log_in(email, password, datetime.now(UTC)) is not None


def set_password(
    cli: Cli, state_dir: Path, email: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{password}\n"))
    return cli(state_dir, "user", "set-password", email, "--stdin").exit_code


def test_the_sample_users_log_in_with_the_password_that_seed_shows(
    cli: Cli, state_dir: Path, systems: Systems
) -> None:
    seeded = cli(state_dir, "seed", "--json").document
    shown = cli(state_dir, "seed")

    assert PASSWORD == seeded["password"]
    assert PASSWORD in shown.out
    for account in seeded["accounts"]:
        assert 3 == len(account["emails"])
        assert account["emails"][0] in shown.out
    assert all(logs_in(systems, email, PASSWORD) for email in seeded["accounts"][0]["emails"])


def test_where_others_reach_the_web_process_nobody_logs_in_with_a_known_password(
    cli: Cli, tmp_path: Path
) -> None:
    public = {"ACCOUNT_PAUSE_PUBLIC_URL": "https://pause.example"}
    cli(tmp_path, "migrate", "--json", TEMPORAL_ADDRESS="127.0.0.1:1")
    seeded = cli(tmp_path, "seed", "--json", **public).document
    users = cli(tmp_path, "user", "list", "Brightside", "--json").document["users"]

    assert seeded["password"] is None
    assert {False} == {user["has_password"] for user in users}


def test_a_user_is_added_let_in_listed_and_kept_out(
    cli: Cli, state_dir: Path, systems: Systems, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, role = ("--name", "Nia Okafor"), ("--role", "admin")
    added = cli(state_dir, "user", "add", "Brightside", NIA, *name, *role, "--json").document
    again = cli(state_dir, "user", "add", "Brightside", NIA, *name, *role, "--json")
    let_in = set_password(cli, state_dir, NIA, NEW_PASSWORD, monkeypatch)
    was_let_in = logs_in(systems, NIA, NEW_PASSWORD)
    listed = cli(state_dir, "user", "list", "Brightside")
    blocked = cli(state_dir, "user", "block", added["user_id"], "--yes", "--json").document

    assert (NIA, "admin", False) == (added["email"], added["role"], added["has_password"])
    assert (1, Code.VALIDATION_FAILED) == (again.exit_code, again.document["code"])
    assert (0, True) == (let_in, was_let_in)
    assert added["user_id"] in listed.out
    assert not blocked["has_password"]
    assert not logs_in(systems, NIA, NEW_PASSWORD)


def test_a_password_is_never_an_argument_and_must_be_long(
    cli: Cli, state_dir: Path, systems: Systems, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_argument = cli(state_dir, "user", "set-password", ADMIN, NEW_PASSWORD, "--json")
    unasked = cli(state_dir, "user", "set-password", ADMIN, "--json")
    short = set_password(cli, state_dir, ADMIN, "short", monkeypatch)

    assert (2, 1, 1) == (as_argument.exit_code, unasked.exit_code, short)
    assert "--stdin" in unasked.document["message"]
    assert logs_in(systems, ADMIN, PASSWORD), "the one before still holds"


def test_a_key_is_shown_once_listed_and_revoked(
    cli: Cli, state_dir: Path, systems: Systems
) -> None:
    made = cli(state_dir, "api-key", "create", ADMIN, "product backend")
    secret = made.out.strip()
    user = systems.identity.api_keys.find(secret, datetime.now(UTC))
    listed = cli(state_dir, "api-key", "list", "Brightside", "--json").document["api_keys"]
    table = cli(state_dir, "api-key", "list", "Brightside")
    revoked = cli(state_dir, "api-key", "revoke", listed[0]["key_id"], "--json").document

    assert user is not None
    assert ADMIN == user.email
    assert "shown this once" in made.err
    assert ["product backend"] == [key["label"] for key in listed]
    assert secret not in str(listed) + table.out
    assert listed[0]["key_id"] in table.out
    assert revoked["revoked_at"]
    assert systems.identity.api_keys.find(secret, datetime.now(UTC)) is None


@pytest.mark.parametrize(
    "arguments",
    leading(
        [
            ["user", "add", "Nobody", NIA, "--name", "Nia", "--role", "admin"],
            ["user", "add", "Brightside", "nia", "--name", "Nia", "--role", "admin"],
            ["user", "block", NIA, "--yes"],
            ["user", "block", ADMIN],
            ["api-key", "create", NIA, "product backend"],
            ["api-key", "create", ADMIN, ""],
            ["api-key", "revoke", "KEY" + "0" * 32],
        ],
        2,
    ),
)
def test_what_makes_no_sense_is_refused(cli: Cli, state_dir: Path, arguments: list[str]) -> None:
    answer = cli(state_dir, *arguments, "--json")

    assert 1 == answer.exit_code
    assert {"code", "message", "figures"} == answer.document.keys()


def test_a_role_that_does_not_exist_is_wrong_usage(cli: Cli, state_dir: Path) -> None:
    answer = cli(
        state_dir, "user", "add", "Brightside", NIA, "--name", "Nia", "--role", "boss", "--json"
    )

    assert 2 == answer.exit_code
