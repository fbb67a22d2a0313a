"""Connecting to Temporal by its standard environment variables."""

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig, ClientConnectConfig

from settings import SettingsError
from starter.telemetry import OFF, Telemetry

LOCAL_ADDRESS = "127.0.0.1:7233"


async def connect(
    address: str | None = None,
    identity: str | None = None,
    *,
    lazy: bool = False,
    telemetry: Telemetry = OFF,
) -> Client:
    """A client of the Temporal service that `TEMPORAL_ADDRESS` and its like name.

    `address` overrides it. Without either it is the local stack's. A `lazy` client connects when it
    is used first, if ever. `telemetry` sees its calls, and what workers do that it is given to.

    Raises:
        RuntimeError: nothing answers there.
        SettingsError: Temporal's variables, or its file, cannot be used.
    """
    config = _configured()
    config["target_host"] = address or config.get("target_host") or LOCAL_ADDRESS
    return await Client.connect(
        **config,
        identity=identity,
        lazy=lazy,
        data_converter=pydantic_data_converter,
        runtime=telemetry.runtime,
        interceptors=telemetry.interceptors,
    )


def configured_address() -> str | None:
    """The service that `TEMPORAL_ADDRESS`, or the profile of Temporal's own tools, names."""
    return _configured().get("target_host")


def configured_namespace() -> str:
    """The namespace that `TEMPORAL_NAMESPACE`, or the profile of Temporal's own tools, names."""
    return _configured().get("namespace") or "default"


def _configured() -> ClientConnectConfig:
    try:
        return ClientConfig.load_client_connect_config()
    except (RuntimeError, OSError, ValueError) as error:
        raise SettingsError(f"Temporal's own settings cannot be used: {error}") from None
