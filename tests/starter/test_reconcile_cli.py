"""The commands about both records: what people and programs see, and with which exit code."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import update
from temporalio.client import Client

from domain import names
from domain.errors import Code
from domain.payments import Order
from settings import Settings
from starter.cli.app import REFUSED, UNAVAILABLE, USAGE, WAITS
from starter.local.processes import LOOPBACK, bound_to_parent, free_port
from starter.local.server import server_command, until_it_answers
from systems.gateways.sandbox.tables import PaymentRow
from systems.sample import SampleAccount, create_account
from systems.tables import InvoiceState
from systems.wiring import Systems, open_systems
from tests.starter.conftest import Answer, Cli, Up

DAY = timedelta(days=1)
TODAY = datetime.now(UTC).date().isoformat()
NOBODY_LISTENS = "http://127.0.0.1:1"


@dataclass(frozen=True)
class Shop:
    """A database and a sandbox in one state directory, and the commands on them."""

    state_dir: Path
    systems: Systems
    account: SampleAccount
    cli: Cli

    def run(self, *arguments: str, **more: str) -> Answer:
        return self.cli(self.state_dir, *arguments, **more)

    def reconcile(self, *arguments: str) -> Answer:
        """Everything until now is compared, however young."""
        return self.run("reconcile", "--until", TODAY, *arguments)

    def stray(self, account_id: str, key: str = "by hand") -> str:
        """A payment that was made by other means; its id."""
        order = Order(account_id, "card_visa", 500, "USD", billing_on=date(2026, 1, 15))
        payment = self.systems.gateway.create_payment(key, order)
        return self.systems.gateway.confirm_payment(payment.payment_id).payment_id


@pytest.fixture
def shop(tmp_path: Path, sqlite_template: Path, cli: Cli) -> Iterator[Shop]:
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    shutil.copyfile(sqlite_template, state_dir / "account-pause.db")
    settings = Settings(state_dir=state_dir)
    systems = open_systems(settings.database, settings.gateway, 1)
    account = create_account(
        systems,
        key=uuid4().hex,
        name="Corner Books",
        time_zone="America/Chicago",
        billing_day=15,
        created_at=datetime.now(UTC) - 400 * DAY,
        # The answer of the gateway is lost each time.
        card="times_out",
    )
    yield Shop(state_dir, systems, account, cli)
    systems.close()


def test_where_both_records_agree_nothing_is_to_be_done(shop: Shop) -> None:
    answer = shop.reconcile()

    assert 0 == answer.exit_code, answer.err
    assert "Wait for an operator" in answer.out
    assert "To do" not in answer.out


def test_what_waits_is_shown_with_its_account_both_sides_and_what_to_do(shop: Shop) -> None:
    payment_id = shop.stray(shop.account.account_id)

    answer = shop.reconcile()

    assert WAITS == answer.exit_code
    for shown in (
        *("Corner Books", shop.account.account_id, "2026-01-15", "$5.00 succeeded", payment_id),
        *(f"missing_here:{payment_id}", "Find out who did", "account-pause acknowledge"),
    ):
        assert shown in answer.out, f"{shown} is not in\n{answer.out}"


def test_programs_get_one_document(shop: Shop) -> None:
    payment_id = shop.stray(shop.account.account_id)

    answer = shop.reconcile("--json")

    document = answer.document
    assert WAITS == answer.exit_code
    assert (1, 1, 1) == tuple(document["reconciled"][name] for name in ("found", "new", "waiting"))
    assert [] == document["mended"]
    [waiting] = document["waiting"]
    assert f"missing_here:{payment_id}" == waiting["key"]
    assert {"here": None, "remedy": "report", "billing_on": "2026-01-15"} == {
        "here": waiting["here"],
        "remedy": waiting["remedy"],
        "billing_on": waiting["there"]["billing_on"],
    }


def test_what_mends_itself_is_shown_and_asks_for_nobody(shop: Shop) -> None:
    shop.systems.billing.invoice_plans_due(datetime.now(UTC) - 360 * DAY, limit=9)
    [invoice] = shop.systems.billing.invoices(shop.account.account_id)
    assert InvoiceState.UNKNOWN is invoice.state

    answer = shop.reconcile("--json")

    document = answer.document
    assert (0, 1) == (answer.exit_code, document["reconciled"]["settled"])
    assert ["settled"] == [each["state"] for each in document["mended"]]
    [invoice] = shop.systems.billing.invoices(shop.account.account_id)
    assert InvoiceState.PAID is invoice.state


def test_the_days_that_are_named_are_looked_at_and_no_others(shop: Shop) -> None:
    shop.stray(shop.account.account_id)
    long_ago = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
    with shop.systems.gateway_engine.begin() as connection:
        connection.execute(update(PaymentRow).values(created_at=long_ago))

    march = ("reconcile", "--since", "2026-03-01", "--until", "2026-03-31", "--json")
    february = ("reconcile", "--since", "2026-02-01", "--until", "2026-02-28", "--json")
    seen = [shop.run(*window).document["reconciled"]["payments"] for window in (february, march)]

    assert [0, 1] == seen


def test_a_difference_that_was_dealt_with_is_acknowledged_and_waits_no_more(shop: Shop) -> None:
    payment_id = shop.stray(shop.account.account_id)
    key = f"missing_here:{payment_id}"
    shop.reconcile()

    before = shop.run("differences", "--json").document["differences"]
    acknowledged = shop.run("acknowledge", key, "--reason", "given back by hand", "--as", "Ann")
    again = shop.run("acknowledge", key, "--reason", "given back by hand", "--json")
    after = shop.run("differences", "--json").document["differences"]
    everything = shop.run("differences", "--all", "--json").document["differences"]

    assert [key] == [each["key"] for each in before]
    assert (0, 0) == (acknowledged.exit_code, again.exit_code)
    assert ("acknowledged", "Ann") == (again.document["state"], again.document["ended_by"])
    assert ([], [key]) == (after, [each["key"] for each in everything])
    assert 0 == shop.reconcile().exit_code
    audit = shop.systems.accounts.audit(shop.account.account_id)
    assert ("difference_acknowledged", "given back by hand") == (audit[-1].what, audit[-1].reason)


def test_the_list_for_people_says_when_there_is_nothing_and_what_became_of_the_rest(
    shop: Shop,
) -> None:
    nothing = shop.run("differences")
    payment_id = shop.stray(shop.account.account_id)
    shop.reconcile()
    shop.run("acknowledge", f"missing_here:{payment_id}", "--reason", "given back by hand")
    everything = shop.run("differences", "--all")

    assert (0, 0) == (nothing.exit_code, everything.exit_code)
    assert "No difference" in nothing.out
    assert "acknowledged" in everything.out
    assert "To do" not in everything.out


def test_what_cannot_be_acknowledged_is_refused(shop: Shop) -> None:
    unknown = shop.run("acknowledge", "amount:pay_1", "--reason", "dealt with", "--json")
    without_reason = shop.run("acknowledge", "amount:pay_1")

    assert (REFUSED, Code.VALIDATION_FAILED) == (unknown.exit_code, unknown.document["code"])
    assert USAGE == without_reason.exit_code


def test_days_that_are_none_and_windows_without_any_are_refused(shop: Shop) -> None:
    no_day = shop.run("reconcile", "--since", "yesterday")
    empty = shop.run("reconcile", "--since", "2026-03-02", "--until", "2026-03-01", "--json")

    assert USAGE == no_day.exit_code
    assert (REFUSED, Code.VALIDATION_FAILED) == (empty.exit_code, empty.document["code"])


def test_a_gateway_that_is_away_is_told_from_a_difference(shop: Shop) -> None:
    away = shop.run(
        "reconcile",
        "--json",
        STRIPE_API_KEY="sk_test_nobody",
        ACCOUNT_PAUSE_STRIPE_URL=NOBODY_LISTENS,
    )

    assert (UNAVAILABLE, Code.UNAVAILABLE) == (away.exit_code, away.document["code"])


# --- the schedule --------------------------------------------------------------------------------


def test_up_has_it_run_daily_and_migrate_keeps_it_so(stack: Up, cli: Cli) -> None:
    described = cli(stack.state_dir, "migrate", "--json")

    assert (0, True) == (described.exit_code, described.document["reconciliation_is_scheduled"])
    assert [names.RECONCILIATION_SCHEDULE_ID] == asyncio.run(_schedules(stack.document["address"]))


def test_a_service_that_allows_no_schedules_is_told_with_what_to_do_instead(
    shop: Shop, tmp_path: Path
) -> None:
    with running_server_without_schedules(tmp_path) as address:
        migrated = shop.run("migrate", "--json", TEMPORAL_ADDRESS=address)

    assert (0, False) == (migrated.exit_code, migrated.document["reconciliation_is_scheduled"])
    assert "account-pause reconcile" in migrated.err


async def _schedules(address: str) -> list[str]:
    client = await Client.connect(address)
    return [each.id async for each in await client.list_schedules()]


@contextmanager
def running_server_without_schedules(directory: Path) -> Iterator[str]:
    """The address of a Temporal server whose operator has switched schedules off."""
    port = free_port()
    command = server_command(port, dynamic_config=("frontend.enableSchedules=false",))
    with (directory / "server.log").open("wb") as log:
        process = subprocess.Popen(bound_to_parent(command), stdout=log, stderr=log)
    try:
        asyncio.run(_answers(f"{LOOPBACK}:{port}"))
        yield f"{LOOPBACK}:{port}"
    finally:
        process.kill()
        process.wait()


async def _answers(address: str) -> None:
    await until_it_answers(address)
