"""What the workflow sandbox adds to a new pause: processor time of the worker, with and without.

Two servers with a worker each, which take turns; the systems answer from memory.
"""

from pathlib import Path

from benchmarks.figures import Figure, figure, ratio
from benchmarks.rig import WARM_UP, Rig, open_rig, side_by_side

BUDGET = 1.3
PAUSES = 100
ROUNDS = 5
MILLI = 1000


async def measure(directory: Path, pauses: int = PAUSES, rounds: int = ROUNDS) -> list[Figure]:
    """Worker's time for a new pause, and how it compares with the same outside of the sandbox."""
    accounts = str(WARM_UP + pauses * rounds)
    async with open_rig(directory / "with") as guarded, open_rig(directory / "without") as bare:
        with (
            guarded.working("--accounts", accounts),
            bare.working("--accounts", accounts, "--unsandboxed"),
        ):
            for rig in (guarded, bare):
                await _cost(rig, WARM_UP)
            inside, outside = [], []
            for _ in range(rounds):
                inside.append(await _cost(guarded, pauses))
                outside.append(await _cost(bare, pauses))
    return [
        figure("worker, a new pause, in the sandbox", inside, "ms"),
        figure("worker, a new pause, outside", outside, "ms"),
        ratio("the sandbox's price", inside, outside, BUDGET),
    ]


async def _cost(rig: Rig, pauses: int) -> float:
    used = await rig.cost(side_by_side(rig.memory_accounts(pauses), rig.pause))
    return used.worker / pauses * MILLI
