"""What docs/api.md and the README say to do over HTTP is done, word by word."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from systems.sample import seed
from systems.sample.parts import account_id
from tests.house.documents import FENCE, ROOT, document
from tests.starter.conftest import environment
from tests.starter.web.api.live import Live

PAGE = "\n".join(document("docs/api.md").marked_commands)
ADDRESS, ACTIVATE = "http://127.0.0.1:8000", ". .venv/bin/activate\n"


def readme() -> str:
    """The README's block that asks over HTTP."""
    blocks: list[str] = [block for _, _, block in FENCE.findall(document("README.md").text)]
    (block,) = [block for block in blocks if "curl" in block]
    assert block.startswith(ACTIVATE)
    return block.removeprefix(ACTIVATE)


def test_both_pause_and_resume_an_account(live: Live, tmp_path: Path) -> None:
    seed(live.systems, datetime.now(UTC))

    answers = [run(script, live, tmp_path) for script in (PAGE, readme())]

    acts = live.systems.accounts.acts(account_id("brightside-dental"))
    assert ["resumed"] * 2 == [act.state for act in acts]
    for answer in answers:
        assert '"state":"paused"' in answer
        assert '"state":"resumed"' in answer


def run(script: str, live: Live, state_dir: Path) -> str:
    """What a person sees who pastes it into a terminal."""
    assert ADDRESS in script
    done = subprocess.run(
        ["sh", "-e", "-c", script.replace(ADDRESS, live.url)],
        cwd=ROOT,
        env={
            **environment(state_dir),
            "DATABASE_URL": str(live.systems.engine.url),
            "ACCOUNT_PAUSE_GATEWAY_URL": str(live.systems.gateway_engine.url),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        check=False,
        text=True,
        timeout=90,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
