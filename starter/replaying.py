"""Replaying what a run has done on the code as it is (S4): nothing is run, nothing is changed.

A replay feeds a history to the workflow and compares what it asks for with what it had asked for
then. `tests/replay/` does it with committed histories, `account-pause replay` with those of a
server or of a file, before a release.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Replayer, WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from domain.errors import Code, Rejected
from workflows.all import WORKFLOWS

TASK_COMPLETED, TIMER = "WORKFLOW_TASK_COMPLETED", "TIMER_STARTED"
NAMED_EVENT = re.compile(r"HistoryEvent\(id: (\d+)")
SENTENCE = re.compile(r'message: "((?:[^"\\]|\\.)*)"')

# What a replay compares, and how it is told. What is not listed asks for nothing.
COMMANDS = {
    "ACTIVITY_TASK_SCHEDULED": "the step",
    "ACTIVITY_TASK_CANCEL_REQUESTED": "the cancel of a step",
    "TIMER_STARTED": "a timer",
    "TIMER_CANCELED": "the cancel of a timer",
    "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": "an upsert of search attributes",
    "WORKFLOW_EXECUTION_COMPLETED": "the end of the run",
    "WORKFLOW_EXECUTION_FAILED": "the failure of the run",
    "WORKFLOW_EXECUTION_CANCELED": "the end of the run as cancelled",
    "MARKER_RECORDED": "the patch",
}
WANTED = {
    "schedule_activity": "ACTIVITY_TASK_SCHEDULED",
    "request_cancel_activity": "ACTIVITY_TASK_CANCEL_REQUESTED",
    "start_timer": "TIMER_STARTED",
    "cancel_timer": "TIMER_CANCELED",
    "upsert_workflow_search_attributes": "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
    "complete_workflow_execution": "WORKFLOW_EXECUTION_COMPLETED",
    "fail_workflow_execution": "WORKFLOW_EXECUTION_FAILED",
    "cancel_workflow_execution": "WORKFLOW_EXECUTION_CANCELED",
    "set_patch_marker": "MARKER_RECORDED",
}


@dataclass(frozen=True)
class Asked:
    """Something that a workflow asks for. `label` is shown and not compared, as in a replay."""

    kind: str
    name: str = ""
    label: str = ""

    def __str__(self) -> str:
        """In words."""
        said = self.name or self.label
        return f"{COMMANDS[self.kind]} `{said}`" if said else COMMANDS[self.kind]

    def is_same(self, other: "Asked | None") -> bool:
        """Whether a replay takes the one for the other."""
        return other is not None and (self.kind, self.name) == (other.kind, other.name)


@dataclass(frozen=True)
class Difference:
    """Where today's code leaves the history: what is recorded there, and what it wants instead.

    `event_id` is None where the code fails before it asks for anything. `told` is the SDK's word.
    """

    event_id: int | None
    recorded: str | None
    wanted: str | None
    told: str


@dataclass(frozen=True)
class Replayed:
    """What the replay of one run came to; `difference` is None where it replays cleanly."""

    workflow_id: str
    run_id: str
    events: int
    difference: Difference | None


async def replay(history: WorkflowHistory) -> Replayed:
    """Feed the history to today's code; of a run that is open or over, the same way."""
    seen = Seen()
    # A runtime without logs: the SDK would write to standard output what is told here.
    quiet = Runtime(telemetry=TelemetryConfig(logging=None))
    result = await replayer(seen, runtime=quiet).replay_workflow(
        history, raise_on_replay_failure=False
    )
    failure = result.replay_failure
    return Replayed(
        workflow_id=history.workflow_id,
        run_id=_run_id(history),
        events=len(history.events),
        difference=None if failure is None else _difference(history, seen, str(failure)),
    )


def replayer(seen: "Seen | None" = None, **more: Any) -> Replayer:
    """What replays histories, here and in the tests: all workflows, in the sandbox.

    `seen` learns what the workflow asks for; `more` are options of the SDK's replayer.
    """
    runner = SandboxedWorkflowRunner() if seen is None else _Watching(seen=seen)
    settings: dict[str, Any] = {"workflow_runner": runner, **more}
    return Replayer(workflows=WORKFLOWS, data_converter=pydantic_data_converter, **settings)


def read_history(path: Path) -> WorkflowHistory:
    """A history as the Web UI downloads it, or `temporal workflow show -o json` prints it.

    Raises:
        Rejected: `validation_failed` for anything else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        # The Web UI leaves a list of events, the command line an object that holds it.
        events = document if isinstance(document, list) else document["events"]
        history = WorkflowHistory.from_json(path.stem, {"events": events})
        started = history.events[0].workflow_execution_started_event_attributes
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise _no_history(path, error) from None
    if not started.workflow_type.name:
        raise _no_history(path, "it does not begin with the start of a run")
    return WorkflowHistory(started.workflow_id or path.stem, history.events)


# --- how -----------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What the code asked for, by the event that started the workflow task at which it did."""

    tasks: dict[int, list[Asked]] = field(default_factory=dict)

    def note(self, started_id: int, commands: Iterable[Any]) -> None:
        """One activation of the workflow; a task may have several."""
        wanted = self.tasks.setdefault(started_id, [])
        wanted += [asked for each in commands if (asked := _wanted(each)) is not None]


@dataclass(frozen=True)
class _Watching(SandboxedWorkflowRunner):
    """The sandbox, and beside it an ear for what the workflow asks for."""

    seen: Seen = field(default_factory=Seen)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        activate = instance.activate

        def watched(act: Any) -> Any:
            completion = activate(act)
            self.seen.note(act.history_length, completion.successful.commands)
            return completion

        # The SDK hands instances to nobody else, so one of them may be listened to.
        instance.activate = watched  # type: ignore[method-assign]
        return instance


def first_difference(
    history: WorkflowHistory, seen: Seen
) -> tuple[int | None, Asked | None, Asked | None] | None:
    """The event at which the code left the history, what is recorded there, what it wanted.

    None if it asked for the same all along. The SDK names an event now and then only.
    """
    for started_id, wanted in sorted(seen.tasks.items()):
        recorded = _recorded_at(history, started_id)
        for position in range(max(len(wanted), len(recorded or ()))):
            if recorded is None:
                break
            event_id, was = recorded[position] if position < len(recorded) else (None, None)
            now = wanted[position] if position < len(wanted) else None
            if now is None or not now.is_same(was):
                return event_id, was, now
    return None


def _difference(history: WorkflowHistory, seen: Seen, told: str) -> Difference:
    event_id, was, now = first_difference(history, seen) or (None, None, None)
    named = NAMED_EVENT.search(told)
    if event_id is None and named is not None:
        event_id = int(named.group(1))
        was = was or _recorded(history.events[event_id - 1])
    sentence = SENTENCE.search(told)
    return Difference(
        event_id=event_id,
        recorded=str(was) if was else None,
        wanted=str(now) if now else None,
        told=sentence.group(1) if sentence else told.partition("\n")[0],
    )


def _recorded_at(history: WorkflowHistory, started_id: int) -> list[tuple[int, Asked]] | None:
    """What was asked for at the task that this event started; None while it is not completed."""
    rest = history.events[started_id:]
    completed = next((each.event_id for each in rest if _kind(each) == TASK_COMPLETED), None)
    if completed is None:
        return None
    return [
        (event.event_id, asked)
        for event in rest
        if _belongs_to(event) == completed and (asked := _recorded(event)) is not None
    ]


def _belongs_to(event: HistoryEvent) -> int | None:
    """The workflow task whose outcome the event is."""
    attributes = getattr(event, event.WhichOneof("attributes") or "", None)
    return getattr(attributes, "workflow_task_completed_event_id", None)


def _recorded(event: HistoryEvent) -> Asked | None:
    kind = _kind(event)
    if kind not in COMMANDS:
        return None
    name = event.activity_task_scheduled_event_attributes.activity_type.name
    return Asked(kind, str(name), _label(event.user_metadata) if kind == TIMER else "")


def _wanted(command: Any) -> Asked | None:
    variant = command.WhichOneof("variant")
    kind = WANTED.get(variant)
    if kind is None:
        return None
    name = getattr(getattr(command, variant), "activity_type", "")
    return Asked(kind, name, _label(command.user_metadata) if kind == TIMER else "")


def _label(metadata: Any) -> str:
    if not metadata.HasField("summary"):
        return ""
    text: str = pydantic_data_converter.payload_converter.from_payload(metadata.summary, str)
    return text


def _kind(event: HistoryEvent) -> str:
    return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")


def _run_id(history: WorkflowHistory) -> str:
    started = history.events[0].workflow_execution_started_event_attributes
    return str(started.original_execution_run_id)


def _no_history(path: Path, why: object) -> Rejected:
    return Rejected(
        Code.VALIDATION_FAILED,
        f"{path} holds no history of a run ({why}); download one in the Web UI, or write it with"
        " `temporal workflow show -o json`.",
    )
