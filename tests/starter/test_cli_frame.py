"""What all commands share: Ctrl-C, and what is said when the surroundings are not as needed."""

import asyncio
import signal
from pathlib import Path

import pytest
import typer

from domain.errors import Code
from starter.cli.app import INTERRUPTED, UNAVAILABLE, USAGE, asked, run
from systems.sample import SampleAccount
from tests.starter.conftest import Cli, Up

NOBODY_LISTENS = "postgresql+psycopg://user:secret@127.0.0.1:1/name"


def pressed() -> str:
    """Somebody presses Ctrl-C at a question, and answers it all the same."""
    signal.raise_signal(signal.SIGINT)
    return "yes"


def test_ctrl_c_at_a_question_is_taken_at_once() -> None:
    answers: list[str] = []

    async def work() -> None:
        answers.append(asked(pressed))

    with pytest.raises(typer.Exit):
        run(work())

    assert answers == []


def test_control_without_that_the_answer_is_taken() -> None:
    answers: list[str] = []

    async def work() -> None:
        answers.append(pressed())

    with pytest.raises(typer.Exit):
        run(work())

    assert answers == ["yes"]


def test_ctrl_c_says_that_what_was_asked_for_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        pressed()
        await asyncio.sleep(0)

    with pytest.raises(typer.Exit) as left:
        run(work())

    assert left.value.exit_code == INTERRUPTED
    assert "goes on; asking again is safe" in capsys.readouterr().err


def test_a_database_that_does_not_answer_is_told_with_the_reason(cli: Cli, tmp_path: Path) -> None:
    ours = cli(tmp_path, "list", "--json", DATABASE_URL=NOBODY_LISTENS)
    cli(tmp_path, "migrate", TEMPORAL_ADDRESS="127.0.0.1:1")
    gateways = cli(tmp_path, "reconcile", "--json", ACCOUNT_PAUSE_GATEWAY_URL=NOBODY_LISTENS)

    for answer in (ours, gateways):
        assert answer.exit_code == UNAVAILABLE
        assert "secret" not in answer.out
    assert "refused" in ours.document["message"]


@pytest.mark.parametrize(
    "surroundings",
    [
        {"DATABASE_URL": "postgres://user:secret@host/name"},
        {"TEMPORAL_PROFILE": "nobody"},
        {"TEMPORAL_TLS_CLIENT_CERT_PATH": "nowhere.pem"},
    ],
    ids=lambda them: next(iter(them)),
)
def test_variables_that_cannot_be_used_are_wrong_usage(
    cli: Cli, stack: Up, surroundings: dict[str, str]
) -> None:
    answer = cli(stack.state_dir, "sweep", "--json", **surroundings)

    assert (USAGE, Code.VALIDATION_FAILED) == (answer.exit_code, answer.document["code"])
    assert "cannot be used" in answer.document["message"]


@pytest.mark.parametrize("command", [["sweep"], ["migrate"], ["replay", "--all-open"]])
def test_a_namespace_that_is_not_there_is_told_as_that(
    cli: Cli, stack: Up, command: list[str]
) -> None:
    answer = cli(stack.state_dir, *command, "--json", TEMPORAL_NAMESPACE="elsewhere")

    assert (UNAVAILABLE, Code.UNAVAILABLE) == (answer.exit_code, answer.document["code"])
    assert "account-pause namespace" in answer.document["message"]


def test_an_act_is_not_taken_for_over_in_a_namespace_that_is_not_there(
    cli: Cli, stack: Up, account: SampleAccount
) -> None:
    cli(stack.state_dir, "pause", account.account_id, "--yes")

    answer = cli(
        stack.state_dir, "resume", account.account_id, "--json", TEMPORAL_NAMESPACE="elsewhere"
    )

    assert (UNAVAILABLE, Code.UNAVAILABLE) == (answer.exit_code, answer.document["code"])


def test_where_a_pause_stands_is_told_without_temporal(
    cli: Cli, stack: Up, account: SampleAccount
) -> None:
    cli(stack.state_dir, "pause", account.account_id, "--yes")

    answer = cli(
        stack.state_dir, "status", account.account_id, "--json", TEMPORAL_ADDRESS="127.0.0.1:1"
    )

    assert (0, "paused") == (answer.exit_code, answer.document["state"])
    assert "From the database only" in answer.err


def test_dates_beyond_all_calendars_are_wrong_usage(
    cli: Cli, stack: Up, account: SampleAccount
) -> None:
    cli(stack.state_dir, "pause", account.account_id, "--yes")

    days = cli(stack.state_dir, "fast-forward", account.account_id, "--days", "9999999", "--json")
    until = cli(stack.state_dir, "reconcile", "--until", "9999-12-31", "--json")

    assert (USAGE, USAGE) == (days.exit_code, until.exit_code)
    assert days.document["code"] == until.document["code"] == Code.VALIDATION_FAILED


def test_nobody_is_asked_to_confirm_a_pause_that_is_refused(cli: Cli, stack: Up) -> None:
    answer = cli(stack.state_dir, "pause", "Northgate")

    assert answer.exit_code == 1
    assert "on these terms?" not in answer.out + answer.err
    assert Code.TOO_MANY_TRACKING_NUMBERS in answer.err


def test_a_run_id_that_is_none_is_wrong_usage(cli: Cli, stack: Up) -> None:
    answer = cli(stack.state_dir, "replay", "Brightside", "--run", "nope", "--json")

    assert (USAGE, Code.VALIDATION_FAILED) == (answer.exit_code, answer.document["code"])
