"""The database: engines that lose no write, one transaction per call, one lock per account."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from domain.errors import Code, Rejected, Transient
from systems.tables import AccountRow

# How long a writer waits for another one, on SQLite for the file and on PostgreSQL for a row.
LOCK_WAIT_SECONDS = 8
# And for a connection of the pool, so that a step gives up before its own time is over.
POOL_WAIT_SECONDS = 5


def make_engine(url: str, pool_size: int = 20) -> Engine:
    """An engine for SQLite or PostgreSQL whose transactions serialise where it matters.

    SQLite: ``BEGIN IMMEDIATE``, since a transaction that begins by reading and writes later loses
    updates without an error. PostgreSQL: READ COMMITTED, with the account's row locked by every
    effect (`lock_account`). Errors keep the parameters to themselves: they may be personal (R17).
    """
    if url.startswith("sqlite"):
        return _sqlite_engine(url)
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": 5, "options": f"-c lock_timeout={LOCK_WAIT_SECONDS}s"},
    )


class Database:
    """Opens transactions and turns the database's faults into ours."""

    def __init__(self, engine: Engine) -> None:
        """Use `engine` for every transaction."""
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            Transient: the database is away, busy, or chose this transaction as a deadlock's victim.
        """
        try:
            with self._sessions.begin() as session:
                yield session
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise Transient(_without_parameters(error)) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Transient(_without_parameters(error)) from error
            raise


def lock_account(session: Session, account_id: str) -> AccountRow:
    """The account's row, locked until the transaction ends: one writer per account at a time.

    Raises:
        Rejected: `account_not_found`.
    """
    row = session.scalar(select(AccountRow).where(AccountRow.id == account_id).with_for_update())
    return _existing(row, account_id)


def account_row(session: Session, account_id: str) -> AccountRow:
    """The account's row, to be read only.

    Raises:
        Rejected: `account_not_found`.
    """
    return _existing(session.get(AccountRow, account_id), account_id)


def _existing(row: AccountRow | None, account_id: str) -> AccountRow:
    if row is None:
        raise Rejected(Code.ACCOUNT_NOT_FOUND, f"There is no account {account_id}.")
    return row


def _sqlite_engine(url: str) -> Engine:
    file = make_url(url).database
    if file and file != ":memory:":
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": LOCK_WAIT_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def reason_of(error: Exception) -> str:
    """What the database's driver says, in one line; its further ones repeat it for each address.

    For those who run the product; histories are told less (R17).
    """
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0].rstrip(".") if said else type(error).__name__


def _without_parameters(error: Exception) -> str:
    # The statement's parameters may hold personal data, and this message reaches histories (R17).
    return f"the database did not answer: {type(getattr(error, 'orig', None) or error).__name__}"
