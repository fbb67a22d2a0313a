"""The course of a pause as pages tell it: what happens when, and what it costs (R19). Pure."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from domain.calendar import due_instant
from starter.preview import Preview

# What a form says whose mark is no longer that of the preview.
CHANGED = "The dates or amounts are no longer what this page showed. Look at them and press again."


@dataclass(frozen=True)
class Event:
    """Something that happens at an instant; `amount_minor` is what is charged then.

    `stops` is what stops, in that case: `plan`, `script`, `access`, `routing`.
    """

    at: datetime
    what: str
    amount_minor: int | None = None
    stops: tuple[str, ...] = ()


@dataclass(frozen=True)
class Course:
    """All events in their order, and what the fees come to together."""

    events: tuple[Event, ...]
    fees: int
    fees_minor: int


def course_of(preview: Preview) -> Course:
    """What a pause that begins now does, up to the plan's first invoice after it."""
    timeline, terms = preview.timeline, preview.terms
    events = [
        *_stops(preview),
        *(Event(each.due_at, "fee", terms.fee_minor) for each in timeline.fees),
        *(Event(each.at, "reminder") for each in timeline.reminders),
        Event(timeline.resume_at, "resume"),
        Event(
            due_instant(preview.plan_resumes_on, terms.time_zone),
            "plan",
            preview.plan_amount_minor,
        ),
    ]
    return Course(
        events=tuple(sorted(events, key=attrgetter("at"))),
        fees=len(timeline.fees),
        fees_minor=terms.fee_minor * len(timeline.fees),
    )


def mark_of(preview: Preview) -> str:
    """A mark that changes when a date, an amount, the card or the terms do, not with minutes."""
    timeline = preview.timeline
    told = [
        preview.pause_id,
        preview.terms.version,
        preview.terms.fee_minor,
        [each.billing_on for each in timeline.fees],
        timeline.resume_on,
        preview.plan_resumes_on,
        preview.plan_amount_minor,
        [(each.description, each.amount_minor) for each in preview.resume_lines],
        preview.retained_numbers,
        preview.card_last4,
    ]
    return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[:32]


def _stops(preview: Preview) -> list[Event]:
    together = groupby(sorted(preview.stops, key=attrgetter("at")), key=attrgetter("at"))
    return [Event(at, "stops", stops=tuple(each.what for each in stops)) for at, stops in together]
