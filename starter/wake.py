"""Waking a pause from another thread than the one in which Temporal's client lives."""

import asyncio
from datetime import timedelta

from temporalio.client import Client

from domain import names
from domain.errors import Transient
from starter.answers import RunIsGone, translated

# A signal takes milliseconds. Whoever waits longer learns that Temporal is away.
ANSWER_WITHIN = timedelta(seconds=5)
# For a loop that is too busy to come round to it at all.
WAIT_SECONDS = 2 * ANSWER_WITHIN.total_seconds()


class Waker:
    """Sends signals without payload to the runs of pauses; nothing is read from a database."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        """`client` belongs to `loop`, which must run in another thread than the caller's."""
        self._client = client
        self._loop = loop

    def wake(self, account_id: str, signal: str) -> bool:
        """Send the run of the account's pause that signal; False if there is no run to be woken.

        Safe to repeat: it makes the run look something up, or try something that is due.

        Raises:
            Transient: Temporal did not answer. The signal may or may not have arrived.
        """
        sending = asyncio.run_coroutine_threadsafe(self._send(account_id, signal), self._loop)
        try:
            return sending.result(WAIT_SECONDS)
        except TimeoutError:
            sending.cancel()
            raise Transient(f"the run of account {account_id} was not woken in time") from None

    async def _send(self, account_id: str, signal: str) -> bool:
        run = self._client.get_workflow_handle(names.pause_workflow_id(account_id))
        try:
            with translated():
                await run.signal(signal, rpc_timeout=ANSWER_WITHIN)
        except RunIsGone:
            return False
        return True
