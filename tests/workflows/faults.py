"""Steps that go wrong on demand: how a system can fail, from the workflow's point of view."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import INVARIANT_VIOLATED
from domain.errors import Code
from domain.names import Activity


class Fault(StrEnum):
    """What happens to one attempt of a step."""

    REFUSED = "refused"  # it is refused for good, before anything is done
    FAILED = "failed"  # the system is away; nothing is done
    ANSWER_LOST = "answer_lost"  # it is done, and the answer never arrives


class Faults:
    """Wraps steps; each planned fault strikes one attempt of the step it is planned for."""

    def __init__(self) -> None:
        """Begin without any fault."""
        self._planned: dict[str, deque[Fault]] = defaultdict(deque)
        self._gates: dict[str, threading.Event] = {}
        self._reached: dict[str, threading.Event] = defaultdict(threading.Event)
        self.calls: list[tuple[str, Any]] = []
        self._lock = threading.Lock()

    def plan(self, step: Activity, *faults: Fault) -> None:
        """The next attempts of `step` go wrong in this order."""
        self._planned[step].extend(faults)

    def hold(self, step: Activity) -> threading.Event:
        """Attempts of `step` wait before they do anything until the event is set."""
        self._gates[step] = threading.Event()
        return self._gates[step]

    def release_all(self) -> None:
        """Let everything that is held go on."""
        for gate in self._gates.values():
            gate.set()

    def reached(self, step: Activity) -> threading.Event:
        """Set once an attempt of `step` has begun."""
        return self._reached[step]

    def count(self, step: Activity) -> int:
        """How many attempts of `step` were made."""
        return sum(1 for name, _ in self.calls if name == step)

    def wrap(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The activity `method`, with its faults."""
        name = Activity(method.__name__)

        @wraps(method)
        def run(request: Any) -> Any:
            with self._lock:
                self.calls.append((name, request))
                fault = self._planned[name].popleft() if self._planned[name] else None
                gate = self._gates.get(name)
            self._reached[name].set()
            if gate is not None:
                gate.wait(60)
            if fault is Fault.REFUSED:
                raise ApplicationError(
                    f"{name} says no", type=INVARIANT_VIOLATED, non_retryable=True
                )
            if fault is Fault.FAILED:
                raise ApplicationError(f"{name} is away", type=Code.UNAVAILABLE)
            result = method(request)
            if fault is Fault.ANSWER_LOST:
                raise ApplicationError(f"{name}: the answer is lost", type=Code.UNAVAILABLE)
            return result

        vars(run).pop("__temporal_activity_definition")
        return activity.defn(name=name)(run)
