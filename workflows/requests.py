"""Reading what callers send: strictly where they wait for an answer, leniently elsewhere."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from domain import names
    from domain.errors import Code, Rejected
    from domain.ids import Prefix, checked_id, make_id
    from domain.messages import (
        ChangeResumeDateRequest,
        CloseInput,
        CloseRequest,
        PauseInput,
        Refusal,
        ResumeRequest,
        Status,
    )
    from domain.policy import check_confirmed
    from workflows.steps import code_of, figures_of, message_of


def parse_pause_input(request: Any, uuid: UUID) -> PauseInput | ApplicationError:
    """The input of `AccountPause` with its `pause_id` filled in from `uuid` where it is missing.

    Not an input at all, or a known pause under another id than its own: the failure,
    `validation_failed`, with which the run ends at once.
    """
    try:
        parsed = PauseInput.model_validate(request)
        if parsed.pause_id is not None:
            _check_runs_under(names.pause_workflow_id(parsed.account_id))
        pause_id = checked_id(Prefix.PAUSE, parsed.pause_id or make_id(Prefix.PAUSE, uuid))
    except (ValidationError, Rejected) as error:
        return _unusable("AccountPause", error)
    return parsed.model_copy(update={"pause_id": pause_id})


def parse_close_input(request: Any, uuid: UUID) -> CloseInput | ApplicationError:
    """The input of `AccountClose`, as `parse_pause_input` does it."""
    try:
        parsed = CloseInput.model_validate(request)
        if parsed.close_id is not None:
            _check_runs_under(names.close_workflow_id(parsed.account_id))
        close_id = checked_id(Prefix.CLOSE, parsed.close_id or make_id(Prefix.CLOSE, uuid))
    except (ValidationError, Rejected) as error:
        return _unusable("AccountClose", error)
    return parsed.model_copy(update={"close_id": close_id})


def parse_resume(request: Any) -> ResumeRequest | None:
    """The resume that was asked for; None when the payload makes no sense."""
    try:
        return ResumeRequest.model_validate({} if request is None else request)
    except ValidationError:
        return None


def asked_at(requested_at: datetime | None, now: datetime) -> datetime:
    """When something was asked for, in UTC: as the request says, but no later than `now`."""
    if requested_at is None:
        return now
    try:
        return min(requested_at.astimezone(UTC), now)
    except OverflowError:
        # At the very edge of the calendar, where an offset leads out of it.
        return now


def check_close(request: CloseRequest, account_id: str, pause_id: str) -> None:
    """Let a confirmed close of this pause through.

    Raises:
        ApplicationError: `validation_failed`, or `pause_not_found` when another pause is meant.
    """
    if request.pause_id not in (None, pause_id):
        raise rejection(Code.PAUSE_NOT_FOUND, f"Account {account_id} is paused by {pause_id}.")
    try:
        check_confirmed(account_id, request.confirm)
    except Rejected as error:
        raise rejection(error.code, error.message) from None


def check_change(request: ChangeResumeDateRequest, status: Status, *, is_ending: bool) -> None:
    """Let another resume date through: for this pause, instead of the date that was expected.

    Raises:
        ApplicationError: `account_not_paused`; `precondition_failed` when another date stands.
    """
    if request.pause_id not in (None, status.pause_id) or is_ending:
        raise rejection(
            Code.ACCOUNT_NOT_PAUSED,
            f"Account {status.account_id} is {status.state}; nothing was changed.",
        )
    if request.expected_resume_on not in (None, status.resume_on):
        raise rejection(
            Code.PRECONDITION_FAILED,
            f"The resume date is {status.resume_on} meanwhile; nothing was changed.",
        )


def rejection(code: Code, message: str) -> ApplicationError:
    """What a caller is told whose request a rule does not allow."""
    return ApplicationError(message, type=code, non_retryable=True)


def refusal(code: Code, error: ActivityError | None) -> Refusal:
    """What a run's result says of the `error` that refused it; None: an operator cancelled."""
    if error is None:
        return Refusal(code=code, message="the pause could not take effect")
    return Refusal(code=code, message=message_of(error), figures=figures_of(error))


def update_failure(error: ActivityError) -> ApplicationError:
    """What a caller is told whose request an activity refused."""
    code = code_of(error) or Code.UNAVAILABLE
    return ApplicationError(
        f"{message_of(error)}.", figures_of(error), type=code, non_retryable=True
    )


def _check_runs_under(workflow_id: str) -> None:
    """An act has one run: a second one, made by copying the first, would do everything beside it.

    Temporal allows one run per id, so the act's id goes with that id only (S1).
    """
    if workflow.info().workflow_id != workflow_id:
        raise Rejected(
            Code.VALIDATION_FAILED,
            f"The pause or close with this id runs as {workflow_id} and under no other id.",
        )


def _unusable(workflow_type: str, error: ValidationError | Rejected) -> ApplicationError:
    if isinstance(error, Rejected):
        return rejection(error.code, error.message)
    # Names of fields and kinds of mistakes only: the values may be anything (R17).
    problems = "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'input'}: {problem['type']}"
        for problem in error.errors(include_input=False, include_url=False, include_context=False)
    )
    return rejection(
        Code.VALIDATION_FAILED,
        f"{workflow_type} takes one JSON object with account_id and requested_by; {problems}.",
    )
