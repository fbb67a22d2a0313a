"""The list of pauses: acts from the database, who needs an operator from Temporal's own list."""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from temporalio.client import Client
from temporalio.common import TypedSearchAttributes

from domain.messages import NextEvent
from domain.names import ACCOUNT_CLOSE, ACCOUNT_PAUSE
from domain.states import ActKind, PauseState
from systems.accounts.act_list import ActLine, Order, Wanted, count, found, lines
from systems.db import Database
from workflows.view import ACCOUNT_ID, NEEDS_OPERATOR, PAST_DUE

OPEN_RUNS = (
    f"ExecutionStatus = 'Running' AND WorkflowType IN ('{ACCOUNT_PAUSE}', '{ACCOUNT_CLOSE}')"
)
NEEDS_ATTENTION = f"{OPEN_RUNS} AND ({PAST_DUE.name} = true OR {NEEDS_OPERATOR.name} = true)"


@dataclass(frozen=True)
class Attention:
    """Why a running pause or close wants to be looked at."""

    past_due: bool
    needs_operator: bool


CALM = Attention(past_due=False, needs_operator=False)


async def attention(temporal: Client) -> dict[str, Attention]:
    """The accounts whose running pause or close is past due or waits for an operator, by id.

    The list follows the runs within about a second.
    """
    return {
        account_id: _attention_of(run.typed_search_attributes)
        async for run in temporal.list_workflows(NEEDS_ATTENTION)
        if (account_id := run.typed_search_attributes.get(ACCOUNT_ID)) is not None
    }


def _attention_of(attributes: TypedSearchAttributes) -> Attention:
    return Attention(
        past_due=bool(attributes.get(PAST_DUE)),
        needs_operator=bool(attributes.get(NEEDS_OPERATOR)),
    )


@dataclass(frozen=True)
class ListedPause:
    """One line of the list.

    `past_due`, `needs_operator` and `next_event` are False and None once the act has ended. The
    next event is what the records say; the run itself knows it best (`account-pause status`).
    """

    pause_id: str
    account_id: str
    account_name: str
    time_zone: str
    kind: ActKind
    state: PauseState
    began_at: datetime
    paused_at: datetime | None
    resume_at: datetime | None
    ended_at: datetime | None
    retained_numbers: int
    past_due: bool
    needs_operator: bool
    next_event: NextEvent | None


@dataclass(frozen=True)
class Listing:
    """The pauses and closes to be shown, and how many `matching` there are in all."""

    pauses: list[ListedPause]
    matching: int


class SortedBy(StrEnum):
    """What the list may be sorted by; see `systems.accounts.act_list.Order`, and the next event."""

    BEGAN = Order.BEGAN
    PAUSED = Order.PAUSED
    RESUMES = Order.RESUMES
    NEXT = "next"
    ACCOUNT = Order.ACCOUNT
    STATE = Order.STATE


def list_acts(
    db: Database,
    wanted: Wanted,
    attention: Mapping[str, Attention],
    now: datetime,
    sorted_by: SortedBy = SortedBy.BEGAN,
    limit: int | None = None,
) -> Listing:
    """The list as of the host's time `now`, its first `limit` lines.

    Only a list by next event has to be read to its end before it can be cut: what comes next is
    calculated, not stored.
    """
    is_by_next = sorted_by is SortedBy.NEXT
    order = Order.BEGAN if is_by_next else Order(sorted_by)
    act_ids = found(db, wanted, order, None if is_by_next else limit)
    listed_acts = (listed(line, attention, now) for line in lines(db, act_ids))
    if is_by_next:
        by_next = partial(heapq.nsmallest, limit) if limit is not None else sorted
        return Listing(list(by_next(listed_acts, key=_next_at)), len(act_ids))
    shown = list(listed_acts)
    return Listing(shown, len(act_ids) if limit is None else count(db, wanted))


def listed(line: ActLine, attention: Mapping[str, Attention], now: datetime) -> ListedPause:
    """The line of one act."""
    is_open = line.ended_at is None
    known = attention.get(line.account_id, CALM)
    return ListedPause(
        pause_id=line.act_id,
        account_id=line.account_id,
        account_name=line.account_name,
        time_zone=line.time_zone,
        kind=line.kind,
        state=line.state,
        began_at=line.began_at,
        paused_at=line.paused_at,
        resume_at=line.timeline.resume_at if line.timeline else None,
        ended_at=line.ended_at,
        retained_numbers=line.retained_numbers,
        past_due=line.is_past_due,
        needs_operator=is_open and known.needs_operator,
        next_event=next_event(line, now + timedelta(seconds=line.clock_ahead_seconds)),
    )


def next_event(line: ActLine, now: datetime) -> NextEvent | None:
    """What happens next to a pause that is in effect, at its own time `now`, as records say."""
    course = line.timeline
    if course is None or line.state is not PauseState.PAUSED:
        return None
    taken = {fee.billing_on for fee in line.fees}
    planned = [("fee", fee.due_at) for fee in course.fees if fee.billing_on not in taken]
    passing = [("stop_routing", course.stop_routing_at)]
    passing += [("remind", reminder.at) for reminder in course.reminders]
    again = [
        ("look_up" if fee.is_unknown else "collect_again", fee.again_at)
        for fee in line.fees
        if fee.again_at is not None
    ]
    ahead = [*planned, *again, *((kind, at) for kind, at in passing if at > now)]
    kind, at = min([*ahead, ("resume", course.resume_at)], key=lambda event: event[1])
    return NextEvent(kind=kind, at=at)


def _next_at(pause: ListedPause) -> tuple[bool, datetime, str]:
    at = pause.next_event.at if pause.next_event else pause.began_at
    return pause.next_event is None, at, pause.pause_id
