"""A workflow that does nothing in as many steps: what the same would cost without the product."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow

TASK_QUEUE = "plain"
GO_ON = "go_on"
A_WHILE = timedelta(days=16)


@dataclass
class Order:
    """How many steps, how many timers between them, how many more steps after a signal."""

    steps: int
    timers: int = 0
    steps_after_signal: int = 0


@activity.defn(name="nothing")
def nothing() -> None:
    """Do nothing."""


@workflow.defn(name="Plain")
class Plain:
    """One step after the other."""

    def __init__(self) -> None:
        """Nobody has signalled yet."""
        self._goes_on = False
        self._is_waiting = False

    @workflow.run
    async def run(self, order: Order) -> None:
        """Take the steps, sleeping between the last ones of the first lot."""
        for position in range(order.steps):
            await self._step()
            if position >= order.steps - order.timers:
                await workflow.sleep(A_WHILE)
        if order.steps_after_signal:
            self._is_waiting = True
            await workflow.wait_condition(lambda: self._goes_on)
        for _ in range(order.steps_after_signal):
            await self._step()

    @workflow.signal(name=GO_ON)
    def go_on(self) -> None:
        """Take the steps that are left."""
        self._goes_on = True

    @workflow.update
    async def until_waiting(self) -> None:
        """Wait until a signal is all that is missing."""
        await workflow.wait_condition(lambda: self._is_waiting)

    async def _step(self) -> None:
        await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=30))
