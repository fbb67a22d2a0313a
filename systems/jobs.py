"""What the systems do by themselves as time passes: invoice plans, settle doubts, send mails."""

import logging
from collections.abc import Callable
from datetime import datetime
from traceback import format_tb

from domain.errors import Transient
from systems.billing import SqlBilling
from systems.notices import Relay

log = logging.getLogger("account_pause.jobs")

# How many accounts one round may invoice: a round stays short, and the next one follows at once.
ACCOUNTS_PER_ROUND = 200


class Jobs:
    """Safe to run in any number of processes; each piece of work is done once."""

    def __init__(self, billing: SqlBilling, relay: Relay) -> None:
        """Work on `billing` and `relay`."""
        self._billing = billing
        self._relay = relay

    def run_once(self, now: datetime) -> int:
        """Do what is due at `now`; returns how many pieces of work were done.

        A system that is away is logged and left for the next round, so one never holds up another.
        """
        return (
            self._try("invoice plans", lambda: self._invoice_plans(now))
            + self._try("settle unknown charges", lambda: self._billing.settle_unknown(now))
            + self._try("send mails", lambda: self._relay.deliver_due(now))
        )

    def _invoice_plans(self, now: datetime) -> int:
        return self._billing.invoice_plans_due(now, limit=ACCOUNTS_PER_ROUND)

    def _try(self, what: str, job: Callable[[], int]) -> int:
        try:
            return job()
        except Transient as error:
            log.warning("could not %s, trying again: %s", what, error)
        except Exception as error:
            # A job that ends would end the worker and with it everybody's pauses. The message is
            # withheld: it may hold what logs must not (R17).
            where = "".join(format_tb(error.__traceback__))
            log.error(  # noqa: TRY400  (`exception` would log the message)
                "could not %s: %s, somebody has to look, at\n%s", what, type(error), where
            )
        return 0
