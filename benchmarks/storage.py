"""What a pause leaves in PostgreSQL, in Temporal's own database, and in a worker's memory.

Temporal's database here is the dev server's SQLite. On PostgreSQL or Cassandra the same rows take
other numbers of bytes, but they are the same rows.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from benchmarks.figures import Figure
from benchmarks.processor import resident_bytes
from benchmarks.rig import WARM_UP, Account, Rig, open_rig, side_by_side
from benchmarks.world import accounts_in
from systems.migrate import upgrade
from systems.wiring import open_systems
from tests.postgresql import running_server

PAUSES = 200
IDLE_BUDGET_KIB = 26
KIB = 1024

# The longest that a step of a new pause may take, and a while for the server to look.
LONGEST_TIMEOUT_SECONDS = 45

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
Sizes = dict[str, tuple[int, int]]


async def measure(directory: Path, pauses: int = PAUSES) -> list[Figure]:
    """So many pauses, looked at while they are idle, and again when they are over."""
    with running_server() as postgresql:
        url = postgresql.url(postgresql.create())
        systems = open_systems(url, "sqlite://")
        upgrade(systems.engine)
        accounts = list(accounts_in(systems, 0, WARM_UP + pauses))
        async with open_rig(directory) as rig:
            with rig.working("--systems", url):
                await side_by_side(accounts[:WARM_UP], rig.pause)
                await side_by_side(accounts[:WARM_UP], lambda it: _ended(rig, it))
                await rig.until_quiet()
                before = _sizes(systems.engine)
                idle = await _idle(rig, accounts[WARM_UP:])
                await side_by_side(accounts[WARM_UP:], lambda it: _ended(rig, it))
                await rig.until_quiet()
                after = _sizes(systems.engine)
        systems.close()
    return [*idle, *_grown(before, after, pauses)]


async def _idle(rig: Rig, accounts: list[Account]) -> list[Figure]:
    assert rig.worker is not None
    worker, database = rig.worker.process.pid, rig.directory / "temporal.db"
    stored, resident = await _at_rest(database), resident_bytes(worker)
    await side_by_side(accounts, rig.pause)
    await rig.until_quiet()
    idle_bytes = (await _at_rest(database) - stored) / len(accounts)
    in_memory = (resident_bytes(worker) - resident) / len(accounts)
    return [
        Figure("Temporal, an idle pause", idle_bytes / KIB, "KiB", budget=IDLE_BUDGET_KIB),
        Figure("worker's memory, a cached pause", in_memory / KIB, "KiB"),
    ]


async def _at_rest(database: Path) -> int:
    """Bytes in use once the server has thrown away what it kept for timeouts that did not come."""
    now, before = _stored(database), None
    while before is None or now < before:
        await asyncio.sleep(LONGEST_TIMEOUT_SECONDS)
        now, before = _stored(database), now
    return now


async def _ended(rig: Rig, account: Account) -> None:
    handle = rig.handle(account)
    await rig.skipper.fast_forward(handle)
    await handle.result()


def _stored(database: Path) -> int:
    """Bytes in use, those that still wait in the write-ahead log included."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def _sizes(engine: Engine) -> Sizes:
    """Rows and bytes of each table with its indexes, without what dead rows take."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (FULL, ANALYZE)"))
        return {name: _size(connection, name) for name in connection.scalars(text(TABLES)).all()}


def _size(connection: Connection, table: str) -> tuple[int, int]:
    rows = connection.execute(text(f'SELECT count(*) FROM "{table}"')).scalar_one()
    size = connection.execute(text(f"SELECT pg_total_relation_size('\"{table}\"')")).scalar_one()
    return rows, size


def _grown(before: Sizes, after: Sizes, pauses: int) -> list[Figure]:
    grown = {
        name: (rows - before[name][0], size - before[name][1])
        for name, (rows, size) in after.items()
        if rows > before[name][0]
    }
    figures = [
        Figure("PostgreSQL, rows of a pause", sum(rows for rows, _ in grown.values()) / pauses),
        Figure(
            "PostgreSQL, a pause", sum(size for _, size in grown.values()) / pauses / KIB, "KiB"
        ),
    ]
    for name, (rows, size) in sorted(grown.items()):
        figures.append(Figure(f"  {name}: rows", rows / pauses))
        figures.append(Figure(f"  {name}: bytes", size / pauses / KIB, "KiB"))
    return figures
