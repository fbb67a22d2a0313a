"""What a new pause costs where many others are idle: worker and server, 1,000 against 10,000."""

from pathlib import Path

from benchmarks.figures import Figure, figure, ratio
from benchmarks.rig import WARM_UP, Rig, open_rig, side_by_side

BUDGET = 1.5
PAUSES = 10_000
TENTH = 10
SAMPLE = 100
ROUNDS = 3
MILLI = 1000


async def measure(directory: Path, pauses: int = PAUSES) -> list[Figure]:
    """A few batches of new pauses beside a tenth of the crowd, and beside the crowd."""
    few = pauses // TENTH
    accounts = WARM_UP + pauses + 2 * ROUNDS * SAMPLE
    async with open_rig(directory) as rig:
        with rig.working("--accounts", str(accounts)):
            await _paused(rig, few)
            beside_few = [await _cost(rig) for _ in range(ROUNDS)]
            await _paused(rig, pauses - rig.accounts_used)
            beside_many = [await _cost(rig) for _ in range(ROUNDS)]
    return [
        figure(f"worker and server, a new pause beside {few:,}", beside_few, "ms"),
        figure(f"worker and server, a new pause beside {pauses:,}", beside_many, "ms"),
        ratio("the crowd's price", beside_many, beside_few, BUDGET),
    ]


async def _cost(rig: Rig) -> float:
    return (await rig.cost(_paused(rig, SAMPLE))).both / SAMPLE * MILLI


async def _paused(rig: Rig, count: int) -> None:
    await side_by_side(rig.memory_accounts(count), rig.pause)
