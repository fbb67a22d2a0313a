"""The whole course of a pause, computed once: the only source of what is due when (R19).

Preview, pages and command line show it; the workflow keeps the activity's answer and walks it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import takewhile

from domain.calendar import (
    MIDNIGHT,
    NINE,
    add_months,
    billing_dates_from,
    due_instant,
    instant,
    local_date,
)
from domain.terms import Terms


@dataclass(frozen=True)
class Fee:
    """One monthly fee: the billing date it takes and the UTC instant at which it falls due."""

    billing_on: date
    due_at: datetime


@dataclass(frozen=True)
class Reminder:
    """A mail `days_before` the resume on `resume_on`, sent at the UTC instant `at`."""

    resume_on: date
    days_before: int
    at: datetime


@dataclass(frozen=True)
class Timeline:
    """What happens when, in UTC instants. `fees` and `reminders` are in order, inside the pause.

    `latest_resume_on` bounds every later change of the resume date (R11), for which
    `first_billing_on`, the earliest date that the plan has not taken, is kept too.
    """

    paused_at: datetime
    stop_routing_at: datetime
    fees: tuple[Fee, ...]
    reminders: tuple[Reminder, ...]
    resume_on: date
    resume_at: datetime
    latest_resume_on: date
    first_billing_on: date


def plan_timeline(
    terms: Terms, paused_at: datetime, first_billing_on: date, resume_on: date | None = None
) -> Timeline:
    """The timeline of a pause that took effect at `paused_at`.

    `first_billing_on` is the earliest date that the plan has not taken; a due instant before
    `paused_at` is the plan's all the same. `resume_on` defaults to the latest date allowed, and is
    cut to it; one that has come by the time the pause takes effect ends it at once. Fees are those
    due in ``[paused_at, resume_at)``:

        anchor 15, paused 10 Jan: ``[==$==$==$==$==$==$==)``  six fees, resumed 10 Jul

    Source: R3, R7, R11, R12.
    """
    zone = terms.time_zone
    latest = latest_resume_on(terms, paused_at)
    resume_on = min(resume_on or latest, latest)
    resume_at = max(instant(resume_on, MIDNIGHT, zone), paused_at)
    return Timeline(
        paused_at=paused_at,
        stop_routing_at=paused_at + timedelta(minutes=terms.drain_minutes),
        fees=_fees(terms, paused_at, resume_at, first_billing_on),
        reminders=_reminders(terms, paused_at, resume_on, resume_at),
        resume_on=resume_on,
        resume_at=resume_at,
        latest_resume_on=latest,
        first_billing_on=first_billing_on,
    )


def latest_resume_on(terms: Terms, paused_at: datetime) -> date:
    """The pause's local date plus `terms.months` calendar months, clamped to the month's end."""
    return add_months(local_date(paused_at, terms.time_zone), terms.months)


def _fees(
    terms: Terms, paused_at: datetime, resume_at: datetime, first_billing_on: date
) -> tuple[Fee, ...]:
    owed = (
        Fee(billing_on, due_instant(billing_on, terms.time_zone))
        for billing_on in billing_dates_from(terms.billing_day, first_billing_on)
    )
    before_resume = takewhile(lambda fee: fee.due_at < resume_at, owed)
    return tuple(fee for fee in before_resume if fee.due_at >= paused_at)


def _reminders(
    terms: Terms, after: datetime, resume_on: date, before: datetime
) -> tuple[Reminder, ...]:
    planned = (
        Reminder(resume_on, days, instant(resume_on - timedelta(days=days), NINE, terms.time_zone))
        for days in sorted(terms.reminder_days, reverse=True)
    )
    return tuple(reminder for reminder in planned if after < reminder.at < before)
