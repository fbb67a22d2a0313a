"""Migrated databases for tests, on SQLite and on a real PostgreSQL.

`database` runs a test on both, `sqlite_database` and `postgresql_database` on one. Each test finds
a database without any rows, which was migrated once per test process.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from systems.db import Database, make_engine
from systems.migrate import upgrade
from tests.postgresql import PostgresServer, running_server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh, migrated database; the test runs once per kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated database; the test runs once per kind."""
    with _opened(database_url) as database:
        yield database


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    """A fresh, migrated SQLite."""
    with _opened(sqlite_url) as database:
        yield database


@pytest.fixture
def postgresql_database(postgresql_url: str) -> Iterator[Database]:
    """A fresh, migrated PostgreSQL."""
    with _opened(postgresql_url) as database:
        yield database


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a fresh, migrated SQLite."""
    file = tmp_path / "test.db"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture
def postgresql_url(postgresql_server: PostgresServer, postgresql_scratch: str) -> str:
    """The address of a migrated PostgreSQL without any rows."""
    # Emptying one takes 3 ms, cloning a template 50 ms, or a second on a busy machine.
    postgresql_server.empty(postgresql_scratch, keep="alembic_version")
    return postgresql_server.url(postgresql_scratch)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgresql_scratch(postgresql_server: PostgresServer) -> str:
    """The name of a migrated database that one test after the other may fill."""
    name = postgresql_server.create()
    _migrate(postgresql_server.url(name))
    return name


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresServer]:
    """One server for the whole test process; it dies with it, however that ends."""
    with running_server() as server:
        yield server


def _migrate(url: str) -> None:
    engine = make_engine(url)
    upgrade(engine)
    # Closing the last connection folds SQLite's write-ahead log into the file that is copied.
    engine.dispose()


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    engine = make_engine(url)
    try:
        yield Database(engine)
    finally:
        engine.dispose()
