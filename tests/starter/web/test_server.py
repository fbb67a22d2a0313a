"""The web process as a process: it serves, finishes what it has begun, and says what is wrong."""

import http.client
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from starter.web.server import config_of
from systems.db import make_engine
from systems.tables import GatewayEventRow
from tests.starter.conftest import COMMAND, ROOT, Cli, environment, until
from tests.starter.web.shop import SECRET, TEST_KEY
from tests.starter.web.test_webhooks import PATH, genuine
from tests.temporal import free_port

WITHIN_SECONDS = 30


@contextmanager
def running_web(tmp_path: Path, port: int, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """`account-pause web` on that port, answering; its log is `web.log`."""
    log = tmp_path / "web.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "web", "--port", str(port)],
            cwd=ROOT,
            env={**environment(tmp_path / "state"), **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: answers(port) or process.poll() is not None, "the web process answers")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def request(port: int, method: str, path: str, **more: object) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_SECONDS)
    with closing(connection):
        connection.request(method, path, **more)  # type: ignore[arg-type]  # body and headers
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_it_serves_finishes_what_has_begun_when_told_to_stop_and_keeps_no_addresses(
    sqlite_url: str, tmp_path: Path
) -> None:
    port = free_port()
    stripe = {"STRIPE_API_KEY": TEST_KEY, "STRIPE_WEBHOOK_SECRET": SECRET}
    body, signature = genuine(padding="x" * 30_000)
    with running_web(tmp_path, port, DATABASE_URL=sqlite_url, **stripe) as process:
        ready = request(port, "GET", "/readyz")
        headers = {"Stripe-Signature": str(signature)}
        took = []
        for _ in range(20):
            began = time.perf_counter()
            assert 200 == request(port, "POST", PATH, body=body, headers=headers)[0]
            took.append(time.perf_counter() - began)
        with _begun(port, body, headers) as late:
            process.send_signal(signal.SIGTERM)
            until(lambda: not answers(port), "no new connection is taken")
            late.sendall(body)
            answer = late.recv(4_000)
        code = process.wait(WITHIN_SECONDS)

    assert 200 == ready[0]
    assert answer.startswith(b"HTTP/1.1 200")
    assert 0 == code
    assert sorted(took)[len(took) // 2] < 0.05, took
    log = (tmp_path / "web.log").read_text()
    assert PATH not in log
    assert SECRET not in log
    assert TEST_KEY not in log
    engine = make_engine(sqlite_url)
    with engine.begin() as connection:
        assert 1 == len(connection.execute(select(GatewayEventRow.event_id)).all())
    engine.dispose()


def _begun(port: int, body: bytes, headers: dict[str, str]) -> socket.socket:
    """A connection on which a request has been announced, and the server asks for its body."""
    begun = socket.create_connection(("127.0.0.1", port), timeout=WITHIN_SECONDS)
    lines = [
        f"POST {PATH} HTTP/1.1",
        "Host: shop",
        f"Content-Length: {len(body)}",
        "Expect: 100-continue",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    begun.sendall("\r\n".join([*lines, "", ""]).encode())
    assert begun.recv(1_000).startswith(b"HTTP/1.1 100")
    return begun


@pytest.mark.parametrize(
    ("trusted", "sender", "expected"),
    [
        ("10.0.0.0/8", "10.1.2.3", ("203.0.113.9", "https")),
        ("10.1.2.3,10.9.9.9", "10.1.2.3", ("203.0.113.9", "https")),
        ("10.0.0.0/8", "192.0.2.1", ("192.0.2.1", "http")),
        ("", "127.0.0.1", ("127.0.0.1", "http")),
    ],
)
async def test_only_a_proxy_that_is_trusted_says_for_whom_it_asks(
    trusted: str, sender: str, expected: tuple[str, str]
) -> None:
    asked: list[tuple[str, str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append((scope["client"][0], scope["scheme"]))

    config = config_of(app, trusted)  # type: ignore[arg-type]  # any application will do
    config.load()
    forwarded = [(b"x-forwarded-for", b"6.6.6.6, 203.0.113.9"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "scheme": "http", "client": (sender, 1), "headers": forwarded}
    await config.loaded_app(scope, None, None)

    assert [expected] == asked


def test_a_taken_port_is_told_with_what_to_do(sqlite_url: str, tmp_path: Path, cli: Cli) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = cli(tmp_path, "web", "--port", str(port), DATABASE_URL=sqlite_url)

    assert 3 == done.exit_code
    assert f"port {port}" in done.err
    assert "--port" in done.err


def test_a_database_that_is_not_there_is_told_with_the_command_that_makes_it(
    tmp_path: Path, cli: Cli
) -> None:
    done = cli(tmp_path, "web")

    assert 3 == done.exit_code
    assert "account-pause migrate" in done.err
