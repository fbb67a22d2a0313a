"""Accounts that are all alike, on one database and one server, and workers that are processes."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domain import names
from systems.sample import SampleAccount, create_account
from tests.e2e.processes import WorkerProcess, worker_process
from tests.temporal import TemporalServer
from tests.workflows.stage import TIME_ZONE, PauseHandle, Stage, open_stage, until
from workflows.account_pause import AccountPause


@dataclass(frozen=True)
class Site:
    """Accounts that are all alike, on one database, and workers that are processes."""

    stage: Stage
    directory: Path
    environment: dict[str, str]

    def account(self, key: str) -> SampleAccount:
        """Another account, whose first fee falls in ten days like those of the others."""
        systems = self.stage.systems
        return create_account(
            systems,
            key=f"crash-{key}",
            name="Crash",
            time_zone=TIME_ZONE,
            billing_day=systems.billing.quote(self.stage.account_id).billing_day,
            created_at=datetime.now(UTC),
        )

    async def start(
        self, account: SampleAccount, *, skipping: bool = True, **fields: str
    ) -> PauseHandle:
        """Ask for its pause; with `skipping` it runs through its months as fast as it can."""
        client = self.stage.skipper.client if skipping else self.stage.client
        workflow_id = names.pause_workflow_id(account.account_id)
        await client.start_workflow(
            names.ACCOUNT_PAUSE,
            {
                "account_id": account.account_id,
                "requested_by": account.administrator_id,
                **fields,
            },
            id=workflow_id,
            task_queue=names.TASK_QUEUE,
        )
        return self.stage.client.get_workflow_handle_for(AccountPause.run, workflow_id)

    def held_worker(self, *options: str) -> AbstractContextManager[WorkerProcess]:
        """A worker that stops dead where `options` say; see `tests/e2e/crash_worker.py`."""
        module = ("-m", "tests.e2e.crash_worker", self.environment["TEMPORAL_ADDRESS"])
        markers = ("--markers", str(self.directory))
        log = self.directory / "held-worker.log"
        return worker_process(log, *module, *markers, *options, environment=self.environment)

    def worker(self) -> AbstractContextManager[WorkerProcess]:
        """The worker as everybody runs it."""
        log = self.directory / "worker.log"
        return worker_process(log, "worker.py", environment=self.environment)

    def pause_id(self, account: SampleAccount) -> str:
        """The id of its pause, as the accounts system has it."""
        act = self.stage.systems.accounts.last_act(account.account_id)
        assert act is not None
        return act.act_id

    async def until_reached(self, *moments: str) -> None:
        """Wait until a worker stands still at all these moments."""
        for moment in moments:
            await until((self.directory / moment).exists)

    def payments(self, account: SampleAccount) -> list[tuple[int, str]]:
        """What the gateway has on record."""
        payments = self.stage.systems.sandbox.payments(account.account_id)
        return [(payment.amount_minor, payment.state) for payment in payments]

    def outcome(self, account: SampleAccount) -> dict[str, Any]:
        """What became of an account, in our records and the gateway's, without ids and times."""
        systems, account_id = self.stage.systems, account.account_id
        act = systems.accounts.last_act(account_id)
        return {
            "pause": act.state if act else None,
            "account": systems.accounts.account(account_id).status,
            "active_numbers": systems.numbers.count_active(account_id),
            "swaps": [company.is_script_enabled for company in systems.dni.companies(account_id)],
            # How many things differ from the snapshot stands here too.
            "audit": Counter(
                (entry.what, entry.detail.get("differences"))
                for entry in systems.accounts.audit(account_id)
            ),
            "invoices": [
                (invoice.billing_on, invoice.kind, invoice.amount_minor, invoice.state)
                for invoice in systems.billing.invoices(account_id)
            ],
            "payments": self.payments(account),
        }


@asynccontextmanager
async def open_site(
    server: TemporalServer, database_url: str, directory: Path
) -> AsyncIterator[Site]:
    gateway_url = f"sqlite:///{directory / 'gateway.db'}"
    environment = {
        "DATABASE_URL": database_url,
        "ACCOUNT_PAUSE_GATEWAY_URL": gateway_url,
        "ACCOUNT_PAUSE_STATE_DIR": str(directory),
        "TEMPORAL_ADDRESS": server.address,
    }
    async with open_stage(server, database_url, gateway_url) as stage:
        yield Site(stage, directory, environment)
