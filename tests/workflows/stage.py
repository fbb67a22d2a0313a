"""A pause on the real server with the real systems, moved through time by the test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import select
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import TimeSkipper, TimeSkippingConfig
from temporalio.worker import Worker

from activities.accounts import AccountActivities
from domain import names
from domain.calendar import local_date
from domain.errors import Code, Rejected
from domain.ids import Prefix, make_id
from domain.messages import BeginPause, MarkPaused, PauseInput, Status, Step, SuspendPlan
from domain.names import Activity
from domain.policy import Action
from domain.ports import Snapshot
from domain.states import AccountStatus, ChargeState, NumberState, PauseState, Role
from domain.stripe_access import StripeAccess
from domain.terms import Offer
from domain.timeline import Timeline
from starter.client import PauseClient
from systems.gateways.sandbox import CARDS
from systems.sample import SampleAccount, create_account
from systems.tables import CardRow, InvoiceLineRow, NoticeRow, NumberRow
from systems.wiring import Systems, open_systems
from tests.temporal import TemporalServer
from tests.workflows.faults import Faults
from worker import activities, build_worker
from workflows.account_close import AccountClose
from workflows.account_pause import AccountPause

T = TypeVar("T")

PauseHandle = WorkflowHandle[AccountPause, Status]

TIME_ZONE = "America/New_York"

# The first fee falls ten days after the test runs, whenever that is: six fees in six months.
FIRST_FEE_AFTER = timedelta(days=10)

WITHIN_SECONDS = 60


class Stage:
    """One account, one worker, one server."""

    def __init__(self, client: Client, systems: Systems, account: SampleAccount) -> None:
        """The worker is not running yet: see `worker`."""
        self.skipper = TimeSkipper(client, config=TimeSkippingConfig(max_session_skip_count=5000))
        self.client = client
        self.systems = systems
        self.account = account
        self.account_id = account.account_id
        self.administrator = account.administrator_id
        self.created_at = datetime.now(UTC) - timedelta(days=400)
        self.faults = Faults()
        self.offer = Offer()
        self.pauses = PauseClient(client, systems.accounts)
        self.skipping_pauses = PauseClient(self.skipper.client, systems.accounts)

    @asynccontextmanager
    async def worker(self, cached_workflows: int = 100) -> AsyncIterator[Worker]:
        """A worker, until the block ends; attempts that are held are let go then."""
        systems = self.systems
        steps = activities(
            systems.accounts,
            systems.numbers,
            systems.dni,
            systems.access,
            systems.billing,
            self.offer,
            systems.reconciliation,
        )
        with ThreadPoolExecutor(10) as executor:
            worker = build_worker(
                self.client,
                [self.faults.wrap(step) for step in steps],
                executor,
                slots=10,
                cached_workflows=cached_workflows,
                graceful_shutdown=timedelta(seconds=5),
            )
            async with worker:
                try:
                    yield worker
                finally:
                    self.faults.release_all()

    async def start(self, *, skipping: bool = False, **fields: Any) -> PauseHandle:
        """Start the pause as a person would: id, type and a minimal input.

        With `skipping` its clock jumps from event to event; else the test moves it.
        """
        client = self.skipper.client if skipping else self.client
        request = {"account_id": self.account_id, "requested_by": self.administrator, **fields}
        await client.start_workflow(
            names.ACCOUNT_PAUSE,
            request,
            id=names.pause_workflow_id(self.account_id),
            task_queue=names.TASK_QUEUE,
        )
        return self.handle()

    def handle(self) -> PauseHandle:
        """The account's pause, whichever run is the latest."""
        workflow_id = names.pause_workflow_id(self.account_id)
        return self.client.get_workflow_handle_for(AccountPause.run, workflow_id)

    async def paused(self, **fields: Any) -> PauseHandle:
        """A pause in effect, its clock standing (but for real time)."""
        handle = await self.start(**fields)
        await self.until_state(handle, PauseState.PAUSED)
        return handle

    async def now(self, handle: PauseHandle) -> datetime:
        """What the pause's own clock shows."""
        return (await self.skipper.get_current_time(handle)).astimezone(UTC)

    async def move_to(self, handle: PauseHandle, at: datetime) -> None:
        """Move the pause's clock to `at`, doing everything that falls due on the way."""
        ahead = at - await self.now(handle)
        assert ahead > timedelta(0), f"the clock of the pause is already past {at}"
        async with asyncio.timeout(WITHIN_SECONDS):
            await self.skipper.fast_forward(handle, ahead)

    @asynccontextmanager
    async def moving(self, handle: PauseHandle, ahead: timedelta) -> AsyncIterator[None]:
        """The pause's clock moves by `ahead` meanwhile; it waits for steps and absent workers."""
        move = asyncio.create_task(self.skipper.fast_forward(handle, ahead))
        try:
            yield
        finally:
            move.cancel()
            await asyncio.gather(move, return_exceptions=True)

    async def until_now(self, handle: PauseHandle, at: datetime) -> None:
        """Wait until the pause's clock has passed `at`."""

        async def has_passed() -> datetime | None:
            now = await self.now(handle)
            return now if now > at else None

        await eventually(has_passed)

    async def until_state(self, handle: PauseHandle, state: PauseState) -> Status:
        """The status once the pause has reached `state`."""

        async def status() -> Status | None:
            current = await handle.query(AccountPause.status)
            return current if current.state is state else None

        return await eventually(status)

    async def until_charge(self, handle: PauseHandle, position: int, state: ChargeState) -> Status:
        """The status once the charge at `position` (0: the first date) has reached `state`."""

        async def status() -> Status | None:
            current = await handle.query(AccountPause.status)
            return current if current.charges[position].state is state else None

        return await eventually(status)

    async def terminate_all(self) -> None:
        """Leave nothing behind that another test's worker would pick up."""
        for workflow_id in (names.pause_workflow_id, names.close_workflow_id):
            handle = self.client.get_workflow_handle(workflow_id(self.account_id))
            with suppress(RPCError):
                await handle.terminate()

    async def current(self, handle: PauseHandle) -> Status:
        """Where the pause stands now."""
        return await handle.query(AccountPause.status)

    async def until(self, check: Callable[[], T | None]) -> T:
        """What `check` gives once it gives something."""
        return await until(check)

    async def until_begun(self, step: Activity) -> None:
        """Wait until an attempt of `step` has begun."""
        await until(lambda: self.faults.reached(step).is_set())

    async def until_stuck(self, handle: PauseHandle) -> str:
        """What the operator is asked for, once a step is stuck."""

        async def reason() -> str | None:
            return (await self.current(handle)).needs_operator

        return await eventually(reason)

    async def current_pause_id(self) -> str:
        """The id of the account's open, or last, pause."""
        act = self.systems.accounts.last_act(self.account_id)
        assert act is not None
        return act.act_id

    async def start_for(self, account: SampleAccount, pause_id: str) -> Status:
        """What a pause of another account comes to that is started with this id."""
        handle = await self.client.start_workflow(
            AccountPause.run,
            PauseInput(
                account_id=account.account_id,
                requested_by=account.administrator_id,
                pause_id=pause_id,
            ),
            id=names.pause_workflow_id(account.account_id),
            task_queue=names.TASK_QUEUE,
        )
        return await handle.result()

    def close_handle(self) -> WorkflowHandle[AccountClose, Status]:
        """The close of the active account."""
        workflow_id = names.close_workflow_id(self.account_id)
        return self.client.get_workflow_handle_for(AccountClose.run, workflow_id)

    async def until_close_is_stuck(self) -> str:
        """What the operator is asked for, once a step of the close is stuck."""

        async def reason() -> str | None:
            return (await self.close_handle().query(AccountClose.status)).needs_operator

        return await eventually(reason)

    async def resume(self, handle: PauseHandle, **fields: object) -> Status:
        """Signal `resume` with these fields and wait for the end."""
        await handle.signal(names.RESUME, fields)
        return await handle.result()

    async def failure_of(self, request: object) -> ApplicationError:
        """What a run with that input fails with."""
        handle = await self.client.start_workflow(
            names.ACCOUNT_PAUSE, request, id=f"test:{uuid4()}", task_queue=names.TASK_QUEUE
        )
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        cause = failed.value.cause
        assert isinstance(cause, ApplicationError)
        return cause

    def pause_in_the_past(self, paused_at: datetime, resume_on: date | None = None) -> str:
        """Put a pause into effect as of `paused_at`, as the systems see it; returns its id.

        Its run, started with that id, finds everything that has fallen due since then: that is what
        workers see when they come back after an outage.
        """
        act_id = make_id(Prefix.PAUSE, uuid4())
        step: dict[str, Any] = {"act_id": act_id, "account_id": self.account_id, "at": paused_at}
        accounts = self._account_steps()
        begun = accounts.begin_pause(BeginPause(**step, requested_by=self.administrator))
        suspended = self.systems.billing.suspend_plan(SuspendPlan(**step, terms=begun.terms))
        self.systems.dni.disable_script(Step(**step))
        self.systems.access.suspend_access(Step(**step))
        first = suspended.first_billing_on
        accounts.mark_paused(MarkPaused(**step, first_billing_on=first, resume_on=resume_on))
        return act_id

    def promised(self, pause_id: str) -> Timeline:
        """The timeline that was kept with the pause."""
        act = self.systems.accounts.act(pause_id)
        assert act is not None
        assert act.timeline is not None
        return act.timeline

    def last_state(self) -> PauseState:
        """How the accounts system has the last pause or close."""
        act = self.systems.accounts.last_act(self.account_id)
        assert act is not None
        return act.state

    def remove_card(self) -> None:
        """Leave the account without a card on file."""
        with self.systems.db.transaction() as session:
            session.delete(session.get_one(CardRow, self.account_id))

    def enter_card(self, name: str) -> None:
        """Put one of the gateway's test cards on file."""
        card = CARDS[name]
        self.systems.billing.replace_card(
            self.account_id,
            card.token,
            card.brand,
            card.last4,
            card.expires_month,
            card.expires_year,
            datetime.now(UTC),
        )

    def user(self, role: Role) -> str:
        """One of the account's users."""
        users = self.systems.accounts.users(self.account_id)
        return next(user.user_id for user in users if user.role is role)

    def account_status(self) -> AccountStatus:
        """What the accounts system says."""
        return self.systems.accounts.account(self.account_id).status

    def number_states(self) -> set[NumberState]:
        """The states in which the account's numbers are."""
        with self.systems.db.transaction() as session:
            query = select(NumberRow.state).where(NumberRow.account_id == self.account_id)
            return set(session.scalars(query))

    def may_open_reports(self) -> bool:
        """Whether access lets somebody at the reports."""
        try:
            self.systems.access.check(self.account_id, Action.REPORTS)
        except Rejected:
            return False
        return True

    def swaps(self) -> bool:
        """Whether the script on the web site swaps numbers."""
        return all(
            company.is_script_enabled for company in self.systems.dni.companies(self.account_id)
        )

    def snapshot(self) -> Snapshot:
        """Everything that must come back as it was."""
        systems = self.systems
        return {
            "numbers": systems.numbers.snapshot(self.account_id),
            "dni": systems.dni.snapshot(self.account_id),
            "billing": systems.billing.snapshot(self.account_id),
        }

    def notices(self) -> list[str]:
        """The kinds of the mails that were queued, in order."""
        with self.systems.db.transaction() as session:
            query = select(NoticeRow).where(NoticeRow.account_id == self.account_id)
            rows = session.scalars(query.order_by(NoticeRow.at, NoticeRow.id))
            return [str(row.kind) for row in rows]

    def plan_lines(self) -> list[tuple[str, int]]:
        """Kind and amount of the lines that wait for the plan's next invoice."""
        with self.systems.db.transaction() as session:
            query = select(InvoiceLineRow).where(
                InvoiceLineRow.account_id == self.account_id, InvoiceLineRow.invoice_id.is_(None)
            )
            return sorted((str(row.kind), row.amount_minor) for row in session.scalars(query))

    def audited(self) -> list[tuple[str, str]]:
        """Who did what, from the audit, in order."""
        return [(entry.actor, entry.what) for entry in self.systems.accounts.audit(self.account_id)]

    def _account_steps(self) -> AccountActivities:
        systems = self.systems
        return AccountActivities(
            systems.accounts, systems.numbers, systems.dni, systems.billing, self.offer
        )

    def paid(self) -> list[int]:
        """The amounts that the gateway's own record shows as paid, in cents."""
        return [
            payment.amount_minor
            for payment in self.systems.sandbox.payments(self.account_id)
            if payment.state == "succeeded"
        ]


async def gathered(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T | BaseException]:
    """What each of the calls, made at once, answers or raises."""
    return await asyncio.gather(*calls, return_exceptions=True)


def refusal_of(error: object) -> Code:
    """The code of a refusal; fails for anything else."""
    assert isinstance(error, Rejected), repr(error)
    return error.code


async def until(check: Callable[[], T | None]) -> T:
    """What `check` gives once it gives something true; fails after `WITHIN_SECONDS`."""

    async def checked() -> T | None:
        return check()

    return await eventually(checked)


async def eventually(check: Callable[[], Awaitable[T | None]]) -> T:
    """What awaiting `check` gives once it gives something true; fails after `WITHIN_SECONDS`."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while True:
            if found := await check():
                return found
            await asyncio.sleep(0.02)


@asynccontextmanager
async def open_stage(
    server: TemporalServer,
    database_url: str,
    gateway_url: str,
    *,
    key: str | None = None,
    name: str = "Stage",
    created_at: datetime | None = None,
    billing_day: int | None = None,
    stripe: StripeAccess | None = None,
) -> AsyncIterator[Stage]:
    """A healthy account with a card, made `created_at`; its ids follow from `key`, if given.

    With `stripe` money moves there, and the account has no card yet.
    """
    client = await Client.connect(
        server.address, data_converter=pydantic_data_converter, identity="tests"
    )
    now = datetime.now(UTC)
    systems = open_systems(database_url, gateway_url, stripe=stripe)
    account = create_account(
        systems,
        key=key or uuid4().hex,
        name=name,
        time_zone=TIME_ZONE,
        billing_day=billing_day or local_date(now + FIRST_FEE_AFTER, TIME_ZONE).day,
        card=None if stripe else "visa",
        created_at=created_at or now - timedelta(days=400),
    )
    stage = Stage(client, systems, account)
    try:
        yield stage
    finally:
        await stage.terminate_all()
        systems.close()


@pytest.fixture
async def stage(
    temporal_server: TemporalServer, sqlite_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A healthy account with a card; nothing has happened to it yet."""
    gateway_url = f"sqlite:///{tmp_path / 'gateway.db'}"
    async with open_stage(temporal_server, sqlite_url, gateway_url) as opened:
        yield opened
