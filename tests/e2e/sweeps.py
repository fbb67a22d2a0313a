"""What an operator can do to runs by hand, and the sweeper that goes on after them."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus

from domain.errors import Rejected
from domain.payments import PaymentState
from domain.ports import Act
from starter.answers import RunIsGone, translated
from starter.sweeping import Sweeper, Swept
from systems.wiring import Systems
from tests.workflows.stage import PauseHandle, Stage, eventually
from workflows.account_pause import AccountPause

# Long enough that nothing is left alone for being young.
LATER = timedelta(minutes=30)
YEARS = timedelta(days=1000)


def sweeper_of(client: Client, systems: Systems) -> Sweeper:
    """A sweeper that comes a while later."""
    return Sweeper(client, systems, later)


def later() -> datetime:
    """A while from now."""
    return datetime.now(UTC) + LATER


async def swept(stage: Stage) -> Swept:
    """What a sweeper finds about the account a while later; others may have left runs behind."""
    return of_account(stage, await sweeper_of(stage.client, stage.systems).sweep())


def of_account(stage: Stage, swept: Swept) -> Swept:
    """What was found about the account of the stage."""
    found = [each for each in swept.found if each.account_id == stage.account_id]
    return replace(swept, found=found)


async def swept_until_it_goes_on(stage: Stage) -> Act:
    """The account's last act, once it has a run again or has ended; the sweeper comes by."""

    async def goes_on() -> Act | None:
        await swept(stage)
        act = stage.systems.accounts.last_act(stage.account_id)
        assert act is not None
        return act if act.ended_at or await runs(stage.handle(), act) else None

    return await eventually(goes_on)


async def runs(handle: PauseHandle, act: Act) -> bool:
    """Whether the latest run under the handle's id looks after the act."""
    try:
        with translated():
            described = await handle.describe()
            is_running = described.status is WorkflowExecutionStatus.RUNNING
            return is_running and (await handle.query(AccountPause.status)).pause_id == act.act_id
    except RunIsGone:
        return False


async def reset_to_first_task(client: Client, handle: PauseHandle) -> None:
    """The Web UI's *Reset* to the first workflow task: the run begins anew as it was asked for."""
    first = None
    async for event in handle.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            first = event.event_id
            break
    assert first is not None, "the run has done nothing yet"
    described = await handle.describe()
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=described.run_id),
            reason="an operator's button",
            workflow_task_finish_event_id=first,
            request_id=f"reset-{described.run_id}",
        )
    )


def paid_by_date(systems: Systems, account_id: str) -> Counter[date | None]:
    """How often each date was paid, by the gateway's own record."""
    return Counter(
        payment.billing_on
        for payment in systems.sandbox.payments(account_id)
        if payment.state is PaymentState.SUCCEEDED
    )


async def quietly_reconciled(systems: Systems) -> int:
    """How many differences between the books and the gateway a reconciliation of all time meets.

    What no run looks up any more, the worker's job has looked up before.
    """
    await asyncio.to_thread(systems.billing.settle_unknown, datetime.now(UTC) + YEARS)
    since, until = datetime.now(UTC) - YEARS, datetime.now(UTC) + timedelta(hours=1)
    try:
        reconciled = await asyncio.to_thread(
            systems.reconciliation.reconcile, datetime.now(UTC), since, until
        )
    except Rejected as error:
        raise AssertionError(error.message) from error
    return reconciled.found
