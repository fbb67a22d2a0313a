"""Starting the run of an open act anew: it goes on from the database (decision 12)."""

from temporalio.client import Client
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from domain import names
from domain.messages import CloseInput, PauseInput, Status
from domain.ports import Act
from domain.states import ActKind
from starter.answers import translated
from workflows.view import search_attributes


async def start_anew(temporal: Client, act: Act) -> bool:
    """Start the act's run as it was asked for, with its id; False if one is running already.

    Safe at any time, by any number at once: the run that comes second is refused by Temporal, and
    one that comes too late finds that its act has ended.

    Raises:
        Transient: Temporal did not answer; the run may or may not have been started.
    """
    kind, request, workflow_id = _asked_for(act)
    status = Status(pause_id=act.act_id, account_id=act.account_id, state=act.state)
    try:
        with translated():
            await temporal.start_workflow(
                kind,
                request,
                id=workflow_id,
                task_queue=names.TASK_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                search_attributes=TypedSearchAttributes(search_attributes(status)),
                static_summary=f"{act.kind} of {act.account_id}, started anew",
            )
    except WorkflowAlreadyStartedError:
        return False
    return True


def workflow_id_of(account_id: str, kind: ActKind) -> str:
    """The id under which the account's act of that kind runs."""
    is_pause = kind is ActKind.PAUSE
    return names.pause_workflow_id(account_id) if is_pause else names.close_workflow_id(account_id)


def _asked_for(act: Act) -> tuple[str, PauseInput | CloseInput, str]:
    workflow_id = workflow_id_of(act.account_id, act.kind)
    if act.kind is ActKind.CLOSE:
        close = CloseInput(
            account_id=act.account_id, requested_by=act.requested_by or "", close_id=act.act_id
        )
        return names.ACCOUNT_CLOSE, close, workflow_id
    pause = PauseInput(
        account_id=act.account_id,
        requested_by=act.requested_by or "",
        pause_id=act.act_id,
        resume_on=act.resume_on,
    )
    return names.ACCOUNT_PAUSE, pause, workflow_id
