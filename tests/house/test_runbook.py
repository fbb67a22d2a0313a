"""Every command of the runbook is run, on a local stack with a paused account.

Placeholders (`ACCOUNT`, the sample's ids and dates) are filled in; nothing else of a command is
changed.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from domain.names import pause_workflow_id
from domain.payments import Order
from settings import Settings
from systems.sample import SampleAccount, create_account
from systems.wiring import Systems, open_systems
from tests.e2e.processes import worker_process
from tests.house.documents import Document, document
from tests.starter.conftest import Up, environment, running_up

RUNBOOK = document("docs/operations.md")
SAMPLE_RUN = re.compile(r"account-pause:ACC[0-9a-f]{32}")
SAMPLE_DATE = "2026-01-15"
SAMPLE_DIFFERENCE = "missing_here:pay_1"

# What they find may wait for a person, and that is no failure of theirs.
MAY_FIND = ("reconcile", "differences", "sweep")
WAITS = 4
ENDS_THE_PAUSE = ("resume", "close")
ANOTHER = "another"


def commands_of(page: Document) -> list[str]:
    """Its whole commands, each once; a command that is only mentioned by its name is none."""
    lines = [line for line in page.code if re.match(r"(account-pause|temporal|python -c) ", line)]
    mentioned = re.compile(r"account-pause [a-z-]+")
    in_blocks = Document(page.name, "\n".join(re.findall(r"```sh\n.*?```", page.text, re.DOTALL)))
    whole = [line for line in lines if not mentioned.fullmatch(line) or line in in_blocks.code]
    return list(dict.fromkeys(whole))


def test_commands_are_found_in_blocks_and_in_prose_but_not_their_mere_names() -> None:
    text = (
        "Use `account-pause retry ACCOUNT`, not `account-pause close`.\n\n```sh\ntemporal x\n```\n"
    )

    assert ["temporal x", "account-pause retry ACCOUNT"] == commands_of(Document("a.md", text))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_command_of_the_runbook_does_what_it_says(tmp_path: Path) -> None:
    commands = commands_of(RUNBOOK)
    assert len(commands) > 30, "the runbook's commands are not found"

    with on_duty(tmp_path) as duty:
        failed = [f"{command}\n{said}" for command in commands if (said := duty.complaint(command))]

    assert [] == failed, "\n\n".join(failed)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_command_that_does_not_do_what_it_says_would_be_seen(tmp_path: Path) -> None:
    with on_duty(tmp_path) as duty:
        assert duty.complaint("account-pause retry NOBODY") is not None
        assert duty.complaint("account-pause status ACCOUNT --no-such-option") is not None
        assert (
            duty.complaint("temporal workflow signal --name retry --workflow-id none") is not None
        )
        assert duty.complaint("account-pause status ACCOUNT") is None


@dataclass
class Duty:
    """Somebody with the runbook in hand and a stack in front of them."""

    up: Up
    systems: Systems
    customers: list[SampleAccount] = field(default_factory=list)

    def prepare(self) -> None:
        """A namespace that has no search attributes yet."""
        made = self._run(f"temporal operator namespace create --namespace {ANOTHER}")
        assert 0 == made.returncode, made.stderr

    def complaint(self, command: str) -> str | None:
        """Run it; None if it did what it should, else what it said."""
        name = command.split()[1]
        customer = self._customer()
        filled = self._filled(command, customer)
        done = self._run(filled)
        if name in ENDS_THE_PAUSE:
            self.customers.clear()
        fine = (0, WAITS) if name in MAY_FIND else (0,)
        return None if done.returncode in fine else f"{filled}\n{done.stdout}{done.stderr}"

    def _customer(self) -> SampleAccount:
        """An account whose pause is on and has had its first fee."""
        if not self.customers:
            account = create_account(
                self.systems,
                key=f"runbook-{datetime.now(UTC).timestamp()}",
                name="Runbook",
                time_zone="America/Chicago",
                billing_day=15,
                created_at=datetime.now(UTC),
            )
            account_id = account.account_id
            for command in ("pause {} --yes", "fast-forward {} --days 40"):
                done = self._run(f"account-pause {command.format(account_id)}")
                assert 0 == done.returncode, done.stdout + done.stderr
            self.customers.append(account)
        return self.customers[-1]

    def _filled(self, command: str, customer: SampleAccount) -> str:
        account_id = customer.account_id
        filled = SAMPLE_RUN.sub(pause_workflow_id(account_id), command)
        filled = re.sub(r"\bACCOUNT\b", account_id, filled)
        filled = filled.replace("USER_ID", customer.administrator_id)
        if " refund " in filled:
            filled = filled.replace(SAMPLE_DATE, self._charged_on(account_id))
        if SAMPLE_DIFFERENCE in filled:
            filled = filled.replace(SAMPLE_DIFFERENCE, self._difference(account_id))
        return filled

    def _charged_on(self, account_id: str) -> str:
        return self.systems.billing.charges(account_id)[0].billing_on.isoformat()

    def _difference(self, account_id: str) -> str:
        """Somebody charges the account behind our back, and the reconciliation finds it."""
        order = Order(account_id, "card_visa", 500, "USD", billing_on=date(2026, 1, 15))
        payment = self.systems.gateway.create_payment("by hand", order)
        self.systems.gateway.confirm_payment(payment.payment_id)
        today = datetime.now(UTC).date().isoformat()
        found = self._run(f"account-pause reconcile --until {today}")
        assert WAITS == found.returncode, found.stdout + found.stderr
        return f"missing_here:{payment.payment_id}"

    def _run(self, command: str) -> "subprocess.CompletedProcess[str]":
        binaries = Path(sys.executable).parent
        variables = {
            **environment(self.up.state_dir),
            "TEMPORAL_ADDRESS": self.up.document["address"],
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        }
        if "search-attribute create" in command:
            variables["TEMPORAL_NAMESPACE"] = ANOTHER
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.up.state_dir.parent,
            env=variables,
            input="CLOSE\n" if " close " in command else "y\n",
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )


@contextmanager
def on_duty(directory: Path) -> Iterator[Duty]:
    """A stack whose state is where the runbook has it, with a second namespace and a build."""
    with running_up(directory / ".account-pause") as up:
        settings = Settings(state_dir=up.state_dir)
        systems = open_systems(settings.database, settings.gateway, 1)
        duty = Duty(up, systems)
        variables = {
            **environment(up.state_dir),
            "TEMPORAL_ADDRESS": up.document["address"],
            "ACCOUNT_PAUSE_BUILD_ID": "drill",
        }
        try:
            with worker_process(
                directory / "build.log", "worker.py", environment=variables
            ) as worker:
                worker.until_ready()
                duty.prepare()
                yield duty
        finally:
            systems.close()
