"""The file by which a running local stack is known: locked while it runs, and saying where it is.

The operating system gives the lock back however the stack ends, so a stale file misleads nobody.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

FILE_NAME = "up.json"

LOOKS, SECONDS_BETWEEN_LOOKS = 5, 0.05


@dataclass(frozen=True)
class LocalStack:
    """A running stack. `owns_server`: the Temporal server is its own, with clocks that can skip.

    `web_url` is where its web process answers.
    """

    pid: int
    address: str | None = None
    ui_url: str | None = None
    owns_server: bool = False
    web_url: str | None = None


class AlreadyUp(Exception):
    """Another stack runs on the same state directory."""

    def __init__(self, holder: LocalStack, state_dir: Path) -> None:
        """Keep who it is."""
        where = f", its Web UI at {holder.ui_url}" if holder.ui_url else ""
        super().__init__(
            f"The local stack is up already: process {holder.pid}{where}, state in {state_dir}."
            " Use it as it is, or stop that process first; ACCOUNT_PAUSE_STATE_DIR names another"
            " directory for a second stack."
        )
        self.holder = holder


class Marker:
    """The file, while this process holds its lock."""

    def __init__(self, file: IO[str]) -> None:
        """`file` is open and locked."""
        self._file = file

    def announce(self, stack: LocalStack) -> None:
        """Tell other commands where the stack is."""
        self._file.seek(0)
        self._file.truncate()
        json.dump(asdict(stack), self._file)
        self._file.flush()


@contextmanager
def claimed(state_dir: Path) -> Iterator[Marker]:
    """The right to run the one stack of `state_dir`, until the block ends.

    Raises:
        AlreadyUp: another process has it.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / FILE_NAME).open("a+") as file:
        if not _locked(file):
            raise AlreadyUp(_read(file), state_dir)
        marker = Marker(file)
        marker.announce(LocalStack(os.getpid()))
        try:
            yield marker
        finally:
            file.truncate(0)


def running_stack(state_dir: Path) -> LocalStack | None:
    """The stack that runs on `state_dir`, if one does and says already where it is."""
    try:
        file = (state_dir / FILE_NAME).open("r+")
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            stack = _read(file)
            return stack if stack.address else None
    return None


def _locked(file: IO[str]) -> bool:
    # Commands that only look (`running_stack`) hold the lock for a moment too.
    for _ in range(LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        else:
            return True
    return False


def _read(file: IO[str]) -> LocalStack:
    file.seek(0)
    text = file.read()
    return LocalStack(**json.loads(text)) if text else LocalStack(pid=0)
