"""What there is at this moment, on the metrics endpoint: from our database, and of Temporal's runs.

Every worker shows the same numbers, so whoever reads them takes the highest, never the sum.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.common import MetricGauge, MetricGaugeFloat, MetricMeter
from temporalio.service import RPCError

from domain.errors import Transient, unforeseen
from starter.listing import OPEN_RUNS
from starter.telemetry.metrics import PREFIX
from starter.telemetry.telemetry import Telemetry
from systems.db import Database
from systems.figures import Figures, read_figures
from workflows.view import NEEDS_OPERATOR, PAST_DUE

log = logging.getLogger("account_pause.telemetry")

# As often as Prometheus usually looks.
EVERY = timedelta(seconds=15)

# Shown though nobody stands on it: as many steps as the usual ladder has.
RUNGS = range(6)

ANSWER_WITHIN = timedelta(seconds=5)


class Gauges:
    """All gauges; what was shown last stands until the next time."""

    def __init__(self, meter: MetricMeter) -> None:
        """Show with `meter`."""
        self._meter = meter
        self._known_rungs = set(RUNGS)
        self._pauses = self._gauge("pauses", "Open pauses by state.")
        self._closes = self._gauge("closes", "Open closes of accounts that were not paused.")
        self._operator = self._gauge("runs_waiting_for_operator", "Runs with a step that waits.")
        self._past_due = self._gauge("runs_past_due", "Runs with an unpaid fee.")
        self._charges = self._gauge("charges", "Charges that are not settled, by kind and state.")
        self._due = self._gauge("charges_due", "Charges that are owed and not answered yet.")
        self._overdue = self._gauge("charges_overdue", "Those of them that are late, or held.")
        self._rungs = self._gauge("charges_on_ladder", "Unpaid fees by the step tried last.")
        self._refunds = self._gauge("refunds_pending", "Refunds that nobody has answered yet.")
        self._differences = self._gauge("differences_waiting", "Differences for an operator.")
        self._events = self._gauge("gateway_events_waiting", "The gateway's events to be handled.")
        self._notices = self._gauge("notices", "Notices that are not sent, by how they fare.")
        self._unknown_for = self._seconds("unknown_charge_age", "Age of the oldest unknown charge.")
        self._lag = self._seconds("relay_lag", "Age of the oldest notice that is not sent.")
        self._reconciled_at = self._seconds(
            "reconciled_timestamp", "The last reconciliation's end."
        )
        self._shown_at = self._seconds("figures_timestamp", "When these numbers were read.")

    def show(self, figures: Figures, now: datetime) -> None:
        """Show what the database held at `now`."""
        for state, count in figures.pauses.items():
            self._pauses.set(count, {"state": state})
        for (kind, charge_state), count in figures.charges.items():
            self._charges.set(count, {"kind": kind, "state": charge_state})
        for kind, count in figures.due.items():
            self._due.set(count, {"kind": kind})
        for kind, count in figures.overdue.items():
            self._overdue.set(count, {"kind": kind})
        for difference, count in figures.differences.items():
            self._differences.set(count, {"kind": difference})
        self._show_rungs(figures.rungs)
        self._closes.set(figures.closes)
        self._refunds.set(figures.refunds_pending)
        self._events.set(figures.events_waiting)
        self._notices.set(figures.notices_waiting, {"state": "waiting"})
        self._notices.set(figures.notices_retried, {"state": "retried"})
        self._notices.set(figures.notices_stuck, {"state": "stuck"})
        self._unknown_for.set(figures.unknown_for.total_seconds())
        self._lag.set(figures.notices_late_by.total_seconds())
        self._reconciled_at.set(figures.reconciled_at.timestamp() if figures.reconciled_at else 0)
        self._shown_at.set(now.timestamp())

    def show_runs(self, *, waiting_for_operator: int, past_due: int) -> None:
        """Show what only Temporal knows."""
        self._operator.set(waiting_for_operator)
        self._past_due.set(past_due)

    def _show_rungs(self, rungs: Mapping[int, int]) -> None:
        # One that was shown before and is gone has to go back to 0.
        self._known_rungs |= rungs.keys()
        for rung in self._known_rungs:
            self._rungs.set(rungs.get(rung, 0), {"step": str(rung)})

    def _gauge(self, name: str, description: str) -> MetricGauge:
        return self._meter.create_gauge(f"{PREFIX}{name}", description)

    def _seconds(self, name: str, description: str) -> MetricGaugeFloat:
        return self._meter.create_gauge_float(f"{PREFIX}{name}_seconds", description)


@asynccontextmanager
async def gauges_shown(telemetry: Telemetry, db: Database, client: Client) -> AsyncIterator[None]:
    """Within the block everything is shown anew every `EVERY`, if anybody can read it."""
    if not telemetry.has_metrics:
        yield
        return
    showing = asyncio.create_task(_keep_showing(Gauges(telemetry.meter), db, client))
    try:
        yield
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing


async def _keep_showing(gauges: Gauges, db: Database, client: Client) -> None:
    while True:
        await _unless_away("the database", _show_figures(gauges, db))
        await _unless_away("Temporal", _show_runs(gauges, client))
        await asyncio.sleep(EVERY.total_seconds())


async def _unless_away(whom: str, showing: Awaitable[None]) -> None:
    """An error that nobody foresaw ends no worker: the numbers stand still, which is seen too."""
    try:
        await showing
    except (Transient, RPCError) as error:
        log.warning("%s was not asked for its numbers: %s", whom, type(error).__name__)
    except Exception as error:
        # `exception` would log the message.
        log.error("the numbers of %s: %s", whom, unforeseen(error))  # noqa: TRY400


async def _show_figures(gauges: Gauges, db: Database) -> None:
    now = datetime.now(UTC)
    gauges.show(await asyncio.to_thread(read_figures, db, now), now)


async def _show_runs(gauges: Gauges, client: Client) -> None:
    gauges.show_runs(
        waiting_for_operator=await _runs(client, NEEDS_OPERATOR.name),
        past_due=await _runs(client, PAST_DUE.name),
    )


async def _runs(client: Client, attribute: str) -> int:
    query = f"{OPEN_RUNS} AND {attribute} = true"
    return (await client.count_workflows(query, rpc_timeout=ANSWER_WITHIN)).count
