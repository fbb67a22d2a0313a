"""The commands, as people and programs use them, on a local stack that runs."""

import io
import sys
from pathlib import Path

import pytest

from domain.errors import Code
from starter.cli.app import ORDER
from systems.sample import SampleAccount
from tests.starter.conftest import Cli, Up, until

NO_CARD, TOO_MANY, CLOSED = "Corner Bakery", "Northgate Movers", "Old Mill Motors"
NOBODY_LISTENS = "127.0.0.1:1"


# Of a group, such as `user`, each of its commands.
GROUPS = {"user": ("add", "list", "set-password", "block"), "api-key": ("create", "list", "revoke")}
EACH_OF_ORDER = [
    f"{command} {each}".strip() for command in ORDER for each in GROUPS.get(command, ("",))
]


def typed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody at the terminal types `text`."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_an_account_is_paused_moved_through_time_and_resumed(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    name = account.account_id

    promised = cli(stack.state_dir, "preview", name, "--json").document
    paused = cli(stack.state_dir, "pause", name, "--yes", "--reason", "winter", "--json").document
    listed = cli(stack.state_dir, "list", "--json").document["pauses"]
    moved = cli(stack.state_dir, "fast-forward", name, "--days", "65", "--json").document
    cost = cli(stack.state_dir, "preview", name, "--json").document
    resumed = cli(stack.state_dir, "resume", name, "--json")
    again = cli(stack.state_dir, "resume", name, "--json").document

    assert promised["refusal"] is None
    fees = [fee["billing_on"] for fee in promised["timeline"]["fees"]]
    assert fees == [charge["billing_on"] for charge in paused["charges"]]
    assert name in [each["account_id"] for each in listed]
    fallen_due = [fee for fee in promised["timeline"]["fees"] if fee["due_at"] <= moved["to_at"]]
    assert len(fallen_due) == [event["what"] for event in moved["events"]].count("fee_paid")
    assert cost["refusal"]["code"] == Code.ACCOUNT_ALREADY_PAUSED
    assert ["remaining_days"] == [line["kind"] for line in cost["resume_lines"]]
    assert (0, "resumed") == (resumed.exit_code, resumed.document["state"])
    # The clock of the pause is ahead, and a resume counts by that clock.
    assert resumed.document["ended_at"] >= moved["to_at"]
    assert again["ended_at"] == resumed.document["ended_at"]


def test_a_declined_fee_is_listed_as_past_due_until_another_card_pays_it(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    name = account.account_id

    def past_due() -> list[str]:
        answer = cli(stack.state_dir, "list", "--past-due", "--json").document["pauses"]
        return [each["account_id"] for each in answer]

    cli(stack.state_dir, "card", name, "declined")
    paused = cli(stack.state_dir, "pause", name, "--yes", "--json").document
    first_on = paused["charges"][0]["billing_on"]
    moved = cli(stack.state_dir, "fast-forward", name, "--to", first_on, "--json").document
    until(lambda: name in past_due(), "the past due account is listed")
    card = cli(stack.state_dir, "card", name, "visa", "--json").document
    until(lambda: name not in past_due(), "the paid account is not listed")

    assert "fee_declined" in [event["what"] for event in moved["events"]]
    assert moved["status"]["past_due"]
    assert card["card"]["last4"] == "4242"
    assert "token" not in card["card"]


def test_a_resume_date_is_chosen_moved_and_dropped(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    name = account.account_id
    promised = cli(stack.state_dir, "preview", name, "--json").document["timeline"]
    latest, chosen = promised["latest_resume_on"], promised["fees"][2]["billing_on"]

    paused = cli(stack.state_dir, "pause", name, "--yes", "--resume-on", chosen, "--json")
    dropped = cli(stack.state_dir, "change-date", name, "latest", "--json")
    too_late = cli(stack.state_dir, "change-date", name, "2099-01-01", "--json")

    assert chosen == paused.document["resume_on"]
    assert [2, 6] == [len(each.document["charges"]) for each in (paused, dropped)]
    assert dropped.document["resume_on"] == latest
    assert too_late.exit_code == 1
    assert too_late.document["code"] == Code.INVALID_RESUME_DATE
    assert too_late.document["figures"]["latest"] == latest


def test_closing_needs_the_word_and_a_card_opens_the_account_again(
    stack: Up, account: SampleAccount, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = account.account_id

    typed("yes\n", monkeypatch)
    unsure = cli(stack.state_dir, "close", name)
    typed("CLOSE\n", monkeypatch)
    closed = cli(stack.state_dir, "close", name)
    price = cli(stack.state_dir, "card", name, "visa", "--json")
    reopened = cli(stack.state_dir, "card", name, "visa", "--reopen", "--json").document
    preview = cli(stack.state_dir, "preview", name, "--json").document

    assert (1, 0) == (unsure.exit_code, closed.exit_code)
    assert price.document["code"] == Code.ACCOUNT_CLOSED
    assert price.document["figures"]["amount_minor"] > 0
    assert reopened["reopened"]["amount_minor"] == price.document["figures"]["amount_minor"]
    assert ("active", 0) == (preview["account_status"], preview["retained_numbers"])


def test_pausing_asks_first_and_no_changes_nothing(
    stack: Up, account: SampleAccount, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed("n\n", monkeypatch)
    answer = cli(stack.state_dir, "pause", account.account_id)
    status = cli(stack.state_dir, "status", account.account_id, "--json")

    assert answer.exit_code == 1
    assert "Resumes" in answer.out, "the preview is shown before the question"
    assert status.document["code"] == Code.PAUSE_NOT_FOUND


def test_a_tracker_is_disabled_by_the_beginning_of_its_name(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    before = cli(stack.state_dir, "disable", account.account_id, "--json").document["trackers"]
    disabled = cli(stack.state_dir, "disable", account.account_id, "google", "--yes", "--json")
    preview = cli(stack.state_dir, "preview", account.account_id, "--json").document

    assert {"active"} == {tracker["status"] for tracker in before}
    assert "disabled" == disabled.document["status"]
    assert preview["retained_numbers"] == 2


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (["pause", TOO_MANY, "--yes"], 1, Code.TOO_MANY_TRACKING_NUMBERS),
        (["pause", NO_CARD, "--yes"], 1, Code.PAYMENT_METHOD_REQUIRED),
        (["pause", CLOSED, "--yes"], 1, Code.ACCOUNT_CLOSED),
        (["pause", "Brightside", "--yes", "--as", "USR" + 32 * "0"], 1, Code.NOT_AN_ADMINISTRATOR),
        (["pause", "Brightside"], 1, Code.VALIDATION_FAILED),
        (["resume", "Corner"], 1, Code.ACCOUNT_NOT_PAUSED),
        (["retry", "Corner"], 1, Code.PAUSE_NOT_FOUND),
        (["status", "Nobody"], 1, Code.ACCOUNT_NOT_FOUND),
        (["status", ""], 1, Code.VALIDATION_FAILED),
        (["card", "Brightside", "4242424242424242"], 1, Code.VALIDATION_FAILED),
        (["fast-forward", "Corner", "--days", "1"], 1, Code.ACCOUNT_NOT_PAUSED),
        (["preview", "Brightside", "--resume-on", "tomorrow"], 2, Code.VALIDATION_FAILED),
        (["fast-forward", "Brightside"], 2, Code.VALIDATION_FAILED),
        (["preview"], 2, Code.VALIDATION_FAILED),
        (["list", "--state", "asleep"], 2, Code.VALIDATION_FAILED),
    ],
)
def test_what_is_refused_has_its_code_and_exit_code(
    stack: Up, cli: Cli, arguments: list[str], exit_code: int, code: Code
) -> None:
    answer = cli(stack.state_dir, *arguments, "--json")

    assert (exit_code, code) == (answer.exit_code, answer.document["code"])
    assert {"code", "message", "figures"} == answer.document.keys()
    assert "4242424242424242" not in answer.out


def test_a_refusal_brings_the_figures_to_act(stack: Up, cli: Cli) -> None:
    answer = cli(stack.state_dir, "pause", TOO_MANY, "--yes", "--json").document

    assert {"active": 53, "limit": 50, "excess": 3} == answer["figures"]


def test_a_clock_is_moved_on_the_local_stack_only(
    stack: Up, account: SampleAccount, cli: Cli, tmp_path: Path
) -> None:
    move = ["fast-forward", account.account_id, "--days", "1", "--json"]

    elsewhere = cli(stack.state_dir, *move, TEMPORAL_ADDRESS=NOBODY_LISTENS)
    without_stack = cli(tmp_path, *move)

    assert (1, 1) == (elsewhere.exit_code, without_stack.exit_code)
    assert NOBODY_LISTENS in elsewhere.document["message"]
    assert "account-pause up" in without_stack.document["message"]


def test_without_a_database_or_server_the_message_says_what_to_do(
    cli: Cli, tmp_path: Path, stack: Up
) -> None:
    nothing = cli(tmp_path, "status", "Brightside", "--json")
    (tmp_path / "account-pause.db").touch()
    old = cli(tmp_path, "status", "Brightside", "--json")
    away = cli(stack.state_dir, "resume", "Brightside", "--json", TEMPORAL_ADDRESS=NOBODY_LISTENS)

    assert [3, 3, 3] == [answer.exit_code for answer in (nothing, old, away)]
    assert "account-pause up" in nothing.document["message"]
    assert "account-pause migrate" in old.document["message"]
    assert NOBODY_LISTENS in away.document["message"]


def test_a_fresh_database_is_migrated_and_seeded_without_a_server(cli: Cli, tmp_path: Path) -> None:
    migrated = cli(tmp_path, "migrate", "--json", TEMPORAL_ADDRESS=NOBODY_LISTENS)
    seeded = cli(tmp_path, "seed", "--json")
    again = cli(tmp_path, "seed", "--json")

    assert (0, None) == (migrated.exit_code, migrated.document["registered_search_attributes"])
    assert 6 == len(seeded.document["accounts"])
    assert seeded.document == again.document


def test_migrate_finds_that_the_server_has_every_search_attribute(stack: Up, cli: Cli) -> None:
    answer = cli(stack.state_dir, "migrate", "--json")

    assert [] == answer.document["registered_search_attributes"]


@pytest.mark.parametrize("command", EACH_OF_ORDER)
def test_every_command_explains_itself_and_speaks_json(
    cli: Cli, tmp_path: Path, command: str
) -> None:
    answer = cli(tmp_path, *command.split(), "--help")

    assert answer.exit_code == 0
    assert "--json" in answer.out


def test_people_see_names_and_local_times(stack: Up, account: SampleAccount, cli: Cli) -> None:
    paused = cli(stack.state_dir, "pause", account.name[:20], "--yes")
    status = cli(stack.state_dir, "status", account.account_id)
    listed = cli(stack.state_dir, "list")

    assert account.name in paused.out
    assert account.administrator_id in paused.err, "it says in whose name it acts"
    assert "09:00 C" in status.out, "times are the account's own"
    assert account.name in listed.out
