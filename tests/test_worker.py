"""The worker as a process: how it starts, what it says when it cannot, and how it stops."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.standin.control import Standin
from tests.temporal import TemporalServer, free_port

ROOT = Path(__file__).parents[1]
WITHIN_SECONDS = 30


@contextmanager
def running(log: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python worker.py` with these variables; whatever happens, it is gone afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, ROOT / "worker.py"],
            cwd=log.parent,
            env={**os.environ, **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until_logged(log: Path, words: str) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while words not in log.read_text():
        assert time.monotonic() < deadline, f"{words!r} was never logged:\n{log.read_text()}"
        time.sleep(0.05)


def stopped(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(WITHIN_SECONDS)


def test_a_worker_serves_until_it_is_told_to_stop(
    temporal_server: TemporalServer, sqlite_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    variables = {"DATABASE_URL": sqlite_url, "TEMPORAL_ADDRESS": temporal_server.address}
    with running(log, **variables) as process:
        until_logged(log, "ready")
        code = stopped(process)

    assert code == 0, log.read_text()
    assert "stopped" in log.read_text()


def test_a_key_that_stripe_refuses_is_told_at_the_start_and_ends_nothing(
    temporal_server: TemporalServer, sqlite_url: str, tmp_path: Path, standin: Standin
) -> None:
    log = tmp_path / "worker.log"
    variables = {
        "DATABASE_URL": sqlite_url,
        "TEMPORAL_ADDRESS": temporal_server.address,
        "STRIPE_API_KEY": "sk_test_revoked",
        "ACCOUNT_PAUSE_STRIPE_URL": standin.url,
    }
    with running(log, **variables) as process:
        until_logged(log, "check it")
        code = stopped(process)

    assert code == 0, log.read_text()
    assert "money moves at stripe-test" in log.read_text()
    assert "STRIPE_API_KEY" in log.read_text()
    assert "sk_test_revoked" not in log.read_text()


def test_a_worker_waits_for_a_server_that_is_not_up_yet(sqlite_url: str, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    address = f"127.0.0.1:{free_port()}"
    with running(log, DATABASE_URL=sqlite_url, TEMPORAL_ADDRESS=address) as process:
        until_logged(log, "waiting for Temporal")
        code = stopped(process)

    assert code == 0, log.read_text()


def test_a_database_that_is_not_migrated_is_told_with_the_command_that_does_it(
    tmp_path: Path,
) -> None:
    log = tmp_path / "worker.log"
    with running(log, DATABASE_URL=f"sqlite:///{tmp_path / 'empty.db'}") as process:
        code = process.wait(WITHIN_SECONDS)

    assert code == 1
    assert "account-pause migrate" in log.read_text()


def test_a_database_that_is_away_is_told_without_a_traceback(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with running(log, DATABASE_URL="postgresql://user:secret@127.0.0.1:1/away") as process:
        code = process.wait(WITHIN_SECONDS)

    assert code == 1
    assert "DATABASE_URL" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert "secret" not in log.read_text()


def test_a_setting_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with running(log, ACCOUNT_PAUSE_WORKER_SLOTS="none") as process:
        code = process.wait(WITHIN_SECONDS)

    assert code == 1
    assert "ACCOUNT_PAUSE_WORKER_SLOTS" in log.read_text()
    assert "Traceback" not in log.read_text()
