"""Steps on the numbers system."""

from activities.failures import step
from domain.messages import Count, Step
from domain.names import Activity
from domain.ports import Numbers


class NumberActivities:
    """Keeps, gives back or releases the tracking numbers of one account."""

    def __init__(self, numbers: Numbers) -> None:
        """Work on `numbers`."""
        self._numbers = numbers

    @step(Activity.RETAIN_NUMBERS)
    def retain_numbers(self, request: Step) -> Count:
        """Stop routing calls; the numbers are kept (R4)."""
        return self._numbers.retain_numbers(request)

    @step(Activity.REACTIVATE_NUMBERS)
    def reactivate_numbers(self, request: Step) -> Count:
        """Route calls as before (R9)."""
        return self._numbers.reactivate_numbers(request)

    @step(Activity.RELEASE_NUMBERS)
    def release_numbers(self, request: Step) -> Count:
        """Give the numbers up for good: the last step of a recorded close (R14, N2)."""
        return self._numbers.release_numbers(request)
