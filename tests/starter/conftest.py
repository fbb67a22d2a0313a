"""A local stack that runs as a person's would, and the command line beside it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from settings import Settings
from starter.cli.app import execute
from starter.local.processes import bound_to_parent, free_port
from systems.sample import SampleAccount, create_account
from systems.wiring import open_systems

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from starter.cli import main; main()"]
WITHIN_SECONDS = 60


@dataclass(frozen=True)
class Up:
    """A running `account-pause up`."""

    process: subprocess.Popen[str]
    state_dir: Path
    document: dict[str, Any]

    @property
    def port(self) -> int:
        """Where its server answers."""
        return int(self.document["address"].rpartition(":")[2])

    def children(self) -> list[int]:
        """The process ids of its server, its worker and its web process."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in task.read_text().split()]

    def child(self, name: str) -> int:
        """The process id of the child with `name` in its command line."""
        return next(pid for pid in self.children() if name in _command_line(pid))

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the signal; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(WITHIN_SECONDS)


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it should be."""
        return json.loads(self.out)


Cli = Callable[..., Answer]


@contextmanager
def running_up(state_dir: Path, **more: str) -> Iterator[Up]:
    """`account-pause up` on free ports, ready to be used; `more` is added to its environment."""
    process = _started(state_dir, **more)
    text = "".join(_document_lines(process))
    if not text:
        # A port that was free is not kept for anybody, so it may take another start.
        process.wait()
        process = _started(state_dir, **more)
        text = "".join(_document_lines(process))
    try:
        assert text, f"`up` did not come up:\n{errors_of(state_dir).read_text()}"
        yield Up(process, state_dir, json.loads(text))
    finally:
        process.kill()
        process.wait()


def errors_of(state_dir: Path) -> Path:
    """Where `running_up` keeps what `up` says beside its document."""
    return state_dir.parent / f"{state_dir.name}-up.err"


def environment(state_dir: Path) -> dict[str, str]:
    """The environment of a command that works on `state_dir` alone."""
    mine = ("TEMPORAL_", "ACCOUNT_PAUSE_", "STRIPE_", "DATABASE_URL", "SMTP_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    return {**kept, "ACCOUNT_PAUSE_STATE_DIR": str(state_dir), "ACCOUNT_PAUSE_JOB_SECONDS": "0.2"}


def until(check: Callable[[], bool], what: str) -> None:
    """Wait until `check` holds."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while not check():
        assert time.monotonic() < deadline, f"in {WITHIN_SECONDS} s it never came true: {what}"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A local stack with its sample accounts; tests make accounts of their own on it."""
    with running_up(tmp_path_factory.mktemp("stack")) as up:
        yield up


@pytest.fixture
def account(stack: Up) -> Iterator[SampleAccount]:
    """A fresh account on the stack, billed on the 15th, by local time in Chicago."""
    settings = Settings(state_dir=stack.state_dir)
    systems = open_systems(settings.database, settings.gateway, 1)
    yield create_account(
        systems,
        key=uuid4().hex,
        name=f"Shop {uuid4().hex}",
        time_zone="America/Chicago",
        billing_day=15,
        created_at=datetime.now(UTC),
    )
    systems.close()


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in this process on a state directory."""

    def run(state_dir: Path, *arguments: str, **more: str) -> Answer:
        for name in os.environ:
            if name not in environment(state_dir):
                monkeypatch.delenv(name)
        for name, value in {**environment(state_dir), **more}.items():
            monkeypatch.setenv(name, value)
        capfd.readouterr()
        exit_code = execute(arguments)
        captured = capfd.readouterr()
        return Answer(exit_code, captured.out, captured.err)

    return run


def _started(state_dir: Path, **more: str) -> subprocess.Popen[str]:
    options = ("--port", "--ui-port", "--web-port")
    ports = [part for option in options for part in (option, str(free_port()))]
    with errors_of(state_dir).open("w") as errors:
        return subprocess.Popen(
            bound_to_parent([*COMMAND, "up", "--json", *ports]),
            cwd=ROOT,
            env={**environment(state_dir), **more},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


def _document_lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """The lines of the JSON object on standard output; none of one that says what went wrong."""
    assert process.stdout is not None
    with process.stdout as out:
        lines = list(takewhile(lambda line: line != "}\n", out))
    return iter([*lines, "}\n"] if any('"address"' in line for line in lines) else [])


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()
