"""All systems on one database: what worker, command line and pages start from."""

from dataclasses import dataclass

from sqlalchemy import Engine

from domain.errors import InvariantViolated
from domain.payments import Gateway
from domain.stripe_access import StripeAccess
from systems.access import SqlAccess
from systems.accounts import SqlAccounts
from systems.billing import SqlBilling
from systems.billing.card_entries import CardEntries
from systems.billing.events import GatewayEvents
from systems.billing.reconciling import Reconciliation
from systems.billing.refunds import Refunds
from systems.billing.statement import Statements
from systems.db import Database, make_engine
from systems.dni import SqlDni
from systems.gateways.sandbox import SandboxGateway
from systems.identity import Identity
from systems.numbers import Activity, SqlNumbers
from systems.reopening import Reopening


@dataclass(frozen=True)
class Systems:
    """The five systems, and what they stand on."""

    db: Database
    accounts: SqlAccounts
    numbers: SqlNumbers
    activity: Activity
    dni: SqlDni
    access: SqlAccess
    billing: SqlBilling
    identity: Identity
    events: GatewayEvents
    card_entries: CardEntries
    reopening: Reopening
    refunds: Refunds
    reconciliation: Reconciliation
    statements: Statements
    gateway: Gateway
    engine: Engine
    gateway_engine: Engine

    @property
    def sandbox(self) -> SandboxGateway:
        """The embedded gateway with its record laid open.

        Raises:
            InvariantViolated: money moves at Stripe.
        """
        if isinstance(self.gateway, SandboxGateway):
            return self.gateway
        raise InvariantViolated(f"money moves at {self.gateway.name}, not at the sandbox")

    def close(self) -> None:
        """Give the database's connections back."""
        self.engine.dispose()
        self.gateway_engine.dispose()


def open_systems(
    database_url: str,
    gateway_url: str,
    pool_size: int = 20,
    stripe: StripeAccess | None = None,
    pages_url: str = "",
) -> Systems:
    """The systems on the migrated database at `database_url`.

    Money moves at Stripe, if `stripe` says how to reach it. Else at the embedded payment gateway,
    which keeps its own record at `gateway_url`, as a provider would, and has its card pages under
    `pages_url`, where the web process answers.
    """
    engine = make_engine(database_url, pool_size)
    gateway_engine = make_engine(gateway_url, pool_size)
    db = Database(engine)
    gateway = _stripe(stripe) if stripe else SandboxGateway(gateway_engine, pages_url)
    accounts, access, dni = SqlAccounts(db), SqlAccess(db), SqlDni(db)
    billing = SqlBilling(db, gateway)
    refunds = Refunds(db, gateway)
    reopening = Reopening(accounts, billing, access, dni)
    return Systems(
        db=db,
        accounts=accounts,
        numbers=SqlNumbers(db),
        activity=Activity(db),
        dni=dni,
        access=access,
        billing=billing,
        identity=Identity(db),
        events=GatewayEvents(db),
        card_entries=CardEntries(db, gateway, reopening),
        reopening=reopening,
        refunds=refunds,
        reconciliation=Reconciliation(db, gateway, billing, refunds),
        statements=Statements(db, gateway),
        gateway=gateway,
        engine=engine,
        gateway_engine=gateway_engine,
    )


def _stripe(access: StripeAccess) -> Gateway:
    # The package takes most of a second to load; every command without Stripe would wait for it.
    from systems.gateways.stripe import StripeGateway

    return StripeGateway(access)
