"""All systems on one database: what worker, command line and pages start from."""

from dataclasses import dataclass

from sqlalchemy import Engine

from systems.access import SqlAccess
from systems.accounts import SqlAccounts
from systems.billing import SqlBilling
from systems.db import Database, make_engine
from systems.dni import SqlDni
from systems.gateways.sandbox import SandboxGateway
from systems.numbers import SqlNumbers


@dataclass(frozen=True)
class Systems:
    """The five systems, and what they stand on."""

    db: Database
    accounts: SqlAccounts
    numbers: SqlNumbers
    dni: SqlDni
    access: SqlAccess
    billing: SqlBilling
    gateway: SandboxGateway
    engine: Engine
    gateway_engine: Engine

    def close(self) -> None:
        """Give the database's connections back."""
        self.engine.dispose()
        self.gateway_engine.dispose()


def open_systems(database_url: str, gateway_url: str, pool_size: int = 20) -> Systems:
    """The systems on the migrated database at `database_url`.

    The embedded payment gateway keeps its own record at `gateway_url`, as a provider would.
    """
    engine = make_engine(database_url, pool_size)
    gateway_engine = make_engine(gateway_url, pool_size)
    db = Database(engine)
    gateway = SandboxGateway(gateway_engine)
    return Systems(
        db=db,
        accounts=SqlAccounts(db),
        numbers=SqlNumbers(db),
        dni=SqlDni(db),
        access=SqlAccess(db),
        billing=SqlBilling(db, gateway),
        gateway=gateway,
        engine=engine,
        gateway_engine=gateway_engine,
    )
