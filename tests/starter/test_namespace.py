"""The namespace is made once, whoever asks how often, and its retention is what was asked for."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import Transient
from starter.local.server import register_search_attributes
from starter.namespace import Namespace, ensure_namespace, not_done
from tests.starter.conftest import Cli
from tests.temporal import TemporalServer, free_port


async def connected(server: TemporalServer, namespace: str) -> Client:
    return await Client.connect(server.address, namespace=namespace)


async def test_a_namespace_that_is_missing_is_made_and_can_be_used_at_once(
    temporal_server: TemporalServer,
) -> None:
    client = await connected(temporal_server, uuid4().hex)

    made = await ensure_namespace(client, 7)

    assert Namespace(client.namespace, 7, was_made=True, was_changed=False) == made
    assert 5 == len(await register_search_attributes(client))


async def test_asked_again_it_changes_the_retention_if_that_is_another(
    temporal_server: TemporalServer,
) -> None:
    client = await connected(temporal_server, uuid4().hex)
    await ensure_namespace(client, 7)

    same, other = await ensure_namespace(client, 7), await ensure_namespace(client, 30)

    assert Namespace(client.namespace, 7, was_made=False, was_changed=False) == same
    assert Namespace(client.namespace, 30, was_made=False, was_changed=True) == other


async def test_several_at_once_make_one_and_each_registers_what_is_missing(
    temporal_server: TemporalServer,
) -> None:
    name = uuid4().hex
    clients = [await connected(temporal_server, name) for _ in range(4)]

    there = await asyncio.gather(*(ensure_namespace(client, 7) for client in clients))
    await asyncio.gather(*(register_search_attributes(client) for client in clients))

    assert {7} == {each.retention_days for each in there}
    assert 1 == sum(each.was_made for each in there)
    assert [] == await register_search_attributes(clients[0])


def test_the_command_says_what_it_did(
    temporal_server: TemporalServer, cli: Cli, tmp_path: Path
) -> None:
    at = {"TEMPORAL_ADDRESS": temporal_server.address, "TEMPORAL_NAMESPACE": uuid4().hex}

    made = cli(tmp_path, "namespace", "--retention-days", "3", "--json", **at)
    again = cli(tmp_path, "namespace", "--retention-days", "3", **at)

    assert (0, True, 3) == (
        made.exit_code,
        made.document["was_made"],
        made.document["retention_days"],
    )
    assert f"{at['TEMPORAL_NAMESPACE']} was there; ended runs are kept for 3 days" in again.out


def test_without_a_service_it_fails_so_that_whoever_runs_it_tries_again(
    cli: Cli, tmp_path: Path
) -> None:
    answer = cli(tmp_path, "namespace", TEMPORAL_ADDRESS=f"127.0.0.1:{free_port()}")

    assert 3 == answer.exit_code


@pytest.mark.parametrize(
    ("host", "status", "advice"),
    [
        ("pause.a1b2c.tmprl.cloud:7233", RPCStatusCode.PERMISSION_DENIED, "tcld namespace"),
        ("eu.aws.api.temporal.io:7233", RPCStatusCode.UNIMPLEMENTED, "tcld namespace"),
        ("temporal.example:7233", RPCStatusCode.PERMISSION_DENIED, "have its operator make it"),
        ("temporal.example:7233", RPCStatusCode.UNAVAILABLE, "ask again"),
    ],
)
def test_a_service_that_does_not_allow_it_is_told_with_what_to_do(
    host: str, status: RPCStatusCode, advice: str
) -> None:
    error = not_done(host, "pause.a1b2c", 30, RPCError("no", status, b""))

    assert isinstance(error, Transient)
    assert advice in str(error)
    assert "30" in str(error) or advice == "ask again"
