"""The daily reconciliation on a real server: triggered by its schedule, retried, cancelled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import (
    Client,
    ScheduleHandle,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from domain import names
from domain.errors import Code
from domain.messages import Reconciled
from domain.names import Activity
from starter.schedules import schedule_reconciliation
from tests.workflows.faults import Fault
from tests.workflows.stage import Stage, eventually
from workflows.reconciliation import PaymentReconciliation, details

AT = datetime(2026, 1, 16, 3, tzinfo=UTC)
COUNTS = Reconciled(
    since=AT - timedelta(days=4),
    until=AT,
    payments=1200,
    refunds=3,
    foreign=10,
    found=4,
    settled=1,
    refunded=1,
    vanished=1,
    new=1,
    waiting=2,
)


@asynccontextmanager
async def scheduled(client: Client) -> AsyncIterator[None]:
    """The schedule, until the block ends: other tests share the server."""
    await schedule_reconciliation(client)
    try:
        yield
    finally:
        await client.get_schedule_handle(names.RECONCILIATION_SCHEDULE_ID).delete()


async def started(client: Client) -> str:
    """The id of the run that the schedule has started."""

    async def first() -> str | None:
        query = f"WorkflowType='{names.PAYMENT_RECONCILIATION}' AND ExecutionStatus='Running'"
        async for run in client.list_workflows(query):
            if run.id.startswith(names.RECONCILIATION_SCHEDULE_ID):
                return run.id
        return None

    return await eventually(first)


async def by_hand(stage: Stage, request: object = None) -> WorkflowHandle[object, Reconciled]:
    """A run that somebody starts in Temporal itself."""
    return await stage.client.start_workflow(
        names.PAYMENT_RECONCILIATION,
        *([] if request is None else [request]),
        id=f"test:{uuid4()}",
        task_queue=names.TASK_QUEUE,
        result_type=Reconciled,
    )


async def test_what_the_schedule_starts_compares_and_says_what_came_of_it(stage: Stage) -> None:
    gate = stage.faults.hold(Activity.RECONCILE_PAYMENTS)
    async with scheduled(stage.client):
        handle = stage.client.get_schedule_handle(names.RECONCILIATION_SCHEDULE_ID)
        async with stage.worker():
            await handle.trigger()
            run = stage.client.get_workflow_handle_for(
                PaymentReconciliation.run, await started(stage.client)
            )
            gate.set()
            reconciled = await run.result()

    assert (0, 0, 0) == (reconciled.payments, reconciled.found, reconciled.waiting)
    assert timedelta(0) < datetime.now(UTC) - reconciled.until < timedelta(hours=1)


async def test_an_operator_may_start_it_with_nothing_and_with_a_window(stage: Stage) -> None:
    async with stage.worker():
        without = await (await by_hand(stage)).result()
        within = await (
            await by_hand(stage, {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"})
        ).result()

    assert timedelta(days=34) < without.until - without.since < timedelta(days=35)
    assert (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)) == (
        within.since,
        within.until,
    )


@pytest.mark.parametrize(
    "request_", [{"since": "yesterday"}, {"until": "2026-02-01T00:00:00"}, [1]]
)
async def test_an_input_that_makes_no_sense_fails_the_run_with_a_clear_message(
    stage: Stage, request_: object
) -> None:
    async with stage.worker():
        with pytest.raises(WorkflowFailureError) as failed:
            await (await by_hand(stage, request_)).result()

    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    assert Code.VALIDATION_FAILED == cause.type
    assert "since" in cause.message


@pytest.mark.thorough
async def test_a_gateway_that_is_away_is_asked_again(stage: Stage) -> None:
    stage.faults.plan(Activity.RECONCILE_PAYMENTS, Fault.FAILED, Fault.ANSWER_LOST)
    async with stage.worker():
        reconciled = await (await by_hand(stage)).result()

    assert 3 == stage.faults.count(Activity.RECONCILE_PAYMENTS)
    assert 0 == reconciled.waiting


async def test_a_cancelled_run_ends_at_once(stage: Stage) -> None:
    gate = stage.faults.hold(Activity.RECONCILE_PAYMENTS)
    async with stage.worker():
        run = await by_hand(stage)
        await stage.until_begun(Activity.RECONCILE_PAYMENTS)
        await run.cancel()
        with suppress(WorkflowFailureError):
            await asyncio.wait_for(run.result(), 10)
        gate.set()

    assert WorkflowExecutionStatus.CANCELED == (await run.describe()).status


async def test_its_page_says_what_is_going_on(stage: Stage) -> None:
    gate = stage.faults.hold(Activity.RECONCILE_PAYMENTS)
    async with stage.worker():
        run = await by_hand(stage)
        await stage.until_begun(Activity.RECONCILE_PAYMENTS)
        page = await run.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        gate.set()
        await run.result()

    assert "being compared" in page.current_details


def test_its_page_says_what_was_done_and_what_is_to_be_done() -> None:
    page = details(COUNTS)

    assert "| Compared | 1200 payments, 3 refunds |" in page
    assert "| Wait for an operator | **2**, 1 of them new |" in page
    assert "`account-pause differences`" in page


def test_where_nothing_waits_nothing_is_asked_of_anybody() -> None:
    page = details(COUNTS.model_copy(update={"waiting": 0, "new": 0}))

    assert "| Operator | nothing |" in page
    assert "account-pause" not in page


# --- the schedule --------------------------------------------------------------------------------


async def test_the_schedule_is_made_once_and_brought_up_to_date(stage: Stage) -> None:
    handle = stage.client.get_schedule_handle(names.RECONCILIATION_SCHEDULE_ID)
    with suppress(RPCError):
        await handle.delete()

    is_new = [await schedule_reconciliation(stage.client) for _ in range(2)]
    await handle.pause(note="the gateway is being moved")
    await eventually(lambda: _is_paused(handle))
    await schedule_reconciliation(stage.client)
    described = await handle.describe()
    await handle.delete()

    assert [True, False] == is_new
    assert (True, "the gateway is being moved") == (
        described.schedule.state.paused,
        described.schedule.state.note,
    ), "an operator's pause stays"
    assert timedelta(days=1) == described.schedule.policy.catchup_window
    upcoming = described.info.next_action_times
    assert {3} == {at.hour for at in upcoming}
    gaps = {after - before for before, after in pairwise(upcoming)}
    assert all(abs(gap - timedelta(days=1)) < timedelta(hours=1) for gap in gaps)


async def _is_paused(handle: ScheduleHandle) -> bool | None:
    return (await handle.describe()).schedule.state.paused or None
