"""What the systems do by themselves as time passes: invoice, look up, settle doubts, send mails."""

import logging
from collections.abc import Callable
from datetime import datetime

from domain import names
from domain.errors import Transient, unforeseen
from systems.billing import SqlBilling
from systems.billing.card_entries import CardEntries
from systems.billing.events import GatewayEvents
from systems.billing.refunds import Refunds
from systems.notices import Relay

log = logging.getLogger("account_pause.jobs")

# How many accounts one round may invoice: a round stays short, and the next one follows at once.
ACCOUNTS_PER_ROUND = 200

# Sends the run of an account's pause the signal of that name; False if there is no run.
# Raises `Transient` when Temporal does not answer.
Wake = Callable[[str, str], bool]


class Jobs:
    """Safe to run in any number of processes; each piece of work is done once."""

    def __init__(
        self,
        billing: SqlBilling,
        relay: Relay,
        events: GatewayEvents,
        card_entries: CardEntries,
        wake: Wake,
        refunds: Refunds,
    ) -> None:
        """Work on these; `wake` is called from the thread that runs the jobs."""
        self._billing = billing
        self._relay = relay
        self._events = events
        self._card_entries = card_entries
        self._wake = wake
        self._refunds = refunds

    def run_once(self, now: datetime) -> int:
        """Do what is due at `now`; returns how many pieces of work were done.

        A system that is away is logged and left for the next round, so one never holds up another.
        """
        return (
            self._try("invoice plans", lambda: self._invoice_plans(now))
            # Ahead of what looks things up: what an event is about is looked up in the same round.
            + self._try("handle the gateway's events", lambda: self._handle_events(now))
            + self._try("put entered cards on file", lambda: self._look_up_card_pages(now))
            + self._try("settle unknown charges", lambda: self._billing.settle_unknown(now))
            + self._try("settle pending refunds", lambda: self._refunds.settle_pending(now))
            + self._try("send mails", lambda: self._relay.deliver_due(now))
        )

    def _invoice_plans(self, now: datetime) -> int:
        return self._billing.invoice_plans_due(now, limit=ACCOUNTS_PER_ROUND)

    def _handle_events(self, now: datetime) -> int:
        purged = self._events.purge(now)
        return purged + self._events.handle(
            now, lambda account_id: self._wake(account_id, names.PAYMENT_NEWS)
        )

    def _look_up_card_pages(self, now: datetime) -> int:
        return self._card_entries.look_up_due(
            now, lambda account_id: self._wake(account_id, names.PAYMENT_METHOD_UPDATED)
        )

    def _try(self, what: str, job: Callable[[], int]) -> int:
        try:
            return job()
        except Transient as error:
            log.warning("could not %s, trying again: %s", what, error)
        except Exception as error:
            # A job that ends would end the worker and with it everybody's pauses. `exception` would
            # log the message.
            log.error("could not %s: %s", what, unforeseen(error))  # noqa: TRY400
        return 0
