"""Three workers and two web processes on PostgreSQL, one of them killed every few seconds.

A hundred pauses go to their end meanwhile: nothing is doubled, lost or stuck.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from temporalio.testing import TimeSkipper

from domain import names
from domain.payments import PaymentState
from domain.ports import Act
from domain.states import NumberState, PauseState
from settings import Settings
from starter.connect import connect
from starter.local.clock import skipper_of
from systems.notices import Relay
from systems.notices.letters import Letters
from systems.notices.mailers import FileMailer
from systems.notices.queue import LEASE
from systems.sample import SampleAccount, create_account
from systems.tables import InvoiceKind, InvoiceState, NoticeRow, NumberRow
from systems.wiring import Systems, open_systems
from tests.e2e.cluster import Cluster, running_cluster
from tests.e2e.outcomes import Outcome, differences
from tests.postgresql import PostgresServer
from tests.temporal import TemporalServer

TIME_ZONE = "America/New_York"
NUMBERS = 3
AT_ONCE = 20
MOVES_WITHIN_SECONDS = 120
ENDS_WITHIN_SECONDS = 300


@dataclass(frozen=True)
class Course:
    """How some of the pauses go: by themselves, or ended after so many days by a request."""

    pauses: int
    ends_as: PauseState
    card: str = "visa"
    path: str | None = None


COURSES = [
    Course(50, PauseState.RESUMED),
    Course(20, PauseState.RESUMED, path="/pause/resume"),
    Course(15, PauseState.CLOSED, path="/close"),
    Course(15, PauseState.CLOSED, card="declined"),
]


@dataclass(frozen=True)
class Customer:
    """An account, the course of its pause, and a key that acts for its administrator.

    `billed_from` is its first billing date.
    """

    number: int
    account: SampleAccount
    course: Course
    key: str
    billed_from: date

    @property
    def account_id(self) -> str:
        """The account's id."""
        return self.account.account_id


@dataclass(frozen=True)
class Company:
    """All customers, and what they do to the cluster."""

    cluster: Cluster
    systems: Systems
    skipper: TimeSkipper
    customers: list[Customer]

    async def whole_pauses(self) -> None:
        """All pauses from the button to the end, some at once."""
        places = asyncio.Semaphore(AT_ONCE)

        async def one(customer: Customer) -> None:
            async with places:
                await self._whole_pause(customer)

        async with asyncio.TaskGroup() as group:
            for customer in self.customers:
                group.create_task(one(customer))

    def later(self, directory: Path) -> None:
        """Send the mails whose relay was killed; nobody else may before its lease has run out."""
        relay = Relay(self.systems.db, FileMailer(directory / "mails"), Letters().render)
        relay.deliver_due(datetime.now(UTC) + LEASE + LEASE)
        assert 0 == self._unsent()

    async def outcome(self, customer: Customer) -> Outcome:
        """What became of the customer's pause."""
        act, account_id = self._act(customer), customer.account_id
        assert act.paused_at is not None
        assert act.ends_at is not None
        running = await self.skipper.client.count_workflows(
            f"ExecutionStatus = 'Running' AND AccountId = '{account_id}'"
        )
        return Outcome(
            account_id=account_id,
            state=act.state,
            paused_at=act.paused_at,
            ended_at=act.ends_at,
            billing_day=self.systems.billing.quote(account_id).billing_day,
            billed_from=customer.billed_from,
            time_zone=TIME_ZONE,
            numbers=self._numbers(account_id),
            charged=self._charged(account_id),
            paid_on=self._paid_on(account_id),
            notices=self._notices(account_id),
            is_running=running.count > 0,
        )

    async def _whole_pause(self, customer: Customer) -> None:
        terms = {"terms_version": Settings().terms_version}
        path, course = f"/accounts/{customer.account_id}", customer.course
        paused = await self.cluster.post(f"{path}/pause", customer.key, "pause", terms)
        assert 201 == paused.status_code, paused.text
        workflow_id = names.pause_workflow_id(customer.account_id)
        handle = self.skipper.client.get_workflow_handle(workflow_id)
        if course.path is None:
            await self.skipper.fast_forward(handle)
        else:
            async with asyncio.timeout(MOVES_WITHIN_SECONDS):
                await self.skipper.fast_forward(handle, timedelta(days=35 + customer.number))
            confirm = {"confirm": "CLOSE"} if course.ends_as is PauseState.CLOSED else {}
            ended = await self.cluster.post(path + course.path, customer.key, "end", confirm)
            assert ended.status_code in (200, 202), ended.text
        async with asyncio.timeout(ENDS_WITHIN_SECONDS):
            while (await asyncio.to_thread(self._act, customer)).ended_at is None:
                await asyncio.sleep(0.5)

    def _act(self, customer: Customer) -> Act:
        act = self.systems.accounts.last_act(customer.account_id)
        assert act is not None
        return act

    def _unsent(self) -> int:
        with self.systems.db.transaction() as session:
            unsent = select(func.count()).select_from(NoticeRow).where(NoticeRow.sent_at.is_(None))
            return session.scalars(unsent).one()

    def _numbers(self, account_id: str) -> Counter[NumberState]:
        with self.systems.db.transaction() as session:
            states = select(NumberRow.state).where(NumberRow.account_id == account_id)
            return Counter(session.scalars(states))

    def _notices(self, account_id: str) -> Counter[str]:
        with self.systems.db.transaction() as session:
            kinds = select(NoticeRow.kind).where(NoticeRow.account_id == account_id)
            return Counter(session.scalars(kinds))

    def _charged(self, account_id: str) -> list[tuple[date, int]]:
        return sorted(
            (payment.billing_on, payment.amount_minor)
            for payment in self.systems.sandbox.payments(account_id)
            if payment.state is PaymentState.SUCCEEDED and payment.billing_on is not None
        )

    def _paid_on(self, account_id: str) -> list[date]:
        return [
            invoice.billing_on
            for invoice in self.systems.billing.invoices(account_id)
            if (invoice.kind, invoice.state) == (InvoiceKind.FEE, InvoiceState.PAID)
        ]


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_a_hundred_pauses_end_as_they_should_while_processes_are_killed(
    temporal_server: TemporalServer, postgresql_server: PostgresServer, tmp_path: Path
) -> None:
    async with open_company(temporal_server, postgresql_server, tmp_path) as company:
        async with company.cluster.under_fire(seed=1):
            await company.whole_pauses()
        company.later(tmp_path)

        wrong = [
            line
            for customer in company.customers
            for line in differences(
                await company.outcome(customer),
                customer.course.ends_as,
                NUMBERS,
                pays=customer.course.card == "visa",
            )
        ]
        assert [] == wrong
        assert 100 == len(company.customers)
        kills = company.cluster.kills
        assert len(company.cluster.members) == len(kills), f"each was killed at least once: {kills}"


RIGHT = Outcome(
    account_id="ACC" + 32 * "0",
    state=PauseState.RESUMED,
    paused_at=datetime(2027, 1, 10, 14, tzinfo=UTC),
    ended_at=datetime(2027, 3, 15, 12, tzinfo=UTC),
    billing_day=15,
    billed_from=date(2026, 12, 15),
    time_zone=TIME_ZONE,
    numbers=Counter({NumberState.ACTIVE: NUMBERS}),
    charged=[(date(2027, 1, 15), 500), (date(2027, 2, 15), 500)],
    paid_on=[date(2027, 1, 15), date(2027, 2, 15)],
    notices=Counter(paused=1, resumed=1, receipt=2),
    is_running=False,
)


@pytest.mark.parametrize(
    ("outcome", "what"),
    [
        (RIGHT, []),
        (replace(RIGHT, state=PauseState.CLOSED), ["state"]),
        (replace(RIGHT, charged=[*RIGHT.charged, RIGHT.charged[-1]]), ["charges"]),
        (replace(RIGHT, charged=RIGHT.charged[:1]), ["charges"]),
        # Made on its billing day before 09:00, an account pays from the next one.
        (replace(RIGHT, billed_from=date(2027, 2, 15)), ["charges", "dates", "receipts"]),
        # An hour later the third date is the fee's: 09:00 in New York is 13:00 UTC by then.
        (
            replace(RIGHT, ended_at=RIGHT.ended_at + timedelta(hours=1, seconds=1)),
            ["charges", "dates", "receipts"],
        ),
        (replace(RIGHT, numbers=Counter({NumberState.ACTIVE: 2})), ["numbers"]),
        (replace(RIGHT, notices=Counter(paused=1, resumed=2, receipt=2)), ["ended"]),
        (replace(RIGHT, is_running=True), ["running"]),
    ],
)
def test_whatever_is_doubled_lost_or_stuck_would_be_seen(outcome: Outcome, what: list[str]) -> None:
    found = differences(outcome, PauseState.RESUMED, NUMBERS, pays=True)

    assert what == [line.split(":")[0] for line in found]


@asynccontextmanager
async def open_company(
    temporal_server: TemporalServer, postgresql_server: PostgresServer, directory: Path
) -> AsyncIterator[Company]:
    """The cluster on databases of its own, with its customers."""
    ours = postgresql_server.url(postgresql_server.create())
    gateways = postgresql_server.url(postgresql_server.create())
    environment = os.environ | {
        "DATABASE_URL": ours,
        "ACCOUNT_PAUSE_GATEWAY_URL": gateways,
        "ACCOUNT_PAUSE_STATE_DIR": str(directory),
        "ACCOUNT_PAUSE_WORKER_SLOTS": "10",
        "TEMPORAL_ADDRESS": temporal_server.address,
    }
    await _run("account-pause", "migrate", environment=environment)
    systems = open_systems(ours, gateways, 5)
    try:
        client = await connect(temporal_server.address)
        with running_cluster(environment, directory) as cluster:
            yield Company(cluster, systems, skipper_of(client), _customers(systems))
    finally:
        systems.close()


async def _run(*command: str, environment: dict[str, str]) -> None:
    binary = Path(sys.executable).with_name(command[0])
    process = await asyncio.create_subprocess_exec(binary, *command[1:], env=environment)
    assert 0 == await process.wait()


def _customers(systems: Systems) -> list[Customer]:
    now = datetime.now(UTC)
    courses = [course for course in COURSES for _ in range(course.pauses)]
    customers = []
    for number, course in enumerate(courses):
        account = create_account(
            systems,
            key=f"cluster-{number}",
            name=f"Customer {number}",
            time_zone=TIME_ZONE,
            billing_day=1 + number % 28,
            created_at=now,
            numbers=NUMBERS,
            card=course.card,
        )
        made = systems.identity.api_keys.create(account.administrator_id, "cluster", now, "test")
        billed_from = systems.billing.quote(account.account_id).next_billing_on
        customers.append(Customer(number, account, course, made.secret, billed_from))
    return customers
