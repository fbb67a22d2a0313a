"""The way into a pause, and back out of one that could not take effect (R3)."""

import asyncio
from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.access import AccessActivities
    from activities.accounts import AccountActivities
    from activities.billing import BillingActivities
    from activities.dni import DniActivities
    from domain.errors import Code
    from domain.messages import BeginEnd, MarkPaused, MarkRefused, Paused, PauseInput, Step
    from workflows.steps import Steps, run_step


class NotPaused(Exception):
    """The pause did not take effect: `cause` refused for good, or (None) an operator cancelled."""

    def __init__(self, cause: ActivityError | None) -> None:
        """Keep why."""
        super().__init__("the pause did not take effect")
        self.cause = cause


async def put_effects_in_place(
    request: PauseInput, step: Step, is_aborted: Callable[[], bool]
) -> Paused:
    """Suspend plan, script and access at once, then have the pause recorded as in effect.

    Raises:
        NotPaused: with what was done still standing; `undo_as_refused` takes it back.
    """
    effects = (
        asyncio.create_task(
            run_step(BillingActivities.suspend_plan, step, "the plan stops invoicing")
        ),
        asyncio.create_task(
            run_step(DniActivities.disable_script, step, "web sites keep their own numbers")
        ),
        asyncio.create_task(run_step(AccessActivities.suspend_access, step, "dashboards are shut")),
    )
    await _all_or_one_failed(effects, is_aborted)
    suspended = effects[0].result()
    mark = MarkPaused(
        act_id=step.act_id,
        account_id=step.account_id,
        at=suspended.paused_at,
        first_billing_on=suspended.first_billing_on,
        resume_on=request.resume_on,
    )
    try:
        return await run_step(AccountActivities.mark_paused, mark, "the account is paused")
    except ActivityError as error:
        raise NotPaused(error) from error


async def undo_as_refused(steps: Steps, step: Step) -> None:
    """Undo a pause that could not take effect: the account is active as before."""
    await _undo_effects(steps, step)
    refused = MarkRefused(**step.model_dump(), code=Code.PAUSING_FAILED)
    await steps.until_done(
        AccountActivities.mark_refused, refused, "the account is active as before"
    )


async def undo_as_resumed(steps: Steps, step: Step) -> None:
    """Undo a pause that an operator cancelled before it took effect."""
    do = steps.until_done
    begin = BeginEnd(**step.model_dump())
    await do(AccountActivities.begin_resume, begin, "an operator cancelled the pause")
    await _undo_effects(steps, step)
    await do(AccountActivities.mark_resumed, step, "the account is back")


async def _undo_effects(steps: Steps, step: Step) -> None:
    """Take the effects back in reverse order; those that never came about are passed over."""
    do = steps.until_done
    await do(AccessActivities.restore_access, step, "undo: dashboards open again")
    await do(DniActivities.enable_script, step, "undo: web sites show tracking numbers again")
    await do(BillingActivities.restore_plan, step, "undo: the plan invoices again")


async def _all_or_one_failed(
    effects: tuple[asyncio.Task[object], ...], is_aborted: Callable[[], bool]
) -> None:
    def has_failed() -> bool:
        return any(task.done() and task.exception() is not None for task in effects)

    await workflow.wait_condition(
        lambda: is_aborted() or has_failed() or all(task.done() for task in effects)
    )
    if not is_aborted() and not has_failed():
        return
    refusal = next((_failure(task) for task in effects if _failure(task)), None)
    # No undo runs beside the step that it undoes: what is under way comes to its end first.
    for task in effects:
        task.cancel()
    await asyncio.gather(*effects, return_exceptions=True)
    raise NotPaused(refusal)


def _failure(task: asyncio.Task[object]) -> ActivityError | None:
    error = task.exception() if task.done() else None
    return error if isinstance(error, ActivityError) else None
