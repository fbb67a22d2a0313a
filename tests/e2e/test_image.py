"""What the image is built from, by the image's own steps, works as nobody on read-only files.

No daemon is needed: the Dockerfile's steps are carried out in a folder, with the files that it
copies and no others. Only its base image is another one: an interpreter of this machine.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.house.deployment import copied_files, instructions, variables
from tests.house.documents import ROOT
from tests.temporal import TemporalServer

pytestmark = pytest.mark.slow

NOBODY = pwd.getpwnam("nobody")
INTERPRETERS = (getattr(sys, "_base_executable", sys.executable), "/usr/bin/python3")
STEP_SECONDS = 600


@dataclass(frozen=True)
class Image:
    """What the last stage holds, in a folder; `tmp` is the only one that may be written to."""

    root: Path
    tmp: Path
    user: int | None

    def start(self, *command: str, **more: str) -> subprocess.Popen[str]:
        """Start a command of the image, in its environment."""
        return subprocess.Popen(
            [self.root / "venv/bin" / command[0], *command[1:]],
            cwd=self.tmp,
            env={**self._environment(), **more},
            user=self.user,
            group=NOBODY.pw_gid if self.user else None,
            extra_groups=[] if self.user else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str, **more: str) -> str:
        """What a command says; it must succeed."""
        process = self.start(*command, **more)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        return said

    def _environment(self) -> dict[str, str]:
        here = {name: value.replace("/tmp", str(self.tmp)) for name, value in variables().items()}
        return {**here, "PATH": f"{self.root / 'venv/bin'}:/usr/bin:/bin", "TMPDIR": str(self.tmp)}


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image, built once. Not in pytest's folder, which is closed to other users."""
    root = Path(tempfile.mkdtemp(prefix="account-pause-image-"))
    root.chmod(0o755)
    (root / "build").mkdir()
    tmp = root / "tmp"
    tmp.mkdir()
    user = NOBODY.pw_uid if os.geteuid() == 0 else None
    try:
        _build(root, _interpreter(user))
        subprocess.run(["chmod", "-R", "a-w,a+rX", root / "venv"], check=True)
        shutil.rmtree(root / "build")
        if user is not None:
            os.chown(tmp, user, NOBODY.pw_gid)
        yield Image(root, tmp, user)
    finally:
        subprocess.run(["chmod", "-R", "u+w", root], check=True)
        shutil.rmtree(root)


def test_the_image_holds_no_server_no_tests_and_no_installer(image: Image) -> None:
    names = {path.name for path in (image.root / "venv/bin").iterdir()}

    assert {"python", "account-pause"} <= names
    assert set() == {"temporal", "pip", "pytest"} & names


def test_what_is_installed_cannot_be_changed_by_whom_it_runs_as(image: Image) -> None:
    attempt = f"open({str(image.root / 'venv/planted')!r}, 'w')"
    process = image.start("python", "-c", attempt)
    said, _ = process.communicate(timeout=60)

    assert "PermissionError" in said


def test_worker_and_web_process_start_from_it(
    image: Image, temporal_server: TemporalServer
) -> None:
    at = {
        "DATABASE_URL": f"sqlite:///{image.tmp / 'product.db'}",
        "TEMPORAL_ADDRESS": temporal_server.address,
    }

    namespace = json.loads(image.run("account-pause", "namespace", "--json", **at))
    migrated = json.loads(image.run("account-pause", "migrate", "--json", **at))
    worker = image.start("python", "-m", "worker", **at)
    web = image.start("account-pause", "web", "--port", "0", "--json", **at)
    try:
        _until_said(worker, r"ready: (task queue)")
        url = _until_said(web, r'"url": "(.+)"')
        # The second one is a page from a template.
        answers = [urlopen(f"{url}{path}", timeout=20).status for path in ("/readyz", "/log-in")]
    finally:
        codes = [_stopped(process) for process in (worker, web)]

    assert "default" == namespace["namespace"]
    assert migrated["migrated"]
    assert [200, 200] == answers
    assert [0, 0] == codes


def _build(root: Path, interpreter: str) -> None:
    """Carry out the steps of the Dockerfile's first stage, with `root` for the container's."""
    for word, rest in instructions("build"):
        if word == "COPY":
            _copy(rest.split()[:-1], root / "build")
        if word == "RUN":
            step = rest.replace("/venv", str(root / "venv"))
            step = step.replace("python -m venv", f"{interpreter} -m venv")
            done = subprocess.run(
                ["sh", "-ec", step],
                cwd=root / "build",
                capture_output=True,
                check=False,
                text=True,
                timeout=STEP_SECONDS,
            )
            assert done.returncode == 0, f"{rest}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def _copy(sources: list[str], build: Path) -> None:
    for name in copied_files():
        if any(name == source or name.startswith(f"{source}/") for source in sources):
            copy = build / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy)


def _interpreter(user: int | None) -> str:
    """An interpreter that can make environments, and that the user can reach."""
    for interpreter in INTERPRETERS:
        try:
            subprocess.run([interpreter, "-c", "import ensurepip, venv"], check=True, user=user)
        except (OSError, subprocess.CalledProcessError):
            continue
        return interpreter
    raise AssertionError(f"nobody can run any of {INTERPRETERS}; install python3-venv")


def _until_said(process: subprocess.Popen[str], pattern: str) -> str:
    """What the pattern's group matches in the first line of the process's output that has it."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(pattern, line):
            return found.group(1)
    raise AssertionError(f"it ended without saying {pattern}:\n{''.join(said)}")


def _stopped(process: subprocess.Popen[str]) -> int:
    process.terminate()
    process.communicate(timeout=60)
    return process.returncode
