"""Who may do what, and when: the rules that say no, each with its stable code."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from domain.errors import Code, Rejected
from domain.states import AccountStatus, Role
from domain.terms import Offer

# What somebody types to show that closing is meant (R14).
CLOSE_CONFIRMATION = "CLOSE"


@dataclass(frozen=True)
class PauseFacts:
    """What has to be known of an account before it may pause (R2)."""

    account_id: str
    status: AccountStatus
    has_open_act: bool
    has_card: bool
    active_numbers: int


class Action(StrEnum):
    """What a request wants to do, as far as access is concerned (R6)."""

    LOG_IN = "log_in"
    PAUSE_STATUS = "pause_status"
    PREVIEW = "preview"
    RESUME = "resume"
    CHANGE_RESUME_DATE = "change_resume_date"
    CLOSE = "close"
    PAYMENT_METHOD = "payment_method"
    INVOICES = "invoices"
    LIST_TRACKERS = "list_trackers"
    CHANGE_TRACKERS = "change_trackers"
    DASHBOARD = "dashboard"
    REPORTS = "reports"
    PAUSE = "pause"


ALLOWED_WHILE_PAUSED = frozenset(
    {
        Action.LOG_IN,
        Action.PAUSE_STATUS,
        Action.PREVIEW,
        Action.RESUME,
        Action.CHANGE_RESUME_DATE,
        Action.CLOSE,
        Action.PAYMENT_METHOD,
        Action.INVOICES,
        Action.LIST_TRACKERS,
        # Asking for a second pause is answered by the pause's own rule, not by the access rule.
        Action.PAUSE,
    }
)
ALLOWED_WHILE_CLOSED = frozenset({Action.LOG_IN, Action.PAUSE_STATUS, Action.PAYMENT_METHOD})


def check_access(account_id: str, status: AccountStatus, action: Action) -> None:
    """Let `action` through on an account of that status.

    Raises:
        Rejected: `account_paused` or `account_closed`.
    """
    if status is AccountStatus.PAUSED and action not in ALLOWED_WHILE_PAUSED:
        raise Rejected(
            Code.ACCOUNT_PAUSED,
            f"Account {account_id} is paused. An administrator can resume it.",
        )
    if status is AccountStatus.CLOSED and action not in ALLOWED_WHILE_CLOSED:
        raise Rejected(
            Code.ACCOUNT_CLOSED,
            f"Account {account_id} is closed. Enter a card to reopen it.",
        )


def check_administrator(account_id: str, role: Role | None) -> None:
    """Let an administrator of the account through; `role` is None for anybody else's user.

    Raises:
        Rejected: `not_an_administrator`.
    """
    if role is not Role.ADMIN:
        raise Rejected(
            Code.NOT_AN_ADMINISTRATOR,
            f"Only an administrator of account {account_id} may do this.",
        )


def check_may_pause(facts: PauseFacts, offer: Offer) -> None:
    """Let an account through that may pause now (R2).

    Raises:
        Rejected: `account_closed`, `account_already_paused`, `payment_method_required` or
            `too_many_tracking_numbers`, the last with `active`, `limit` and `excess`.
    """
    account_id = facts.account_id
    if facts.status is AccountStatus.CLOSED:
        raise Rejected(Code.ACCOUNT_CLOSED, f"Account {account_id} is closed.")
    if facts.has_open_act or facts.status is AccountStatus.PAUSED:
        raise Rejected(
            Code.ACCOUNT_ALREADY_PAUSED,
            f"Account {account_id} is already paused, or is being paused, resumed or closed.",
        )
    if not facts.has_card:
        raise Rejected(
            Code.PAYMENT_METHOD_REQUIRED,
            f"Account {account_id} has no card on file; enter one before pausing.",
        )
    excess = facts.active_numbers - offer.max_numbers
    if excess > 0:
        raise Rejected(
            Code.TOO_MANY_TRACKING_NUMBERS,
            f"Account {account_id} has {facts.active_numbers} active tracking numbers and a pause"
            f" keeps at most {offer.max_numbers}; disable at least {excess}.",
            active=facts.active_numbers,
            limit=offer.max_numbers,
            excess=excess,
        )


def check_resume_on(resume_on: date, today: date, latest: date) -> None:
    """Let a resume date in ``[tomorrow, latest]`` through; `today` is the account's (R11).

    Raises:
        Rejected: `invalid_resume_date`, with `earliest` and `latest`.
    """
    earliest = today + timedelta(days=1)
    if earliest <= resume_on <= latest:
        return
    advice = "; to come back today, resume now" if resume_on == today else ""
    raise Rejected(
        Code.INVALID_RESUME_DATE,
        f"The resume date must lie from {earliest} to {latest}{advice}.",
        earliest=earliest.isoformat(),
        latest=latest.isoformat(),
    )


def check_confirmed(account_id: str, confirm: str) -> None:
    """Let a close through that was confirmed by typing the word `CLOSE` (R14).

    Raises:
        Rejected: `validation_failed`.
    """
    if confirm.strip().upper() != CLOSE_CONFIRMATION:
        raise Rejected(
            Code.VALIDATION_FAILED,
            f"Closing account {account_id} releases its numbers for good; confirm it by typing"
            f" {CLOSE_CONFIRMATION}.",
        )
