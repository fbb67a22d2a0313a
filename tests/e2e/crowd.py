"""Several accounts on one database and one server, and what became of each of them."""

from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from domain.calendar import local_date
from domain.ports import Snapshot
from systems.sample import SampleAccount, create_account
from systems.tables import LedgerRow, NumberRow
from systems.wiring import Systems, open_systems
from tests.temporal import TemporalServer
from tests.workflows.stage import FIRST_FEE_AFTER, TIME_ZONE, Stage


@dataclass
class Crowd:
    """The accounts by name, each as a stage of its own; all have the first one's worker."""

    systems: Systems
    gateway_url: str
    made_at: datetime
    accounts: dict[str, SampleAccount]
    stages: dict[str, Stage]
    before: dict[str, Snapshot]

    def __getitem__(self, name: str) -> Stage:
        return self.stages[name]

    @property
    def first(self) -> Stage:
        """Whose faults and worker serve all."""
        return next(iter(self.stages.values()))

    @property
    def first_billing_on(self) -> date:
        """The date that is the first of all of them, whoever takes it."""
        return local_date(self.made_at + FIRST_FEE_AFTER, TIME_ZONE)

    def name_of(self, account_id: str) -> str:
        """Which of them it is."""
        return next(name for name, it in self.accounts.items() if it.account_id == account_id)

    def worker(self) -> AbstractAsyncContextManager[Worker]:
        """A worker for all accounts."""
        return self.first.worker()

    async def move_to(self, server: TemporalServer) -> None:
        """From now on the accounts' runs are those of another server."""
        self.stages = self._stages(await connected(server))

    def move_to_database(self, database_url: str) -> None:
        """From now on all that is on record is what stands in another database."""
        self.systems.close()
        self.systems = open_systems(database_url, self.gateway_url)
        self.stages = self._stages(self.first.client)

    def outcome(self, name: str) -> dict[str, Any]:
        """What our records and the gateway's say of the account, without ids and times."""
        stage = self.stages[name]
        systems, account_id = self.systems, stage.account_id
        acts = systems.accounts.acts(account_id)
        return {
            "acts": [(act.kind, act.state, act.resume_on) for act in acts],
            "account": stage.account_status(),
            "reports": stage.may_open_reports(),
            "swaps": stage.swaps(),
            "numbers": self._numbers(account_id),
            "is_as_before": stage.snapshot() == self.before[name],
            "invoices": [
                (invoice.billing_on, invoice.kind, invoice.amount_minor, invoice.state)
                for invoice in systems.billing.invoices(account_id)
            ],
            "payments": [
                (payment.billing_on, payment.amount_minor, payment.state)
                for payment in systems.sandbox.payments(account_id)
            ],
            "refunds": sum(each.amount_minor for each in systems.sandbox.refunds(account_id)),
            "plan_lines": stage.plan_lines(),
            "ledger": self._ledger(account_id),
            "notices": Counter(stage.notices()),
        }

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """That of every account."""
        return {name: self.outcome(name) for name in self.stages}

    def _stages(self, client: Client) -> dict[str, Stage]:
        return {
            name: Stage(client, self.systems, account) for name, account in self.accounts.items()
        }

    def _numbers(self, account_id: str) -> Counter[str]:
        with self.systems.db.transaction() as session:
            query = select(NumberRow.state).where(NumberRow.account_id == account_id)
            return Counter(str(state) for state in session.scalars(query))

    def _ledger(self, account_id: str) -> Counter[str]:
        """How often each kind of transaction was booked, and what its rows come to."""
        with self.systems.db.transaction() as session:
            query = (
                select(LedgerRow.kind, func.count(), func.sum(LedgerRow.amount_minor))
                .where(LedgerRow.account_id == account_id)
                .group_by(LedgerRow.kind)
            )
            rows = session.execute(query)
            return Counter({f"{kind} {total}": count for kind, count, total in rows})


async def connected(server: TemporalServer) -> Client:
    """A client of the server."""
    return await Client.connect(
        server.address, data_converter=pydantic_data_converter, identity="tests"
    )


@asynccontextmanager
async def open_crowd(
    server: TemporalServer,
    database_url: str,
    gateway_url: str,
    names: Collection[str],
    cards: dict[str, str] | None = None,
) -> AsyncIterator[Crowd]:
    """Healthy accounts of these names; their first billing date is ten days ahead.

    `cards` names the test cards of those that have another one than `visa`.
    """
    systems = open_systems(database_url, gateway_url)
    now = datetime.now(UTC)
    accounts = {
        name: create_account(
            systems,
            key=f"crowd-{name}",
            name=name,
            time_zone=TIME_ZONE,
            billing_day=local_date(now + FIRST_FEE_AFTER, TIME_ZONE).day,
            card=(cards or {}).get(name, "visa"),
            # The plan has had its due; nothing is left of the time before.
            created_at=now - timedelta(days=1),
        )
        for name in names
    }
    crowd = Crowd(systems, gateway_url, now, accounts, {}, {})
    await crowd.move_to(server)
    crowd.before = {name: stage.snapshot() for name, stage in crowd.stages.items()}
    try:
        yield crowd
    finally:
        for stage in crowd.stages.values():
            await stage.terminate_all()
        crowd.systems.close()
