"""What Temporal itself knows of an act's run, without asking a worker: for pages that wait for one.

It is cheap, and true also while every worker is down. How far an act has come the database knows.
"""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle

from domain.messages import Status
from starter.answers import RunIsGone, translated
from workflows.account_pause import AccountPause
from workflows.view import NEEDS_OPERATOR

ANSWER_WITHIN = timedelta(seconds=5)


@dataclass(frozen=True)
class Run:
    """The latest run of an account's pause or close. `result` is what it ended with, if it has.

    `events` is how long its history is: it grows with whatever happens, and with nothing else.
    """

    is_running: bool
    needs_operator: bool
    result: Status | None
    events: int = 0


async def look_at(handle: WorkflowHandle[AccountPause, Status]) -> Run | None:
    """What is known of the run, None where there is none or none any more.

    Raises:
        Transient: Temporal did not answer.
    """
    try:
        with translated():
            about = await handle.describe(rpc_timeout=ANSWER_WITHIN)
            if about.status is WorkflowExecutionStatus.RUNNING:
                needs_operator = bool(about.typed_search_attributes.get(NEEDS_OPERATOR))
                return Run(
                    is_running=True,
                    needs_operator=needs_operator,
                    result=None,
                    events=about.history_length,
                )
            return Run(is_running=False, needs_operator=False, result=await handle.result())
    except RunIsGone:
        return None
    except WorkflowFailureError:
        # Cancelled or terminated by an operator: the database knows how the act ended.
        return Run(is_running=False, needs_operator=False, result=None)
