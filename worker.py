"""The worker process: settings to systems to activities to Temporal's `Worker`. Wiring only.

`python worker.py` runs it until SIGTERM or Ctrl-C; what is running then may finish first.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from activities.access import AccessActivities
from activities.accounts import AccountActivities
from activities.billing import BillingActivities
from activities.dni import DniActivities
from activities.numbers import NumberActivities
from activities.reconciliation import ReconciliationActivities
from domain.errors import Transient
from domain.names import TASK_QUEUE, WORKER_DEPLOYMENT
from domain.payments import Gateway, KeyRefused
from domain.ports import Access, Accounts, Billing, Dni, Numbers, Reconciler
from domain.terms import Offer
from settings import Settings, SettingsError
from starter.connect import connect
from starter.production import check_production
from starter.redoing import Redo, catches_up, caught_up
from starter.stopping import sleep_unless_stopped
from starter.sweeping import Sweeper, swept_regularly
from starter.telemetry import OFF, Telemetry, switched_on
from starter.telemetry.gauges import gauges_shown
from starter.telemetry.health import Readiness, health_served
from starter.wake import Waker
from systems.jobs import Jobs
from systems.migrate import check_usable
from systems.notices import Relay
from systems.notices.letters import Letters
from systems.notices.mailers import FileMailer, SmtpMailer
from systems.wiring import Systems, open_systems
from workflows.all import WORKFLOWS

log = logging.getLogger("account_pause.worker")

# Both stand in every event that a worker writes, so they are short.
IDENTITY = "w"
BUILD_ID = "1"

RECONNECT_SECONDS = 2.0

# How long a pause waits for the worker that has it in memory before any other may take it up: what
# a killed worker costs its pauses. A worker too busy for that long is worth a replay elsewhere.
HAND_OVER = timedelta(seconds=5)

# How many pauses a worker thinks about at once. Python thinks with one processor, so more are not
# done sooner, only later together. A pause that the worker has not in memory takes a tenth of a
# second, several on a busy machine, and the server takes a task back after ten: with the SDK's 100,
# a billing day's tasks all came back too late, and were given out again and again.
WORKFLOW_TASKS = 10


def activities(
    accounts: Accounts,
    numbers: Numbers,
    dni: Dni,
    access: Access,
    billing: Billing,
    offer: Offer,
    reconciler: Reconciler,
) -> list[Callable[..., Any]]:
    """All steps, on these systems."""
    steps = (
        AccountActivities(accounts, numbers, dni, billing, offer),
        NumberActivities(numbers),
        DniActivities(dni),
        AccessActivities(access),
        BillingActivities(billing, accounts),
        ReconciliationActivities(reconciler),
    )
    return [
        getattr(owner, name)
        for owner in steps
        for name in dir(owner)
        if hasattr(getattr(owner, name), "__temporal_activity_definition")
    ]


def build_worker(
    client: Client,
    steps: list[Callable[..., Any]],
    executor: ThreadPoolExecutor,
    *,
    slots: int,
    cached_workflows: int,
    graceful_shutdown: timedelta,
    build_id: str = "",
) -> Worker:
    """A worker that runs at most `slots` steps at once, on as many threads of `executor`.

    With a `build_id` it gets no work before its build is made the current one (docs/releases.md).
    The sandbox is on, and a module that slips into it without being passed through on purpose
    fails the build rather than costing every pause its import.
    """
    restrictions = replace(
        SandboxRestrictions.default,
        import_notification_policy=SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH,
    )
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=steps,
        activity_executor=executor,
        max_concurrent_activities=slots,
        max_concurrent_workflow_tasks=WORKFLOW_TASKS,
        max_cached_workflows=cached_workflows,
        graceful_shutdown_timeout=graceful_shutdown,
        sticky_queue_schedule_to_start_timeout=HAND_OVER,
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
        identity=IDENTITY,
        **_version(build_id),
    )


def _version(build_id: str) -> dict[str, Any]:
    """How the server tells builds apart; it takes one of the two options.

    A pause moves to the current build at its next step: no build could be kept for months. Said
    here and not with the workflows: without versioning the server refuses those that say it.
    """
    if not build_id:
        return {"build_id": BUILD_ID}
    return {
        "deployment_config": WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(WORKER_DEPLOYMENT, build_id),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
        )
    }


async def main(settings: Settings, stop: asyncio.Event, telemetry: Telemetry = OFF) -> None:
    """Run until `stop` is set.

    Raises:
        SettingsError: this is production, and the settings are for one machine; or an address of
            the settings is taken.
        SystemExit: the database is away or not migrated; the message says what to do.
    """
    check_production(settings, log)
    systems = open_systems(
        settings.database, settings.gateway, settings.worker_slots, settings.stripe
    )
    try:
        check_usable(systems.engine)
    except Transient as error:
        sys.exit(str(error))
    mailer = SmtpMailer(settings.smtp_url) if settings.smtp_url else FileMailer(settings.mail_dir)
    relay = Relay(systems.db, mailer, Letters(settings.pages_url).render)
    readiness = Readiness(systems.engine, stop)
    async with health_served(settings.health_address, readiness, telemetry.metrics):
        client = await _connect_or_stop(stop, telemetry)
        if client is not None:
            # Before any step: on an older copy it would go astray. Once, since steps go on also
            # while only Temporal's lists are away.
            redo = Redo(client, systems)
            is_caught_up = await catches_up(redo)
            async with _working(settings, systems, client) as worker:
                readiness.polls(client, worker)
                # The plan must not take dates of accounts whose pause an older copy does not know.
                if not is_caught_up:
                    await caught_up(redo, stop)
                async with (
                    gauges_shown(telemetry, systems.db, client),
                    swept_regularly(
                        Sweeper(client, systems), settings.sweep_seconds, telemetry.metrics.swept
                    ),
                ):
                    await _run_jobs(_jobs(systems, relay, client), settings.job_seconds, stop)
    log.info("stopped")


@asynccontextmanager
async def _working(settings: Settings, systems: Systems, client: Client) -> AsyncIterator[Worker]:
    """A worker that takes tasks within the block."""
    steps = activities(
        systems.accounts,
        systems.numbers,
        systems.dni,
        systems.access,
        systems.billing,
        settings.offer,
        systems.reconciliation,
    )
    with ThreadPoolExecutor(settings.worker_slots) as executor:
        worker = build_worker(
            client,
            steps,
            executor,
            slots=settings.worker_slots,
            cached_workflows=settings.cached_workflows,
            graceful_shutdown=settings.graceful_shutdown,
            build_id=settings.build_id,
        )
        async with worker:
            log.info(
                "ready: task queue %s on %s", TASK_QUEUE, client.service_client.config.target_host
            )
            if settings.build_id:
                log.info("build %s gets work once it is the current one", settings.build_id)
            await asyncio.to_thread(_say_where_money_moves, systems.gateway)
            yield worker


def _jobs(systems: Systems, relay: Relay, client: Client) -> Jobs:
    return Jobs(
        systems.billing,
        relay,
        systems.events,
        systems.card_entries,
        Waker(client, asyncio.get_running_loop()).wake,
        systems.refunds,
    )


def _say_where_money_moves(gateway: Gateway) -> None:
    """A key that Stripe refuses is said at once, and ends nothing: resumes go on without it."""
    log.info("money moves at %s", gateway.name)
    try:
        gateway.check()
    except KeyRefused as error:
        log.error("%s Until then charges stay unknown", error)  # noqa: TRY400  (no traceback)


async def _connect_or_stop(stop: asyncio.Event, telemetry: Telemetry) -> Client | None:
    while not stop.is_set():
        try:
            return await connect(identity=IDENTITY, telemetry=telemetry)
        except RuntimeError as error:
            log.warning("waiting for Temporal: %s", error)
            await sleep_unless_stopped(stop, RECONNECT_SECONDS)
    return None


async def _run_jobs(jobs: Jobs, seconds: float, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await asyncio.to_thread(jobs.run_once, datetime.now(UTC))
        await sleep_unless_stopped(stop, seconds)


async def _run_until_signalled(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wanted, stop.set)
    await main(settings, stop, switched_on(settings, "account-pause-worker"))


if __name__ == "__main__":
    try:
        asyncio.run(_run_until_signalled(Settings.load()))
    except SettingsError as error:
        sys.exit(str(error))
