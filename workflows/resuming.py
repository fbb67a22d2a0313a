"""The way out of a pause: everything back as it was (R9)."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.access import AccessActivities
    from activities.billing import BillingActivities
    from activities.dni import DniActivities
    from activities.numbers import NumberActivities
    from domain.messages import Settled, Step
    from workflows.steps import Steps


async def restore_account(steps: Steps, step: Step) -> Settled:
    """Restore numbers and routing, then the script; plan and access beside them.

    A web site must not show a number that is not routed yet. Returns the unpaid dates that moved to
    the plan's next invoice.
    """
    do = steps.until_done

    async def numbers_then_script() -> None:
        await do(NumberActivities.reactivate_numbers, step, "calls are routed again")
        await do(DniActivities.enable_script, step, "web sites show tracking numbers again")

    settled, _, _ = await asyncio.gather(
        do(BillingActivities.restore_plan, step, "the plan invoices again"),
        do(AccessActivities.restore_access, step, "dashboards open again"),
        numbers_then_script(),
    )
    return settled
