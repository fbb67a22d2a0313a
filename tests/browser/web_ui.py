"""Temporal's Web UI on the embedded server, with a pause in every state that an operator meets."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from anyio.from_thread import BlockingPortal, start_blocking_portal
from temporalio.client import Client

from domain import names
from domain.calendar import local_date
from domain.errors import InvariantViolated, PauseError, Rejected, Transient
from domain.messages import Status
from domain.policy import CLOSE_CONFIRMATION
from domain.ports import Billing, Numbers
from domain.states import ChargeState, PauseState
from domain.terms import Offer
from starter.local.processes import LOOPBACK, bound_to_parent, free_port
from starter.local.server import server_command, until_it_answers
from systems.sample import create_account
from systems.wiring import Systems, open_systems
from tests.workflows.stage import FIRST_FEE_AFTER, TIME_ZONE, PauseHandle, Stage
from worker import activities, build_worker

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SLOTS = 10

# These stay as they are.
CALM, PAST_DUE, STUCK, RETRYING = "calm", "past-due", "stuck", "retrying"
CLOSED, REFUSED, RESUMED = "closed", "refused", "resumed"
# With these an operator does something, each time another thing.
LEAVING, MOVED, ABORTED, MENDED, AWAITED = "leaving", "moved", "aborted", "mended", "awaited"
CHANGING = frozenset({LEAVING, MOVED, ABORTED, MENDED, AWAITED})


class Troubled:
    """A system that fails for some accounts, in the ways that its port allows."""

    def __init__(self, system: object) -> None:
        """`system` answers for all others."""
        self._system = system
        self.errors: dict[tuple[str, str], PauseError] = {}

    def fails(self, method: str, account_id: str, error: PauseError) -> None:
        """Its `method` answers for that account with `error` from now on."""
        self.errors[method, account_id] = error

    def is_back_for(self, account_id: str) -> None:
        """It answers for that account as it should."""
        self.errors = {key: error for key, error in self.errors.items() if key[1] != account_id}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._system, name)

        def call(first: Any, *more: Any) -> Any:
            error = self.errors.get((name, getattr(first, "account_id", "")))
            if error is not None:
                raise error
            return method(first, *more)

        return call


@dataclass
class Scene:
    """The Web UI at `url`, and the accounts by what has become of them."""

    url: str
    client: Client
    systems: Systems
    portal: BlockingPortal
    numbers: Troubled
    billing: Troubled
    stages: dict[str, Stage] = field(default_factory=dict)

    def run_id(self, who: str) -> str:
        """The id of the account's pause in the list of workflows."""
        return names.pause_workflow_id(self.stages[who].account_id)

    def state_of(self, who: str, state: PauseState) -> Status:
        """The account's pause, once it has come to `state`."""
        stage = self.stages[who]
        return self.portal.call(stage.until_state, stage.handle(), state)

    async def build(self) -> None:
        """Let everything happen, to all accounts at once."""
        await asyncio.gather(
            *(self._build(who, build) for who, build in BUILDERS.items()),
        )

    async def _build(self, who: str, build: "Builder") -> None:
        stage = self.stages[who] = self._stage(who)
        await build(self, stage)

    def _stage(self, who: str) -> Stage:
        now = datetime.now(UTC)
        account = create_account(
            self.systems,
            key=f"web-ui-{who}",
            name=f"Shop {who}",
            time_zone=TIME_ZONE,
            billing_day=local_date(now + FIRST_FEE_AFTER, TIME_ZONE).day,
            created_at=now - 400 * DAY,
            numbers=53 if who == REFUSED else 12,
        )
        return Stage(self.client, self.systems, account)


Builder = Callable[[Scene, Stage], Coroutine[Any, Any, None]]


async def _calm(_: Scene, stage: Stage) -> None:
    # [ $ $ .
    handle = await _paused(stage)
    await _move_past(stage, handle, 1, HOUR)
    await stage.until_charge(handle, 1, ChargeState.PAID)


async def _just_paused(_: Scene, stage: Stage) -> None:
    await _paused(stage)


async def _past_due(_: Scene, stage: Stage) -> None:
    # [ $ x.x.x.
    handle = await _paused(stage)
    await _move_past(stage, handle, 0, HOUR)
    await stage.until_charge(handle, 0, ChargeState.PAID)
    stage.enter_card("insufficient_funds")
    await _move_past(stage, handle, 1, 6 * DAY)
    await stage.until_charge(handle, 1, ChargeState.DECLINED)


async def _stuck(scene: Scene, stage: Stage) -> None:
    handle = await _paused(stage)
    fee = (await stage.current(handle)).charges[0]
    error = InvariantViolated(
        f"account {stage.account_id}: payment pay_7 at the gateway is not what was ordered for"
        f" {fee.billing_on} (amount, currency or owner); nothing was settled, compare both records"
    )
    scene.billing.fails("collect_fee", stage.account_id, error)
    await _move_past(stage, handle, 0, HOUR)
    await stage.until_stuck(handle)


async def _retrying(scene: Scene, stage: Stage) -> None:
    handle = await _paused(stage)
    await _move_past(stage, handle, 0, HOUR)
    await stage.until_charge(handle, 0, ChargeState.PAID)
    error = Transient("the database did not answer: OperationalError")
    scene.numbers.fails("reactivate_numbers", stage.account_id, error)
    await handle.signal(names.RESUME)
    await stage.until_state(handle, PauseState.RESUMING)


async def _closed(_: Scene, stage: Stage) -> None:
    handle = await _paused(stage)
    await stage.pauses.close(stage.account_id, stage.administrator, CLOSE_CONFIRMATION)
    await handle.result()


async def _refused(_: Scene, stage: Stage) -> None:
    try:
        await _paused(stage)
    except Rejected:
        return
    raise AssertionError("an account with 53 numbers was paused")


async def _resumed(_: Scene, stage: Stage) -> None:
    handle = await _paused(stage)
    await stage.resume(handle)


async def _paused(stage: Stage) -> PauseHandle:
    """As the product pauses."""
    await stage.pauses.pause(stage.account_id, stage.administrator)
    return stage.handle()


async def _move_past(stage: Stage, handle: PauseHandle, charge: int, by: timedelta) -> None:
    await stage.move_to(handle, (await stage.current(handle)).charges[charge].due_at + by)


BUILDERS: dict[str, Builder] = {
    CALM: _calm,
    PAST_DUE: _past_due,
    **dict.fromkeys((STUCK, MENDED), _stuck),
    **dict.fromkeys((RETRYING, AWAITED), _retrying),
    **dict.fromkeys((LEAVING, MOVED, ABORTED), _just_paused),
    CLOSED: _closed,
    REFUSED: _refused,
    RESUMED: _resumed,
}


@contextmanager
def web_ui(database_url: str, gateway_url: str, folder: Path) -> Iterator[Scene]:
    """The scene, built and running: one server, and one worker in a thread of its own."""
    port, ui_port = free_port(), free_port()
    with (folder / "server.log").open("wb") as output:
        server = subprocess.Popen(
            bound_to_parent(server_command(port, ui_port=ui_port)), stdout=output, stderr=output
        )
    systems = open_systems(database_url, gateway_url)
    try:
        # Playwright's loop counts as running in this thread, so clients live in another.
        with start_blocking_portal() as portal:
            url = f"http://{LOOPBACK}:{ui_port}"
            opened = _opened(f"{LOOPBACK}:{port}", url, systems, portal)
            with portal.wrap_async_context_manager(opened) as scene:
                yield scene
    finally:
        systems.close()
        server.kill()
        server.wait()


@asynccontextmanager
async def _opened(
    address: str, url: str, systems: Systems, portal: BlockingPortal
) -> AsyncIterator[Scene]:
    client = await until_it_answers(address)
    numbers, billing = Troubled(systems.numbers), Troubled(systems.billing)
    scene = Scene(url, client, systems, portal, numbers, billing)
    steps = activities(
        systems.accounts,
        cast("Numbers", numbers),
        systems.dni,
        systems.access,
        cast("Billing", billing),
        Offer(),
        systems.reconciliation,
    )
    with ThreadPoolExecutor(SLOTS) as executor:
        async with build_worker(
            client,
            steps,
            executor,
            slots=SLOTS,
            cached_workflows=100,
            graceful_shutdown=timedelta(seconds=5),
        ):
            await scene.build()
            yield scene
