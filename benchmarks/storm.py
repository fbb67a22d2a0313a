"""The billing day's worst moment: many fees due at one instant, and a worker that knows no pause.

The same pauses go through four such moments, a month apart. In two of them fees are really
collected, in the others a fee is answered without asking billing, in the order A B B A: histories
grow from one to the next, and so both kinds see the same. The worker is away when the fees fall due
and starts anew at that moment, so every pause is replayed. The gateway costs nothing, it would be a
process of somebody else's.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from benchmarks.figures import Figure, figure, ratio
from benchmarks.processor import cpu_seconds_of_family, parent_of
from benchmarks.rig import Account, Rig, open_rig, side_by_side
from benchmarks.world import FEE_ANSWERED, accounts_in
from domain.states import ChargeState
from systems.migrate import upgrade
from systems.wiring import open_systems
from tests.postgresql import running_server
from workflows.account_pause import AccountPause

BUDGET = 1.4
PAUSES = 1000
MILLI = 1000
WITHIN_SECONDS = 1800

WITH, WITHOUT = "with billing", "without billing"
ORDER = (WITH, WITHOUT, WITHOUT, WITH)

# How long before the fees fall due all clocks must have been moved: this, and so many times what it
# took the first time, when each had a step to do as well.
MARGIN_SECONDS = 10
TIMES = 1.5
# Of how many pauses is looked at afterwards whether the fee is really paid.
SAMPLE = 20


@dataclass(frozen=True)
class Storm:
    """What one moment took: processor seconds by process, and seconds until the last fee."""

    worker: float
    server: float
    database: float
    seconds: float

    @property
    def all(self) -> float:
        """Processor seconds of all processes."""
        return self.worker + self.server + self.database


class Clocks:
    """The pauses' clocks, which run ahead of ours by what each was moved."""

    def __init__(self, rig: Rig, accounts: list[Account]) -> None:
        """So far nobody's clock runs ahead."""
        self._rig = rig
        self._accounts = accounts
        self._ahead = dict.fromkeys(accounts, timedelta(0))
        self._seconds_to_move_all = 0.0

    async def move_past_the_drain(self, due_at: datetime) -> None:
        """Leave nothing ahead of the pauses but the fee; learn how long a move of all takes."""
        began = datetime.now(UTC)
        await self._move_all(due_at - timedelta(days=1), began)
        self._seconds_to_move_all = (datetime.now(UTC) - began).total_seconds()

    async def move_shortly_before(self, due_at: datetime) -> datetime:
        """Move all so that `due_at` is one and the same moment of our clock; returns it."""
        seconds = MARGIN_SECONDS + TIMES * self._seconds_to_move_all
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        await self._move_all(due_at, moment)
        assert datetime.now(UTC) < moment, "the machine became slower meanwhile: try again"
        return moment

    async def _move_all(self, to: datetime, when: datetime) -> None:
        """Let each clock show `to` at the moment that ours shows `when`."""

        async def move(account: Account) -> None:
            by = to - when - self._ahead[account]
            await self._rig.skipper.fast_forward(self._rig.handle(account), by)
            self._ahead[account] += by

        await side_by_side(self._accounts, move)


async def measure(directory: Path, pauses: int = PAUSES) -> list[Figure]:
    """The storm on SQLite, and on PostgreSQL."""
    sqlite = f"sqlite:///{directory / 'product.db'}"
    figures = await _measured("SQLite", directory / "sqlite", sqlite, None, pauses)
    with running_server() as postgresql:
        url = postgresql.url(postgresql.create())
        server = _server_of(url)
        figures += await _measured("PostgreSQL", directory / "postgresql", url, server, pauses)
    return figures


async def _measured(
    name: str, directory: Path, url: str, database: int | None, pauses: int
) -> list[Figure]:
    systems = open_systems(url, "sqlite://")
    upgrade(systems.engine)
    accounts = list(accounts_in(systems, 0, pauses))
    systems.close()
    storms: dict[str, list[Storm]] = {WITH: [], WITHOUT: []}
    async with open_rig(directory) as rig:
        clocks = Clocks(rig, accounts)
        with rig.working("--systems", url):
            await side_by_side(accounts, rig.pause)
            charges = (await rig.handle(accounts[0]).query(AccountPause.status)).charges
            await clocks.move_past_the_drain(charges[0].due_at)
            await rig.until_quiet()
        for position, kind in enumerate(ORDER):
            moment = await clocks.move_shortly_before(charges[position].due_at)
            await asyncio.sleep((moment - datetime.now(UTC)).total_seconds() - 1)
            flags = ["--without-billing"] if kind == WITHOUT else []
            storm = await _storm(rig, accounts, position, database, "--systems", url, *flags)
            storms[kind].append(storm)
    return _figures(name, storms, pauses)


async def _storm(
    rig: Rig, accounts: list[Account], position: int, database: int | None, *arguments: str
) -> Storm:
    """Let a new worker have the moment that is about to come."""
    server, in_database = rig.used().server, _used_by(database)
    with rig.working(*arguments) as worker:
        began = datetime.now(UTC)
        at_its_start = float(worker.log.read_text().split()[1])
        async with asyncio.timeout(WITHIN_SECONDS):
            while worker.log.read_text().count(FEE_ANSWERED) < len(accounts):
                await asyncio.sleep(0.2)
        ended = datetime.fromtimestamp(worker.log.stat().st_mtime, UTC)
        await rig.until_quiet()
        used = rig.used()
        storm = Storm(
            used.worker - at_its_start,
            used.server - server,
            _used_by(database) - in_database,
            (ended - began).total_seconds(),
        )
        for account in accounts[:SAMPLE]:
            charge = (await rig.handle(account).query(AccountPause.status)).charges[position]
            assert charge.state is ChargeState.PAID, charge
    return storm


def _figures(name: str, storms: dict[str, list[Storm]], pauses: int) -> list[Figure]:
    def each(kind: str, what: str) -> list[float]:
        return [getattr(storm, what) / pauses * MILLI for storm in storms[kind]]

    ours = storms[WITH]
    return [
        figure(f"{name}, a fee: all processes", each(WITH, "all"), "ms"),
        figure(f"{name}, a fee: of it the worker", each(WITH, "worker"), "ms"),
        figure(f"{name}, a fee: of it Temporal's server", each(WITH, "server"), "ms"),
        figure(f"{name}, a fee: of it the database", each(WITH, "database"), "ms"),
        figure(f"{name}, the same {WITHOUT}", each(WITHOUT, "all"), "ms"),
        ratio(f"{name}, a fee against it", each(WITH, "all"), each(WITHOUT, "all"), BUDGET),
        figure(f"{name}, fees per second", [pauses / storm.seconds for storm in ours], "/s"),
    ]


def _used_by(database: int | None) -> float:
    return cpu_seconds_of_family(database) if database else 0.0


def _server_of(url: str) -> int:
    """The process that all of a PostgreSQL's processes are children of."""
    address = make_url(url).set(drivername="postgresql").render_as_string()
    with psycopg.connect(address) as connection:
        return parent_of(connection.info.backend_pid)
