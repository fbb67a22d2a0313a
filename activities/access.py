"""Steps on access."""

from activities.failures import step
from domain.messages import Step
from domain.names import Activity
from domain.ports import Access


class AccessActivities:
    """Decides what the users of one account may open."""

    def __init__(self, access: Access) -> None:
        """Work on `access`."""
        self._access = access

    @step(Activity.SUSPEND_ACCESS)
    def suspend_access(self, request: Step) -> None:
        """Dashboards and reports are shut (R6)."""
        self._access.suspend_access(request)

    @step(Activity.RESTORE_ACCESS)
    def restore_access(self, request: Step) -> None:
        """Everything opens again (R9)."""
        self._access.restore_access(request)

    @step(Activity.CLOSE_ACCESS)
    def close_access(self, request: Step) -> None:
        """Only a card opens the account again (R14)."""
        self._access.close_access(request)
