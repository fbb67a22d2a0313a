"""A real Temporal server for tests: one per test process, gone with it."""

import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from domain.names import SEARCH_ATTRIBUTE_TYPES
from starter.local.server import SQLITE_PRAGMAS

PDEATHSIG = 1
BINARY = Path(sys.executable).with_name("temporal")

DYNAMIC_CONFIG = (
    "frontend.WorkflowTimeSkippingEnabled=true",
    # Without these a skipped timer fires up to a second late.
    'history.timerProcessorMaxTimeShift="10ms"',
    'history.timerProcessorMaxPollInterval="100ms"',
    "history.timerProcessorMaxPollRPS=1000",
)


@dataclass(frozen=True)
class TemporalServer:
    """Where the server answers."""

    address: str
    process: subprocess.Popen[bytes]

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run Temporal's own command line against this server."""
        return subprocess.run(
            [BINARY, *args, "--address", self.address],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture(scope="session")
def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    """The server of this test process; each workflow has a clock of its own that can skip."""
    with running_server(tmp_path_factory.mktemp("temporal") / "server.log") as server:
        yield server


@contextmanager
def running_server(
    log: Path, *settings: str, database: Path | None = None
) -> Iterator[TemporalServer]:
    """Start a server on a free loopback port, writing to `log`, and stop it at the end.

    `settings` are added to its dynamic configuration. Without a `database` it keeps all in memory.
    """
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [BINARY, *_arguments(port, settings, database)],
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,
        )
    try:
        server = TemporalServer(f"127.0.0.1:{port}", process)
        _wait_until_healthy(server, port, log)
        yield server
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _arguments(port: int, settings: tuple[str, ...], database: Path | None) -> list[str]:
    arguments = ["server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--headless"]
    for setting in (*DYNAMIC_CONFIG, *settings):
        arguments += ["--dynamic-config-value", setting]
    for name, kind in SEARCH_ATTRIBUTE_TYPES.items():
        arguments += ["--search-attribute", f"{name}={kind}"]
    if database is not None:
        arguments += ["--db-filename", str(database)]
        for pragma in SQLITE_PRAGMAS:
            arguments += ["--sqlite-pragma", pragma]
    return arguments


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)


def _wait_until_healthy(server: TemporalServer, port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.process.poll() is None:
        # On a busy machine the port is open a while before anybody is served.
        if _is_open(port) and server.command("operator", "cluster", "health").returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError(f"the Temporal server did not start:\n{log.read_text()[-2000:]}")


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
