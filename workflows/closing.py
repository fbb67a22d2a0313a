"""The closing steps, shared by a pause that is closed and the close of an active account (R14)."""

import asyncio
from collections.abc import Awaitable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.access import AccessActivities
    from activities.accounts import AccountActivities
    from activities.billing import BillingActivities
    from activities.dni import DniActivities
    from activities.numbers import NumberActivities
    from domain.messages import Settled, Step
    from workflows.steps import Steps


async def close_account(steps: Steps, step: Step, last_attempts: Awaitable[None]) -> Settled:
    """Shut everything as of `step.at`, numbers last (N2). Returns the dates written off.

    What is still owed is tried once more meanwhile: `last_attempts` ends when those are answered,
    or soon, since no answer may delay a close.
    """
    do = steps.until_done
    await asyncio.gather(
        do(DniActivities.disable_script, step, "web sites keep their own numbers"),
        do(AccessActivities.close_access, step, "only a card opens the account again"),
        last_attempts,
    )
    settled = await do(BillingActivities.close_billing, step, "end the plan, write off fees")
    await do(NumberActivities.release_numbers, step, "release the numbers for good")
    await do(AccountActivities.mark_closed, step, "the account is closed")
    return settled


async def no_attempts() -> None:
    """There is nothing to try once more."""
