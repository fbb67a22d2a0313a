"""What a run costs: billable actions, history events and bytes, counted from its history.

Actions are counted as Temporal Cloud bills them: one each for the start of a workflow, an update
that was accepted, a signal, an activity that was started (and each retry), a timer that was
started and an upsert of search attributes. An upsert of several attributes is one, attributes set
at the start are none, and workflow tasks, results and cancelled timers are free. Queries are billed
too but leave no event; nothing in a pause queries itself.
Source: https://docs.temporal.io/cloud/actions

Bytes are those of the events as the server stores and sends them (protobuf). What skipping time
writes into a history exists in tests only and is not counted.
"""

from collections import Counter
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

BILLED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    EventType.EVENT_TYPE_TIMER_STARTED,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
}
OF_TESTS_ONLY = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
}
KIB = 1024


@dataclass(frozen=True)
class Budget:
    """The most that a run may cost; `kib` is in units of 1,024 bytes."""

    actions: int
    events: int
    kib: int


@dataclass(frozen=True)
class Cost:
    """What a run did cost."""

    history: WorkflowHistory

    @property
    def events(self) -> list[HistoryEvent]:
        """The events that a run in real time would have."""
        return [event for event in self.history.events if event.event_type not in OF_TESTS_ONLY]

    @property
    def actions(self) -> int:
        """How many billable actions."""
        return sum(_actions_of(event) for event in self.events)

    @property
    def bytes(self) -> int:
        """How much is stored."""
        return sum(event.ByteSize() for event in self.events)

    def breaches(self, budget: Budget) -> list[str]:
        """What is over the budget, and what it is spent on; empty when all is well."""
        measured = {
            "actions": (self.actions, budget.actions),
            "events": (len(self.events), budget.events),
            "bytes": (self.bytes, budget.kib * KIB),
        }
        over = [
            f"{actual} {what}, {allowed} allowed"
            for what, (actual, allowed) in measured.items()
            if actual > allowed
        ]
        return over and [*over, *self.biggest()]

    def biggest(self, count: int = 8) -> list[str]:
        """The kinds of events that weigh most, activities by their names."""
        sizes: Counter[str] = Counter()
        numbers: Counter[str] = Counter()
        for event in self.events:
            sizes[_kind(event)] += event.ByteSize()
            numbers[_kind(event)] += 1
        return [
            f"{size} bytes in {numbers[kind]} x {kind}" for kind, size in sizes.most_common(count)
        ]


def _actions_of(event: HistoryEvent) -> int:
    if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
        return event.activity_task_started_event_attributes.attempt
    return int(event.event_type in BILLED)


def _kind(event: HistoryEvent) -> str:
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    activity = event.activity_task_scheduled_event_attributes.activity_type.name
    return f"{name} {activity}".rstrip()
