"""Where cards are handed in: a page of the gateway's is opened, and what was entered is taken."""

import asyncio

from domain.errors import Code, Rejected, Transient, invalid
from domain.payments import CardPage, PageState
from starter.backend import Backend
from starter.now import utc_now
from systems.billing.cards import CardView

# A pause that was not told in time is told by the worker, which goes on with the page.
TELL_SECONDS = 5


class CardDesk:
    """Lets an administrator change the card on file by the gateway's own page (R8)."""

    def __init__(self, backend: Backend) -> None:
        """Open pages, and tell pauses of new cards, through `backend`."""
        self._backend = backend
        self._entries = backend.systems.card_entries

    async def open(
        self, account_id: str, requested_by: str, return_url: str, *, reopen: bool = False
    ) -> CardPage:
        """A fresh page; see `Backend.enter_card`."""
        return await asyncio.to_thread(
            self._backend.enter_card, account_id, requested_by, return_url, reopen=reopen
        )

    async def take(self, account_id: str, page_id: str) -> CardView | None:
        """Put the card on file that was entered on the page; answers with the card on file.

        Safe to repeat: an older page does not take the place of a newer card.

        Raises:
            Rejected: `payment_method_required`: nothing was entered so far; `validation_failed`:
                the page is not the account's, or it has expired.
            Transient: gateway or database did not answer; ask again.
        """
        loop = asyncio.get_running_loop()
        return await asyncio.to_thread(self._take, account_id, page_id, loop)

    def _take(
        self, account_id: str, page_id: str, loop: asyncio.AbstractEventLoop
    ) -> CardView | None:
        known = self._entries.entry(page_id)
        if known is None or known.account_id != account_id:
            raise invalid("token", f"Account {account_id} has no such card page.")
        state = self._looked_up(page_id, loop)
        if state is PageState.OPEN:
            raise Rejected(
                Code.PAYMENT_METHOD_REQUIRED,
                f"Account {account_id}: no card was entered on that page so far.",
            )
        if state is PageState.EXPIRED:
            raise invalid(
                "token", f"Account {account_id}: that card page has expired; open another one."
            )
        return self._backend.systems.billing.card(account_id)

    def _looked_up(self, page_id: str, loop: asyncio.AbstractEventLoop) -> PageState:
        entries = self._entries
        try:
            entries.look_up(page_id, utc_now(), lambda account_id: self._tell(account_id, loop))
        except Transient:
            entry = entries.entry(page_id)
            if entry is None or entry.state is not PageState.ENTERED:
                raise
            # It is on file. What else it leads to is done by the worker, which goes on with it.
        entry = entries.entry(page_id)
        return entry.state if entry is not None else PageState.EXPIRED

    def _tell(self, account_id: str, loop: asyncio.AbstractEventLoop) -> bool:
        """Let the account's pause try the card; we are in a thread, Temporal's client is not."""
        telling = asyncio.run_coroutine_threadsafe(self._backend.card_changed(account_id), loop)
        try:
            telling.result(TELL_SECONDS)
        except TimeoutError:
            telling.cancel()
            raise Transient(f"the pause of account {account_id} was not told in time") from None
        return True
