"""A worker and a web process as they are run: what they show of themselves, and what not."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from domain import names
from systems.sample import create_account
from systems.tables import NumberRow, UserRow
from systems.wiring import Systems
from tests.e2e.collector import Collector, collecting
from tests.e2e.leaks import leaks_in
from tests.e2e.processes import worker_process
from tests.house.documents import document
from tests.house.test_alerts import ALERTS, PANELS
from tests.starter.web.api.desk import TERMS, Caller, Desk
from tests.temporal import TemporalServer, free_port
from tests.workflows.stage import TIME_ZONE, Stage, eventually

WITHIN_SECONDS = 40
TASK_FAILED = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
OURS = {"Origin": "http://127.0.0.1:8000"}
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}

# Words of the query language; whatever else looks like a name is a metric's.
NAME = re.compile(r"\b(?:account_pause|temporal|up)\w*\b(?!-)")
QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Observed:
    """What two processes showed after a pause, some refusals and some faults."""

    pages: list[str]
    lines: list[str]
    traces: list[object]
    ready: dict[str, int]
    secrets: set[str]

    @property
    def metrics(self) -> set[str]:
        """The names of all samples on both pages."""
        return {
            sample.name
            for page in self.pages
            for family in text_string_to_metric_families(page)
            for sample in family.samples
        }


async def test_what_processes_show_is_what_is_drawn_and_watched_and_nothing_of_people(
    observed: Observed,
) -> None:
    known = observed.metrics
    lines = [json.loads(line) for line in observed.lines]

    assert documented() == families(observed.pages), "docs/observability.md has the table"
    assert set() == missing(drawn(), known), "the dashboard asks for what nobody tells"
    assert set() == missing(watched(), known), "an alert waits for what nobody tells"
    assert set() == leaks_in(observed.pages, observed.secrets)
    assert set() == leaks_in(lines, observed.secrets)
    assert set() == leaks_in(observed.traces, observed.secrets)
    assert {"worker": 200, "web": 200} == observed.ready
    assert {"INFO", "WARNING"} <= {line["level"] for line in lines}
    assert any("workflow_id" in line for line in lines)


def test_control_a_metric_that_nobody_tells_is_missed() -> None:
    known = {"account_pause_pauses", "account_pause_swept_total"}

    assert {"account_pause_hopes"} == missing({'max(account_pause_hopes{job="x"})'}, known)
    assert {"up_and_away"} == missing({"up_and_away == 0"}, known)
    assert set() == missing({'up{job="account_pause_x"} + max(account_pause_pauses)'}, known)


# --- what is asked for ---------------------------------------------------------------------------


def documented() -> set[str]:
    """Our metrics, as the documents list them."""
    rows = document("docs/observability.md").rows
    return {row[0].strip("`") for row in rows if row[0].startswith("`account_pause_")}


def families(pages: list[str]) -> set[str]:
    """Our metrics, as the pages have them; a histogram is one."""
    types = re.findall(r"^# TYPE (account_pause_\w+) ", "\n".join(pages), re.MULTILINE)
    return set(types)


def drawn() -> set[str]:
    """Every expression of the dashboard."""
    return {target["expr"] for panel in PANELS for target in panel.get("targets", [])}


def watched() -> set[str]:
    """Every expression of an alert."""
    return {alert["expr"] for alert in ALERTS}


def missing(expressions: set[str], known: set[str]) -> set[str]:
    """Metrics that the expressions ask for and that are not known; Prometheus tells `up` itself."""
    asked = {name for each in expressions for name in NAME.findall(QUOTED.sub("", each))}
    assert asked, "nothing is asked for"
    return asked - known - {"up"}


# --- two processes -------------------------------------------------------------------------------


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


@pytest.fixture
async def observed(
    stage: Stage,
    temporal_server: TemporalServer,
    sqlite_url: str,
    tmp_path: Path,
    collector: Collector,
) -> AsyncIterator[Observed]:
    ports = {name: free_port() for name in ("worker", "health", "web_metrics", "web")}
    shared = {
        "DATABASE_URL": sqlite_url,
        "TEMPORAL_ADDRESS": temporal_server.address,
        "ACCOUNT_PAUSE_STATE_DIR": str(tmp_path),
        "ACCOUNT_PAUSE_GATEWAY_URL": f"sqlite:///{tmp_path / 'gateway.db'}",
        "ACCOUNT_PAUSE_LOG_FORMAT": "json",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    worker_settings = {
        "ACCOUNT_PAUSE_METRICS_ADDRESS": f"127.0.0.1:{ports['worker']}",
        "ACCOUNT_PAUSE_HEALTH_ADDRESS": f"127.0.0.1:{ports['health']}",
    }
    web_settings = {"ACCOUNT_PAUSE_METRICS_ADDRESS": f"127.0.0.1:{ports['web_metrics']}"}
    web_command = ("-m", "starter.cli", "web", "--port", str(ports["web"]))
    with (
        worker_process(
            tmp_path / "worker.log", "worker.py", environment={**shared, **worker_settings}
        ) as worker,
        worker_process(
            tmp_path / "web.log", *web_command, environment={**shared, **web_settings}
        ) as web,
    ):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports['web']}") as client:
            ready = {
                "worker": await until_ready(client, f"http://127.0.0.1:{ports['health']}/readyz"),
                "web": await until_ready(client, "/readyz"),
            }
            await keep_busy(stage, client)
            await eventually(partial(has_arrived, collector))
            pages = [await page(client, ports[name]) for name in ("worker", "web_metrics")]
        logged = worker.log.read_text().splitlines()
        # What the command itself says to whoever has typed it stands beside its log.
        logged += [line for line in web.log.read_text().splitlines() if line.startswith("{")]
        traces = collector.texts()
        yield Observed(pages, logged, traces, ready, people(stage.systems))


async def keep_busy(stage: Stage, client: httpx.AsyncClient) -> None:
    """A pause over HTTP; a refused one, and a run that no worker knows; visitors who go astray."""
    admin = Desk(stage.systems, client).with_key(stage.administrator)
    email = stage.systems.identity.users.user(stage.administrator).email
    path = f"/accounts/{stage.account_id}/pause"
    paused = await admin.ask("POST", path, json=TERMS, headers=TRACEPARENT)
    refused = await Caller(client, OURS).post("/sessions", {"email": email, "password": "wrong"})
    unheard = await client.post("/webhooks/stripe", content=b"{}")
    astray = await client.get(f"/{email}/+12025550143")
    assert [201, 401, 503, 404] == [
        answer.status_code for answer in (paused, refused, unheard, astray)
    ]
    without_card = create_account(
        stage.systems,
        key=uuid4().hex,
        name="No card",
        time_zone=TIME_ZONE,
        billing_day=1,
        card=None,
        created_at=datetime.now(UTC),
    )
    other = Stage(stage.client, stage.systems, without_card)
    await (await other.start()).result()
    unknown = await stage.client.start_workflow(
        "Nonsense", id=f"nonsense-{uuid4()}", task_queue=names.TASK_QUEUE
    )
    await until_failed(unknown)


async def until_failed(run: WorkflowHandle[Any, Any]) -> None:
    """Wait for the first task that fails, then end the run."""

    async def has_failed() -> bool:
        history = await run.fetch_history()
        return any(event.event_type == TASK_FAILED for event in history.events)

    await eventually(has_failed)
    await run.terminate()


async def has_arrived(collector: Collector) -> bool:
    """Whether the pause's trace has come to the collector from both processes."""
    names_by_service = collector.names(TRACE)
    return "RunActivity:mark_paused" in names_by_service.get("account-pause-worker", set()) and (
        "POST /api/v1/accounts/{account_id}/pause"
        in names_by_service.get("account-pause-web", set())
    )


async def until_ready(client: httpx.AsyncClient, url: str) -> int:
    """The status once it is well, or when the time is over."""
    status, deadline = 0, time.monotonic() + WITHIN_SECONDS
    while status != 200 and time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            status = (await client.get(url)).status_code
        await asyncio.sleep(0.05)
    return status


async def page(client: httpx.AsyncClient, port: int) -> str:
    return (await client.get(f"http://127.0.0.1:{port}/metrics")).text


def people(systems: Systems) -> set[str]:
    """Names, addresses and numbers that the database holds."""
    with systems.db.transaction() as session:
        return {
            value
            for column in (UserRow.name, UserRow.email, NumberRow.number)
            for value in session.scalars(select(column))
        }
