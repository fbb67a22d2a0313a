"""Moving the virtual clock of one pause, on the local stack's own server only."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from domain import names
from domain.errors import Code, Rejected, Transient
from domain.messages import Status
from domain.ports import Act
from domain.states import ActKind, ChargeState, PauseState
from starter.story import Event, story_of
from systems.wiring import Systems
from workflows.account_pause import AccountPause

# Six months take a second or two; a stuck step or a missing worker takes for ever.
PATIENCE_SECONDS = 60
POLL_SECONDS = 0.05

# The server's default of 200 would make a clock wait in real time in the midst of a long pause.
SKIPPING = TimeSkippingConfig(max_session_skip_count=5000)

Handle = WorkflowHandle[AccountPause, Status]


@dataclass(frozen=True)
class Moved:
    """How far the clock went, what happened meanwhile, and where the pause stands now."""

    from_at: datetime
    to_at: datetime
    events: list[Event]
    status: Status


def skipper_of(client: Client) -> TimeSkipper:
    """What moves the clocks of pauses on a server that allows it."""
    return TimeSkipper(client, config=SKIPPING)


async def clock_of(client: Client, act: Act) -> datetime:
    """What the pause's own clock shows."""
    return (await skipper_of(client).get_current_time(_handle(client, act))).astimezone(UTC)


async def fast_forward(client: Client, systems: Systems, act: Act, to: datetime) -> Moved:
    """Move the clock of the open pause to `to`; everything that falls due on the way is done.

    Raises:
        Rejected: `account_not_paused`; `validation_failed` when `to` is not ahead of the clock.
        Transient: a step that is due does not come to its end.
    """
    if act.kind is not ActKind.PAUSE or act.ended_at is not None:
        raise Rejected(Code.ACCOUNT_NOT_PAUSED, f"Account {act.account_id} is not paused.")
    handle = _handle(client, act)
    before = story_of(systems, act.account_id)
    now = await clock_of(client, act)
    if to <= now:
        raise Rejected(
            Code.VALIDATION_FAILED,
            f"The pause's clock shows {now:%Y-%m-%d %H:%M} UTC already; it only runs forward.",
        )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await skipper_of(client).fast_forward(handle, to - now)
            status = await _settled(handle, to)
    except TimeoutError:
        raise Transient(
            f"A step of pause {act.act_id} does not come to its end: see `account-pause status`"
            " and the worker's log."
        ) from None
    reached = status.ended_at or await clock_of(client, act)
    note_clock(systems, act, reached)
    events = [event for event in story_of(systems, act.account_id) if event not in before]
    return Moved(now, reached, events, status)


def note_clock(systems: Systems, act: Act, shows: datetime) -> None:
    """Keep how far the pause's clock, which shows `shows`, runs ahead of real time."""
    ahead = max(shows - datetime.now(UTC), timedelta(0))
    # Rounded up: a command from a moment ahead counts from now, one from before would count less.
    systems.accounts.set_clock_ahead(act.act_id, ceil(ahead.total_seconds()))


async def _settled(handle: Handle, to: datetime) -> Status:
    """The status once nothing is due any more at `to`."""
    while True:
        status = await _status(handle)
        if status.needs_operator or status.state.is_final or not _is_busy(status, to):
            return status
        await asyncio.sleep(POLL_SECONDS)


def _is_busy(status: Status, to: datetime) -> bool:
    is_charging = any(charge.state is ChargeState.COLLECTING for charge in status.charges)
    next_event = status.next_event
    is_due = next_event is not None and next_event.at <= to
    return status.state is not PauseState.PAUSED or is_charging or is_due


async def _status(handle: Handle) -> Status:
    try:
        return await handle.query(AccountPause.status)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return await handle.result()
        raise


def _handle(client: Client, act: Act) -> Handle:
    workflow_id = names.pause_workflow_id(act.account_id)
    return client.get_workflow_handle_for(AccountPause.run, workflow_id)
