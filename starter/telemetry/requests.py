"""Every HTTP request, counted and traced by its route: the template, never the address itself."""

from time import perf_counter

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from starter.telemetry.metrics import Metrics

# What no route takes: an address of the sender's making is no label.
UNKNOWN = "unknown"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# Health is asked for every few seconds, by machines.
NOT_TRACED = frozenset({"/healthz", "/readyz"})

TRACEPARENT = "traceparent"
PROPAGATOR = TraceContextTextMapPropagator()


class Requests:
    """Watches the requests of `app`. The trace of a caller's own is gone on with.

    Of what callers send only the trace's id is believed: their `tracestate` and `baggage` would be
    kept with the pause for months.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, tracer: Tracer) -> None:
        """Count on `metrics`, make spans with `tracer`."""
        self._app = app
        self._metrics = metrics
        self._tracer = tracer
        self._templates: dict[int, str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] in NOT_TRACED:
            await self._counted(scope, receive, send)
        else:
            await self._traced(scope, receive, send)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = _method(scope)
        with self._tracer.start_as_current_span(
            method, _callers_trace(scope), SpanKind.SERVER
        ) as span:
            status = await self._counted(scope, receive, send)
            route = self._route(scope)
            span.update_name(f"{method} {route}")
            span.set_attributes(
                {
                    "http.request.method": method,
                    "http.route": route,
                    "http.response.status_code": int(status),
                }
            )
            if status >= 500:
                span.set_status(Status(StatusCode.ERROR))

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Have the request answered; returns its status, 500 where there was no answer."""
        status, began = 500, perf_counter()

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            seconds = perf_counter() - began
            self._metrics.request(self._route(scope), _method(scope), status, seconds)
        return status

    def _route(self, scope: Scope) -> str:
        """The template of the address, with the prefix under which its router is."""
        taken_by = scope.get("route") or scope.get("endpoint")
        if taken_by is None:
            return UNKNOWN
        if self._templates is None:
            self._templates = _templates(scope["app"])
        return self._templates.get(id(taken_by), UNKNOWN)


def _templates(app: FastAPI) -> dict[int, str]:
    """The template of every route, by the object that a request's scope names as its taker."""
    templates = {}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        # Mounts and plain routes are named by what answers.
        taker = route if isinstance(route, APIRoute) else getattr(route, "endpoint", None)
        templates[id(taker or getattr(route, "app", route))] = context.path or UNKNOWN
    return templates


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in METHODS else "other"


def _callers_trace(scope: Scope) -> Context | None:
    carrier = {TRACEPARENT: Headers(scope=scope).get(TRACEPARENT, "")}
    return PROPAGATOR.extract(carrier)
