"""Several workers and web processes on one database, and somebody who pulls their plugs."""

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.processes import ROOT
from tests.postgresql import LAUNCHER
from tests.temporal import free_port

WORKERS, WEBS = 3, 2
SECONDS_BETWEEN_KILLS = 5.0

# A web process that was killed leaves its request to another one after a minute and a half.
ANSWER_WITHIN_SECONDS = 240.0

READY = ("ready: task queue", "Listening at")


@dataclass
class Member:
    """One process of the cluster, which is started again whenever it was killed."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its log tells of the latest start."""
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LAUNCHER, "", "", sys.executable, *self.arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def is_ready(self) -> bool:
        """Whether it takes work."""
        text = self.log.read_text()
        return any(sign in text for sign in READY)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


@dataclass
class Cluster:
    """Three workers and two web processes. `kills` counts how often one of them was killed."""

    members: list[Member]
    ports: list[int]
    kills: Counter[str] = field(default_factory=Counter)

    @asynccontextmanager
    async def under_fire(self, seed: int) -> AsyncIterator[None]:
        """Every few seconds one of the processes is killed and started again."""
        firing = asyncio.create_task(self._fire(random.Random(seed)))
        try:
            yield
        finally:
            firing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await firing

    async def post(self, path: str, key: str, once: str, body: dict[str, Any]) -> httpx.Response:
        """POST to whichever web process answers, under one idempotency key until it is answered."""
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": once}
        async with asyncio.timeout(ANSWER_WITHIN_SECONDS), httpx.AsyncClient() as http:
            for turn in count():
                port = self.ports[turn % len(self.ports)]
                url = f"http://127.0.0.1:{port}/api/v1{path}"
                with contextlib.suppress(httpx.TransportError):
                    answer = await http.post(url, json=body, headers=headers, timeout=40)
                    if not _ask_again(answer):
                        return answer
                await asyncio.sleep(0.2)
        raise AssertionError("never comes here")

    async def _fire(self, chance: random.Random) -> None:
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_KILLS)
            ready = [member for member in self.members if member.is_ready()]
            if ready:
                member = chance.choice(ready)
                member.kill()
                member.start()
                self.kills[member.name] += 1


def _ask_again(answer: httpx.Response) -> bool:
    """The backend is away for a moment, or still does what was asked for the first time."""
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return True
    in_use = answer.status_code == httpx.codes.CONFLICT
    return in_use and answer.json()["code"] == "idempotency_key_in_use"


@contextmanager
def running_cluster(environment: dict[str, str], directory: Path) -> Iterator[Cluster]:
    """A cluster that is being started; gone when the block ends."""
    ports = [free_port() for _ in range(WEBS)]
    workers = {f"worker-{number}": ("worker.py",) for number in range(WORKERS)}
    webs = {f"web-{number}": _web(port) for number, port in enumerate(ports)}
    members = [
        Member(name, arguments, environment, directory / f"{name}.log")
        for name, arguments in {**workers, **webs}.items()
    ]
    try:
        for member in members:
            member.start()
        yield Cluster(members, ports)
    finally:
        for member in members:
            member.kill()


def _web(port: int) -> tuple[str, ...]:
    return ("-P", "-m", "starter.cli", "web", "--host", "127.0.0.1", "--port", str(port))
