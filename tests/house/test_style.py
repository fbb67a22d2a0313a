"""Style that a linter does not know, and controls for what it guards."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.documents import ROOT, project_files
from tests.house.test_imports import PACKAGES, imported

LONGEST = 400

# Modules whose every use differs from one replay to the next.
NEVER_DETERMINISTIC = {"os", "random", "secrets", "socket", "subprocess", "threading", "time"}

CLOCKS = """
import os
import random
import time
from datetime import date, datetime
from uuid import uuid4

NOW = datetime.now()
TODAY = date.today()
STAMP = time.time()
ID = uuid4()
ZONE = os.environ
LUCK = random.random()
"""


def test_no_file_is_long() -> None:
    long = {
        name: lines
        for path in project_files()
        if (name := path.relative_to(ROOT).as_posix()).split("/")[0]
        in {*PACKAGES, "scripts", "benchmarks"}
        and "/versions/" not in name
        and (lines := path.read_bytes().count(b"\n")) > LONGEST
    }

    assert long == {}, "split them: one story per file"


@pytest.mark.parametrize("package", ["domain", "workflows"])
def test_deterministic_code_imports_nothing_that_differs_on_replay(package: str) -> None:
    for path in sorted((ROOT / package).rglob("*.py")):
        used = {module.split(".")[0] for module in imported(path)} & NEVER_DETERMINISTIC
        assert not used, f"{path.name} imports {used}"


@pytest.mark.parametrize("package", ["domain", "workflows"])
def test_control_lint_finds_clocks_and_chance_in_deterministic_code(
    package: str, tmp_path: Path
) -> None:
    found = banned_in(package, tmp_path)

    for name in (
        *("datetime.datetime.now", "datetime.date.today", "time.time", "uuid.uuid4"),
        *("os.environ", "random"),
    ):
        assert any(f"`{name}`" in message for message in found), f"{name} went unnoticed"


def test_elsewhere_clocks_and_chance_are_allowed(tmp_path: Path) -> None:
    assert banned_in("systems", tmp_path) == []


def banned_in(package: str, house: Path) -> list[str]:
    """What lint bans in a file full of clocks that is planted in a copy of the house."""
    shutil.copy(ROOT / "pyproject.toml", house)
    (house / package).mkdir()
    (house / package / "planted.py").write_text(CLOCKS)
    checked = subprocess.run(
        [
            Path(sys.executable).with_name("ruff"),
            "check",
            "--no-cache",
            "--select=TID251",
            "--output-format=json",
            package,
        ],
        cwd=house,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    return [problem["message"] for problem in json.loads(checked.stdout)]
