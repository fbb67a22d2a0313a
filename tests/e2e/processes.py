"""Workers as processes of their own, to be killed at a chosen moment."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgresql import LAUNCHER

ROOT = Path(__file__).parents[2]
READY = "ready"
WITHIN_SECONDS = 40


@dataclass(frozen=True)
class WorkerProcess:
    """A running worker and what it has written so far."""

    process: subprocess.Popen[bytes]
    log: Path

    def until_ready(self) -> None:
        """Wait until it takes tasks."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while READY not in self.log.read_text():
            is_waiting = self.process.poll() is None and time.monotonic() < deadline
            assert is_waiting, f"the worker did not start:\n{self.log.read_text()}"
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would: nothing of it runs any further."""
        self.process.kill()
        self.process.wait()


@contextmanager
def worker_process(
    log: Path, *arguments: str, environment: dict[str, str]
) -> Iterator[WorkerProcess]:
    """`python` with these arguments, from the project's root; gone when the block ends.

    It dies with the test process too, however that ends.
    """
    launched = [sys.executable, "-c", LAUNCHER, "", "", sys.executable, *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            launched,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    worker = WorkerProcess(process, log)
    try:
        yield worker
    finally:
        worker.kill()
