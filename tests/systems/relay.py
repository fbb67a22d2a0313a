"""A loopback relay in front of the stand-in that keeps what goes through it, to be searched."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Seen:
    """One request: where to, with which parameters and headers, whose names are in lower case."""

    method: str
    path: str
    parameters: dict[str, str]
    headers: dict[str, str]


@dataclass
class Relay:
    """Where to send requests instead, and what was sent."""

    url: str
    seen: list[Seen] = field(default_factory=list)

    def sent_to(self, path: str) -> list[Seen]:
        """The requests that were posted there."""
        return [it for it in self.seen if (it.method, it.path) == ("POST", path)]


@contextmanager
def running_relay(url: str) -> Iterator[Relay]:
    """A relay to `url`, on a port that is free."""
    seen: list[Seen] = []
    there = urlsplit(url)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: tests read what was seen."""

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            seen.append(_seen(self.command, self.path, body, dict(self.headers)))
            connection = HTTPConnection(there.hostname or "", there.port, timeout=10)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            connection.close()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield Relay(f"http://127.0.0.1:{server.server_address[1]}", seen)
        finally:
            server.shutdown()
            thread.join()


def _seen(method: str, target: str, body: bytes, headers: dict[str, str]) -> Seen:
    there = urlsplit(target)
    parameters = dict(parse_qsl(there.query) + parse_qsl(body.decode()))
    return Seen(method, there.path, parameters, {name.lower(): it for name, it in headers.items()})
