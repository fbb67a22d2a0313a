"""The daily comparison of our record with the gateway's: `PaymentReconciliation`, one step."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.reconciliation import ReconciliationActivities
    from domain import names
    from domain.errors import Code
    from domain.messages import Reconciled, ReconcileInput, ReconcilePayments
    from workflows.options import RECONCILE
    from workflows.requests import rejection


@workflow.defn(name=names.PAYMENT_RECONCILIATION)
class PaymentReconciliation:
    """Compares, mends what mends itself, and says what waits for an operator (M4)."""

    @workflow.run
    async def run(self, request: Any = None) -> Reconciled:
        """`request` is a `ReconcileInput` as JSON, or nothing; anything else fails the run."""
        window = _parsed(request)
        workflow.set_current_details("Our record and the gateway's are being compared.")
        reconciled = await workflow.execute_activity_method(
            ReconciliationActivities.reconcile_payments,
            ReconcilePayments(at=workflow.now(), since=window.since, until=window.until),
            summary="compare our payments and refunds with the gateway's",
            **RECONCILE,
        )
        workflow.set_current_details(details(reconciled))
        return reconciled


def details(reconciled: Reconciled) -> str:
    """The operator's page, in Markdown: what was compared, what was done, what is to be done."""
    waiting = reconciled.waiting
    rows = {
        "Compared": f"{reconciled.payments} payments, {reconciled.refunds} refunds",
        "Created": f"{reconciled.since:%Y-%m-%d %H:%M} to {reconciled.until:%Y-%m-%d %H:%M} UTC",
        "Of other products": reconciled.foreign,
        "Settled": reconciled.settled,
        "Given back": reconciled.refunded,
        "No longer there": reconciled.vanished,
        "Wait for an operator": f"**{waiting}**, {reconciled.new} of them new" if waiting else 0,
        "Operator": "see `account-pause differences`" if waiting else "nothing",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {it} |" for name, it in rows.items())])


def _parsed(request: Any) -> ReconcileInput:
    try:
        return ReconcileInput.model_validate({} if request is None else request)
    except ValidationError:
        raise rejection(
            Code.VALIDATION_FAILED,
            f"{names.PAYMENT_RECONCILIATION} takes nothing, or one JSON object that may have since"
            " and until, as instants with their offset.",
        ) from None
