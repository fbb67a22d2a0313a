"""The worker's jobs wake pauses that are running on a real server, from a thread of their own."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import Transient
from domain.names import PAYMENT_NEWS
from domain.states import ChargeState
from starter.backend import Backend
from starter.connect import connect
from starter.wake import Waker
from systems.jobs import Jobs
from systems.notices import Relay
from systems.notices.letters import Letters
from systems.notices.mailers import FileMailer
from tests.workflows.stage import PauseHandle, Stage

RETURN_URL = "https://shop.example/cards/entered"

# The plan costs more, and its earlier dates are invoiced by the same jobs.
FEE = 500


async def run_jobs(stage: Stage, tmp_path: Path, after: timedelta = timedelta(0)) -> None:
    """One round of the worker's jobs, `after` now, as the worker runs them."""
    systems = stage.systems
    jobs = Jobs(
        systems.billing,
        Relay(systems.db, FileMailer(tmp_path), Letters().render),
        systems.events,
        systems.card_entries,
        Waker(stage.client, asyncio.get_running_loop()).wake,
        systems.refunds,
    )
    await asyncio.to_thread(jobs.run_once, datetime.now(UTC) + after)


async def first_fee_due(stage: Stage, card: str) -> PauseHandle:
    """A pause with that card on file, an hour after its first fee fell due."""
    stage.enter_card(card)
    handle = await stage.paused()
    due_at = (await stage.current(handle)).charges[0].due_at
    await stage.move_to(handle, due_at + timedelta(minutes=1))
    return handle


async def test_an_event_settles_the_unknown_charge_of_a_running_pause_at_once(
    stage: Stage, tmp_path: Path
) -> None:
    async with stage.worker():
        handle = await first_fee_due(stage, "times_out")
        await stage.until_charge(handle, 0, ChargeState.UNKNOWN)
        (payment,) = stage.systems.sandbox.payments(stage.account_id)

        await run_jobs(stage, tmp_path)
        without_event = (await stage.current(handle)).charges[0].state
        now = datetime.now(UTC)
        stage.systems.events.receive("evt_1", "payment_intent.succeeded", payment.payment_id, now)
        await run_jobs(stage, tmp_path)
        await stage.until_charge(handle, 0, ChargeState.PAID)

    assert ChargeState.UNKNOWN is without_event
    assert 1 == stage.paid().count(FEE)


async def test_without_events_the_look_ups_of_the_pause_settle_it(stage: Stage) -> None:
    async with stage.worker():
        handle = await first_fee_due(stage, "times_out")
        unknown = await stage.until_charge(handle, 0, ChargeState.UNKNOWN)

        await stage.move_to(handle, unknown.charges[0].due_at + timedelta(minutes=10))
        await stage.until_charge(handle, 0, ChargeState.PAID)

    assert 1 == stage.paid().count(FEE)


async def test_a_card_that_was_entered_on_a_page_is_tried_on_what_is_unpaid(
    stage: Stage, tmp_path: Path
) -> None:
    backend = Backend(stage.systems, stage.pauses, stage.offer)
    async with stage.worker():
        handle = await first_fee_due(stage, "declined")
        await stage.until_charge(handle, 0, ChargeState.DECLINED)

        page = backend.enter_card(stage.account_id, stage.administrator, RETURN_URL)
        stage.systems.sandbox.enter_card(page.page_id, "visa")
        await run_jobs(stage, tmp_path, after=timedelta(seconds=11))
        await stage.until_charge(handle, 0, ChargeState.PAID)

    assert 1 == stage.paid().count(FEE)
    assert (stage.administrator, "card_changed") in stage.audited()


async def test_where_no_pause_is_running_there_is_nothing_to_wake(stage: Stage) -> None:
    waker = Waker(stage.client, asyncio.get_running_loop())

    assert not await asyncio.to_thread(waker.wake, stage.account_id, PAYMENT_NEWS)


async def test_a_server_that_is_away_is_told_in_time(stage: Stage) -> None:
    client = await connect("127.0.0.1:1", lazy=True)
    waker = Waker(client, asyncio.get_running_loop())

    with pytest.raises(Transient):
        await asyncio.to_thread(waker.wake, stage.account_id, PAYMENT_NEWS)
