"""Steps on dynamic number insertion."""

from activities.failures import step
from domain.messages import Count, Step
from domain.names import Activity
from domain.ports import Dni


class DniActivities:
    """Switches the scripts on the customer's web sites off and on."""

    def __init__(self, dni: Dni) -> None:
        """Work on `dni`."""
        self._dni = dni

    @step(Activity.DISABLE_SCRIPT)
    def disable_script(self, request: Step) -> Count:
        """Web sites show their own numbers (R5)."""
        return self._dni.disable_script(request)

    @step(Activity.ENABLE_SCRIPT)
    def enable_script(self, request: Step) -> Count:
        """Web sites show tracking numbers again (R9)."""
        return self._dni.enable_script(request)
