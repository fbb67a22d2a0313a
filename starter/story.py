"""What has happened to an account, told from the audit and from billing in one order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.declines import explained
from domain.money import CURRENCY, display
from systems.accounts.views import AuditEntry
from systems.billing.invoices import AttemptView, InvoiceView
from systems.tables import AttemptState, InvoiceKind
from systems.wiring import Systems


@dataclass(frozen=True)
class Event:
    """Something that happened, at the account's business time. `what` is a stable word."""

    at: datetime
    what: str
    text: str


def story_of(systems: Systems, account_id: str) -> list[Event]:
    """Everything so far, by the time at which it took effect."""
    audited = [_audited(entry) for entry in systems.accounts.audit(account_id)]
    collected = [
        _collected(invoice, attempt)
        for invoice in systems.billing.invoices(account_id)
        for attempt in invoice.attempts
        if attempt.answered_at is not None
    ]
    return sorted([*audited, *collected], key=lambda event: event.at)


def _count(noun: str) -> Callable[[Mapping[str, Any]], str]:
    def text(detail: Mapping[str, Any]) -> str:
        count = detail.get("count", 0)
        return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

    return text


_numbers, _scripts = _count("number"), _count("script")

TEXTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "pause_requested": lambda _: "Somebody says why they want to pause",
    "pause_begun": lambda _: "A pause is asked for",
    "access_paused": lambda _: "Dashboards and reports are shut",
    "scripts_disabled": lambda d: f"Web sites show their own number again ({_scripts(d)})",
    "paused": lambda d: f"The account is paused, at most until {d.get('resume_on')}",
    "pause_refused": lambda d: f"The pause is refused: {d.get('code')}",
    "numbers_retained": lambda d: f"Callers hear the intercept from now on ({_numbers(d)} kept)",
    "reminded": lambda d: (
        f"Reminder: {d.get('days_before')} days to the resume on {d.get('resume_on')}"
    ),
    "resume_date_changed": lambda d: f"The planned resume is now {d.get('resume_on')}",
    "resume_begun": lambda _: "The account is to come back",
    "numbers_reactivated": lambda d: f"Calls are routed again ({_numbers(d)})",
    "scripts_enabled": lambda d: f"Web sites show tracking numbers again ({_scripts(d)})",
    "access_active": lambda _: "Dashboards and reports are open again",
    "resumed": lambda d: f"The account is back, {_differences(d)}",
    "close_begun": lambda _: "The account is to be closed",
    "access_closed": lambda _: "Only a new card opens the account again",
    "numbers_released": lambda d: f"{_numbers(d)} released for good",
    "closed": lambda _: "The account is closed",
    "card_changed": lambda _: "Another card is on file",
    "reopened": lambda _: "The account is open again",
    "tracker_disabled": lambda _: "A tracker is disabled for good",
    "refund_requested": lambda d: f"{_money(d)} are to be given back",
    "refunded": lambda d: f"{_money(d)} are given back",
    "refund_failed": lambda d: f"{_money(d)} could not be given back",
    "refund_held": lambda d: f"The refund of {_money(d)} is held: an operator has to look",
    "refund_reversed": lambda d: f"The refund of {_money(d)} has failed after all",
    "decline_was_paid": lambda d: f"{_money(d)} had been paid after all, though declined at first",
    "difference_acknowledged": lambda _: "An operator has dealt with a difference to the gateway",
}


def _money(detail: Mapping[str, Any]) -> str:
    return display(detail.get("amount_minor", 0), detail.get("currency", CURRENCY))


def _differences(detail: Mapping[str, Any]) -> str:
    count = detail.get("differences", 0)
    return f"{count} settings differ from before" if count else "everything as it was"


def told(entry: AuditEntry) -> str:
    """What the audit's line says, in words."""
    tell = TEXTS.get(entry.what)
    return tell(entry.detail) if tell else entry.what.replace("_", " ").capitalize()


def _audited(entry: AuditEntry) -> Event:
    return Event(entry.at, entry.what, told(entry))


def _collected(invoice: InvoiceView, attempt: AttemptView) -> Event:
    which = "fee" if invoice.kind is InvoiceKind.FEE else "plan"
    amount = display(invoice.amount_minor, invoice.currency)
    card = f"card ending {attempt.card_last4}" if attempt.card_last4 else "no card on file"
    is_paid = attempt.state is AttemptState.PAID
    outcome = "paid" if is_paid else f"declined, {explained(attempt.decline_code).operator}"
    return Event(
        attempt.answered_at or attempt.began_at,
        f"{which}_{attempt.state}",
        f"{which.capitalize()} of {invoice.billing_on}: {amount} {outcome} ({card})",
    )
