"""What a run shows: its status, its search attributes and the labels of its timers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

with workflow.unsafe.imports_passed_through():
    from domain.agenda import Agenda, Charge, Collect, Due, End, Remind, StopRouting
    from domain.messages import ChargeStatus, NextEvent, Status
    from domain.names import SearchAttribute
    from domain.states import ChargeState
    from domain.terms import Terms
    from workflows.page import page


ACCOUNT_ID = SearchAttributeKey.for_keyword(SearchAttribute.ACCOUNT_ID)
PAUSE_STATE = SearchAttributeKey.for_keyword(SearchAttribute.PAUSE_STATE)
RESUME_AT = SearchAttributeKey.for_datetime(SearchAttribute.RESUME_AT)
PAST_DUE = SearchAttributeKey.for_bool(SearchAttribute.PAST_DUE)
NEEDS_OPERATOR = SearchAttributeKey.for_bool(SearchAttribute.NEEDS_OPERATOR)

Pair = SearchAttributePair[str] | SearchAttributePair[bool] | SearchAttributePair[datetime]


def search_attributes(status: Status) -> list[Pair]:
    """The search attributes that belong to `status`; clients start runs with the same."""
    pairs: list[Pair] = [
        SearchAttributePair(ACCOUNT_ID, status.account_id),
        SearchAttributePair(PAUSE_STATE, status.state.value),
        SearchAttributePair(PAST_DUE, status.past_due),
        SearchAttributePair(NEEDS_OPERATOR, status.needs_operator is not None),
    ]
    if status.resume_at is not None:
        pairs.append(SearchAttributePair(RESUME_AT, status.resume_at))
    return pairs


class Publisher:
    """Keeps search attributes and current details true; sends only what has changed.

    Each upsert is billed, so nothing is sent twice; the details are a query and cost nothing.
    """

    def __init__(self, known: TypedSearchAttributes) -> None:
        """`known` is what the run was started with, or None of it when a person started it."""
        self._known: dict[str, object] = {pair.key.name: pair.value for pair in known}

    def publish(self, status: Status, notes: Sequence[str] = ()) -> None:
        """Show `status`, and what was ignored lately."""
        workflow.set_current_details(page(status, notes, workflow.info().namespace))
        changed = [
            pair
            for pair in search_attributes(status)
            if self._known.get(pair.key.name) != pair.value
        ]
        if changed:
            self._known |= {pair.key.name: pair.value for pair in changed}
            workflow.upsert_search_attributes([_update(pair) for pair in changed])


def next_event(agenda: Agenda) -> NextEvent:
    """What happens next by itself."""
    due = agenda.upcoming()[0]
    return NextEvent(kind=_kind(due, agenda), at=due.at)


def course(agenda: Agenda, terms: Terms) -> dict[str, Any]:
    """What the agenda adds to a status: when the pause began and ends, and its charges."""
    return {
        "paused_at": agenda.timeline.paused_at,
        "resume_on": agenda.timeline.resume_on,
        "resume_at": agenda.timeline.resume_at,
        "charges": _charge_statuses(agenda, terms),
        "past_due": agenda.is_past_due,
    }


def _charge_statuses(agenda: Agenda, terms: Terms) -> list[ChargeStatus]:
    """All billing dates of the pause, in order, with their amounts."""
    return [
        ChargeStatus(
            billing_on=charge.billing_on,
            due_at=charge.due_at,
            amount_minor=terms.fee_minor,
            currency=terms.currency,
            state=charge.state,
            decline_code=charge.decline_code if charge.state is ChargeState.DECLINED else None,
        )
        for _, charge in sorted(agenda.charges.items())
    ]


def wake_summary(agenda: Agenda) -> str:
    """The label of the timer that waits for the next event."""
    due = agenda.upcoming()[0]
    match due:
        case Collect(billing_on=billing_on):
            return f"{_kind(due, agenda)} of {billing_on}"
        case Remind(reminder=reminder):
            return f"reminder, {reminder.days_before} days before"
        case StopRouting():
            return "stop routing calls"
        case End():
            return f"planned {due.wish}"


def _kind(due: Due, agenda: Agenda) -> str:
    match due:
        case Collect(billing_on=billing_on):
            return _collect_kind(agenda.charges[billing_on])
        case StopRouting():
            return "stop_routing"
        case Remind():
            return "remind"
        case End(wish=wish):
            return wish.value


def _collect_kind(charge: Charge) -> str:
    if charge.state is ChargeState.UNKNOWN:
        return "look_up"
    return "fee" if charge.rung == 0 else "collect_again"


def _update(pair: Pair) -> SearchAttributeUpdate:  # type: ignore[type-arg]
    # The pair's key and value belong together; a list of mixed pairs cannot say so.
    return pair.key.value_set(pair.value)  # type: ignore[arg-type]
