"""Imports point one way; each contract can fail."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.documents import ROOT

PACKAGES = ("domain", "workflows", "activities", "systems", "starter")
MODULES = ("settings", "worker")
OURS = {*PACKAGES, *MODULES}

# What would break each contract, and where.
PLANTED = {
    "Imports point one way": ("domain/money.py", "import workflows.options"),
    "Nobody imports the worker": ("starter/client.py", "import worker"),
    "Settings are read by worker and starter only": ("systems/wiring.py", "import settings"),
    "The rules need no library": ("domain/calendar.py", "import pydantic"),
    "Domain, workflows and activities know no database": ("activities/dni.py", "import sqlalchemy"),
}


def test_the_contracts_are_kept(tmp_path: Path) -> None:
    checked = lint_imports(ROOT, tmp_path)

    assert checked.returncode == 0, checked.stdout
    assert contracts(checked.stdout) == dict.fromkeys(PLANTED, "KEPT")


@pytest.mark.parametrize("contract", PLANTED)
def test_control_a_forbidden_import_breaks_its_contract(contract: str, tmp_path: Path) -> None:
    house = copied(tmp_path / "house")
    path, line = PLANTED[contract]
    with (house / path).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")

    checked = lint_imports(house, tmp_path)

    assert checked.returncode == 1, checked.stdout
    assert contracts(checked.stdout)[contract] == "BROKEN"


# import-linter cannot take single modules as roots, so these look at the two by themselves.


def test_settings_import_the_domain_only() -> None:
    assert ours(imported(ROOT / "settings.py")) <= {"domain"}


def test_the_worker_takes_from_the_starter_what_reaches_temporal_and_what_every_process_has() -> (
    None
):
    from_starter = {name for name in imported(ROOT / "worker.py") if name.startswith("starter")}

    reaching = {"starter.connect", "starter.wake", "starter.sweeping", "starter.redoing"}
    shared = {"starter.production", "starter.stopping", "starter.telemetry"}
    telling = {"starter.telemetry.gauges", "starter.telemetry.health"}
    assert from_starter == reaching | shared | telling


@pytest.mark.parametrize("package", PACKAGES)
def test_only_the_starter_reads_settings_and_nobody_imports_the_worker(package: str) -> None:
    for path in sorted((ROOT / package).rglob("*.py")):
        used = ours(imported(path))
        assert "worker" not in used, f"{path.name} imports the worker"
        assert "settings" not in used or package == "starter", f"{path.name} reads settings"


def test_control_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("def f():\n    from starter.cli import app\n    import worker as w\n")

    assert imported(planted) == {"starter.cli", "worker"}


def lint_imports(house: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            Path(sys.executable).with_name("lint-imports"),
            "--no-logo",
            "--cache-dir",
            cache / "cache",
        ],
        cwd=house,
        capture_output=True,
        check=False,
        text=True,
        timeout=100,
    )


def contracts(output: str) -> dict[str, str]:
    """How each contract fared."""
    return dict(re.findall(r"^(.+) (KEPT|BROKEN)", output, re.MULTILINE))


def copied(house: Path) -> Path:
    """A copy of the source to plant something in."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, house / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in (*(f"{module}.py" for module in MODULES), "pyproject.toml"):
        shutil.copy(ROOT / name, house / name)
    return house


def imported(path: Path) -> set[str]:
    """The modules that a file imports, at its top or anywhere else."""
    return set(_imported(ast.parse(path.read_text(encoding="utf-8"))))


def ours(modules: set[str]) -> set[str]:
    """The parts of the house among `modules`."""
    return {module.split(".")[0] for module in modules} & OURS


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
