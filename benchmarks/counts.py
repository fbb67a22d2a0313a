"""What a pause costs in billable actions, history events and bytes: counts, the same everywhere."""

from collections import Counter
from pathlib import Path

from temporalio.api.enums.v1 import EventType

from benchmarks.figures import Figure
from tests.e2e.counting import KIB, Cost
from tests.e2e.courses import EARLY_RESUME, PAID_ON_DAY_FIVE, SIX_MONTHS, Course, leanest
from tests.temporal import running_server

COURSES = {
    "six months": SIX_MONTHS,
    "resume on day 65": EARLY_RESUME,
    "six months, one decline": PAID_ON_DAY_FIVE,
}


async def measure(directory: Path) -> list[Figure]:
    """Three kinds of pauses."""
    figures = []
    with running_server(directory / "server.log") as server:
        for name, course in COURSES.items():
            figures += _counted(name, course, await leanest(server, course))
    return figures


def _counted(name: str, course: Course, cost: Cost) -> list[Figure]:
    budget = course.budget
    kinds = Counter(event.event_type for event in cost.events)
    return [
        Figure(f"{name}: actions", cost.actions, budget=budget.actions),
        Figure(f"{name}: events", len(cost.events), budget=budget.events),
        Figure(f"{name}: history", cost.bytes / KIB, "KiB", budget=budget.kib),
        Figure(f"{name}: steps", kinds[EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]),
        Figure(f"{name}: timers", kinds[EventType.EVENT_TYPE_TIMER_STARTED]),
    ]
