"""How long a resume takes, one in flight: from the signal until everything is back.

Each resume is followed by a plain workflow that takes as many steps after a signal, so both see the
same machine. Wall time, so only the ratio says something.
"""

import time
from pathlib import Path
from statistics import median
from uuid import uuid4

from benchmarks.figures import Figure, figure
from benchmarks.plain import GO_ON, TASK_QUEUE, Order, Plain
from benchmarks.rig import WARM_UP, Account, Rig, open_rig
from domain import names

BUDGET = 1.3
RESUMES = 60
ROUNDS = 3
MILLI = 1000

# begin_resume, restore_plan, restore_access, reactivate_numbers, enable_script, mark_resumed.
STEPS = 6


async def measure(directory: Path, resumes: int = RESUMES, rounds: int = ROUNDS) -> list[Figure]:
    """The median resume of each round, and the median of the plain workflow beside it."""
    async with open_rig(directory) as rig:
        with rig.working("--accounts", str(WARM_UP + resumes * rounds)):
            await _medians(rig, WARM_UP)
            pairs = [await _medians(rig, resumes) for _ in range(rounds)]
    return [
        figure("resume, half of them are faster", [ours for ours, _ in pairs], "ms"),
        figure(f"signal and {STEPS} steps, nothing else", [plain for _, plain in pairs], "ms"),
        figure("resume against it", [ours / plain for ours, plain in pairs], "x", BUDGET),
    ]


async def _medians(rig: Rig, count: int) -> tuple[float, float]:
    ours, plain = [], []
    for account in rig.memory_accounts(count):
        ours.append(await _resume(rig, account))
        plain.append(await _plain(rig))
    return median(ours) * MILLI, median(plain) * MILLI


async def _resume(rig: Rig, account: Account) -> float:
    handle = await rig.pause(account)
    began = time.perf_counter()
    await handle.signal(names.RESUME)
    await handle.result()
    return time.perf_counter() - began


async def _plain(rig: Rig) -> float:
    order = Order(steps=1, steps_after_signal=STEPS)
    handle = await rig.client.start_workflow(
        Plain.run, order, id=f"plain:{uuid4()}", task_queue=TASK_QUEUE
    )
    await handle.execute_update(Plain.until_waiting)
    began = time.perf_counter()
    await handle.signal(GO_ON)
    await handle.result()
    return time.perf_counter() - began
