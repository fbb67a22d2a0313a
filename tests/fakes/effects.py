"""Effects that happen once, in memory: what `systems.effects` is to the database."""

from collections.abc import Callable
from threading import RLock
from typing import Any, TypeVar

from domain.errors import Code, InvariantViolated, Rejected
from domain.messages import Step
from systems.effects import WHO_ASKED

Result = TypeVar("Result")


class FakeSystem:
    """A system with one lock for everything, and a record of its effects."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.effects: dict[str, tuple[dict[str, Any], Any]] = {}
        self.account_ids: set[str] = set()

    def once(
        self,
        verb: str,
        step: Step,
        effect: Callable[[], Result],
        *,
        undone_by: str | None = None,
        otherwise: Result | None = None,
        part: str = "",
    ) -> Any:
        """See `systems.effects.once`."""
        key = ":".join(filter(None, (step.act_id, verb, part)))
        request = step.model_dump(mode="json", exclude={"at", *WHO_ASKED})
        with self.lock:
            if step.account_id not in self.account_ids:
                raise Rejected(Code.ACCOUNT_NOT_FOUND, f"There is no account {step.account_id}.")
            if key in self.effects:
                recorded, result = self.effects[key]
                if recorded != request:
                    raise InvariantViolated(f"{key} is on record for another request")
                return result
            if undone_by is not None and self.is_recorded(step.act_id, undone_by):
                return otherwise
            result = effect()
            self.effects[key] = (request, result)
            return result

    def is_recorded(self, act_id: str, verb: str) -> bool:
        """See `systems.effects.is_recorded`."""
        with self.lock:
            return f"{act_id}:{verb}" in self.effects
