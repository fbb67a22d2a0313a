"""The embedded server is for this machine alone: loopback only, and its HTTP API is closed."""

import ipaddress
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

import pytest

from starter.local.processes import LOOPBACK, bound_to_parent, free_port
from starter.local.server import server_command
from tests.starter.conftest import Up, until

# Reading, writing, in both ways to name a namespace; none is there without the API.
CALLS = (
    ("GET", "/api/v1/namespaces"),
    ("GET", "/api/v1/system-info"),
    ("GET", "/api/v1/namespaces/default/workflows"),
    ("GET", "/cluster/namespaces"),
    ("GET", "/namespaces/default/workflows"),
    ("POST", "/api/v1/namespaces/default/workflows/account-pause:ACC1/signal/resume"),
)
# A slash is left out: no HTTP server takes it for a host, whoever's turn it would be.
HOSTS = ("127.0.0.1", "localhost", "example.com", "x.invalid", "", "*", "%2f")
FORBIDDEN = 403


def test_the_server_of_the_stack_listens_on_the_loopback_interface_alone(stack: Up) -> None:
    listening = listeners(stack.child("start-dev"))

    assert stack.port in {port for _, port in listening}
    assert all(address.is_loopback for address, _ in listening), listening


@pytest.mark.parametrize("host", HOSTS)
def test_no_port_of_the_stacks_server_but_the_web_ui_answers_over_http(
    stack: Up, host: str
) -> None:
    ui_port = int(stack.document["ui_url"].rpartition(":")[2])
    ports = {port for _, port in listeners(stack.child("start-dev"))} - {ui_port}

    answers = {port: answers_of(port, host) for port in ports}

    guarded = [port for port, codes in answers.items() if set(codes) == {FORBIDDEN}]
    assert len(guarded) == 1, f"the HTTP API is not closed: {answers}"
    # gRPC does not speak HTTP/1, and the metrics have nothing at these paths.
    others = {code for port in ports - {*guarded} for code in answers[port]}
    assert others <= {None, 404}, answers


def test_control_without_the_guard_the_http_api_would_answer() -> None:
    port, http_port = free_port(), free_port()
    command = [*server_command(port), "--http-port", str(http_port)]
    guard = next(part for part in command if part.startswith("frontend.httpAllowedHosts"))
    at = command.index(guard)

    with running([*command[: at - 1], *command[at + 1 :]]):
        until(lambda: 200 in answers_of(http_port, "example.com"), "the API answers")


def listeners(pid: int) -> set[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]]:
    """Where a process listens, over TCP or UDP."""
    sockets = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, this_state, *more = line.split()
            if this_state == state and f"socket:[{more[5]}]" in sockets:
                address, _, port = local.partition(":")
                found.add((_address(address), int(port, 16)))
    return found


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    # The kernel writes each 32 bits of it as the machine does: the last byte first.
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    return ipaddress.ip_address(b"".join(words))


def answers_of(port: int, host: str) -> list[int | None]:
    """What the port answers to each call, None where it does not speak HTTP."""
    return [_answer(port, host, *call) for call in CALLS]


def _answer(port: int, host: str, method: str, path: str) -> int | None:
    connection = HTTPConnection(LOOPBACK, port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host)
        connection.putheader("Content-Length", "0")
        connection.endheaders()
        answer: HTTPResponse = connection.getresponse()
        return answer.status
    except (HTTPException, OSError):
        return None
    finally:
        connection.close()


@contextmanager
def running(command: list[str]) -> Iterator[None]:
    """The command, until the block ends."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(bound_to_parent(command), stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.kill()
        process.wait()
