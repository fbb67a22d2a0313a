"""One pause for each way in which a pause can go: what the committed histories are recorded from.

A scenario runs on a stage whose worker is up, with ids that are the same each time. It leaves its
run, ended, under the account's workflow id.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from temporalio.client import WorkflowFailureError, WorkflowHandle

from domain import names
from domain.ids import Prefix, make_id
from domain.messages import ReconcileInput
from domain.names import Activity
from domain.policy import CLOSE_CONFIRMATION
from domain.states import ChargeState, PauseState
from domain.terms import Offer
from tests.workflows.faults import Fault
from tests.workflows.stage import PauseHandle, Stage

NAMESPACE = UUID("0b9a8d5e-63a5-4f0e-8f0f-6f1a3c2d7e55")

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TODAYS_OFFER = Offer()


@dataclass(frozen=True)
class Scenario:
    """How a run goes (`act`), the offer it begins under and the card on file by then."""

    act: Callable[[Stage], Awaitable[None]]
    offer: Offer = TODAYS_OFFER
    card: str = "visa"
    is_close: bool = False
    is_reconciliation: bool = False

    async def play(self, stage: Stage, cached_workflows: int = 100) -> WorkflowHandle[Any, Any]:
        """Let it go from its start to its end; returns its run."""
        stage.offer = self.offer
        stage.enter_card(self.card)
        async with stage.worker(cached_workflows):
            await self.act(stage)
        if self.is_reconciliation:
            return stage.client.get_workflow_handle(names.RECONCILIATION_SCHEDULE_ID)
        return stage.close_handle() if self.is_close else stage.handle()


async def _resumed_by_itself(stage: Stage) -> None:
    # [ $ $ $ $ $ $ )
    await stage.skipping_pauses.pause(
        stage.account_id, stage.administrator, pause_id=_pause_id(stage)
    )
    await stage.handle().result()


async def _resumed_early(stage: Stage) -> None:
    # [ $ $ )
    handle = await _paused(stage)
    await _move(stage, handle, 65 * DAY)
    await stage.until_charge(handle, 1, ChargeState.PAID)
    at = await stage.now(handle)
    await stage.pauses.resume(stage.account_id, stage.administrator, requested_at=at)


async def _resumed_with_a_declined_fee(stage: Stage) -> None:
    # [ x )
    handle = await _paused(stage)
    await _move_past_fee(stage, handle, HOUR)
    await stage.until_charge(handle, 0, ChargeState.DECLINED)
    await stage.resume(handle)


async def _paid_on_rung_2(stage: Stage) -> None:
    # [ x.x.$ $ $ $ $ $ )
    handle = await _paused(stage)
    await _move_past_fee(stage, handle, DAY + HOUR)
    await stage.until(lambda: stage.notices() == ["paused", "declined"])
    stage.enter_card("visa")
    await _finish(stage, handle)


async def _paid_with_a_new_card(stage: Stage) -> None:
    # [ x$ )
    handle = await _paused(stage)
    await _move_past_fee(stage, handle, HOUR)
    await stage.until_charge(handle, 0, ChargeState.DECLINED)
    stage.enter_card("mastercard")
    await stage.pauses.payment_method_updated(stage.account_id)
    await stage.until_charge(handle, 0, ChargeState.PAID)
    await stage.resume(handle)


async def _paid_after_a_doubt(stage: Stage) -> None:
    # [ ?.?.$ )
    handle = await _paused(stage)
    await _move_past_fee(stage, handle, 2 * DAY)
    await stage.until_charge(handle, 0, ChargeState.PAID)
    await stage.resume(handle)


async def _closed_by_an_administrator(stage: Stage) -> None:
    # [ x ]
    handle = await _paused(stage)
    await _move_past_fee(stage, handle, HOUR)
    await stage.until_charge(handle, 0, ChargeState.DECLINED)
    await stage.pauses.close(stage.account_id, stage.administrator, CLOSE_CONFIRMATION)
    await handle.result()


async def _closed_by_the_ladder(stage: Stage) -> None:
    # [ x.x.x.x.x.x ]
    handle = await stage.start(skipping=True, pause_id=_pause_id(stage))
    await handle.result()


async def _refused_by_a_rule(stage: Stage) -> None:
    handle = await stage.start(pause_id=_pause_id(stage))
    await handle.result()


async def _refused_and_undone(stage: Stage) -> None:
    stage.faults.plan(Activity.SUSPEND_ACCESS, Fault.REFUSED)
    handle = await stage.start(pause_id=_pause_id(stage))
    await handle.result()


async def _cancelled_by_an_operator(stage: Stage) -> None:
    handle = await _paused(stage)
    await _move_past_fee(stage, handle, HOUR)
    await stage.until_charge(handle, 0, ChargeState.PAID)
    await handle.cancel()
    with suppress(WorkflowFailureError):
        await handle.result()


async def _parked_and_retried(stage: Stage) -> None:
    stage.faults.plan(Activity.RETAIN_NUMBERS, Fault.REFUSED)
    handle = await _paused(stage)
    await _move(stage, handle, 2 * HOUR)
    await stage.until_stuck(handle)
    await stage.pauses.retry(stage.account_id)
    await stage.until(lambda: stage.faults.count(Activity.RETAIN_NUMBERS) == 2)
    await stage.resume(handle)


async def _resume_date_changed(stage: Stage) -> None:
    # [ $ ).....
    handle = await _paused(stage)
    resume_on = (await stage.now(handle)).date() + 40 * DAY
    await stage.pauses.change_resume_date(stage.account_id, stage.administrator, resume_on)
    await _finish(stage, handle)


async def _account_closed(stage: Stage) -> None:
    await stage.pauses.close(stage.account_id, stage.administrator, CLOSE_CONFIRMATION)
    await stage.close_handle().result()


async def _reconciled(stage: Stage) -> None:
    run = await stage.client.start_workflow(
        names.PAYMENT_RECONCILIATION,
        ReconcileInput(),
        id=names.RECONCILIATION_SCHEDULE_ID,
        task_queue=names.TASK_QUEUE,
    )
    await run.result()


SCENARIOS = {
    "resumed-by-itself": Scenario(_resumed_by_itself),
    "resumed-early": Scenario(_resumed_early),
    "resumed-with-a-declined-fee": Scenario(_resumed_with_a_declined_fee, card="declined"),
    "paid-on-rung-2": Scenario(_paid_on_rung_2, card="declined"),
    "paid-with-a-new-card": Scenario(_paid_with_a_new_card, card="declined"),
    "paid-after-a-doubt": Scenario(_paid_after_a_doubt, card="processing"),
    "closed-by-an-administrator": Scenario(_closed_by_an_administrator, card="declined"),
    "closed-by-the-ladder": Scenario(_closed_by_the_ladder, card="declined"),
    "refused-by-a-rule": Scenario(_refused_by_a_rule, offer=Offer(max_numbers=1)),
    "refused-and-undone": Scenario(_refused_and_undone),
    "cancelled-by-an-operator": Scenario(_cancelled_by_an_operator),
    "parked-and-retried": Scenario(_parked_and_retried),
    "resume-date-changed": Scenario(_resume_date_changed),
    "account-closed": Scenario(_account_closed, is_close=True),
    "reconciled": Scenario(_reconciled, is_reconciliation=True),
}


def _pause_id(stage: Stage) -> str:
    return make_id(Prefix.PAUSE, uuid5(NAMESPACE, stage.account_id))


async def _paused(stage: Stage) -> PauseHandle:
    await stage.pauses.pause(stage.account_id, stage.administrator, pause_id=_pause_id(stage))
    handle = stage.handle()
    await stage.until_state(handle, PauseState.PAUSED)
    return handle


async def _move(stage: Stage, handle: PauseHandle, ahead: timedelta) -> None:
    await stage.move_to(handle, await stage.now(handle) + ahead)


async def _move_past_fee(stage: Stage, handle: PauseHandle, by: timedelta) -> None:
    await stage.move_to(handle, (await stage.current(handle)).charges[0].due_at + by)


async def _finish(stage: Stage, handle: PauseHandle) -> None:
    await stage.skipper.fast_forward(handle)
    await handle.result()
