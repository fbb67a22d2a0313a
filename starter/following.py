"""Following a pause until it is over, asking no more than is needed.

Every two seconds Temporal is asked how long the run's history is: one small call, which no worker
sees. Only when that has grown something has happened, and only then a worker is asked for the
status. So a month of watching a quiet pause costs no query, and a hundred who watch wake nobody.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from domain.errors import Rejected, Transient
from domain.messages import Status
from domain.ports import Act
from starter.backend import Backend

EVERY_SECONDS = 2.0

RUN_IS_GONE = (
    "This pause is not over, and nothing runs for it: its run was ended by hand or lost. See"
    " docs/operations.md, “Lost runs”."
)


@dataclass(frozen=True)
class Sighting:
    """Where the pause stands; `note` says why that may be older, or less, than the run knows."""

    status: Status
    note: str | None = None


class Follower:
    """Looks at one pause or close again and again."""

    def __init__(self, backend: Backend, act: Act, every_seconds: float = EVERY_SECONDS) -> None:
        """Look at `act`, whatever begins after it."""
        self._backend = backend
        self._act = act
        self._every_seconds = every_seconds
        self._last: Sighting | None = None
        self._known_events = -1

    async def sightings(self) -> AsyncIterator[Sighting]:
        """What is to be seen at first, then each change, until the pause is over.

        A service that does not answer is told as a note, and asked again.

        Raises:
            Rejected: the database never had that pause.
        """
        while True:
            sighting = await self._look()
            if sighting != self._last:
                self._last = sighting
                yield sighting
            if sighting.status.state.is_final:
                return
            await asyncio.sleep(self._every_seconds)

    async def _look(self) -> Sighting:
        try:
            run = await self._backend.run(self._act.account_id, self._act.kind)
            if run is None or not run.is_running:
                status = await self._record()
                return Sighting(status, None if status.state.is_final else RUN_IS_GONE)
            if self._last is not None and run.events == self._known_events:
                return Sighting(self._last.status)
            status = await self._backend.status(self._act.account_id)
        except Transient as error:
            return await self._while_away(str(error))
        except Rejected:
            # The run has ended between the two questions.
            return Sighting(await self._record())
        if status.pause_id != self._act.act_id:
            return Sighting(await self._record())
        self._known_events = run.events
        return Sighting(status)

    async def _while_away(self, why: str) -> Sighting:
        """What was seen last stands: without Temporal or a worker no pause goes on."""
        status = self._last.status if self._last else await self._record()
        return Sighting(status, f"Going on when it is back: {why}.")

    async def _record(self) -> Status:
        return await asyncio.to_thread(self._backend.record, self._act.account_id, self._act.act_id)
