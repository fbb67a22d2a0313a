"""How the end of a pause begins: who asks is checked, then it is recorded, then it is done."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.accounts import AccountActivities
    from domain.agenda import End, Wish
    from domain.messages import BeginEnd, Step
    from workflows.steps import run_step


async def begin_end(step: Step, end: End) -> ActivityError | None:
    """Record that the pause resumes or closes as of `step.at`; the error if it was refused."""
    request = BeginEnd(
        **step.model_dump(),
        requested_by=end.command.requested_by if end.command else None,
        is_planned=end.command is None,
    )
    if end.wish is Wish.CLOSE:
        begin, summary = AccountActivities.begin_close, "the account is to be closed"
    else:
        begin, summary = AccountActivities.begin_resume, "a resume is asked for"
    try:
        await run_step(begin, request, summary)
    except ActivityError as error:
        return error
    return None
