"""Traces: one from the request to the steps, with nothing of people in it, and no command more."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pytest
from google.protobuf.message import Message
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sqlalchemy import select
from temporalio.client import WorkflowHistory

from domain.names import Activity
from starter.backend import Backend
from starter.client import PauseClient
from starter.connect import connect
from starter.replaying import replayer
from starter.telemetry import OFF, Telemetry
from starter.telemetry.traces import ATTRIBUTES, TRACER, Interceptor, tracer_provider
from starter.web.app import build_app
from systems.tables import CardRow, CompanyRow, NumberRow, TrackerRow, UserRow
from systems.wiring import Systems
from tests.e2e.leaks import leaks, leaks_in
from tests.replay.histories import fingerprint, read
from tests.starter.web.api.desk import TERMS, Caller, Desk, settings_with
from tests.starter.web.shop import client_of
from tests.temporal import TemporalServer
from tests.workflows.stage import Stage

CALLERS_TRACE, CALLERS_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FROM_OUTSIDE = {
    "traceparent": f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01",
    "tracestate": "vendor=zebulon",
    "baggage": "user=quagmire",
}
PERSON, EMAIL, NUMBER = "Zebulon Quagmire", "zebulon.quagmire@aquatics.example", "+12025550143"

# What tracing adds to an event that carries it: said in docs/observability.md.
HEADER_BYTES = 120


@dataclass(frozen=True)
class Traced:
    """A stage whose web process and worker trace into memory."""

    stage: Stage
    admin: Caller
    provider: TracerProvider
    exporter: InMemorySpanExporter

    async def pause_and_resume(self) -> WorkflowHistory:
        """What a backend asks for, in a trace of its own; the history that it comes to."""
        path = f"/accounts/{self.stage.account_id}/pause"
        async with self.stage.worker():
            paused = await self.admin.ask("POST", path, json=TERMS, headers=FROM_OUTSIDE)
            resumed = await self.admin.post(f"{path}/resume", None)
        assert (201, 200) == (paused.status_code, resumed.status_code)
        return await self.stage.handle().fetch_history()

    def spans(self) -> Sequence[ReadableSpan]:
        """All that were sent."""
        self.provider.force_flush()
        return self.exporter.get_finished_spans()


@pytest.fixture
async def traced(stage: Stage, temporal_server: TemporalServer) -> AsyncIterator[Traced]:
    exporter = InMemorySpanExporter()
    provider = tracer_provider("test", exporter)
    tracer = provider.get_tracer(TRACER)
    telemetry = Telemetry(tracer=tracer, interceptors=(Interceptor(tracer),))
    stage.client = await connect(temporal_server.address, "tests", telemetry=telemetry)
    backend = Backend(stage.systems, PauseClient(stage.client, stage.systems.accounts), stage.offer)
    app = build_app(settings_with(), stage.systems, backend, telemetry=telemetry)
    async with client_of(app) as client:
        admin = Desk(stage.systems, client).with_key(stage.administrator)
        yield Traced(stage, admin, provider, exporter)
    provider.shutdown()


async def test_a_pause_over_http_is_one_trace_with_nothing_of_people_in_it(traced: Traced) -> None:
    history = await traced.pause_and_resume()

    spans = traced.spans()
    of_the_pause = [span for span in spans if trace_of(span) == CALLERS_TRACE]
    names = {span.name for span in of_the_pause}
    known = {f"{span.context.span_id:016x}" for span in of_the_pause if span.context}
    parents = {f"{span.parent.span_id:016x}" for span in of_the_pause if span.parent}
    assert {
        "POST /api/v1/accounts/{account_id}/pause",
        "StartUpdateWithStartWorkflow:AccountPause",
        "RunWorkflow:AccountPause",
        "HandleUpdate:pause",
        "RunActivity:begin_pause",
        "RunActivity:suspend_plan",
        "RunActivity:mark_paused",
        # It is a request of its own, handled by the run that the trace is about.
        "HandleSignal:resume",
        "RunActivity:mark_resumed",
    } <= names
    assert "POST /api/v1/accounts/{account_id}/pause/resume" in {span.name for span in spans}
    assert {CALLERS_SPAN} == parents - known
    assert all(span.parent for span in of_the_pause)
    secrets = people_of(traced.stage.systems)
    assert len(secrets) > 5
    assert set() == leaks_in([span.to_json() for span in spans], secrets)
    assert set() == leaks([history], {*secrets, "zebulon", "quagmire"})
    assert {key for span in spans for key in span.attributes or {}} <= ATTRIBUTES


async def test_tracing_changes_no_command_and_costs_a_header(traced: Traced) -> None:
    history = await traced.pause_and_resume()

    headers = [event for event in history.events if "_tracer-data" in str(event)]
    assert len(Activity) / 2 < len(headers)
    sizes = {header_bytes(event) for event in headers}
    assert 0 < min(sizes) <= max(sizes) <= HEADER_BYTES
    assert fingerprint(history)
    await replayer().replay_workflow(history)


@pytest.mark.parametrize("name", ["resumed-by-itself", "closed-by-the-ladder"])
async def test_pauses_from_before_tracing_replay_with_it(name: str) -> None:
    exporter = InMemorySpanExporter()
    provider = tracer_provider("test", exporter)
    tracing = Interceptor(provider.get_tracer(TRACER))

    await replayer(interceptors=[tracing]).replay_workflow(read(name))

    provider.shutdown()
    assert () == exporter.get_finished_spans(), "what is replayed has happened before"


def test_whatever_hangs_on_a_span_only_what_is_named_leaves() -> None:
    told = exported(tracer_provider)

    (span,) = told
    assert {"http.route": "/x"} == dict(span.attributes or {})
    assert StatusCode.ERROR is span.status.status_code
    assert [("exception", {"exception.type": "ValueError"})] == [
        (event.name, dict(event.attributes or {})) for event in span.events
    ]
    assert set() == leaks_in([span.to_json()], (PERSON, EMAIL, NUMBER))


def test_control_a_plain_exporter_tells_all() -> None:
    def plain(_: str, exporter: SpanExporter) -> TracerProvider:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        return provider

    (span,) = exported(plain)

    assert {PERSON, EMAIL, NUMBER} == leaks_in([span.to_json()], (PERSON, EMAIL, NUMBER))


def test_without_a_collector_nothing_is_traced_and_no_header_sent() -> None:
    assert () == OFF.interceptors
    assert not OFF.tracer.start_span("x").is_recording()


# --- small things --------------------------------------------------------------------------------


def exported(make: Callable[[str, SpanExporter], TracerProvider]) -> Sequence[ReadableSpan]:
    """What leaves of a span into which everything was put."""
    exporter = InMemorySpanExporter()
    provider = make("test", exporter)
    with (
        suppress(ValueError),
        provider.get_tracer("test").start_as_current_span("x") as span,
    ):
        span.set_attributes({"http.route": "/x", "http.url": f"/x?caller={NUMBER}"})
        raise ValueError(f"{PERSON} <{EMAIL}>")
    provider.force_flush()
    provider.shutdown()
    return exporter.get_finished_spans()


def people_of(systems: Systems) -> set[str]:
    """Everything personal that the database holds of the stage's account."""
    columns = (UserRow.name, UserRow.email, CompanyRow.name, NumberRow.number, CardRow.last4)
    with systems.db.transaction() as session:
        found = {value for column in columns for value in session.scalars(select(column))}
        return found | set(session.scalars(select(TrackerRow.destination_number)))


def trace_of(span: ReadableSpan) -> str:
    return f"{span.context.trace_id:032x}" if span.context else ""


def header_bytes(message: Message) -> int:
    """How much of the event is its header."""
    parts = [(field.name, value) for field, value in message.ListFields()]
    return sum(
        value.ByteSize() if name == "header" else header_bytes(value)
        for name, value in parts
        if isinstance(value, Message)
    )
