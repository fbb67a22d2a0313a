"""Whole pauses that charge at Stripe, through its own client, with everything going wrong."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.names import PAYMENT_METHOD_UPDATED, RESUME
from domain.states import ChargeState, PauseState
from domain.stripe_access import StripeAccess
from tests.e2e.leaks import leaks
from tests.standin.control import Standin
from tests.standin.faults import Kind
from tests.standin.world import TEST_KEY
from tests.temporal import TemporalServer
from tests.workflows.stage import PauseHandle, Stage, open_stage

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CONFIRM, CREATE = "confirm_payment_intent", "create_payment_intent"

# One fee after the other meets one of these; the last is left alone.
TROUBLES = [
    (Kind.RESET_AFTER, CONFIRM),
    (Kind.RATE_LIMITED_429, CREATE),
    (Kind.TRUNCATED_JSON, CONFIRM),
    (Kind.UNKNOWN_STATUS, CONFIRM),
    (Kind.ERROR_500_AFTER, CONFIRM),
]


@pytest.fixture
async def stage(
    temporal_server: TemporalServer, sqlite_url: str, tmp_path: Path, standin: Standin
) -> AsyncIterator[Stage]:
    """An account whose card was entered at Stripe."""
    async with stripe_stage(temporal_server, sqlite_url, tmp_path, standin) as opened:
        yield opened


@asynccontextmanager
async def stripe_stage(
    server: TemporalServer, database_url: str, directory: Path, standin: Standin
) -> AsyncIterator[Stage]:
    gateway_url = f"sqlite:///{directory / 'gateway.db'}"
    access = StripeAccess(TEST_KEY, standin.url)
    async with open_stage(server, database_url, gateway_url, stripe=access) as opened:
        enter_card(opened, standin, "visa")
        yield opened


def enter_card(stage: Stage, standin: Standin, name: str) -> None:
    """Somebody enters a test card on Stripe's page, and it goes on file."""
    entries = stage.systems.card_entries
    page = entries.open(
        stage.account_id, stage.administrator, datetime.now(UTC), "http://localhost/"
    )
    standin.complete_session(page.page_id, name)
    entries.look_up_due(datetime.now(UTC) + MINUTE, tell=lambda _: False)


def paid_at_stripe(standin: Standin) -> list[tuple[str, int]]:
    """What moved money, as the stand-in knows it."""
    return sorted(
        (intent["id"], intent["amount_received"])
        for intent in standin.payment_intents()
        if intent["status"] == "succeeded"
    )


def booked(stage: Stage) -> list[tuple[str | None, int]]:
    """What the ledger says was charged."""
    entries = stage.systems.billing.ledger(stage.account_id)
    return sorted(
        (entry.payment_id, entry.amount_minor) for entry in entries if entry.kind == "charge"
    )


async def test_six_months_on_stripe_with_faults_agree_cent_by_cent(
    stage: Stage, standin: Standin, sqlite_url: str, tmp_path: Path
) -> None:
    for kind, operation in TROUBLES:
        # Each trouble takes its own request: one of every two or three to that operation.
        standin.fault(kind, operation, skip=0)
    async with stage.worker():
        handle = await stage.start(skipping=True)
        status = await handle.result()

    paid = paid_at_stripe(standin)
    assert status.state is PauseState.RESUMED
    assert [ChargeState.PAID] * 6 == [charge.state for charge in status.charges]
    assert [500] * 6 == [amount for _, amount in paid]
    assert paid == booked(stage)
    assert [] == standin.faults_left(), "every trouble was met"
    statement = statement_of(stage, standin, sqlite_url, tmp_path)
    assert 0 == statement.returncode, statement.stdout + statement.stderr
    assert 3000 == charged_minor(statement.stdout)


def charged_minor(document: str) -> int:
    """What the statement says was charged altogether, in cents."""
    [total] = json.loads(document)["totals"]
    charged: int = total["charged_minor"]
    return charged


def statement_of(
    stage: Stage, standin: Standin, database_url: str, directory: Path
) -> "subprocess.CompletedProcess[str]":
    """What the command prints that a finance person runs."""
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "ACCOUNT_PAUSE_STATE_DIR": str(directory),
        "STRIPE_API_KEY": TEST_KEY,
        "ACCOUNT_PAUSE_STRIPE_URL": standin.url,
        "TEMPORAL_ADDRESS": stage.client.service_client.config.target_host,
    }
    command = str(Path(sys.executable).with_name("account-pause"))
    return subprocess.run(
        [command, "statement", stage.account_id, "--json"],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("away", "fees"), [(25 * timedelta(hours=1), 1), (3 * DAY, 1), (40 * DAY, 2)], ids=str
)
async def test_after_an_outage_every_fee_is_charged_once_and_no_ladder_has_begun(
    stage: Stage, standin: Standin, away: timedelta, fees: int
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        standin.away()
        await stage.move_to(handle, due_at + away)
        for position in range(fees):
            await stage.until_charge(handle, position, ChargeState.UNKNOWN)
        during = await stage.current(handle)
        standin.advance(away)
        standin.back()
        await stage.move_to(handle, due_at + away + DAY + MINUTE)
        for position in range(fees):
            await stage.until_charge(handle, position, ChargeState.PAID)
        after = await stage.current(handle)

    assert not during.past_due
    assert not after.past_due
    assert fees == len(paid_at_stripe(standin))
    assert "declined" not in stage.notices()


async def test_the_ladder_on_stripe_closes_the_account_after_six_definite_declines(
    stage: Stage, standin: Standin
) -> None:
    enter_card(stage, standin, "insufficient_funds")
    async with stage.worker():
        handle = await stage.start(skipping=True)
        status = await handle.result()

    assert status.state is PauseState.CLOSED
    assert 6 == len(standin.payment_intents())
    assert [] == paid_at_stripe(standin)
    assert ["invoice", "write_off"] == kinds_of_fee(stage)


def kinds_of_fee(stage: Stage) -> list[str]:
    """The ledger's transactions about the fee."""
    fees = {
        invoice.invoice_id
        for invoice in stage.systems.billing.invoices(stage.account_id)
        if invoice.kind == "fee"
    }
    entries = stage.systems.billing.ledger(stage.account_id)
    return [entry.kind.value for entry in entries if entry.invoice_id in fees]


async def test_a_new_card_in_the_midst_of_the_ladder_is_charged_at_once(
    stage: Stage, standin: Standin
) -> None:
    enter_card(stage, standin, "expired_card")
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + 2 * DAY)
        declined = await stage.until_charge(handle, 0, ChargeState.DECLINED)
        enter_card(stage, standin, "mastercard")
        await handle.signal(PAYMENT_METHOD_UPDATED)
        paid = await stage.until_charge(handle, 0, ChargeState.PAID)

    assert "expired_card" == declined.charges[0].decline_code
    assert (True, False) == (declined.past_due, paid.past_due)
    assert 1 == len(paid_at_stripe(standin))


async def test_a_resume_does_not_wait_for_a_charge_that_is_under_way(
    stage: Stage, standin: Standin
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        standin.fault(Kind.SLOW, CONFIRM, seconds=3)
        await begun_fee(stage, standin, handle, due_at)
        await handle.signal(RESUME)
        await stage.until_state(handle, PauseState.RESUMED)
        was_paid = paid_in_books(stage)
        status = await handle.result()

    assert not was_paid, "the account was back before the answer came"
    assert ChargeState.PAID is status.charges[0].state
    assert paid_at_stripe(standin) == booked(stage)
    assert 1 == len(booked(stage))


async def test_a_fee_whose_answer_never_came_before_the_resume_is_settled_afterwards(
    stage: Stage, standin: Standin
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        standin.fault(Kind.RESET_AFTER, CONFIRM)
        await stage.move_to(handle, due_at + MINUTE)
        await stage.until_charge(handle, 0, ChargeState.UNKNOWN)
        await handle.signal(RESUME)
        await handle.result()
    before = paid_in_books(stage)

    stage.systems.billing.settle_unknown(due_at + DAY)

    assert not before
    assert paid_at_stripe(standin) == booked(stage)
    assert 1 == len(booked(stage))


async def test_a_close_with_a_charge_under_way_charges_once_and_releases_the_numbers(
    stage: Stage, standin: Standin
) -> None:
    async with stage.worker():
        handle = await stage.paused()
        due_at = (await stage.current(handle)).charges[0].due_at
        standin.fault(Kind.SLOW, CONFIRM, seconds=2)
        await begun_fee(stage, standin, handle, due_at)
        closed = await stage.pauses.close(stage.account_id, stage.administrator, "CLOSE")
        status = await handle.result()

    assert PauseState.CLOSED is closed.state
    assert ChargeState.PAID is status.charges[0].state
    assert 1 == len(paid_at_stripe(standin))
    assert paid_at_stripe(standin) == booked(stage)


async def begun_fee(stage: Stage, standin: Standin, handle: PauseHandle, due_at: datetime) -> None:
    """Move the clock to the due instant and wait until Stripe has been told to charge."""
    moving = asyncio.create_task(stage.skipper.fast_forward(handle, due_at - datetime.now(UTC)))

    async def is_asked() -> bool:
        return bool(await asyncio.to_thread(standin.requests) and paid_at_stripe(standin))

    async with asyncio.timeout(20):
        while not await is_asked():
            await asyncio.sleep(0.05)
    moving.cancel()
    await asyncio.gather(moving, return_exceptions=True)


def paid_in_books(stage: Stage) -> bool:
    """Whether our own record has a fee that is paid."""
    invoices = stage.systems.billing.invoices(stage.account_id)
    return any(invoice.kind == "fee" and invoice.state == "paid" for invoice in invoices)


async def test_nothing_of_a_card_reaches_the_history_of_a_pause_on_stripe(
    stage: Stage, standin: Standin
) -> None:
    async with stage.worker():
        handle = await stage.start(skipping=True)
        await handle.result()
        history = await handle.fetch_history()

    tokens = [method["id"] for method in standin.objects("payment_method")]
    customers = [customer["id"] for customer in standin.objects("customer")]
    assert tokens
    assert customers
    assert set() == leaks([history], [*tokens, *customers, "4242"])
