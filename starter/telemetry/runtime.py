"""Temporal's runtime with its metrics laid open; our own stand on the same page."""

import logging
from collections.abc import Mapping

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from settings import LogFormat, Settings, SettingsError
from starter.telemetry.metrics import REQUEST_SECONDS

# From a look-up to a pause that waits for its worker.
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 75.0)

# What the SDK itself logs, by its own default.
CORE_LOGS = TelemetryFilter(core_level="WARN", other_level="ERROR")


def make_runtime(settings: Settings) -> Runtime | None:
    """A runtime that serves `/metrics` where the settings say; None where the default one will do.

    Raises:
        SettingsError: that address cannot be had.
    """
    is_json = settings.log_format is LogFormat.JSON
    if not settings.metrics_address and not is_json:
        return None
    try:
        return Runtime(
            telemetry=TelemetryConfig(
                # Else the SDK's core writes lines of its own kind between ours.
                logging=_forwarding() if is_json else LoggingConfig(filter=CORE_LOGS),
                metrics=_prometheus(settings.metrics_address),
                attach_service_name=False,
            )
        )
    except ValueError as error:
        raise SettingsError(
            f"ACCOUNT_PAUSE_METRICS_ADDRESS, {settings.metrics_address}: {error}."
            " It takes an ip:port that no other process of this machine has."
        ) from None


def _prometheus(address: str) -> PrometheusConfig | None:
    if not address:
        return None
    buckets: Mapping[str, tuple[float, ...]] = {REQUEST_SECONDS: REQUEST_BUCKETS}
    return PrometheusConfig(
        bind_address=address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides=buckets,
    )


def _forwarding() -> LoggingConfig:
    logger = logging.getLogger("temporalio.core")
    return LoggingConfig(filter=CORE_LOGS, forwarding=LogForwardingConfig(logger=logger))
