"""What a command works with: settings, systems, a client of Temporal, and who is asking."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url
from temporalio.client import Client

from domain.errors import Code, Rejected, Transient
from domain.states import Role
from settings import Settings
from starter.backend import Backend
from starter.cli.output import Output
from starter.client import PauseClient
from starter.connect import LOCAL_ADDRESS, configured_address, connect
from starter.local.marker import running_stack
from starter.telemetry import OFF, Telemetry
from systems.accounts.views import AccountView
from systems.migrate import check_usable
from systems.wiring import Systems, open_systems

CONNECT_SECONDS = 5
CONNECTIONS = 5


@dataclass(frozen=True)
class Context:
    """One command's connections."""

    settings: Settings
    systems: Systems
    client: Client
    backend: Backend

    @property
    def public_url(self) -> str:
        """Where browsers reach the web process."""
        return public_url_of(self.settings)

    def account(self, named: str) -> AccountView:
        """The account with this id, or the only one whose name begins so.

        Raises:
            Rejected: `account_not_found`; `validation_failed` when several names begin so.
        """
        accounts = self.systems.accounts.accounts()
        found = [each for each in accounts if each.account_id == named] or [
            each for each in accounts if each.name.casefold().startswith(named.casefold())
        ]
        if not found:
            raise Rejected(
                Code.ACCOUNT_NOT_FOUND,
                f"There is no account “{named}”, by id or by the beginning of its name;"
                " `account-pause seed` lists the sample accounts.",
            )
        if len(found) > 1:
            names = ", ".join(each.name for each in found)
            raise Rejected(Code.VALIDATION_FAILED, f"“{named}” may be any of: {names}.")
        return found[0]

    def account_names(self) -> dict[str, str]:
        """Every account's name, by its id."""
        return {each.account_id: each.name for each in self.systems.accounts.accounts()}

    def requester(self, account: AccountView, named: str | None, output: Output) -> str:
        """The user in whose name the command acts: the one named, else the first administrator.

        Raises:
            Rejected: `not_an_administrator` when nobody is named and the account has none.
        """
        if named is not None:
            return named
        users = self.systems.accounts.users(account.account_id)
        administrator = next((user for user in users if user.role is Role.ADMIN), None)
        if administrator is None:
            raise Rejected(
                Code.NOT_AN_ADMINISTRATOR,
                f"Account {account.account_id} has no administrator; name one with --as.",
            )
        output.note(
            f"As {administrator.name} ({administrator.user_id}), the first administrator of"
            f" {account.name}; --as names another."
        )
        return administrator.user_id


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    needs_temporal: bool = True,
    connections: int = CONNECTIONS,
    telemetry: Telemetry = OFF,
) -> AsyncIterator[Context]:
    """The systems on at most `connections` to the database and, where it is needed, Temporal.

    Raises:
        Transient: something does not answer or is not set up; the message says what to do.
    """
    systems = _opened_systems(settings, connections)
    try:
        check_usable(systems.engine)
        client = await connected(settings, lazy=not needs_temporal, telemetry=telemetry)
        pauses = PauseClient(client, systems.accounts)
        yield Context(settings, systems, client, Backend(systems, pauses, settings.offer))
    finally:
        systems.close()


async def connected(
    settings: Settings, *, lazy: bool = False, telemetry: Telemetry = OFF
) -> Client:
    """A client of the service that the environment names, else of the local stack.

    Raises:
        Transient: nothing answers there.
    """
    address = temporal_address(settings)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await connect(address, lazy=lazy, telemetry=telemetry)
    except (RuntimeError, TimeoutError):
        raise Transient(
            f"No Temporal service answers at {address}. Start the local stack with"
            " `account-pause up`, or point TEMPORAL_ADDRESS to a service that runs."
        ) from None


def temporal_address(settings: Settings) -> str:
    """Where commands look for Temporal."""
    stack = running_stack(settings.state_dir)
    running = stack.address if stack else None
    return configured_address() or running or LOCAL_ADDRESS


def _opened_systems(settings: Settings, connections: int) -> Systems:
    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise Transient(
            f"There is no database at {url.database} yet: `account-pause up` makes it with sample"
            " data, `account-pause migrate` makes it alone."
        )
    # The embedded gateway keeps its own record there, also beside a database elsewhere.
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    return open_systems(
        settings.database,
        settings.gateway,
        connections,
        settings.stripe,
        public_url_of(settings),
    )


def public_url_of(settings: Settings) -> str:
    """As the settings say; where they say nothing, the web process of the local stack."""
    stack = running_stack(settings.state_dir)
    is_said = "public_url" in settings.model_fields_set
    running = stack.web_url if stack and not is_said else None
    return (running or settings.public_url).rstrip("/")
