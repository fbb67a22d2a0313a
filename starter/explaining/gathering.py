"""Getting together what is known of one pause: from our database, and from Temporal's histories.

The database is asked once per record. Temporal keeps a closed run for the namespace's retention
only; what its histories would have added is said to be missing, and everything else stands.
"""

from asyncio import to_thread
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from domain.calendar import local_date
from domain.errors import Code, Rejected, Transient
from domain.ports import Act
from domain.states import ActKind
from starter.anew import workflow_id_of
from starter.answers import RunIsGone, translated
from starter.explaining.facts import EventKind, Facts, HistoryFact
from starter.histories import decoded
from systems.billing.books import read_books
from systems.notices.outbox import notices
from systems.wiring import Systems

# The line with which each act begins in the audit, or with which it was refused at once.
FIRST_LINES = frozenset({"pause_begun", "pause_refused", "close_begun"})

NO_RUN = (
    "Temporal has no run of it any more: it removes closed runs after the namespace's retention."
    " What follows is all from our database; signals and repeated attempts are not in it."
)

History = tuple[HistoryFact, ...]


def meant(
    systems: Systems, account_id: str, asked_on: date | None = None, refused: str | None = None
) -> str:
    """The act that is meant where nobody names one: the one that was in effect on `asked_on`.

    Else the open one; else `refused`, the last run if a rule has refused it at once, which only
    Temporal knows; else the one that was last begun.

    Raises:
        Rejected: `pause_not_found`, when there never was one.
    """
    if asked_on is not None and (act := _under_way(systems, account_id, asked_on)) is not None:
        return act.act_id
    is_open = systems.accounts.open_act(account_id)
    if is_open is not None:
        return is_open.act_id
    audited = systems.accounts.audit(account_id)
    known = [each.act_id for each in audited if each.what in FIRST_LINES and each.act_id]
    wanted = refused or next(reversed(known), None)
    if wanted is None:
        raise Rejected(Code.PAUSE_NOT_FOUND, f"Account {account_id} was never paused.")
    return wanted


def _under_way(systems: Systems, account_id: str, on: date) -> Act | None:
    """The last pause that was in effect on that day, its first and its last day included."""
    zone = systems.accounts.view(account_id).time_zone
    for act in reversed(systems.accounts.acts(account_id)):
        if act.paused_at is None or local_date(act.paused_at, zone) > on:
            continue
        if act.ended_at is None or on <= local_date(act.ended_at, zone):
            return act
    return None


async def gather(
    systems: Systems, temporal: Client, account_id: str, act_id: str, now: datetime
) -> Facts:
    """All that is known of the act as of the account's time `now`.

    Raises:
        Rejected: `pause_not_found`, when neither the database nor Temporal has it for that account.
    """
    facts = await to_thread(_on_record, systems, account_id, act_id, now)
    kind = facts.act.kind if facts.act else ActKind.PAUSE
    note = None
    found: list[HistoryFact] = []
    try:
        async for run in _runs(temporal, workflow_id_of(facts.account_id, kind), facts.act_id):
            found += run
    except Transient as error:
        note = f"Temporal was not asked, or not to its end: {error}."
    if not found and note is None:
        note = NO_RUN
    is_known = found or any(each.act_id == act_id for each in facts.audit)
    if not is_known:
        raise Rejected(Code.PAUSE_NOT_FOUND, f"Account {account_id} has no pause {act_id}.")
    by_time = sorted(found, key=lambda fact: (fact.at, fact.event_id))
    return replace(facts, history=tuple(by_time), history_note=note)


def _on_record(systems: Systems, account_id: str, act_id: str, now: datetime) -> Facts:
    """What our database knows of the act, and of the account around it."""
    with systems.db.transaction() as session:
        books = read_books(session, account_id)
    return Facts(
        account_id=account_id,
        act_id=act_id,
        now=now,
        act=systems.accounts.act(act_id),
        audit=tuple(systems.accounts.audit(account_id)),
        books=books,
        notices=tuple(notices(systems.db, account_id)),
    )


async def _runs(temporal: Client, workflow_id: str, act_id: str) -> AsyncIterator[History]:
    """The histories of the runs of that act; it has several if one was lost and started anew."""
    with translated():
        async for run in temporal.list_workflows(f"WorkflowId = '{workflow_id}'"):
            try:
                history = await _history(temporal, workflow_id, run.run_id)
            except RunIsGone:
                continue
            if any(_act_of(fact) == act_id for fact in history):
                yield history


async def _history(temporal: Client, workflow_id: str, run_id: str) -> History:
    read = _Reading(temporal, run_id)
    with translated():
        async for event in temporal.get_workflow_handle(
            workflow_id, run_id=run_id
        ).fetch_history_events():
            await read.take(event)
    return tuple(read.facts)


def _act_of(fact: HistoryFact) -> str | None:
    names = ("act_id", "pause_id", "close_id")
    return next((str(fact.detail[name]) for name in names if fact.detail.get(name)), None)


class _Reading:
    """One history, event by event; a step becomes a fact once it is over."""

    def __init__(self, temporal: Client, run_id: str) -> None:
        self.facts: list[HistoryFact] = []
        self._temporal = temporal
        self._run_id = run_id
        self._asked: dict[int, tuple[str, Mapping[str, Any]]] = {}
        self._attempts: dict[int, int] = {}

    async def take(self, event: HistoryEvent) -> None:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                started = event.workflow_execution_started_event_attributes
                detail = await self._detail(started.input.payloads)
                self._note(event, EventKind.STARTED, "", detail)
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
                ended = event.workflow_execution_completed_event_attributes
                self._note(event, EventKind.ENDED, "", await self._detail(ended.result.payloads))
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                sent = event.workflow_execution_signaled_event_attributes
                detail = await self._detail(sent.input.payloads)
                self._note(event, EventKind.SIGNAL, sent.signal_name, detail)
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
                self._note(event, EventKind.CANCEL, "", {})
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                asked = event.activity_task_scheduled_event_attributes
                detail = await self._detail(asked.input.payloads)
                self._asked[event.event_id] = (asked.activity_type.name, detail)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                begun = event.activity_task_started_event_attributes
                self._attempts[begun.scheduled_event_id] = begun.attempt
            case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                done = event.activity_task_completed_event_attributes
                name, detail = self._asked[done.scheduled_event_id]
                attempts = self._attempts.get(done.scheduled_event_id, 1)
                self._note(event, EventKind.STEP, name, detail, attempts)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
                failed = event.activity_task_failed_event_attributes
                name, detail = self._asked[failed.scheduled_event_id]
                kind = failed.failure.application_failure_info.type
                self._note(event, EventKind.STEP_FAILED, name, {**detail, "type": kind})

    def _note(
        self,
        event: HistoryEvent,
        kind: EventKind,
        name: str,
        detail: Mapping[str, Any],
        attempts: int = 1,
    ) -> None:
        at = event.event_time.ToDatetime(UTC)
        fact = HistoryFact(self._run_id, event.event_id, at, kind, name, detail, attempts)
        self.facts.append(fact)

    async def _detail(self, payloads: Sequence[Payload]) -> Mapping[str, Any]:
        """The one JSON object that was sent; nothing for what a person may have sent instead."""
        if len(payloads) != 1:
            return {}
        try:
            return await decoded(self._temporal, payloads[0], dict[str, Any])
        except (RuntimeError, TypeError, ValueError):
            return {}
