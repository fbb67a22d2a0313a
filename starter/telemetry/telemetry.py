"""The switches of one process, turned at its start by its settings."""

from dataclasses import dataclass, field

from opentelemetry.trace import NoOpTracer, Tracer
from temporalio.client import Interceptor
from temporalio.common import MetricMeter
from temporalio.runtime import Runtime

from settings import Settings
from starter.telemetry.logs import count_logs, set_up_logs
from starter.telemetry.metrics import Metrics
from starter.telemetry.runtime import make_runtime


@dataclass(frozen=True)
class Telemetry:
    """What the parts of a process tell about themselves with; by default nothing to nobody.

    `runtime` None: Temporal's own. `meter` is what gauges are made with.
    """

    runtime: Runtime | None = None
    meter: MetricMeter = MetricMeter.noop
    metrics: Metrics = field(default_factory=Metrics)
    tracer: Tracer = field(default_factory=NoOpTracer)
    interceptors: tuple[Interceptor, ...] = ()

    @property
    def has_metrics(self) -> bool:
        """Whether anybody can read the metrics."""
        return self.meter is not MetricMeter.noop

    @property
    def is_on(self) -> bool:
        """Whether requests have to be watched."""
        return self.has_metrics or bool(self.interceptors)


OFF = Telemetry()


def switched_on(settings: Settings, service: str) -> Telemetry:
    """Set up the log, and what else the settings ask for, in the name of `service`.

    Raises:
        SettingsError: the metrics' address cannot be had.
    """
    set_up_logs(settings.log_format)
    runtime = make_runtime(settings)
    has_metrics = runtime is not None and bool(settings.metrics_address)
    meter = runtime.metric_meter if runtime and has_metrics else MetricMeter.noop
    metrics = Metrics(meter)
    if has_metrics:
        count_logs(metrics)
    if not settings.otlp_endpoint:
        return Telemetry(runtime, meter, metrics)
    # Here, so that whoever traces nothing does not wait for it to load.
    from starter.telemetry.traces import TRACER, Interceptor, tracer_provider

    tracer = tracer_provider(service).get_tracer(TRACER)
    return Telemetry(runtime, meter, metrics, tracer, (Interceptor(tracer),))
