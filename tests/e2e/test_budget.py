"""A pause stays within its budgets of actions, history events and bytes, counted from its history.

The systems answer from memory. Answers of steps that run side by side share a workflow task or take
one each, as they happen to arrive, which is up to the machine and not to the design: so each kind
of pause is run a few times at once, and the leanest counts.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from domain.states import ChargeState, PauseState
from tests.e2e.counting import Budget, Cost
from tests.e2e.memory import Memory, running
from tests.temporal import TemporalServer

SIX_MONTHS = Budget(actions=40, events=190, kib=22)
EARLY_RESUME = Budget(actions=28, events=112, kib=14)
PAID_ON_DAY_FIVE = Budget(actions=48, events=220, kib=26)

RUNS = 4
HOUR = timedelta(hours=1)

Scenario = Callable[[Memory], Awaitable[Cost]]


async def test_six_months_with_reminders_stay_within_budget(
    temporal_server: TemporalServer,
) -> None:
    leanest = await _leanest(temporal_server, _six_months)

    assert not leanest.breaches(SIX_MONTHS)


async def test_an_early_resume_on_day_65_stays_within_budget(
    temporal_server: TemporalServer,
) -> None:
    leanest = await _leanest(temporal_server, _early_resume)

    assert not leanest.breaches(EARLY_RESUME)


async def test_six_months_with_a_decline_paid_on_day_five_stay_within_budget(
    temporal_server: TemporalServer,
) -> None:
    leanest = await _leanest(temporal_server, _paid_on_day_five)

    assert not leanest.breaches(PAID_ON_DAY_FIVE)


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


async def _leanest(server: TemporalServer, scenario: Scenario) -> Cost:
    async with running(server) as memory:
        costs = await asyncio.gather(*(scenario(memory) for _ in range(RUNS)))
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
