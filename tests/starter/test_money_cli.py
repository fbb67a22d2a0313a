"""The commands `refund` and `statement`: what people and programs see, and the exit codes."""

import io
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from domain.errors import Code
from domain.payments import RefundState
from settings import Settings
from starter.cli.app import REFUSED, UNAVAILABLE, USAGE
from systems.gateways.sandbox.tables import PaymentRow
from systems.jobs import Jobs
from systems.notices import Relay
from systems.notices.letters import Letters
from systems.notices.mailers import FileMailer
from systems.sample import SampleAccount, create_account
from systems.wiring import Systems, open_systems
from tests.covering import leading
from tests.starter.conftest import Answer, Cli, Up

DUE_ON = "2026-01-15"
CHARGED_AT = datetime(2026, 1, 15, 15, 30, tzinfo=UTC)
NOBODY_LISTENS = "127.0.0.1:1"
REASON = "nothing worked for a week"


class Terminal(io.StringIO):
    """Somebody at the terminal, who types this."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Shop:
    """An account whose plan was charged on 15 January, and the commands on it."""

    state_dir: Path
    systems: Systems
    account_id: str
    charged_minor: int
    payment_id: str
    cli: Cli

    def refund(self, *arguments: str, charge: str = DUE_ON) -> Answer:
        """Without being asked anything."""
        answered = ("--reason", REASON, "--yes", "--json")
        return self.run("refund", self.account_id, charge, *answered, *arguments)

    def statement(self, *arguments: str, **more: str) -> Answer:
        return self.run("statement", self.account_id, *arguments, **more)

    def run(self, *arguments: str, **more: str) -> Answer:
        return self.cli(self.state_dir, *arguments, **more)

    def given_back(self) -> list[int]:
        """What the gateway has given back."""
        refunds = self.systems.sandbox.refunds(self.account_id)
        return [each.amount_minor for each in refunds if each.state is RefundState.SUCCEEDED]

    def audited(self) -> list[tuple[str, str, str | None]]:
        entries = self.systems.accounts.audit(self.account_id)
        refunds = [entry for entry in entries if entry.what.startswith("refund")]
        return [(entry.what, entry.actor, entry.reason) for entry in refunds]


@pytest.fixture
def shop(tmp_path: Path, sqlite_template: Path, cli: Cli) -> Iterator[Shop]:
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    shutil.copyfile(sqlite_template, state_dir / "account-pause.db")
    settings = Settings(state_dir=state_dir)
    systems = open_systems(settings.database, settings.gateway, 1)
    account_id = new_account(systems)
    systems.billing.invoice_plans_due(CHARGED_AT, 1)
    charged = systems.refunds.charged(account_id, date.fromisoformat(DUE_ON))
    yield Shop(state_dir, systems, account_id, charged.amount_minor, charged.payment_id, cli)
    systems.close()


# --- refund --------------------------------------------------------------------------------------


def test_a_charge_is_given_back_once_and_a_repeat_says_how_it_stands(shop: Shop) -> None:
    first, again = shop.refund(), shop.refund()

    assert (0, 0) == (first.exit_code, again.exit_code)
    assert first.document == again.document
    assert ("succeeded", shop.charged_minor, shop.payment_id) == tuple(
        first.document[name] for name in ("state", "amount_minor", "payment_id")
    )
    assert [shop.charged_minor] == shop.given_back()
    assert [("refund_requested", "operator", REASON), ("refunded", "operator", None)] == (
        shop.audited()
    )


def test_a_part_is_given_back_by_payment_id_in_somebodys_name(shop: Shop) -> None:
    answer = shop.refund("--amount", "2.5", "--as", "dana", charge=shop.payment_id)

    assert (0, 250) == (answer.exit_code, answer.document["amount_minor"])
    assert [250] == shop.given_back()
    assert {"dana"} == {actor for _, actor, _ in shop.audited()}


def test_another_amount_is_refused_with_what_was_given_back_when(shop: Shop) -> None:
    shop.refund("--amount", "2.50")

    answer = shop.refund()

    assert (REFUSED, Code.VALIDATION_FAILED) == (answer.exit_code, answer.document["code"])
    assert "$2.50 was refunded on 20" in answer.document["message"]
    assert 250 == answer.document["figures"]["amount_minor"]


@pytest.mark.parametrize(
    ("charge", "arguments", "said"),
    [
        ("2026-02-15", [], "nothing was charged for 2026-02-15"),
        ("pay_unknown", [], "no charge by such a payment"),
        ("4242424242424242", [], "no charge by such a payment"),
        (DUE_ON, ["--amount", "99999"], "cannot be given back of a charge of"),
        (DUE_ON, ["--amount", "0.00"], "cannot be given back of a charge of"),
        (DUE_ON, ["--as", ""], "the actor of a refund takes"),
        (DUE_ON, ["--reason", "card 4242 4242 4242 4242"], "looks like a card number"),
    ],
)
def test_what_cannot_be_given_back_is_refused_and_says_why(
    shop: Shop, charge: str, arguments: list[str], said: str
) -> None:
    answer = shop.refund(*arguments, charge=charge)

    assert (REFUSED, Code.VALIDATION_FAILED) == (answer.exit_code, answer.document["code"])
    assert said in answer.document["message"]
    assert "4242" not in answer.out
    assert [] == shop.given_back()


def test_what_the_gateway_gives_nothing_of_has_failed_and_costs_the_exit_code(shop: Shop) -> None:
    by_hand = shop.charged_minor - 100
    shop.systems.gateway.refund_payment("by hand", shop.payment_id, by_hand)

    answer = shop.refund("--amount", "2.50")

    assert (REFUSED, "failed") == (answer.exit_code, answer.document["state"])
    assert [by_hand] == shop.given_back()


def test_the_workers_jobs_look_up_what_was_not_answered(shop: Shop, tmp_path: Path) -> None:
    account_id = new_account(shop.systems, card="times_out")
    shop.systems.billing.invoice_plans_due(CHARGED_AT, 2)
    shop.systems.billing.settle_unknown(CHARGED_AT + timedelta(hours=1))
    command = ("refund", account_id, DUE_ON, "--reason", REASON, "--yes", "--json")

    asked = shop.run(*command).document
    jobs_of(shop.systems, tmp_path).run_once(datetime.now(UTC) + timedelta(minutes=10))
    looked_up = shop.run(*command).document

    assert ("reserved", None) == (asked["state"], asked["refund_id"])
    assert "succeeded" == looked_up["state"]
    assert asked["key"] == looked_up["key"]


@pytest.mark.parametrize(
    "amount", leading(["", "2.505", "-1", "free", "1,000.00", "1e3", "$2.50", ".5"], 3)
)
def test_an_amount_is_dollars_and_cents(shop: Shop, amount: str) -> None:
    answer = shop.refund(f"--amount={amount}")

    assert (USAGE, Code.VALIDATION_FAILED) == (answer.exit_code, answer.document["code"])
    assert "like 2.50" in answer.document["message"]


def test_at_a_terminal_the_reason_is_asked_for_and_the_refund_confirmed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{REASON}\nn\n"))
    unsure = shop.run("refund", shop.account_id, DUE_ON)
    monkeypatch.setattr(sys, "stdin", Terminal(f"{REASON}\ny\n"))
    done = shop.run("refund", shop.account_id, DUE_ON, "--amount", "3.00")

    assert (REFUSED, 0) == (unsure.exit_code, done.exit_code)
    assert "Give $3.00 of $" in done.out
    assert "charged Thu 15 Jan 2026, 09:30 CST" in done.out, "times are the account's own"
    assert [300] == shop.given_back()
    assert REASON == shop.audited()[0][2]


def test_where_nobody_can_be_asked_the_reason_has_to_be_given(shop: Shop) -> None:
    for mode in (["--json"], []):
        answer = shop.run("refund", shop.account_id, DUE_ON, "--yes", *mode)

        assert REFUSED == answer.exit_code
        assert "--reason" in answer.out + answer.err


# --- statement -----------------------------------------------------------------------------------


def test_a_statement_proves_every_cent(shop: Shop) -> None:
    shop.refund("--amount", "2.50")

    answer = shop.statement("--json")

    document = answer.document
    [block], [totals] = document["invoices"], document["totals"]
    assert 0 == answer.exit_code
    assert ["agrees"] * 4 == [
        document["proof"]["agreement"],
        *(document["proof"][name]["agreement"] for name in ("ledger", "gateway", "workflow")),
    ]
    assert (DUE_ON, shop.payment_id) == (
        block["invoice"]["billing_on"],
        block["invoice"]["attempts"][0]["payment_id"],
    )
    assert (shop.charged_minor, 250, 0) == tuple(
        totals[name] for name in ("charged_minor", "refunded_minor", "owed_minor")
    )
    assert not [value for value in values(document) if isinstance(value, float)]


def test_people_read_what_was_charged_when_what_for_and_with_which_evidence(shop: Shop) -> None:
    shop.refund("--amount", "2.50", "--as", "dana")

    answer = shop.statement()

    assert 0 == answer.exit_code
    for words in (
        "Statement of Corner Books",
        "Thu 15 Jan 2026, 09:00 CST",
        "the plan, which has this billing date (R7)",
        "card ending 4242  paid",
        shop.payment_id,
        "$2.50 by dana",
        "plan revenue to receivable",
        "Totals in USD",
        "agrees",
    ):
        assert words in answer.out, f"{words} is not in\n{answer.out}"
    assert REASON not in answer.out


def test_a_difference_is_named_and_costs_the_exit_code(shop: Shop) -> None:
    with shop.systems.gateway_engine.begin() as connection:
        connection.execute(update(PaymentRow).values(amount_minor=1))

    answer, document = shop.statement(), shop.statement("--json").document

    assert REFUSED == answer.exit_code
    assert f"{shop.payment_id}: $0.01 at the gateway" in answer.out
    assert "differs" == document["proof"]["gateway"]["agreement"]
    assert 0 == shop.statement("--offline").exit_code
    assert "left out" in shop.statement("--offline").out


def test_what_is_at_a_gateway_that_is_not_asked_is_not_proved(shop: Shop) -> None:
    elsewhere = {
        "STRIPE_API_KEY": "sk_test_nobody",
        "ACCOUNT_PAUSE_STRIPE_URL": "http://127.0.0.1:1",
    }

    answer = shop.statement(**elsewhere)

    assert UNAVAILABLE == answer.exit_code
    assert "could not be asked" in answer.out
    assert 0 == shop.statement("--offline", **elsewhere).exit_code


def test_an_account_that_was_never_charged_has_an_empty_statement(shop: Shop) -> None:
    account_id = new_account(shop.systems, name="New here")

    answer = shop.run("statement", account_id)

    assert 0 == answer.exit_code
    assert "Nothing was invoiced so far." in answer.out


def test_the_run_of_an_open_pause_is_compared_too(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    name = account.account_id
    cli(stack.state_dir, "pause", name, "--yes", "--json")
    cli(stack.state_dir, "fast-forward", name, "--days", "65", "--json")
    before = cli(stack.state_dir, "statement", name, "--json")
    first_on = before.document["invoices"][0]["invoice"]["billing_on"]
    refund = ("refund", name, first_on, "--reason", REASON, "--yes", "--json")
    refunded = cli(stack.state_dir, *refund)
    after = cli(stack.state_dir, "statement", name, "--json")
    alone = cli(stack.state_dir, "statement", name, TEMPORAL_ADDRESS=NOBODY_LISTENS)

    assert [0] * 4 == [answer.exit_code for answer in (before, refunded, after, alone)]
    assert "agrees" == after.document["proof"]["workflow"]["agreement"]
    assert after.document["proof"]["workflow"]["note"] is None
    assert refunded.document["amount_minor"] == after.document["totals"][0]["refunded_minor"]
    assert refunded.document["began_at"] >= before.document["at"], "it goes by the pause's clock"
    assert "the run of the open pause was not asked" in alone.out


def new_account(systems: Systems, name: str = "Corner Books", card: str = "visa") -> str:
    """An account in Chicago whose first billing date is 15 January."""
    account = create_account(
        systems,
        key=uuid4().hex,
        name=name,
        time_zone="America/Chicago",
        billing_day=15,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        card=card,
    )
    return account.account_id


def jobs_of(systems: Systems, folder: Path) -> Jobs:
    """What a worker runs beside its workflows; no run is there to be woken."""
    return Jobs(
        systems.billing,
        Relay(systems.db, FileMailer(folder), Letters().render),
        systems.events,
        systems.card_entries,
        lambda account_id, signal: False,
        systems.refunds,
    )


def values(document: Any) -> Iterator[Any]:
    """Every value in a document, however deep."""
    if isinstance(document, dict | list):
        for each in document.values() if isinstance(document, dict) else document:
            yield from values(each)
    else:
        yield document
