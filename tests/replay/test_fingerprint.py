"""What the workflow asks for, in order, is pinned: a change of it is made knowingly or not at all.

A replay compares old runs with today's code; this compares today's runs with the old ones, so that
a command is missed too that no committed history has.
"""

import json

import pytest

from tests.replay.histories import ADVICE, FINGERPRINTS, fingerprint, read
from tests.replay.scenarios import SCENARIOS
from tests.workflows.stage import Stage

PINNED: dict[str, list[str]] = json.loads(FINGERPRINTS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_fingerprint_of_a_committed_history_is_pinned(name: str) -> None:
    assert PINNED[name] == fingerprint(read(name)), f"{name} was recorded anew.\n{ADVICE}"


@pytest.mark.parametrize(
    ("name", "cached_workflows"),
    [
        ("resumed-by-itself", 100),
        ("resumed-early", 100),
        # Without a cache every workflow task is a replay of all that went before.
        ("resumed-by-itself", 0),
        ("closed-by-an-administrator", 0),
        ("parked-and-retried", 0),
        ("reconciled", 0),
    ],
)
async def test_todays_code_asks_for_the_same(
    name: str, cached_workflows: int, stage: Stage
) -> None:
    run = await SCENARIOS[name].play(stage, cached_workflows)

    assert PINNED[name] == fingerprint(await run.fetch_history()), f"{name} has changed.\n{ADVICE}"
