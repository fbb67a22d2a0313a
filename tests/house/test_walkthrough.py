"""The README's walk through the local stack is walked, command by command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.documents import ROOT, document
from tests.starter.conftest import environment, running_up

README = document("README.md")


@pytest.mark.timeout(300)
def test_every_command_of_the_readmes_walk_does_what_it_says(tmp_path: Path) -> None:
    commands = README.marked_commands
    assert any(command.startswith("account-pause pause") for command in commands)
    assert any(command.startswith("temporal workflow signal") for command in commands)

    with running_up(tmp_path / "state") as up:
        binaries = Path(sys.executable).parent
        variables = {
            **environment(up.state_dir),
            "TEMPORAL_ADDRESS": up.document["address"],
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        }
        for command in commands:
            if "activate" in command:
                continue
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=ROOT,
                env=variables,
                capture_output=True,
                check=False,
                text=True,
                timeout=90,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
