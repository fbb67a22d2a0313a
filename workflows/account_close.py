"""The close of an active account: `AccountClose`, with the same closing steps as a pause's."""

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.accounts import AccountActivities
    from domain import names
    from domain.errors import Code
    from domain.messages import BeginEnd, CloseInput, Message, Refusal, Status, Step
    from domain.states import PauseState
    from workflows.closing import close_account, no_attempts
    from workflows.requests import parse_close_input, refusal
    from workflows.steps import Steps, code_of, run_step, to_its_end
    from workflows.view import Publisher


# Stands in for an input that could not be read, in a run that fails at once.
NO_INPUT = CloseInput(account_id="", requested_by="")


@workflow.defn(name=names.ACCOUNT_CLOSE)
class AccountClose:
    """Closes an account for good. Once begun it is finished, also when the run is cancelled."""

    @workflow.init
    def __init__(self, request: Any = None) -> None:
        """`request` is a `CloseInput` as JSON; anything else fails the run with a clear message."""
        parsed = parse_close_input(request, workflow.uuid4())
        self._unusable = parsed if isinstance(parsed, ApplicationError) else None
        self._request = parsed if isinstance(parsed, CloseInput) else NO_INPUT
        self._close_id = self._request.close_id or ""
        self._state = PauseState.CLOSING
        self._ended_at: datetime | None = None
        self._refusal: Refusal | None = None
        self._steps = Steps(self._publish)
        self._publisher = Publisher(workflow.info().typed_search_attributes)

    @workflow.run
    async def run(self, _: Any = None) -> Status:
        """Check who asks, then shut everything, numbers last."""
        if self._unusable is not None:
            raise self._unusable
        self._publish()
        # It counts from when it was asked for, also if no worker was there to read it (R10).
        asked_at = workflow.info().workflow_start_time
        step = Step(act_id=self._close_id, account_id=self._request.account_id, at=asked_at)
        begin = BeginEnd(**step.model_dump(), requested_by=self._request.requested_by)
        await to_its_end(self._story(begin), on_cancel=lambda: None)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.status()

    async def _story(self, begin: BeginEnd) -> None:
        try:
            await run_step(AccountActivities.begin_close, begin, "the account is to be closed")
        except ActivityError as error:
            self._refusal = refusal(code_of(error) or Code.UNAVAILABLE, error)
            self._end(PauseState.REFUSED, begin.at)
            return
        step = Step(act_id=begin.act_id, account_id=begin.account_id, at=begin.at)
        await close_account(self._steps, step, no_attempts())
        self._end(PauseState.CLOSED, begin.at)

    @workflow.query(name=names.STATUS, description="Where the close stands, as JSON.")
    def status(self) -> Status:
        """Where the close stands; `pause_id` holds the close's id."""
        return Status(
            pause_id=self._close_id,
            account_id=self._request.account_id,
            state=self._state,
            ended_at=self._ended_at,
            needs_operator=self._steps.needs_operator,
            refusal=self._refusal,
        )

    @workflow.signal(
        name=names.RETRY,
        description="The cause is mended: stuck steps go on. No data.",
    )
    def retry(self, *_: Any) -> None:
        """The cause is mended."""
        self._steps.retry()

    @workflow.update(name=names.CLOSE, description="Wait until the account is closed: {}.")
    async def close(self, _: Message) -> Status:
        """Answer once the account is closed, or the close was refused."""
        await workflow.wait_condition(lambda: self._state.is_final)
        return self.status()

    def _end(self, state: PauseState, at: datetime) -> None:
        self._ended_at = at
        self._state = state
        self._publish()

    def _publish(self) -> None:
        self._publisher.publish(self.status())
