"""The committed histories: one file each, one event per line, and their fingerprints."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter

from starter.replaying import read_history

DIRECTORY = Path(__file__).with_name("histories")
FINGERPRINTS = Path(__file__).with_name("fingerprints.json")

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

# What a changed workflow needs, whoever has changed it: the message of every test here.
ADVICE = """
Histories like this one are what running pauses are rebuilt from, so this change would stop every
pause in flight at its next step. Adding, removing, renaming or reordering an activity, a timer or
an upsert of search attributes breaks replay; timeouts, retries, summaries and details do not.

Is anything in flight? Then gate the change with `workflow.patched("what-changes")`, so that old
runs go the old way, keep all these histories and record the new way beside them under new names;
never record an old one anew. Before the first release nothing is in flight: run `make histories`.
Either way say it in the changelog's Replay line: safe, the patch's id, or drain first.

docs/releases.md has the table: what may change freely, what needs a patch, when a patch may go.
"""


def path_of(name: str) -> Path:
    """Where the history of that scenario is kept."""
    return DIRECTORY / f"{name}.json"


def write(name: str, history: WorkflowHistory) -> None:
    """Keep a history, one event per line, so that two of them can be compared.

    Stack traces are dropped: they name the machine, and no replay needs them.
    """
    events = json.loads(history.to_json(), object_hook=_without_stack_trace)["events"]
    lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in events)
    path_of(name).write_text(f'{{"events":[\n{lines}\n]}}\n', encoding="utf-8")


def read(name: str) -> WorkflowHistory:
    """The committed history of a scenario, under the id that it ran as: workflows check theirs."""
    return read_history(path_of(name))


def fingerprint(history: WorkflowHistory) -> list[str]:
    """What the workflow asked for, in order: what a replay must ask for again.

    Ids, times, inputs and the outcomes of steps are left out; dates in summaries too.
    """
    return [command for event in history.events for command in _commands(event)]


def _without_stack_trace(value: dict[str, object]) -> dict[str, object]:
    return {name: part for name, part in value.items() if name != "stackTrace"}


def _commands(event: HistoryEvent) -> Iterator[str]:
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    match name:
        case "ACTIVITY_TASK_SCHEDULED":
            activity = event.activity_task_scheduled_event_attributes.activity_type.name
            yield f"activity {activity}"
        case "ACTIVITY_TASK_CANCEL_REQUESTED" | "TIMER_CANCELED":
            yield name.removesuffix("_REQUESTED").lower().replace("_", " ")
        case "TIMER_STARTED":
            yield f"timer: {_summary(event)}"
        case "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES":
            upsert = event.upsert_workflow_search_attributes_event_attributes
            yield f"upsert {', '.join(sorted(upsert.search_attributes.indexed_fields))}"
        case "WORKFLOW_EXECUTION_COMPLETED" | "WORKFLOW_EXECUTION_CANCELED":
            yield name.removeprefix("WORKFLOW_EXECUTION_").lower()
        case "WORKFLOW_EXECUTION_UPDATE_ACCEPTED" | "WORKFLOW_EXECUTION_UPDATE_COMPLETED":
            yield name.removeprefix("WORKFLOW_EXECUTION_").lower().replace("_", " ")


def _summary(event: HistoryEvent) -> str:
    converter = pydantic_data_converter.payload_converter
    text: str = converter.from_payload(event.user_metadata.summary, str)
    return DATE.sub("<date>", text)
