"""The namespace that pauses live in: made if it is missing, and how long ended runs are kept."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import Transient
from starter.local.server import has_namespace

# A namespace that was just made reaches all parts of a server by a cache, in some ten seconds.
IN_USE_SECONDS = 60.0
POLL_SECONDS = 0.2

CLOUD = (".tmprl.cloud", ".api.temporal.io")

WITHOUT_LEAVE = {
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNAUTHENTICATED,
    RPCStatusCode.UNIMPLEMENTED,
}


@dataclass(frozen=True)
class Namespace:
    """A namespace as it is now; `was_made` and `was_changed` tell what it took."""

    namespace: str
    retention_days: int
    was_made: bool
    was_changed: bool


async def ensure_namespace(client: Client, retention_days: int) -> Namespace:
    """Have the client's namespace there, keeping ended runs for so many days. Safe to repeat.

    Answers once the namespace can be used. Open runs are kept for as long as they are open.

    Raises:
        Transient: the service does not let us, or did not answer; the message says what to do.
    """
    name = client.namespace
    try:
        was_made = await _make(client, retention_days) if await _is_missing(client) else False
        was_changed = await _keep_for(client, retention_days)
    except RPCError as error:
        host = client.service_client.config.target_host
        raise not_done(host, name, retention_days, error) from error
    await _until_in_use(client)
    return Namespace(name, retention_days, was_made, was_changed)


async def _is_missing(client: Client) -> bool:
    try:
        await _retention(client)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return True
        raise
    return False


async def _make(client: Client, days: int) -> bool:
    request = RegisterNamespaceRequest(
        namespace=client.namespace,
        description="Paused accounts.",
        workflow_execution_retention_period=_duration(days),
    )
    try:
        await client.workflow_service.register_namespace(request)
    except RPCError as error:
        if error.status is RPCStatusCode.ALREADY_EXISTS:
            # Somebody made it at the same moment.
            return False
        raise
    return True


async def _keep_for(client: Client, days: int) -> bool:
    if await _retention(client) == timedelta(days=days):
        return False
    config = NamespaceConfig(workflow_execution_retention_ttl=_duration(days))
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(namespace=client.namespace, config=config)
    )
    return True


async def _retention(client: Client) -> timedelta:
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace)
    )
    return described.config.workflow_execution_retention_ttl.ToTimedelta()


async def _until_in_use(client: Client) -> None:
    try:
        async with asyncio.timeout(IN_USE_SECONDS):
            while not await has_namespace(client):
                await asyncio.sleep(POLL_SECONDS)
    except (RPCError, TimeoutError) as error:
        raise Transient(
            f"the namespace {client.namespace} is there and cannot be used yet; ask again"
        ) from error


def not_done(address: str, name: str, days: int, error: RPCError) -> Transient:
    """What to do instead, where the service at `address` has answered with `error`."""
    if error.status not in WITHOUT_LEAVE:
        return Transient(f"the Temporal service did not answer ({error.status.name}); ask again")
    if address.partition(":")[0].endswith(CLOUD):
        return Transient(
            f"Temporal Cloud makes namespaces by its own tools ({error.status.name}): make it on"
            f" the web console, then `tcld namespace retention set --namespace {name}"
            f" --retention-days {days}`"
        )
    return Transient(
        f"the Temporal service does not let us make or change the namespace {name}"
        f" ({error.status.name}); have its operator make it, with a retention of {days} days"
    )


def _duration(days: int) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(days=days))
    return duration
