"""How long a request may take, its sender included."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import Transient

# Pausing waits a minute for a worker (`ANSWER_SECONDS`), everything else takes far less. Whoever
# trickles a body in is cut off as well.
SECONDS = 75.0


class TimeLimit:
    """Ends requests that take too long; what they have asked for may still come about."""

    def __init__(self, app: ASGIApp, seconds: float = SECONDS) -> None:
        """Around `app`."""
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class.

        Raises:
            Transient: the time is over.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                await self._app(scope, receive, send)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise Transient("a request took too long") from error
