"""An older copy of the database is put back beside a Temporal that has gone on.

copy made |--- pauses, fees, declines, other dates, resumes, closes, plan ---| copy put back

The gateway's own record is the truth and is not put back. Nothing is charged twice, whether the
operator does as the runbook says (`account-pause redo` before the workers start) or forgets it.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from domain.calendar import due_instant
from domain.errors import Transient
from domain.names import RESUME
from domain.payments import Order
from domain.states import AccountStatus, ChargeState, PauseState
from domain.sweeping import Finding
from starter.redoing import Redo, Redone
from starter.sweeping import Sweeper
from systems.gateways.looking import OnlyLooks
from tests.e2e.crowd import Crowd, open_crowd
from tests.e2e.processes import worker_process
from tests.e2e.sweeps import later, paid_by_date, quietly_reconciled, sweeper_of
from tests.postgresql import PostgresServer
from tests.temporal import running_server
from tests.workflows.stage import TIME_ZONE, Stage, until

MINUTE = timedelta(minutes=1)

CARDS = {"declined": "declined"}
# What each does after the copy was made; the first ones are paused by then, the others active.
PAUSED = ("quiet", "charged", "declined", "moved", "resumed", "closed", "ended_and_begun")
ACTIVE = ("begun", "begun_and_charged", "begun_and_over", "closed_active", "invoiced")
ACCOUNTS = (*PAUSED, *ACTIVE)
# Their act is on record as open, and runs: nobody sees that fees and dates are missing.
UNNOTICED = ("charged", "declined", "moved")

# The others run on both sides, or have both begun and ended since.
SEEN_BY_THE_SWEEPER = ("resumed", "closed", "begun", "begun_and_charged")

# Copies the database at an address; returns the address of the copy.
Copy = Callable[[str], str]


@pytest.fixture(params=["sqlite", "postgresql"])
def original(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Copy]:
    """A database's address, and how it is copied."""
    if request.param == "sqlite":
        url: str = request.getfixturevalue("sqlite_url")
        return url, partial(_sqlite_copy, tmp_path / "copy.db")
    server: PostgresServer = request.getfixturevalue("postgresql_server")
    return request.getfixturevalue("postgresql_url"), partial(_postgresql_copy, server)


@pytest.mark.slow
async def test_redo_brings_an_older_copy_to_where_the_runs_are(
    original: tuple[str, Copy], tmp_path: Path
) -> None:
    async with lived_through(original, tmp_path) as (crowd, copy_url):
        before, money = crowd.outcomes(), crowd.systems.sandbox.payments()
        crowd.move_to_database(copy_url)
        lost = [name for name in ACCOUNTS if crowd.outcome(name) != before[name]]
        redone = await redo(crowd)
        again = await redo(crowd)

        assert sorted(set(ACCOUNTS) - {"quiet"}) == sorted(lost), "the copy must be an older one"
        assert {None} == {each.problem for each in redone}
        assert [] == again
        assert money == crowd.systems.sandbox.payments(), "redo moves no money"
        async with crowd.worker():
            bill_the_plan(crowd)
            swept = await sweeper_of(crowd.first.client, crowd.systems).sweep()
            assert [] == swept.found
            for name in ACCOUNTS:
                assert before[name] == crowd.outcome(name), name
            assert 0 == await quietly_reconciled(crowd.systems)
            await all_end(crowd)
        assert_nothing_twice(crowd)
        assert 0 == await quietly_reconciled(crowd.systems)


@pytest.mark.slow
async def test_a_worker_that_finds_an_older_copy_charges_nothing_twice(
    original: tuple[str, Copy], tmp_path: Path
) -> None:
    async with lived_through(original, tmp_path) as (crowd, copy_url):
        before = crowd.outcomes()
        crowd.move_to_database(copy_url)
        async with crowd.worker():
            caught_up = await Redo(crowd.first.client, crowd.systems).catch_up(datetime.now(UTC))
            bill_the_plan(crowd)
            differs = [name for name in ACCOUNTS if crowd.outcome(name) != before[name]]
            assert {None} == {each.problem for each in caught_up}
            assert sorted(UNNOTICED) == sorted(differs)
            named = await quietly_reconciled(crowd.systems)
            assert 1 <= named, "the reconciliation has to name the fee that the books do not know"
            await all_end(crowd)
        assert_nothing_twice(crowd)
        assert 0 == await quietly_reconciled(crowd.systems)


@pytest.mark.slow
async def test_jobs_that_run_before_the_record_has_caught_up_charge_a_date_twice(
    sqlite_url: str, tmp_path: Path
) -> None:
    # The control: this is why a worker catches up before its first job.
    original = sqlite_url, partial(_sqlite_copy, tmp_path / "copy.db")
    async with lived_through(original, tmp_path) as (crowd, copy_url):
        crowd.move_to_database(copy_url)
        bill_the_plan(crowd)
        paid = paid_by_date(crowd.systems, crowd["begun_and_charged"].account_id)
        named = await quietly_reconciled(crowd.systems)
        many = await Sweeper(crowd.first.client, crowd.systems, later, at_once=0).sweep()
        swept = await sweeper_of(crowd.first.client, crowd.systems).sweep()

        assert 2 in paid.values()
        not_begun = [each for each in many.found if each.finding is Finding.NOT_ON_RECORD]
        assert {"begun", "begun_and_charged"} == {crowd.name_of(it.account_id) for it in not_begun}
        assert 1 <= named, "and this is how it would come to light"
        expected = {crowd[name].account_id for name in SEEN_BY_THE_SWEEPER}
        assert expected == {each.account_id for each in swept.found}
        assert {Finding.PUT_ON_RECORD} == {each.finding for each in swept.found}
        assert len(expected) == swept.waiting


@pytest.mark.slow
async def test_the_worker_itself_catches_up_and_then_runs_steps_and_jobs(
    sqlite_url: str, tmp_path: Path
) -> None:
    gateway_url, names = f"sqlite:///{tmp_path / 'gateway.db'}", ("begun", "begun_and_called_back")
    with running_server(tmp_path / "server.log") as server:
        async with open_crowd(server, sqlite_url, gateway_url, names) as crowd:
            copy_url = _sqlite_copy(tmp_path / "copy.db", sqlite_url)
            async with crowd.worker():
                for name in names:
                    await crowd[name].paused()
            # It waits for a worker, whose steps would find no pause to resume.
            await crowd["begun_and_called_back"].handle().signal(RESUME)
            crowd.move_to_database(copy_url)
            environment = {
                "DATABASE_URL": copy_url,
                "ACCOUNT_PAUSE_GATEWAY_URL": gateway_url,
                "ACCOUNT_PAUSE_STATE_DIR": str(tmp_path),
                "TEMPORAL_ADDRESS": server.address,
            }
            log = tmp_path / "worker.log"
            with worker_process(log, "worker.py", environment=environment):
                await until(lambda: crowd["begun"].account_status() is AccountStatus.PAUSED)
                await until(lambda: "the database is an older copy" in log.read_text())
                resumed = await crowd["begun_and_called_back"].handle().result()

            back = crowd["begun_and_called_back"]
            assert PauseState.RESUMED is resumed.state is back.last_state()
            assert AccountStatus.ACTIVE is back.account_status()


async def test_whoever_only_looks_makes_no_payment(stage: Stage) -> None:
    looks, order = OnlyLooks(stage.systems.gateway), Order(stage.account_id, "tok_visa", 500, "USD")

    with pytest.raises(Transient):
        looks.create_payment("never asked for", order)

    assert [] == stage.systems.sandbox.payments(stage.account_id)


# --- what happens after the copy was made -------------------------------------------------------


@asynccontextmanager
async def lived_through(
    original: tuple[str, Copy], directory: Path
) -> AsyncIterator[tuple[Crowd, str]]:
    """Accounts that have done what their names say, and the address of the copy made before."""
    url, copy = original
    gateway_url = f"sqlite:///{directory / 'gateway.db'}"
    # Of its own: what another test has left behind would not be on record here.
    with running_server(directory / "server.log") as server:
        async with open_crowd(server, url, gateway_url, ACCOUNTS, CARDS) as crowd:
            async with crowd.worker():
                for name in PAUSED:
                    await crowd[name].paused()
            crowd.systems.engine.dispose()
            copy_url = copy(url)
            async with crowd.worker():
                await live(crowd)
                bill_the_plan(crowd)
            yield crowd, copy_url


async def live(crowd: Crowd) -> None:
    for name in ("begun", "begun_and_charged", "begun_and_over"):
        await crowd[name].paused()
    for name in ("charged", "begun_and_charged", "begun_and_over"):
        await pass_a_fee(crowd[name], ChargeState.PAID)
    await pass_a_fee(crowd["declined"], ChargeState.DECLINED)
    await move_the_date(crowd["moved"])
    for name in ("resumed", "ended_and_begun", "begun_and_over"):
        stage = crowd[name]
        await stage.pauses.resume(stage.account_id, stage.administrator)
    await crowd["ended_and_begun"].paused()
    for name in ("closed", "closed_active"):
        stage = crowd[name]
        await stage.pauses.close(stage.account_id, stage.administrator, "CLOSE")


async def pass_a_fee(stage: Stage, state: ChargeState) -> None:
    handle = stage.handle()
    first = (await stage.current(handle)).charges[0]
    await stage.move_to(handle, first.due_at + MINUTE)
    await stage.until_charge(handle, 0, state)


async def move_the_date(stage: Stage) -> None:
    resume_on = datetime.now(UTC).date() + timedelta(days=60)
    await stage.pauses.change_resume_date(stage.account_id, stage.administrator, resume_on)


def bill_the_plan(crowd: Crowd) -> None:
    """The worker's job, on the first billing date of all."""
    due_at = due_instant(crowd.first_billing_on, TIME_ZONE)
    crowd.systems.billing.invoice_plans_due(due_at + MINUTE, limit=100)


# --- what follows after it was put back ---------------------------------------------------------


async def redo(crowd: Crowd) -> list[Redone]:
    """As `account-pause redo` does it; what changed nothing is left out."""
    again = Redo(crowd.first.client, crowd.systems)
    redone = [await again.redo_run(run) for run in await again.runs()]
    return [each for each in redone if each and (each.put_on_record or each.problem)]


async def all_end(crowd: Crowd) -> None:
    """Every pause that is still open comes to its planned end."""
    for name in ACCOUNTS:
        stage = crowd[name]
        if stage.systems.accounts.open_act(stage.account_id) is not None:
            await stage.skipper.fast_forward(stage.handle())
            await stage.until(partial(_is_over, stage))


def assert_nothing_twice(crowd: Crowd) -> None:
    for name in ACCOUNTS:
        paid = paid_by_date(crowd.systems, crowd[name].account_id)
        assert {1} >= set(paid.values()), f"{name} was charged twice: {paid}"


def _is_over(stage: Stage) -> bool:
    return stage.last_state().is_final


def _sqlite_copy(copy: Path, url: str) -> str:
    """As the runbook says: by SQLite's own backup."""
    source = make_url(url).database or ""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)
    return f"sqlite:///{copy}"


def _postgresql_copy(server: PostgresServer, url: str) -> str:
    return server.url(server.create(template=make_url(url).database or ""))
