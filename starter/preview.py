"""What a pause will do, computed by the functions that will do it (R19)."""

from dataclasses import dataclass
from datetime import date, datetime

from domain.calendar import due_instant, local_date, next_billing_date
from domain.errors import InvariantViolated, Rejected
from domain.messages import Refusal
from domain.period import period_left
from domain.policy import PauseFacts, check_may_pause, check_resume_on
from domain.ports import Act
from domain.states import AccountStatus
from domain.terms import Offer, Terms
from domain.timeline import Timeline, latest_resume_on, plan_timeline
from systems.accounts.acts import already_paused
from systems.billing.plan import Line, remaining_days_line, total
from systems.wiring import Systems


@dataclass(frozen=True)
class Effect:
    """Something that stops, and when: `plan`, `script`, `access`, `routing`."""

    what: str
    at: datetime


@dataclass(frozen=True)
class Preview:
    """The course of a pause: one that begins now, or (`pause_id`) the one that is open.

    `refusal` says why none may begin now. `stops` tells what stops when. After the resume, the
    planned one or (while paused) one right now, the plan's first invoice is that of
    `plan_resumes_on` over `plan_amount_minor`; `resume_lines` is what the resume adds to it,
    included in that amount (R9).
    """

    account_id: str
    account_status: AccountStatus
    at: datetime
    pause_id: str | None
    refusal: Refusal | None
    terms: Terms
    timeline: Timeline
    retained_numbers: int
    stops: tuple[Effect, ...]
    plan_resumes_on: date
    plan_amount_minor: int
    currency: str
    card_last4: str | None
    resume_lines: tuple[Line, ...] = ()


def preview_of_pause(
    systems: Systems, offer: Offer, account_id: str, now: datetime, resume_on: date | None
) -> Preview:
    """What a pause that begins at `now` would do, or why it may not begin (R2, R11).

    Raises:
        Rejected: `account_not_found`.
    """
    account = systems.accounts.account(account_id)
    quote = systems.billing.quote(account_id)
    terms = offer.for_account(account.time_zone, quote.billing_day)
    numbers = systems.numbers.count_active(account_id)
    facts = PauseFacts(
        account_id=account_id,
        status=account.status,
        has_open_act=systems.accounts.open_act(account_id) is not None,
        has_card=systems.billing.has_card(account_id),
        active_numbers=numbers,
    )
    refusal = _refusal(facts, offer, terms, now, resume_on)
    # The plan takes what is due before the pause, then the fee's dates begin.
    first_billing_on = _first_due_from(quote.next_billing_on, terms, now)
    timeline = plan_timeline(terms, now, first_billing_on, None if refusal else resume_on)
    lines = _lines_of_planned_resume(systems, account_id, timeline, terms)
    return Preview(
        account_id=account_id,
        account_status=account.status,
        at=now,
        pause_id=None,
        refusal=refusal,
        terms=terms,
        timeline=timeline,
        retained_numbers=numbers,
        stops=_stops(timeline),
        plan_resumes_on=_first_due_from(first_billing_on, terms, timeline.resume_at),
        plan_amount_minor=quote.amount_minor + total(lines),
        currency=quote.currency,
        card_last4=quote.card_last4,
        resume_lines=lines,
    )


def preview_of_open_act(systems: Systems, act: Act, now: datetime) -> Preview:
    """The course of the pause that is in effect, and what resuming at `now` would cost (R9)."""
    terms, timeline = act.terms, act.timeline
    if terms is None or timeline is None:
        raise InvariantViolated(f"act {act.act_id} is no pause in effect")
    quote = systems.billing.quote(act.account_id)
    lines = tuple(systems.billing.resume_lines(act.account_id, now))
    return Preview(
        account_id=act.account_id,
        account_status=systems.accounts.account(act.account_id).status,
        at=now,
        pause_id=act.act_id,
        refusal=refusal_of(already_paused(act.account_id)),
        terms=terms,
        timeline=timeline,
        retained_numbers=act.retained_numbers,
        stops=_stops(timeline),
        plan_resumes_on=_first_due_from(timeline.first_billing_on, terms, now),
        plan_amount_minor=quote.amount_minor + total(lines),
        currency=quote.currency,
        card_last4=quote.card_last4,
        resume_lines=lines,
    )


def _lines_of_planned_resume(
    systems: Systems, account_id: str, timeline: Timeline, terms: Terms
) -> tuple[Line, ...]:
    """What the resume adds to the plan's next invoice if it comes as planned and all is paid."""
    left = period_left(
        terms.billing_day,
        terms.time_zone,
        timeline.paused_at,
        timeline.resume_at,
        timeline.first_billing_on,
    )
    if left is None:
        return ()
    line = remaining_days_line(monthly_minor(systems, account_id), left)
    return (line,) if line else ()


def monthly_minor(systems: Systems, account_id: str) -> int:
    """What the plan and its add-ons cost a month."""
    parts = systems.billing.snapshot(account_id)
    return sum(part["amount_minor"] for part in (parts["plan"], *parts["add_ons"]))


def _refusal(
    facts: PauseFacts, offer: Offer, terms: Terms, now: datetime, resume_on: date | None
) -> Refusal | None:
    try:
        check_may_pause(facts, offer)
        if resume_on is not None:
            today = local_date(now, terms.time_zone)
            check_resume_on(resume_on, today, latest_resume_on(terms, now))
    except Rejected as error:
        return refusal_of(error)
    return None


def refusal_of(error: Rejected) -> Refusal:
    """The refusal as a message."""
    return Refusal(code=error.code, message=error.message, figures=dict(error.figures))


def _stops(timeline: Timeline) -> tuple[Effect, ...]:
    at_once = timeline.paused_at
    return (
        Effect("plan", at_once),
        Effect("script", at_once),
        Effect("access", at_once),
        Effect("routing", timeline.stop_routing_at),
    )


def _first_due_from(day: date, terms: Terms, at: datetime) -> date:
    """The first billing date from the billing date `day` on that falls due at or after `at`."""
    while due_instant(day, terms.time_zone) < at:
        day = next_billing_date(terms.billing_day, day)
    return day
