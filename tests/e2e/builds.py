"""Builds of the product: copies of its files, one of them with a change that must not be released.

The change adds a step ahead of each fee, as somebody might who has not read docs/releases.md.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.house.documents import ROOT, project_files

GATE = "tests/replay/test_replay.py"

BEFORE = """\
        answer = await self._steps.until_done(
            BillingActivities.collect_fee,
"""
ADDED = """\
        await self._steps.until_done(
            NumberActivities.retain_numbers, self._step(), "first see that the numbers are kept"
        )
"""


def copied(build: Path) -> Path:
    """The project as it is, at `build`."""
    for file in project_files():
        copy = build / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return build


def with_a_step_added(build: Path) -> Path:
    """The same build with another step ahead of each fee."""
    file = build / "workflows/keeping.py"
    text = file.read_text(encoding="utf-8")
    assert text.count(BEFORE) == 1, "the fee is collected elsewhere now; change it there"
    file.write_text(text.replace(BEFORE, ADDED + BEFORE), encoding="utf-8")
    return build


def gate(build: Path, history: str) -> subprocess.CompletedProcess[str]:
    """Run the gate of that build on one of its committed histories."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            f"{GATE}::test_a_committed_history_replays[{history}]",
        ],
        cwd=build,
        capture_output=True,
        check=False,
        text=True,
        timeout=100,
    )
