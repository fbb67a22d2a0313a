"""Traces: from an HTTP request through the run of a pause to its steps, sent to a collector.

Spans leave only with what is named here (R17). Instrumentation of others puts in what it likes:
the words of errors, addresses as they were asked for, where a caller sits.
"""

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.contrib.opentelemetry import TracingInterceptor

TRACER = "account_pause"

ATTRIBUTES = frozenset(
    {
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "temporalWorkflowID",
        "temporalRunID",
        "temporalActivityID",
        "temporalUpdateID",
    }
)
# Of an error its kind, which is a class name; never its words nor the lines that it came by.
EVENT_ATTRIBUTES = frozenset({"exception.type"})


class Interceptor(TracingInterceptor):
    """Temporal's, without baggage: whatever a caller packs there would stand in every history."""

    def __init__(self, tracer: Tracer) -> None:
        """Make spans with `tracer`."""
        super().__init__(tracer)
        self.text_map_propagator = TraceContextTextMapPropagator()


class Discreet(SpanExporter):
    """Hands spans on with the attributes that are named above, and with no others."""

    def __init__(self, exporter: SpanExporter) -> None:
        """Hand on to `exporter`."""
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See the class."""
        return self._exporter.export([_bare(span) for span in spans])

    def shutdown(self) -> None:
        """Shut the one behind down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have the one behind send what it still holds."""
        return self._exporter.force_flush(timeout_millis)


def tracer_provider(service: str, exporter: SpanExporter | None = None) -> TracerProvider:
    """Spans of `service` go to `exporter`, else where OpenTelemetry's variables say.

    Sampling, further resource attributes and another service name come from those too.
    """
    resource = Resource.create({SERVICE_NAME: service}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(Discreet(exporter or OTLPSpanExporter())))
    return provider


def _bare(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={k: v for k, v in (span.attributes or {}).items() if k in ATTRIBUTES},
        events=[_bare_event(event) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _bare_event(event: Event) -> Event:
    kept = {k: v for k, v in (event.attributes or {}).items() if k in EVENT_ATTRIBUTES}
    return Event(event.name, kept, event.timestamp)
