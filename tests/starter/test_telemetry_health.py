"""A worker's health: it lives whoever else is away, and is ready only when it can work."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from temporalio.worker import Worker

from settings import SettingsError
from starter.connect import connect
from starter.telemetry.health import Readiness, health_served
from starter.telemetry.metrics import Metrics
from tests.temporal import free_port
from tests.workflows.stage import Stage, eventually


@dataclass
class Probe:
    """A worker's health, as its supervisor asks for it."""

    address: str
    readiness: Readiness
    stop: asyncio.Event

    async def until_polling(self, stage: Stage, worker: Worker) -> None:
        """Wait until the worker, which has just begun, says that it is at work."""
        self.readiness.polls(stage.client, worker)

        async def runs() -> bool:
            return worker.is_running

        await eventually(runs)

    async def ask(self, path: str) -> tuple[int, dict[str, str]]:
        return await asyncio.to_thread(self._ask, path)

    def _ask(self, path: str) -> tuple[int, dict[str, str]]:
        try:
            with urlopen(f"http://{self.address}{path}", timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read())


@pytest.fixture
async def probe(stage: Stage) -> AsyncIterator[Probe]:
    """Of a worker that has not begun to work."""
    address, stop = f"127.0.0.1:{free_port()}", asyncio.Event()
    readiness = Readiness(stage.systems.engine, stop)
    async with health_served(address, readiness, Metrics()):
        yield Probe(address, readiness, stop)


async def test_a_worker_is_ready_from_its_first_poll_until_it_is_told_to_stop(
    stage: Stage, probe: Probe
) -> None:
    before = await probe.ask("/readyz")
    async with stage.worker() as worker:
        await probe.until_polling(stage, worker)
        working = await probe.ask("/readyz")
        probe.stop.set()
        stopping = await probe.ask("/readyz")

    assert (503, "Temporal has not answered yet.") == (before[0], before[1]["detail"])
    assert (200, {"status": "ready"}) == working
    assert (503, "The worker is stopping.") == (stopping[0], stopping[1]["detail"])
    assert (200, {"status": "ok"}) == await probe.ask("/healthz")


async def test_a_worker_that_has_ended_is_not_ready(stage: Stage, probe: Probe) -> None:
    async with stage.worker() as worker:
        await probe.until_polling(stage, worker)

    assert 503 == (await probe.ask("/readyz"))[0]


async def test_temporal_away_means_not_ready_and_alive(stage: Stage, probe: Probe) -> None:
    away = await connect("127.0.0.1:1", lazy=True)
    async with stage.worker() as worker:
        await probe.until_polling(stage, worker)
        probe.readiness.polls(away, worker)
        answer = await probe.ask("/readyz")

    assert (503, "Temporal does not answer.") == (answer[0], answer[1]["detail"])
    assert 200 == (await probe.ask("/healthz"))[0]


@pytest.mark.parametrize(
    ("harm", "detail"),
    [
        ("UPDATE alembic_version SET version_num = '0001'", "The database is not up to date."),
        ("ALTER TABLE alembic_version RENAME COLUMN version_num TO x", "The database does not"),
    ],
)
async def test_a_database_that_cannot_be_worked_on_means_not_ready(
    stage: Stage, probe: Probe, harm: str, detail: str
) -> None:
    async with stage.worker() as worker:
        await probe.until_polling(stage, worker)
        with stage.systems.engine.begin() as connection:
            connection.exec_driver_sql(harm)
        answer = await probe.ask("/readyz")

    assert 503 == answer[0]
    assert answer[1]["detail"].startswith(detail)


@pytest.mark.parametrize("address", ["127.0.0.1:{taken}", "nowhere.invalid:8081", "8081"])
async def test_an_address_that_cannot_be_had_is_told_by_its_variable(
    probe: Probe, address: str
) -> None:
    taken = address.format(taken=probe.address.rpartition(":")[2])

    with pytest.raises(SettingsError, match=f"ACCOUNT_PAUSE_HEALTH_ADDRESS, {taken}"):
        async with health_served(taken, probe.readiness, Metrics()):
            pass


async def test_without_an_address_nothing_is_served(stage: Stage) -> None:
    before = asyncio.all_tasks()

    async with health_served("", Readiness(stage.systems.engine, asyncio.Event()), Metrics()):
        assert before == asyncio.all_tasks()
