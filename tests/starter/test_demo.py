"""The demonstration: a whole pause in seconds, judged honestly."""

import subprocess
from pathlib import Path

from tests.starter.conftest import COMMAND, ROOT, Cli, Up, environment


def test_on_a_running_stack_six_fees_are_paid_and_the_account_stays_to_look_at(
    stack: Up, cli: Cli
) -> None:
    demo = cli(stack.state_dir, "demo", "--json")
    result = demo.document
    status = cli(stack.state_dir, "status", result["account"]["account_id"], "--json").document

    assert (0, []) == (demo.exit_code, result["problems"])
    assert ["paid"] * 6 == [charge["state"] for charge in result["charges"]]
    assert 6 == result["payments"]
    assert 11 == len(result["mails"])
    assert [] == [path for check in result["checks"] for path in check["differing"]]
    assert all(check["compared"] > 0 for check in result["checks"])
    assert result["pause_id"] == status["pause_id"]


def test_without_a_stack_it_brings_its_own_and_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()

    demo = subprocess.run(
        [*COMMAND, "demo"],
        env={**environment(tmp_path / "state"), "TMPDIR": str(temporary)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert demo.returncode == 0, demo.stderr
    assert demo.stdout.count("$5.00 paid") == 6
    assert "Everything is as it was" in demo.stdout
    assert [] == list(temporary.iterdir())
    assert not (tmp_path / "state").exists()


def test_when_something_is_missing_it_fails_and_says_what(cli: Cli, tmp_path: Path) -> None:
    # The control: under these terms only five fees fall.
    demo = cli(tmp_path, "demo", "--json", ACCOUNT_PAUSE_MONTHS="5")

    assert demo.exit_code == 1
    assert "5 of 5 fees were paid, there should be 6" in demo.document["problems"]
