"""What a request meant that was cut off, now that it is sent again (R15).

A repeat means the account as it was when the request came first. If it has moved on since, by
another pause or a reopening, the repeat is about what is over, and must not touch what has begun.
Both functions ask the database and block.
"""

from datetime import datetime

from domain.states import ActKind, PauseState
from starter.backend import Backend

REOPENED = "reopened"


def pause_meant(backend: Backend, account_id: str, asked_at: datetime) -> str | None:
    """The pause that a resume meant at `asked_at`, by the host's clock; None: there was none."""
    at = backend.business_now(account_id, asked_at)
    acts = backend.systems.accounts.acts(account_id)
    pauses = [each for each in acts if each.kind is ActKind.PAUSE and each.began_at <= at]
    return pauses[-1].act_id if pauses else None


def act_closed(backend: Backend, account_id: str, asked_at: datetime) -> str | None:
    """The pause or close that has closed the account, if it was reopened after `asked_at`.

    None: the close is still to be done, or is what has closed the account.
    """
    at, accounts = backend.business_now(account_id, asked_at), backend.systems.accounts
    is_reopened = any(
        entry.what == REOPENED and entry.at >= at for entry in accounts.audit(account_id)
    )
    closes = accounts.acts(account_id, states=[PauseState.CLOSED]) if is_reopened else []
    return closes[-1].act_id if closes else None
