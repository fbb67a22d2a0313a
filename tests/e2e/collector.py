"""A collector of traces: takes what OTLP sends over HTTP, and keeps it."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans


class Collector:
    """What came in so far, at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[ResourceSpans] = []

    def names(self, trace_id: str) -> dict[str, set[str]]:
        """The names of that trace's spans, by the service that sent them."""
        found: dict[str, set[str]] = {}
        for each in self.received:
            service = next(
                attribute.value.string_value
                for attribute in each.resource.attributes
                if attribute.key == "service.name"
            )
            spans = [span for scope in each.scope_spans for span in scope.spans]
            of_it = {span.name for span in spans if span.trace_id.hex() == trace_id}
            found.setdefault(service, set()).update(of_it)
        return found

    def texts(self) -> list[object]:
        """Everything that came in, as JSON values."""
        return [MessageToDict(each) for each in self.received]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                request = ExportTraceServiceRequest.FromString(body)
                collector.received.extend(request.resource_spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
