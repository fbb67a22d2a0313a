"""Running a step; one that is refused for good waits, visibly, for an operator."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain.errors import Code, Figure
    from domain.messages import Step
    from domain.names import account_id_of
    from workflows.options import STEP, StepOptions


Request = TypeVar("Request", bound=Step)
Result = TypeVar("Result")

# An activity as the class that implements it declares it: a method of one request.
Method = Callable[[Any, Request], Result]


async def run_step(
    method: Method[Request, Result], request: Request, summary: str, options: StepOptions = STEP
) -> Result:
    """Run one step until it answers.

    Raises:
        ActivityError: the step was refused for good (see `code_of`), or was cancelled.
    """
    result: Result = await workflow.execute_activity_method(
        method, _without_account(request), summary=summary, **options
    )
    return result


async def to_its_end(story: Coroutine[Any, Any, None], on_cancel: Callable[[], None]) -> None:
    """Run `story` to its end though the run is cancelled meanwhile, which `on_cancel` is told."""
    task = asyncio.create_task(story)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            on_cancel()


class Steps:
    """Runs steps that must be done. Nothing else of the pause waits for one that is stuck (R16)."""

    def __init__(self, publish: Callable[[], None]) -> None:
        """`publish` is called whenever what waits for an operator has changed."""
        self._publish = publish
        self._stuck: dict[str, str] = {}
        self._retries = 0

    @property
    def needs_operator(self) -> str | None:
        """What an operator has to do, None if nothing."""
        return " ".join(self._stuck.values()) or None

    def is_stuck(self, name: str) -> bool:
        """Whether the step of that name waits for an operator."""
        return name in self._stuck

    def retry(self) -> None:
        """An operator has mended the cause: every stuck step goes on."""
        self._retries += 1

    async def until_done(
        self,
        method: Method[Request, Result],
        request: Request,
        summary: str,
        *,
        options: StepOptions = STEP,
        name: str | None = None,
        on_stuck: Callable[[], None] | None = None,
    ) -> Result:
        """Run one step until it succeeds; each time it is refused for good, wait for a retry.

        `name` tells steps of one kind apart and defaults to the method's.
        """
        while True:
            try:
                return await run_step(method, request, summary, options)
            except ActivityError as error:
                # A step that was told to stop is not repeated by the server: whatever it came to,
                # nobody waits for it any more.
                if is_cancelled_exception(error) or _is_told_to_stop():
                    raise
                if on_stuck is not None:
                    on_stuck()
                await self.until_retried(name or method.__name__, error)

    async def until_retried(
        self, name: str, error: ActivityError, or_when: Callable[[], bool] = lambda: False
    ) -> None:
        """Show that the step `name` was refused for good with `error`; wait for a retry.

        `or_when` tells what else ends the wait.
        """
        reason = message_of(error)
        self._stuck[name] = (
            f"{name} was refused: {reason}. Mend the cause, then send the signal `retry`."
        )
        self._publish()
        seen = self._retries
        try:
            await workflow.wait_condition(lambda: self._retries > seen or or_when())
        except asyncio.CancelledError:
            self._no_longer_stuck(name)
            raise
        # Not in a `finally`: that also runs when a worker drops the run from its cache, and then
        # nothing of the workflow may be touched.
        self._no_longer_stuck(name)

    def _no_longer_stuck(self, name: str) -> None:
        self._stuck.pop(name, None)
        self._publish()


def _is_told_to_stop() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _without_account(request: Request) -> Request:
    # The run's id names the account already; in each of twenty steps it would be a kilobyte more.
    if account_id_of(workflow.info().workflow_id) != request.account_id:
        return request
    return request.model_copy(update={"account_id": ""})


def message_of(error: ActivityError) -> str:
    """The sentence with which the activity gave up, without a full stop."""
    cause = error.cause
    message = cause.message if isinstance(cause, ApplicationError) else str(cause or error)
    return message.rstrip(".")


def figures_of(error: ActivityError) -> dict[str, Figure]:
    """The figures that came with a refusal."""
    cause = error.cause
    details = cause.details if isinstance(cause, ApplicationError) else ()
    return details[0] if details and isinstance(details[0], dict) else {}


def code_of(error: ActivityError) -> Code | None:
    """The code of the rule that said no; None if it was something else."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type in set(Code):
        return Code(cause.type)
    return None
