"""What docs/api.md says to do is done, word by word."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from systems.sample import seed
from systems.sample.parts import account_id
from tests.house.documents import ROOT, document
from tests.starter.conftest import environment
from tests.starter.web.api.live import Live

PAGE = document("docs/api.md")
ADDRESS = "http://127.0.0.1:8000"


def test_the_pages_commands_pause_and_resume_an_account(live: Live, tmp_path: Path) -> None:
    seed(live.systems, datetime.now(UTC))
    script = "\n".join(PAGE.marked_commands)
    assert ADDRESS in script

    done = subprocess.run(
        ["sh", "-e", "-c", script.replace(ADDRESS, live.url)],
        cwd=ROOT,
        env={
            **environment(tmp_path),
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
    brightside = account_id("brightside-dental")
    assert ["resumed"] == [act.state for act in live.systems.accounts.acts(brightside)]
    assert '"state":"paused"' in done.stdout
