"""The stand-in as a fixture: one process per test process, as new for every test."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.postgresql import LAUNCHER
from tests.standin.control import Standin

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def standin_process() -> Iterator[Standin]:
    """The running stand-in, in whatever state the last test has left it."""
    with running_standin() as standin:
        yield standin


@pytest.fixture
def standin(standin_process: Standin) -> Iterator[Standin]:
    """The stand-in as new. A card number in any parameter fails the test."""
    standin_process.reset()
    yield standin_process
    assert [] == standin_process.card_numbers(), "card numbers must never reach our code"
    assert [] == standin_process.bugs(), "the stand-in itself failed; mend tests/standin"


@contextmanager
def running_standin() -> Iterator[Standin]:
    """Start it on ports that it chooses, and stop it at the end.

    It dies with the test process too, however that ends.
    """
    command = [sys.executable, "-m", "tests.standin"]
    launched = [sys.executable, "-c", LAUNCHER, "", "", *command]
    with subprocess.Popen(launched, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            ports = json.loads(process.stdout.readline())
            yield Standin(
                url=f"http://127.0.0.1:{ports['api']}",
                control_port=ports["control"],
            )
        finally:
            process.kill()
