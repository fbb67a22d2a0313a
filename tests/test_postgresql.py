import os
import signal
import socket
import subprocess
import sys
import time

import psycopg

from tests.postgresql import PostgresServer

PROGRAM = """
import signal
from tests.postgresql import running_server
with running_server() as server:
    print(server.port, flush=True)
    signal.pause()
"""
DEADLINE_SECONDS = 20


def test_each_copy_of_a_template_is_its_own(postgresql_server: PostgresServer) -> None:
    template = postgresql_server.create()
    first, second = (postgresql_server.create(template) for _ in range(2))

    with _connected(postgresql_server, first) as connection:
        connection.execute("CREATE TABLE only_here (id int)")

    with _connected(postgresql_server, second) as connection:
        found = connection.execute("SELECT to_regclass('only_here')").fetchone()
    assert (None,) == found
    postgresql_server.drop(first)


def test_the_server_dies_with_a_test_process_that_is_killed() -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    assert _answers(port), "a control: it did run"

    os.kill(process.pid, signal.SIGKILL)

    process.communicate()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while _answers(port):
        assert time.monotonic() < deadline, "PostgreSQL has outlived the process that started it"
        time.sleep(0.05)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _connected(server: PostgresServer, database: str) -> "psycopg.Connection[tuple[object, ...]]":
    url = server.url(database).replace("+psycopg", "")
    return psycopg.connect(url, autocommit=True)
