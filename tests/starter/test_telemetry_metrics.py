"""What a process shows at its metrics address: by whose words, and what it never shows."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message
from temporalio.client import Client

from domain.states import PauseState
from domain.sweeping import Finding
from settings import Settings, SettingsError
from starter.backend import Backend
from starter.client import PauseClient
from starter.connect import connect
from starter.listing import OPEN_RUNS
from starter.telemetry import OFF, Telemetry
from starter.telemetry.gauges import Gauges, gauges_shown
from starter.telemetry.logs import Counter
from starter.telemetry.metrics import Metrics
from starter.telemetry.requests import UNKNOWN, Requests
from starter.telemetry.runtime import make_runtime
from starter.web.app import build_app
from systems.figures import Figures, read_figures
from systems.wiring import Systems, open_systems
from tests.e2e.leaks import leaks_in
from tests.starter.web.api.desk import settings_with
from tests.starter.web.shop import client_of
from tests.temporal import free_port
from tests.workflows.stage import Stage, until
from workflows.view import NEEDS_OPERATOR

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

NOW = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
PLANTED = ("zebulon", "zebulon@aquatics.example", "+12025550143", "12025550143")


class Page:
    """The metrics page of a runtime of its own."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        runtime = make_runtime(Settings(metrics_address=self.address))
        assert runtime is not None
        meter = runtime.metric_meter
        self.telemetry = Telemetry(runtime, meter, Metrics(meter))

    def text(self) -> str:
        with urlopen(f"http://{self.address}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def samples(self) -> Samples:
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((f"account_pause_{name}", frozenset(labels.items())))


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def systems(sqlite_url: str, tmp_path: Path) -> Iterator[Systems]:
    opened = open_systems(sqlite_url, f"sqlite:///{tmp_path / 'gateway.db'}")
    yield opened
    opened.close()


async def product(systems: Systems, telemetry: Telemetry) -> FastAPI:
    client = await connect("127.0.0.1:1", lazy=True)
    backend = Backend(systems, PauseClient(client, systems.accounts), settings_with().offer)
    return build_app(settings_with(), systems, backend, telemetry=telemetry)


# --- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/healthz", "/healthz", 200),
        ("GET", "/readyz", "/readyz", 200),
        ("GET", "/log-in?next=zebulon", "/log-in", 200),
        ("GET", "/static/pages.css", "/static", 200),
        ("GET", "/openapi.json", "/openapi.json", 200),
        ("POST", "/webhooks/stripe", "/webhooks/stripe", 503),
        ("POST", "/voice", "/voice", 403),
        ("GET", "/dni/zebulon/swap.js", "/dni/{script_key:path}/swap.js", 200),
        (
            "POST",
            "/api/v1/accounts/zebulon@aquatics.example/pause/resume?by=+12025550143",
            "/api/v1/accounts/{account_id}/pause/resume",
            401,
        ),
        ("GET", "/zebulon@aquatics.example/+12025550143", UNKNOWN, 404),
    ],
)
async def test_requests_are_counted_by_the_route_and_never_by_the_address(
    page: Page, systems: Systems, method: str, path: str, route: str, status: int
) -> None:
    async with client_of(await product(systems, page.telemetry)) as client:
        answer = await client.request(method, path)

    assert status == answer.status_code
    labels = {"route": route, "method": method}
    assert 1 == page.value("http_requests_total", **labels, status=str(status))
    assert 1 == page.value("http_request_duration_seconds_count", **labels)
    assert set() == leaks_in([page.text()], PLANTED)


async def test_control_an_address_as_a_label_would_be_found(page: Page) -> None:
    page.telemetry.metrics.request("/accounts/zebulon@aquatics.example", "GET", 200, 0.1)

    assert {"zebulon", "zebulon@aquatics.example"} == leaks_in([page.text()], PLANTED)


async def test_a_method_of_the_callers_own_is_no_label(page: Page, systems: Systems) -> None:
    async with client_of(await product(systems, page.telemetry)) as client:
        await client.request("ZEBULON", "/log-in")

    assert 1 == page.value("http_requests_total", route="/log-in", method="other", status="405")


async def test_a_request_that_nobody_answers_counts_as_a_failure(page: Page) -> None:
    async def broken(*_: object) -> None:
        raise ConnectionError("gone")

    watched = Requests(broken, page.telemetry.metrics, page.telemetry.tracer)
    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}

    with pytest.raises(ConnectionError):
        await watched(scope, _nothing, _to_nobody)

    assert 1 == page.value("http_requests_total", route=UNKNOWN, method="GET", status="500")


async def test_a_readiness_that_was_asked_for_is_shown(page: Page, systems: Systems) -> None:
    async with client_of(await product(systems, page.telemetry)) as client:
        await client.get("/readyz")
        ready = page.value("ready")
        with systems.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM alembic_version")
        answer = await client.get("/readyz")

    assert 1 == ready
    assert 503 == answer.status_code
    assert 0 == page.value("ready")


async def test_without_an_address_requests_pass_unwatched(systems: Systems) -> None:
    app = await product(systems, OFF)

    assert Requests.__name__ not in str(app.user_middleware)


# --- gauges --------------------------------------------------------------------------------------


async def test_what_there_is_is_shown_and_goes_back_to_nothing(page: Page, stage: Stage) -> None:
    gauges = Gauges(page.telemetry.meter)
    empty = read_figures(stage.systems.db, NOW)
    gauges.show(some(empty), NOW)
    before = page.samples()

    gauges.show(empty, NOW)

    after = page.samples()
    assert 2 == before["account_pause_pauses", frozenset({("state", "paused")})]
    assert 1 == before["account_pause_charges_on_ladder", frozenset({("step", "9")})]
    assert 90 == before["account_pause_relay_lag_seconds", frozenset()]
    assert 0 == after["account_pause_pauses", frozenset({("state", "paused")})]
    assert 0 == after["account_pause_charges_on_ladder", frozenset({("step", "9")})]
    assert 0 == after["account_pause_relay_lag_seconds", frozenset()]
    assert before.keys() == after.keys()


async def test_a_worker_shows_its_runs_and_its_database_at_once(page: Page, stage: Stage) -> None:
    async with stage.worker():
        await stage.paused()
    async with gauges_shown(page.telemetry, stage.systems.db, stage.client):
        await until(lambda: page.value("runs_past_due") is not None)

    assert 1 == page.value("pauses", state="paused")
    assert 0 == page.value("pauses", state="closing")
    # Other tests may have left some on the same server.
    waiting = f"{OPEN_RUNS} AND {NEEDS_OPERATOR.name} = true"
    counted = await stage.client.count_workflows(waiting)
    assert counted.count == page.value("runs_waiting_for_operator")
    assert 0 == page.value("charges_on_ladder", step="5")


async def test_without_an_address_nobody_asks_the_database(systems: Systems) -> None:
    client: Client = await connect("127.0.0.1:1", lazy=True)
    systems.close()

    async with gauges_shown(OFF, systems.db, client):
        pass


# --- counters and the address --------------------------------------------------------------------


def test_findings_of_the_sweeper_are_counted(page: Page) -> None:
    page.telemetry.metrics.swept(Finding.LOST, 0)
    before = page.value("swept_total", finding="lost")
    page.telemetry.metrics.swept(Finding.LOST, 3)

    assert (0, 3) == (before, page.value("swept_total", finding="lost"))


def test_warnings_and_errors_are_counted_by_logger_and_level(page: Page) -> None:
    logger = logging.Logger("account_pause.jobs")
    logger.addHandler(Counter(page.telemetry.metrics))

    logger.info("fine")
    logger.warning("zebulon waits")
    logger.error("zebulon fails")
    logger.error("zebulon fails")

    name = "log_records_total"
    assert 1 == page.value(name, logger="account_pause.jobs", level="warning")
    assert 2 == page.value(name, logger="account_pause.jobs", level="error")
    assert page.value(name, logger="account_pause.jobs", level="info") is None
    assert "zebulon" not in page.text()


@pytest.mark.parametrize("address", ["127.0.0.1:{taken}", "localhost:9464", "9464"])
def test_an_address_that_cannot_be_had_is_told_by_its_variable(page: Page, address: str) -> None:
    taken = address.format(taken=page.address.rpartition(":")[2])

    with pytest.raises(SettingsError, match=f"ACCOUNT_PAUSE_METRICS_ADDRESS, {taken}"):
        make_runtime(Settings(metrics_address=taken))


def test_without_an_address_the_runtime_is_temporals_own() -> None:
    assert make_runtime(Settings()) is None
    assert OFF.runtime is None
    assert not OFF.is_on


# --- small things --------------------------------------------------------------------------------


def some(empty: Figures) -> Figures:
    return replace(
        empty,
        pauses={**empty.pauses, PauseState.PAUSED: 2},
        rungs={9: 1},
        notices_late_by=timedelta(seconds=90),
    )


async def _nothing() -> Message:
    return {}


async def _to_nobody(_: Message) -> None:
    """Nobody listens."""
