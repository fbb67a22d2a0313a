"""How things are said on pages: amounts, days, times with their zone, numbers, states.

All of these are filters of the templates.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers

from domain.declines import explained
from domain.money import CURRENCY, display
from domain.states import ChargeState, PauseState, Role
from systems.numbers.calls import ANONYMOUS
from systems.tables import InvoiceState

ISO_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")

ROLES: Mapping[Role, str] = {
    Role.ADMIN: "Administrator",
    Role.MANAGER: "Manager",
    Role.REPORTING: "Reporting",
}

CHARGES: Mapping[ChargeState, str] = {
    ChargeState.SCHEDULED: "Still to come",
    ChargeState.COLLECTING: "Being charged",
    ChargeState.PAID: "Paid",
    ChargeState.DECLINED: "Declined",
    ChargeState.UNKNOWN: "Being looked up",
    ChargeState.NOT_OWED: "Not owed",
    ChargeState.MOVED: "On the next plan invoice",
    ChargeState.WRITTEN_OFF: "Written off",
}

INVOICES: Mapping[InvoiceState, str] = {
    InvoiceState.OPEN: "Being charged",
    InvoiceState.UNKNOWN: "Being looked up",
    InvoiceState.PAST_DUE: "Past due",
    InvoiceState.PAID: "Paid",
    InvoiceState.MOVED: "On the next plan invoice",
    InvoiceState.WRITTEN_OFF: "Written off",
}

# How a state looks: a colour beside its word, never instead of it.
TONES: Mapping[str, str] = {
    ChargeState.PAID: "good",
    ChargeState.DECLINED: "bad",
    ChargeState.UNKNOWN: "waiting",
    ChargeState.COLLECTING: "waiting",
    InvoiceState.OPEN: "waiting",
    InvoiceState.PAST_DUE: "bad",
    PauseState.PAUSED: "waiting",
    "active": "good",
}


def money(amount_minor: int, currency: str = CURRENCY) -> str:
    """An amount of cents: ``$5.00``."""
    return display(amount_minor, currency)


def day(on: date) -> str:
    """A date in a table: ``Wed 25 Nov 2026``."""
    return f"{on:%a} {on.day} {on:%b %Y}"


def long_day(on: date) -> str:
    """A date in a sentence: ``25 November 2026``."""
    return f"{on.day} {on:%B %Y}"


def dated(text: str) -> str:
    """A text of an invoice with its days as people write them: 2026-11-25 is 25 Nov 2026."""
    return ISO_DAY.sub(lambda found: _short_day(found[0]), text)


def moment(at: datetime, zone: str) -> str:
    """An instant as clocks in `zone` show it: ``Wed 25 Nov 2026, 14:05 CST``."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{day(local.date())}, {local:%H:%M %Z}"


def local_day(at: datetime, zone: str) -> str:
    """The day of an instant, as calendars in `zone` have it."""
    return day(at.astimezone(ZoneInfo(zone)).date())


def clock(at: datetime, zone: str) -> str:
    """The time of day of an instant in `zone`: ``14:05 CST``."""
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M %Z}"


def phone(number: str) -> str:
    """A phone number in groups; what is none stays as it is."""
    if number == ANONYMOUS:
        return "Withheld"
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def talk_time(seconds: int) -> str:
    """How long somebody talked: ``12:05``, ``1:02:05``."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(share: float | None) -> str:
    """A share of 1 in percent; a dash where there is nothing to share."""
    return "–" if share is None else f"{share:.0%}"


def count(number: int, noun: str) -> str:
    """A number with its noun: ``1 call``, ``1,200 calls``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def source(name: str) -> str:
    """A source as people write it: ``google_ads`` is ``Google ads``."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def decline(code: str | None) -> str:
    """Why a card was declined, for somebody who can do something about it."""
    words = explained(code).administrator
    return words[:1].upper() + words[1:]


FILTERS: Mapping[str, Callable[..., Any]] = {
    "money": money,
    "day": day,
    "long_day": long_day,
    "dated": dated,
    "moment": moment,
    "local_day": local_day,
    "clock": clock,
    "phone": phone,
    "talk_time": talk_time,
    "percent": percent,
    "count_of": count,
    "source": source,
    "decline": decline,
    "charge_state": CHARGES.__getitem__,
    "invoice_state": INVOICES.__getitem__,
    "role": ROLES.__getitem__,
    "tone": lambda state: TONES.get(state, "plain"),
}


def _short_day(text: str) -> str:
    try:
        on = date.fromisoformat(text)
    except ValueError:
        return text
    return f"{on.day} {on:%b %Y}"
