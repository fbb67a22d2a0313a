"""A pause stays within its budgets of actions, history events and bytes, counted from its history.

`make bench` measures the budgets that are ratios, which no test could on a busy machine.
"""

import pytest

from tests.e2e.counting import Budget, Cost
from tests.e2e.courses import EARLY_RESUME, PAID_ON_DAY_FIVE, SIX_MONTHS, Course, leanest
from tests.e2e.memory import running
from tests.temporal import TemporalServer


@pytest.mark.parametrize(
    "course",
    [SIX_MONTHS, EARLY_RESUME, PAID_ON_DAY_FIVE],
    ids=["six months with reminders", "an early resume on day 65", "a decline, paid on day five"],
)
async def test_a_pause_stays_within_its_budget(
    temporal_server: TemporalServer, course: Course
) -> None:
    cost = await leanest(temporal_server, course)

    assert not cost.breaches(course.budget)


async def test_a_breach_names_what_the_bytes_are_spent_on(temporal_server: TemporalServer) -> None:
    async with running(temporal_server) as memory:
        account_id = memory.account()
        await memory.pauses.pause(account_id, memory.administrator)
        handle = memory.handle(account_id)
        cost = Cost(await handle.fetch_history())
        await handle.terminate()
    actions, events, kib, biggest, *_ = cost.breaches(Budget(actions=1, events=1, kib=1))

    assert f"{cost.actions} actions, 1 allowed" == actions
    assert f"{len(cost.events)} events, 1 allowed" == events
    assert f"{cost.bytes} bytes, 1024 allowed" == kib
    assert "ACTIVITY_TASK_COMPLETED" in biggest
