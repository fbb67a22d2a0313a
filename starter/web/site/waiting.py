"""Waiting within a request, for a few seconds, for what usually takes no longer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from anyio import from_thread

from domain.messages import Status

# A person waits that long for a page without wondering; proxies cut requests off after a minute.
WAIT_SECONDS = 6.0

# Between two looks of a page that loads itself anew: ever more seldom, it is somebody's browser.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2, 20
# From here on the page says that it takes longer than it should.
MANY_ROUNDS = 5


@dataclass(frozen=True)
class Rounds:
    """How often a page has loaded itself, and when it does so next."""

    so_far: int

    @property
    def next(self) -> int:
        """The number of the next round."""
        return self.so_far + 1

    @property
    def pause_seconds(self) -> int:
        """How long until then."""
        return min(FIRST_PAUSE_SECONDS + self.so_far, LONGEST_PAUSE_SECONDS)

    @property
    def are_many(self) -> bool:
        """Whether it takes longer than it should."""
        return self.so_far >= MANY_ROUNDS


def rounds_of(again: int) -> Rounds:
    """The rounds that an address tells of; nonsense counts as none."""
    return Rounds(again if 0 < again < 10_000 else 0)


class Waiting:
    """Waits in the thread of a request, while the process goes on."""

    def __init__(self, seconds: float = WAIT_SECONDS) -> None:
        """Never longer than `seconds`."""
        self._seconds = seconds
        self._acts: set[asyncio.Task[Status]] = set()

    def act(self, act: Callable[[], Awaitable[Status]]) -> Status | None:
        """What the act answers, or None if it takes longer: it goes on then.

        Call it from a route that is no coroutine.

        Raises:
            Rejected, Transient: what the act raises in time.
        """
        return from_thread.run(self._act, act)

    async def _act(self, act: Callable[[], Awaitable[Status]]) -> Status | None:
        task = asyncio.ensure_future(act())
        # The loop itself keeps only weak references to its tasks.
        self._acts.add(task)
        task.add_done_callback(self._over)
        await asyncio.wait({task}, timeout=self._seconds)
        return task.result() if task.done() else None

    def _over(self, task: asyncio.Task[Status]) -> None:
        self._acts.discard(task)
        # What became of it is told by the database; asking for it here keeps the loop from
        # reporting an error that nobody has seen.
        if not task.cancelled():
            task.exception()
