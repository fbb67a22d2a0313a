"""Child processes that never outlive the process that starts them, and the ports they need."""

import asyncio
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"

# Runs before the child becomes what it is to be: Linux is asked to kill it when its parent dies,
# however the parent dies. Should that have happened already, the child gives up by itself.
# Not a `preexec_fn`, which newer Pythons warn about in a process with threads.
LAUNCHER = """
import ctypes, os, sys
parent, *command = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(parent):
    os.execvp(command[0], command)
"""


def bound_to_parent(command: Sequence[str]) -> list[str]:
    """`command`, to be started by the main thread of this process and to die with it (Linux)."""
    return [sys.executable, "-c", LAUNCHER, str(os.getpid()), *command]


class Child:
    """One child process whose output goes to a log file."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        """`environment` is added to this process's own."""
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, or start it again once it has ended; its log goes on where it was."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *bound_to_parent(self._command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
                # Ctrl-C goes to the parent alone, which stops its children in the right order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id of the child that was started last."""
        return self._started.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def wait(self) -> int:
        """Its exit code, once it has ended; negative for a signal."""
        return await self._started.wait()

    async def stop(self, seconds: float) -> None:
        """Ask it to stop; after `seconds` without effect, kill it."""
        if not self.is_running:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), seconds)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.wait()

    @property
    def _started(self) -> asyncio.subprocess.Process:
        assert self._process is not None, f"{self.name} was never started"
        return self._process

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._started.send_signal(number)


def tail(file: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    with suppress(FileNotFoundError), file.open(errors="replace") as log:
        return "".join(deque(log, lines)).rstrip()
    return ""


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def is_taken(port: int) -> bool:
    """Whether somebody listens on the port, on any interface that includes the loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
