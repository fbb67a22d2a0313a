"""Temporal away, the database away at any moment: 503, nothing half done, and a repeat works."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from domain.errors import Code
from domain.terms import Offer
from starter.backend import Backend
from starter.client import PauseClient
from starter.connect import connect
from systems.wiring import Systems, open_systems
from tests.starter.web.api.desk import (
    OURS,
    PASSWORD,
    TERMS,
    URL,
    Caller,
    Desk,
    code_of,
    desk_of,
    new_account,
)
from tests.temporal import TemporalServer
from tests.workflows.stage import Stage, open_stage

KEY = "one"
# More transactions than any request has.
MOMENTS = range(1, 40)


class Outage:
    """The database goes away with the transaction that comes after `moments` more."""

    def __init__(self, systems: Systems) -> None:
        self._left: int | None = None
        event.listen(systems.engine, "begin", self._begin)

    @contextmanager
    def after(self, moments: int) -> Iterator[None]:
        """Within, the first `moments` transactions work."""
        self._left = moments
        try:
            yield
        finally:
            self._left = None

    def _begin(self, _: Any) -> None:
        if self._left is None:
            return
        if self._left == 0:
            raise OperationalError("BEGIN", None, ConnectionError("away"))
        self._left -= 1


def is_unavailable(answer: httpx.Response) -> bool:
    """Whether it says: not now, ask again."""
    if answer.status_code != 503:
        return False
    assert Code.UNAVAILABLE == code_of(answer)
    assert 0 < int(answer.headers["retry-after"])
    assert "BEGIN" not in answer.text
    return True


@dataclass(frozen=True)
class Shaky:
    """The API over a database that goes away now and then."""

    desk: Desk
    outage: Outage

    async def until_it_works(
        self, ask: Callable[[], Awaitable[httpx.Response]], moments: int
    ) -> httpx.Response | None:
        """The repeat's answer after the database went away that far on; None: that was too late."""
        with self.outage.after(moments):
            cut_off = await ask()
        if not is_unavailable(cut_off):
            assert cut_off.is_success, cut_off.text
            return None
        return await ask()


@pytest.fixture
def shaky(any_desk: Desk) -> Shaky:
    return Shaky(any_desk, Outage(any_desk.systems))


async def test_a_tracker_is_made_once_whenever_the_database_goes_away(shaky: Shaky) -> None:
    systems, cut_off = shaky.desk.systems, 0
    for moments in MOMENTS:
        account = new_account(systems)
        admin = shaky.desk.with_key(account.administrator_id)
        body = tracker_for(shaky.desk, account.account_id, moments)
        path = f"/accounts/{account.account_id}/trackers"

        answer = await shaky.until_it_works(partial(admin.post, path, body, KEY), moments)

        made = systems.numbers.trackers(account.account_id)
        assert 3 == len(made)
        if answer is None:
            break
        cut_off += 1
        assert 201 == answer.status_code, f"cut off after {moments} transactions: {answer.text}"
        assert answer.json()["tracker_id"] in [each.tracker_id for each in made]

    assert cut_off > 4, "the database never went away half-way"


async def test_reading_says_when_the_database_is_away(shaky: Shaky) -> None:
    account = new_account(shaky.desk.systems)
    admin = shaky.desk.with_key(account.administrator_id)
    base = f"/accounts/{account.account_id}"
    for path in ("", "/pause/preview", "/trackers", "/payment-method", "/invoices", "/reports"):
        for moments in range(3):
            with shaky.outage.after(moments):
                assert is_unavailable(await admin.get(base + path)), path

        assert 200 == (await admin.get(base + path)).status_code


async def test_logging_in_says_when_the_database_is_away(shaky: Shaky) -> None:
    email = shaky.desk.let_in(new_account(shaky.desk.systems).administrator_id)
    caller = Caller(shaky.desk.client, OURS)
    body = {"email": email, "password": PASSWORD}

    for moments in range(2):
        with shaky.outage.after(moments):
            assert is_unavailable(await caller.post("/sessions", body))

    assert 201 == (await caller.post("/sessions", body)).status_code


@asynccontextmanager
async def web_process(
    stage: Stage, database_url: str, tmp_path: Path, address: str | None = None
) -> AsyncIterator[Desk]:
    """A web process of its own beside the worker: on its own connections."""
    gateway_url = f"sqlite:///{tmp_path / 'gateway.db'}"
    systems = open_systems(database_url, gateway_url, pages_url=URL)
    client = stage.client if address is None else await connect(address, lazy=True)
    backend = Backend(systems, PauseClient(client, systems.accounts), Offer())
    async with desk_of(backend) as desk:
        yield desk
    systems.close()


async def test_a_pause_begins_once_whenever_the_database_goes_away(
    temporal_server: TemporalServer, sqlite_url: str, tmp_path: Path
) -> None:
    gateway_url, cut_off = f"sqlite:///{tmp_path / 'gateway.db'}", 0
    async with (
        open_stage(temporal_server, sqlite_url, gateway_url) as stage,
        stage.worker(),
        web_process(stage, sqlite_url, tmp_path) as desk,
    ):
        shaky = Shaky(desk, Outage(desk.systems))
        for moments in MOMENTS:
            account = new_account(stage.systems)
            other = Stage(stage.client, stage.systems, account)
            admin = desk.with_key(account.administrator_id)
            path = f"/accounts/{account.account_id}/pause"

            answer = await shaky.until_it_works(partial(admin.post, path, TERMS, KEY), moments)

            acts = stage.systems.accounts.acts(account.account_id)
            await other.terminate_all()
            assert 1 == len(acts)
            if answer is None:
                break
            cut_off += 1
            assert 201 == answer.status_code, f"cut off after {moments}: {answer.text}"
            assert acts[0].act_id == answer.json()["pause_id"]

    assert cut_off > 6, "the database never went away half-way"


async def test_temporal_away_means_ask_again_and_the_repeat_is_the_first_pause(
    stage: Stage, admin: Caller, sqlite_url: str, tmp_path: Path
) -> None:
    path = f"/accounts/{stage.account_id}/pause"
    async with web_process(stage, sqlite_url, tmp_path, "127.0.0.1:1") as cut_off:
        away = await Caller(cut_off.client, admin.headers).post(path, TERMS, KEY)
        looked = await Caller(cut_off.client, admin.headers).get(f"{path}/preview")
    nothing = stage.systems.accounts.acts(stage.account_id)
    async with stage.worker():
        repeated = await admin.post(path, TERMS, KEY)

    assert is_unavailable(away)
    assert 200 == looked.status_code, "what needs no Temporal works without it"
    assert [] == nothing
    assert 201 == repeated.status_code
    assert 1 == len(stage.systems.accounts.acts(stage.account_id))


async def test_a_resume_counts_from_when_it_was_asked_for_though_temporal_was_away(
    stage: Stage, admin: Caller, sqlite_url: str, tmp_path: Path
) -> None:
    path = f"/accounts/{stage.account_id}/pause"
    async with stage.worker():
        await admin.post(path, TERMS)
    async with web_process(stage, sqlite_url, tmp_path, "127.0.0.1:1") as cut_off:
        away = await Caller(cut_off.client, admin.headers).post(f"{path}/resume", None, KEY)
        recorded = await Caller(cut_off.client, admin.headers).get(path)
    asked_by = datetime.now(UTC)
    async with stage.worker():
        # Meanwhile time goes by: a fee that falls due now is not owed any more.
        resumed = await admin.post(f"{path}/resume", None, KEY)

    assert is_unavailable(away)
    assert "paused" == recorded.json()["state"]
    assert "resumed" == resumed.json()["state"]
    ended_at = datetime.fromisoformat(resumed.json()["ended_at"])
    assert ended_at <= asked_by


def tracker_for(desk: Desk, account_id: str, number: int) -> dict[str, Any]:
    """A tracker that the account may have."""
    known = desk.systems.numbers.trackers(account_id)[0]
    return {
        "company_id": known.company_id,
        "call_flow_id": known.call_flow_id,
        "name": "Billboard",
        "type": "source",
        "source": "billboard",
        "destination_number": "+13125550100",
        "tracking_numbers": [f"+164655502{number:02}"],
    }
