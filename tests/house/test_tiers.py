"""Each test is run by one of the targets, and by one only."""

import tomllib

import pytest

from tests.covering import covering
from tests.house.documents import ROOT
from tests.tiers import MODULES, ON_BOTH_DATABASES


def test_modules_that_are_named_exist() -> None:
    missing = [name for name in MODULES | ON_BOTH_DATABASES if not (ROOT / name).is_file()]

    assert [] == missing, "tests/tiers.py names modules that are not there"


def test_the_targets_share_all_tests_between_them() -> None:
    makefile = (ROOT / "Makefile").read_text()
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]

    assert "not slow and not thorough" == options["addopts"][-1]
    assert '-m "thorough and not slow"' in makefile
    assert "-m slow" in makefile
    ci = (ROOT / ".ci/run").read_text()
    assert "make test\n" in ci
    assert "make test-thorough\n" in ci


def test_a_matrix_has_each_value_in_the_quick_run_and_all_cells_in_the_thorough_one() -> None:
    cells = covering("abc", [1, 2])
    quick = [cell.values for cell in cells if not cell.marks]

    assert 6 == len(cells)
    assert [("a", 1), ("b", 2), ("c", 1)] == sorted(quick)
    assert {pytest.mark.thorough.name} == {mark.name for cell in cells for mark in cell.marks}
