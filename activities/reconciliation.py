"""The step of the reconciliation."""

from temporalio import activity

from activities.failures import step
from domain.errors import Transient
from domain.messages import Reconciled, ReconcilePayments
from domain.names import Activity
from domain.ports import Reconciler


class ReconciliationActivities:
    """Compares our record of the money with the gateway's."""

    def __init__(self, reconciler: Reconciler) -> None:
        """Compare by `reconciler`."""
        self._reconciler = reconciler

    @step(Activity.RECONCILE_PAYMENTS, beats=True)
    def reconcile_payments(self, request: ReconcilePayments) -> Reconciled:
        """Compare both records and mend what mends itself (M4); a beat tells how far it is."""
        return self._reconciler.reconcile(request.at, request.since, request.until, _beat)


def _beat(count: int) -> None:
    if not activity.in_activity():
        return
    activity.heartbeat(count)
    if activity.is_cancelled():
        raise Transient("the reconciliation was told to stop; what is mended stays mended")
