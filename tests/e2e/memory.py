"""Accounts whose systems answer from memory, for measuring what Temporal alone costs."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from domain import names
from domain.calendar import local_date
from domain.ids import Prefix, make_id
from domain.states import ChargeState, Role
from domain.terms import Offer
from starter.client import PauseClient
from systems.gateways.sandbox import CARDS
from tests.fakes.access import FakeAccess
from tests.fakes.accounts import FakeAccounts
from tests.fakes.billing import FakeBilling
from tests.fakes.dni import FakeDni
from tests.fakes.numbers import FakeNumbers
from tests.fakes.reconciliation import FakeReconciler
from tests.temporal import TemporalServer
from tests.workflows.stage import FIRST_FEE_AFTER, TIME_ZONE, PauseHandle, eventually
from worker import activities, build_worker
from workflows.account_pause import AccountPause

PLAN_MINOR = 9_500


class Memory:
    """All systems in memory, and a client on each kind of clock."""

    def __init__(self, client: Client) -> None:
        """The worker is not running yet: see `running`."""
        self.client = client
        self.skipper = TimeSkipper(client, config=TimeSkippingConfig(max_session_skip_count=5000))
        self.accounts, self.billing = FakeAccounts(), FakeBilling()
        self.numbers, self.dni, self.access = FakeNumbers(), FakeDni(), FakeAccess()
        self.administrator = make_id(Prefix.USER, uuid4())
        self.pauses = PauseClient(client, self.accounts)
        self.skipping_pauses = PauseClient(self.skipper.client, self.accounts)

    def account(self, card: str = "visa") -> str:
        """A new account, whose first fee falls ten days from now."""
        account_id, now = make_id(Prefix.ACCOUNT, uuid4()), datetime.now(UTC)
        first = local_date(now + FIRST_FEE_AFTER, TIME_ZONE)
        self.accounts.add(account_id, {self.administrator: Role.ADMIN}, TIME_ZONE)
        for system in (self.numbers, self.dni, self.access):
            system.add(account_id)
        self.billing.create_subscription(
            account_id, "Call tracking", PLAN_MINOR, TIME_ZONE, first.day, first
        )
        self.enter_card(account_id, card)
        return account_id

    def enter_card(self, account_id: str, name: str) -> None:
        """Put one of the gateway's test cards on file."""
        card = CARDS[name]
        self.billing.replace_card(
            account_id,
            card.token,
            card.brand,
            card.last4,
            card.expires_month,
            card.expires_year,
            datetime.now(UTC),
        )

    def handle(self, account_id: str) -> PauseHandle:
        """The account's pause."""
        workflow_id = names.pause_workflow_id(account_id)
        return self.client.get_workflow_handle_for(AccountPause.run, workflow_id)

    async def move_by(self, handle: PauseHandle, ahead: timedelta) -> None:
        """Move the pause's clock, doing everything that falls due on the way."""
        await self.skipper.fast_forward(handle, ahead)

    async def until_attempts(self, handle: PauseHandle, account_id: str, count: int) -> None:
        """Wait until `count` attempts to collect have been answered, as the pause knows them."""
        attempts = self.billing.accounts[account_id].invoices

        async def answered() -> bool | None:
            charges = (await handle.query(AccountPause.status)).charges
            is_running = any(charge.state is ChargeState.COLLECTING for charge in charges)
            made = sum(len(invoice.attempts) for invoice in attempts.values())
            return made == count and not is_running

        await eventually(answered)


@asynccontextmanager
async def running(server: TemporalServer) -> AsyncIterator[Memory]:
    """Systems in memory with a worker on them, until the block ends."""
    client = await Client.connect(
        server.address, data_converter=pydantic_data_converter, identity="tests"
    )
    memory = Memory(client)
    steps = activities(
        memory.accounts,
        memory.numbers,
        memory.dni,
        memory.access,
        memory.billing,
        Offer(),
        FakeReconciler(),
    )
    with ThreadPoolExecutor(10) as executor:
        async with build_worker(
            client,
            steps,
            executor,
            slots=10,
            cached_workflows=100,
            graceful_shutdown=timedelta(seconds=5),
        ):
            yield memory
