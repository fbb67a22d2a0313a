"""Steps on billing."""

from temporalio import activity

from activities.failures import step
from domain.errors import InvariantViolated
from domain.messages import CollectFee, FeeAnswer, PlanSuspended, Settled, Step, SuspendPlan
from domain.names import Activity
from domain.ports import Accounts, Billing


class BillingActivities:
    """Hands billing dates from the plan to the fee and back, and collects the fee."""

    def __init__(self, billing: Billing, accounts: Accounts) -> None:
        """Work on `billing`; `accounts` tells the terms that a pause has pinned."""
        self._billing = billing
        self._accounts = accounts

    @step(Activity.SUSPEND_PLAN)
    def suspend_plan(self, request: Step) -> PlanSuspended:
        """The plan stops taking billing dates (R7), under the terms of the pause (R18)."""
        act = self._accounts.act(request.act_id)
        if act is None or act.terms is None:
            raise InvariantViolated(f"pause {request.act_id} has no terms: it was never begun")
        return self._billing.suspend_plan(SuspendPlan(**request.model_dump(), terms=act.terms))

    @step(Activity.RESTORE_PLAN)
    def restore_plan(self, request: Step) -> Settled:
        """The plan takes billing dates again; unpaid fees move to its next invoice (R9, R13)."""
        return self._billing.restore_plan(request)

    @step(Activity.COLLECT_FEE)
    def collect_fee(self, request: CollectFee) -> FeeAnswer:
        """Charge the fee of one billing date, or look up what became of it (R7, R13).

        The attempt counts as of when it is really made, by the pause's clock: one that was held up
        must not find the next rung of its ladder due already.
        """
        made_at = (
            max(request.at, activity.info().started_time) if activity.in_activity() else request.at
        )
        return self._billing.collect_fee(request.model_copy(update={"at": made_at}))

    @step(Activity.CLOSE_BILLING)
    def close_billing(self, request: Step) -> Settled:
        """The plan ends; unpaid fees are written off (R14)."""
        return self._billing.close_billing(request)
