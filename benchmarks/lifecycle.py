"""A whole pause against a workflow that does nothing in as many steps: worker and server together.

The systems answer from memory, so that what is compared is the workflow's own price. `Plain` takes
its steps one after the other and has no signals, updates, search attributes or payloads.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

from temporalio.client import Client

from benchmarks.figures import Figure, figure, ratio
from benchmarks.plain import TASK_QUEUE, Order, Plain
from benchmarks.rig import WARM_UP, Account, Rig, open_rig, side_by_side
from domain import names

BUDGET = 1.3
PAUSES = 60
ROUNDS = 5
MILLI = 1000

# What `python -m benchmarks counts` shows of a pause that is resumed at once and of six months.
AT_ONCE = Order(steps=11)
SIX_MONTHS = Order(steps=21, timers=11)

Course = Callable[[Rig, Account], Awaitable[object]]


async def measure(directory: Path, pauses: int = PAUSES, rounds: int = ROUNDS) -> list[Figure]:
    """Both kinds of lifecycle, each beside its plain workflow."""
    async with open_rig(directory) as rig:
        accounts = 2 * (WARM_UP + pauses * rounds)
        with rig.working("--accounts", str(accounts)):
            return [
                *await _compared(rig, "pause and resume", _resumed, AT_ONCE, pauses, rounds),
                *await _compared(rig, "six months", _whole, SIX_MONTHS, pauses, rounds),
            ]


async def _compared(
    rig: Rig, name: str, course: Course, order: Order, pauses: int, rounds: int
) -> list[Figure]:
    await _ours(rig, course, WARM_UP)
    await _plain(rig, order, WARM_UP)
    ours, plain = [], []
    for _ in range(rounds):
        ours.append(await _ours(rig, course, pauses))
        plain.append(await _plain(rig, order, pauses))
    return [
        figure(f"{name}, worker and server", ours, "ms"),
        figure(f"{order.steps} steps, {order.timers} timers, nothing else", plain, "ms"),
        ratio(f"{name} against it", ours, plain, BUDGET),
    ]


async def _ours(rig: Rig, course: Course, count: int) -> float:
    work = side_by_side(rig.memory_accounts(count), lambda account: course(rig, account))
    return (await rig.cost(work)).both / count * MILLI


async def _plain(rig: Rig, order: Order, count: int) -> float:
    # The clock of a workflow that sleeps has to skip too, and that has its price.
    client = rig.skipper.client if order.timers else rig.client
    work = side_by_side(range(count), lambda _: plain_run(client, order))
    return (await rig.cost(work)).both / count * MILLI


async def plain_run(client: Client, order: Order) -> None:
    """Run the plain workflow to its end."""
    await client.execute_workflow(Plain.run, order, id=f"plain:{uuid4()}", task_queue=TASK_QUEUE)


async def _resumed(rig: Rig, account: Account) -> None:
    handle = await rig.pause(account)
    await handle.signal(names.RESUME)
    await handle.result()


async def _whole(rig: Rig, account: Account) -> None:
    handle = await rig.pause(account, skipping=True)
    await handle.result()
