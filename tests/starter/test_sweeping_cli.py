"""The commands sweep, rebuild and redo: what people and programs see, and the exit codes."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from domain import names
from domain.errors import Code
from domain.ids import Prefix, make_id
from domain.messages import BeginPause
from domain.sweeping import AT_ONCE
from domain.terms import Offer
from settings import Settings
from starter.cli.app import UNAVAILABLE, WAITS
from systems.sample import SampleAccount, create_account
from systems.wiring import open_systems
from tests.starter.conftest import Answer, Cli, Up
from tests.temporal import TemporalServer

NOBODY_LISTENS = "127.0.0.1:1"
MANY = AT_ONCE + 1
TIME_ZONE = "America/Chicago"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@dataclass(frozen=True)
class Lost:
    """A database with many open pauses, beside a Temporal that knows of none."""

    state_dir: Path
    address: str
    account_ids: list[str]
    cli: Cli

    def run(self, *arguments: str) -> Answer:
        return self.cli(self.state_dir, *arguments, TEMPORAL_ADDRESS=self.address)


@pytest.fixture
def lost(
    tmp_path: Path, sqlite_template: Path, temporal_server: TemporalServer, cli: Cli
) -> Iterator[Lost]:
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    shutil.copyfile(sqlite_template, state_dir / "account-pause.db")
    account_ids = many_begun(state_dir)
    yield Lost(state_dir, temporal_server.address, account_ids, cli)
    asyncio.run(terminated(temporal_server.address, account_ids))


def test_where_every_pause_has_its_run_nothing_is_wrong(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    cli(stack.state_dir, "pause", account.account_id, "--yes")

    answer = cli(stack.state_dir, "sweep", "--json")
    rebuilt = cli(stack.state_dir, "rebuild", account.account_id, "--json")
    redone = cli(stack.state_dir, "redo", account.account_id, "--json")

    assert 0 == answer.exit_code, answer.out
    assert [] == answer.document["found"]
    assert (0, {"lost": 0, "found": []}) == (rebuilt.exit_code, rebuilt.document)
    assert (0, {"runs": 1, "redone": []}) == (redone.exit_code, redone.document)


def test_many_lost_runs_wait_for_an_operator_who_has_them_rebuilt(lost: Lost) -> None:
    told = lost.run("sweep")
    document = lost.run("sweep", "--json").document
    rebuilt = lost.run("rebuild", "--per-second", "500", "--json")
    again = lost.run("rebuild", "--json")

    assert WAITS == told.exit_code
    assert f"{MANY} open acts and" in told.out
    assert "account-pause rebuild" in told.out
    assert all(account_id in told.out for account_id in lost.account_ids)
    mine = [each for each in document["found"] if each["account_id"] in lost.account_ids]
    assert [("lost", True)] * MANY == [(each["finding"], each["waits"]) for each in mine]
    assert 0 == rebuilt.exit_code, rebuilt.err
    assert MANY == rebuilt.document["lost"]
    assert {"started_anew"} == {each["finding"] for each in rebuilt.document["found"]}
    # Temporal's list follows within a second; whatever it shows, nothing is started twice.
    assert [] == again.document["found"]


def test_one_account_alone_can_be_rebuilt(lost: Lost) -> None:
    answer = lost.run("rebuild", lost.account_ids[0])

    assert 0 == answer.exit_code, answer.err
    assert "started anew" in answer.out
    assert lost.account_ids[0] in answer.out
    assert lost.account_ids[1] not in answer.out


@pytest.mark.parametrize("command", ["sweep", "rebuild", "redo"])
def test_without_temporal_they_say_so(stack: Up, cli: Cli, command: str) -> None:
    answer = cli(stack.state_dir, command, "--json", TEMPORAL_ADDRESS=NOBODY_LISTENS)

    assert UNAVAILABLE == answer.exit_code
    assert Code.UNAVAILABLE == answer.document["code"]


def many_begun(state_dir: Path) -> list[str]:
    settings = Settings(state_dir=state_dir)
    systems = open_systems(settings.database, settings.gateway, 1)
    accounts = [
        create_account(
            systems,
            key=uuid4().hex,
            name=f"Shop {number}",
            time_zone=TIME_ZONE,
            billing_day=15,
            created_at=YESTERDAY,
            numbers=1,
        )
        for number in range(MANY)
    ]
    for account in accounts:
        begin = BeginPause(
            act_id=make_id(Prefix.PAUSE, uuid4()),
            account_id=account.account_id,
            at=YESTERDAY,
            requested_by=account.administrator_id,
        )
        systems.accounts.begin_pause(begin, Offer().for_account(TIME_ZONE, 15), 1)
    systems.close()
    return [account.account_id for account in accounts]


async def terminated(address: str, account_ids: list[str]) -> None:
    """No worker of another test is to take them up."""
    client = await Client.connect(address)
    for account_id in account_ids:
        with suppress(RPCError):
            await client.get_workflow_handle(names.pause_workflow_id(account_id)).terminate()
