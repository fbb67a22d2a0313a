"""Where the users of an account belong at the moment: the product, the pause, or the way back."""

from enum import StrEnum

from domain.ports import Act
from domain.states import AccountStatus
from starter.web.site import paths
from systems.wiring import Systems


class Standing(StrEnum):
    """`paused` begins when a pause is asked for and ends when the account is back, or closed."""

    ACTIVE = "active"
    PAUSED = "paused"
    CLOSED = "closed"


HOMES = {
    Standing.ACTIVE: paths.ACTIVITY,
    Standing.PAUSED: paths.STATUS,
    Standing.CLOSED: paths.REOPEN,
}


def standing_of(systems: Systems, account_id: str) -> Standing:
    """How the account stands now.

    Raises:
        Rejected: `account_not_found`.
    """
    status = systems.accounts.account(account_id).status
    return standing(status, systems.accounts.open_act(account_id))


def standing(status: AccountStatus, open_act: Act | None) -> Standing:
    """How an account of that status stands while that act, or none, is open."""
    if open_act is not None or status is AccountStatus.PAUSED:
        return Standing.PAUSED
    return Standing.CLOSED if status is AccountStatus.CLOSED else Standing.ACTIVE
