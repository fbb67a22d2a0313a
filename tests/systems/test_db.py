from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError

from domain.errors import Code, Rejected, Transient
from systems.db import Database, lock_account, make_engine
from systems.tables import AccountRow
from tests.systems.examples import ACCOUNT, AT, add_account
from tests.together import together

THREADS, ROUNDS = 10, 20
ALL = THREADS * ROUNDS


def _count_up(database: Database, *, locked: bool) -> Callable[[], None]:
    """Read the counter, then write it back with one more, a few times."""

    def once() -> None:
        with database.transaction() as session:
            if locked:
                lock_account(session, ACCOUNT)
            row = session.get_one(AccountRow, ACCOUNT)
            row.name = str(int(row.name) + 1)

    def count_up() -> None:
        for _ in range(ROUNDS):
            once()

    return count_up


def _counted(database: Database, count_up: Callable[[], None]) -> int:
    add_account(database)
    with database.transaction() as session:
        session.get_one(AccountRow, ACCOUNT).name = "0"

    answers = together(*[count_up] * THREADS)

    assert [] == [answer for answer in answers if isinstance(answer, Exception)]
    with database.transaction() as session:
        return int(session.get_one(AccountRow, ACCOUNT).name)


def test_of_200_concurrent_updates_under_the_lock_none_is_lost(database: Database) -> None:
    assert ALL == _counted(database, _count_up(database, locked=True))


def test_control_on_postgresql_updates_without_the_lock_are_lost(
    postgresql_database: Database,
) -> None:
    database = postgresql_database

    assert ALL > _counted(database, _count_up(database, locked=False))


def test_control_on_sqlite_updates_under_the_default_settings_are_lost(
    sqlite_url: str, sqlite_database: Database
) -> None:
    # The default: no transaction before the first write, so what was read may be old by then.
    engine = create_engine(sqlite_url, connect_args={"timeout": 30})

    assert ALL > _counted(sqlite_database, _count_up(Database(engine), locked=True))
    engine.dispose()


def test_a_block_that_raises_leaves_nothing_behind(database: Database) -> None:
    def add_and_fail() -> None:
        with database.transaction() as session:
            session.add(_account())
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()

    with database.transaction() as session:
        assert session.get(AccountRow, ACCOUNT) is None


def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    with database.transaction() as session:
        session.add(_account())

    with database.transaction() as session:
        assert session.get_one(AccountRow, ACCOUNT).created_at == AT
        assert "UTC" == str(session.get_one(AccountRow, ACCOUNT).created_at.tzinfo)


def test_an_unknown_account_cannot_be_locked(database: Database) -> None:
    with pytest.raises(Rejected) as refused, database.transaction() as session:
        lock_account(session, ACCOUNT)

    assert Code.ACCOUNT_NOT_FOUND is refused.value.code


def test_a_duplicate_is_no_outage(database: Database) -> None:
    with database.transaction() as session:
        session.add(_account())

    with pytest.raises(IntegrityError), database.transaction() as session:
        session.add(_account())


def test_a_database_that_is_away_is_transient(
    postgresql_url: str, sqlite_url: str, tmp_path: Path
) -> None:
    nobody_listens = make_url(postgresql_url).set(port=1)
    no_file = make_url(sqlite_url).set(database=str(tmp_path))

    for url in (nobody_listens, no_file):
        engine = make_engine(url.render_as_string(hide_password=False))
        assert "the database did not answer: OperationalError" == _fault(engine)
        engine.dispose()


def test_a_connection_that_was_cut_is_transient_and_the_next_one_works(
    postgresql_database: Database,
) -> None:
    database = postgresql_database

    with pytest.raises(Transient), database.transaction() as session:
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with database.transaction() as session:
        assert 1 == session.scalar(text("SELECT 1"))


def test_a_fault_names_no_parameters(database: Database) -> None:
    query = text("SELECT * FROM no_such_table WHERE email = :e")

    with pytest.raises((Transient, DBAPIError)) as fault, database.transaction() as session:
        session.execute(query, {"e": "a@b.example"})

    assert "a@b.example" not in str(fault.value)


def _account() -> AccountRow:
    return AccountRow(id=ACCOUNT, name="Example", time_zone="UTC", created_at=AT)


def _fault(engine: Engine) -> str:
    with pytest.raises(Transient) as fault, Database(engine).transaction() as session:
        session.execute(text("SELECT 1"))
    return str(fault.value)
