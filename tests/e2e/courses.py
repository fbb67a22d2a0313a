"""The pauses whose cost is counted, with what each may cost; the systems answer from memory.

Answers of steps that run side by side share a workflow task or take one each, as they happen to
arrive, which is up to the machine and not to the design: so each kind of pause is run a few times
at once, and the leanest counts.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from domain.states import ChargeState, PauseState
from tests.e2e.counting import Budget, Cost
from tests.e2e.memory import Memory, running
from tests.temporal import TemporalServer

RUNS = 4


@dataclass(frozen=True)
class Course:
    """How a pause goes, and what it may cost."""

    run: Callable[[Memory], Awaitable[Cost]]
    budget: Budget


async def leanest(server: TemporalServer, course: Course) -> Cost:
    """What the course costs."""
    async with running(server) as memory:
        costs = await asyncio.gather(*(course.run(memory) for _ in range(RUNS)))
    return min(costs, key=lambda cost: cost.bytes)


async def _six_months(memory: Memory) -> Cost:
    # [ $ $ $ $ $ $ )
    account_id = memory.account()
    await memory.skipping_pauses.pause(account_id, memory.administrator)
    handle = memory.handle(account_id)
    status = await handle.result()
    assert [ChargeState.PAID] * 6 == [charge.state for charge in status.charges]
    return Cost(await handle.fetch_history())


async def _early_resume(memory: Memory) -> Cost:
    # [ $ $ )
    account_id = memory.account()
    await memory.pauses.pause(account_id, memory.administrator)
    handle = memory.handle(account_id)
    await memory.move_by(handle, timedelta(days=65))
    await memory.until_attempts(handle, account_id, 2)
    at = await memory.skipper.get_current_time(handle)
    status = await memory.pauses.resume(account_id, memory.administrator, requested_at=at)
    assert status.state is PauseState.RESUMED
    return Cost(await handle.fetch_history())


async def _paid_on_day_five(memory: Memory) -> Cost:
    # [ x.x.$ $ $ $ $ $ )
    account_id = memory.account(card="declined")
    await memory.pauses.pause(account_id, memory.administrator)
    handle = memory.handle(account_id)
    await memory.move_by(handle, timedelta(days=12))
    await memory.until_attempts(handle, account_id, 2)
    memory.enter_card(account_id, "visa")
    await memory.skipper.fast_forward(handle)
    status = await handle.result()
    assert [ChargeState.PAID] * 6 == [charge.state for charge in status.charges]
    return Cost(await handle.fetch_history())


SIX_MONTHS = Course(_six_months, Budget(actions=40, events=190, kib=22))
EARLY_RESUME = Course(_early_resume, Budget(actions=28, events=112, kib=14))
PAID_ON_DAY_FIVE = Course(_paid_on_day_five, Budget(actions=48, events=220, kib=26))
