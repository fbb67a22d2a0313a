from dataclasses import dataclass

from domain.messages import Count, Step
from domain.ports import Snapshot
from domain.states import NumberState
from tests.fakes.effects import FakeSystem

HELD = (NumberState.ACTIVE, NumberState.RETAINED)


@dataclass
class FakeNumber:
    account_id: str
    state: NumberState = NumberState.ACTIVE
    retained_by: str | None = None


class FakeNumbers(FakeSystem):
    """The port `Numbers` in memory: numbers only, trackers are the database's."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, FakeNumber] = {}

    def add(self, account_id: str, count: int = 3) -> None:
        """Make an account with this many more active numbers."""
        self.account_ids.add(account_id)
        for _ in range(count):
            self.numbers[f"NUM{len(self.numbers):032x}"] = FakeNumber(account_id)

    def count_active(self, account_id: str) -> int:
        with self.lock:
            return len(self._in(account_id, NumberState.ACTIVE))

    def retain_numbers(self, step: Step) -> Count:
        def retain() -> Count:
            if self.is_recorded(step.act_id, "release_numbers"):
                return Count(count=0)
            for number in self._in(step.account_id, NumberState.ACTIVE).values():
                number.state = NumberState.RETAINED
                number.retained_by = step.act_id
            return Count(count=len(self._in(step.account_id, NumberState.RETAINED)))

        count: Count = self.once(
            "retain_numbers", step, retain, undone_by="reactivate_numbers", otherwise=Count(count=0)
        )
        return count

    def reactivate_numbers(self, step: Step) -> Count:
        count: Count = self.once(
            "reactivate_numbers",
            step,
            lambda: self._move(step, (NumberState.RETAINED,), NumberState.ACTIVE),
        )
        return count

    def release_numbers(self, step: Step) -> Count:
        count: Count = self.once(
            "release_numbers", step, lambda: self._move(step, HELD, NumberState.RELEASED)
        )
        return count

    def snapshot(self, account_id: str) -> Snapshot:
        with self.lock:
            return {
                number_id: {"is_active": self._is_active(number)}
                for number_id, number in self._in(account_id, *HELD).items()
            }

    def states(self, account_id: str) -> list[NumberState]:
        """The state of each number the account has ever had."""
        with self.lock:
            return [number.state for number in self._in(account_id, *NumberState).values()]

    def _move(self, step: Step, old: tuple[NumberState, ...], new: NumberState) -> Count:
        numbers = self._in(step.account_id, *old)
        for number in numbers.values():
            number.state = new
        return Count(count=len(numbers))

    def _in(self, account_id: str, *states: NumberState) -> dict[str, FakeNumber]:
        return {
            number_id: number
            for number_id, number in self.numbers.items()
            if number.account_id == account_id and number.state in states
        }

    def _is_active(self, number: FakeNumber) -> bool:
        act_id = number.retained_by
        return number.state is NumberState.ACTIVE or (
            act_id is not None and not self.is_recorded(act_id, "reactivate_numbers")
        )
