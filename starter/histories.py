"""What a run has done, read from its history: which steps, asked for what, in which order.

It takes no worker, so it can be read while none is running.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecution

from domain.messages import Step
from domain.names import Activity, account_id_of
from starter.answers import translated
from workflows.view import ACCOUNT_ID

# With one of these done the act has ended.
ENDS = frozenset({Activity.MARK_RESUMED, Activity.MARK_CLOSED, Activity.MARK_REFUSED})

Value = TypeVar("Value")


@dataclass(frozen=True)
class DoneStep:
    """A step that was reported as done: its request as it was sent, and what it answered.

    `name` is an `Activity`'s, unless another release has done it.
    """

    name: str
    request: Payload
    answer: Payload | None


def account_of(run: WorkflowExecution) -> str | None:
    """Whose act the run is: one that was started under an id of its own has it as an attribute."""
    return run.typed_search_attributes.get(ACCOUNT_ID) or account_id_of(run.id) or None


async def done_steps(temporal: Client, workflow_id: str, run_id: str | None) -> list[DoneStep]:
    """The steps that the run has done, in the order in which they were done.

    Raises:
        RunIsGone: there is no such run, or none any more.
        Transient: Temporal did not answer.
    """
    scheduled: dict[int, Any] = {}
    done: list[DoneStep] = []
    handle = temporal.get_workflow_handle(workflow_id, run_id=run_id)
    with translated():
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                scheduled[event.event_id] = event.activity_task_scheduled_event_attributes
            elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                completed = event.activity_task_completed_event_attributes
                asked = scheduled[completed.scheduled_event_id]
                answers = completed.result.payloads
                done.append(
                    DoneStep(
                        asked.activity_type.name,
                        asked.input.payloads[0],
                        answers[0] if answers else None,
                    )
                )
    return done


async def act_id_of(temporal: Client, steps: list[DoneStep]) -> str | None:
    """The act that a run with these steps is about; None while it has done nothing.

    A run that was refused has done nothing.
    """
    if not steps:
        return None
    step = await decoded(temporal, steps[0].request, Step)
    return step.act_id


async def decoded(temporal: Client, payload: Payload, value_type: type[Value]) -> Value:
    """The message that was sent as `payload`."""
    [value] = await temporal.data_converter.decode([payload], [value_type])
    read: Value = value
    return read
