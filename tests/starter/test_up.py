"""The local stack as processes: started, told about, followed, stopped; its state is kept."""

import os
import signal
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from domain.errors import Code
from tests.starter.conftest import Cli, Up, errors_of, running_up, until
from tests.temporal import TemporalServer, free_port


def test_a_second_up_is_told_who_is_up_already(stack: Up, cli: Cli) -> None:
    second = cli(stack.state_dir, "up", "--json")

    assert second.exit_code == 3
    assert str(stack.process.pid) in second.document["message"]
    assert "ACCOUNT_PAUSE_STATE_DIR" in second.document["message"]


def test_a_taken_port_is_told_with_what_to_do(stack: Up, cli: Cli, tmp_path: Path) -> None:
    other = cli(tmp_path / "other", "up", "--json", "--port", str(stack.port))

    assert other.exit_code == 3
    assert f"Port {stack.port} is taken" in other.document["message"]
    assert "--port" in other.document["message"]


def test_a_taken_port_of_the_web_process_is_told_with_its_own_option(
    stack: Up, cli: Cli, tmp_path: Path
) -> None:
    taken = stack.document["web_url"].rpartition(":")[2]
    ports = ["--port", str(free_port()), "--ui-port", str(free_port()), "--web-port", taken]

    other = cli(tmp_path / "other", "up", "--json", *ports)

    assert other.exit_code == 3
    assert f"Port {taken} is taken" in other.document["message"]
    assert "--web-port" in other.document["message"]
    assert "TEMPORAL_ADDRESS" not in other.document["message"]


def test_up_says_where_everything_is(stack: Up) -> None:
    assert stack.process.pid == stack.document["pid"]
    assert stack.document["ui_url"].startswith("http://127.0.0.1:")
    assert Path(stack.document["logs"], "worker.log").exists()
    assert Path(stack.document["logs"], "temporal.log").exists()
    assert Path(stack.document["logs"], "web.log").exists()
    assert web_answers(stack)


def test_killed_children_are_started_again_and_the_state_survives_a_restart(
    tmp_path: Path, cli: Cli
) -> None:
    with running_up(tmp_path / "state") as up:
        killed = {up.child("worker.py"), up.child("starter.cli")}
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        until(
            lambda: len(up.children()) == 3 and not killed & {*up.children()},
            "another worker and another web process",
        )
        until(lambda: web_answers(up), "the web process answers again")
        paused = cli(up.state_dir, "pause", "Brightside", "--yes", "--json")
        children = up.children()
        exit_code = up.stop(signal.SIGINT)

    assert paused.document["state"] == "paused"
    assert exit_code == 0
    assert not any(is_running(pid) for pid in children), "Ctrl-C left a process behind"

    with running_up(tmp_path / "state") as up:
        status = cli(up.state_dir, "status", "Brightside", "--json")
        resumed = cli(up.state_dir, "resume", "Brightside", "--json")
        children = up.children()
        up.stop(signal.SIGKILL)
        until(lambda: not any(map(is_running, children)), "the end of the children of a killed up")

    assert status.document["pause_id"] == paused.document["pause_id"]
    assert resumed.document["state"] == "resumed"


def test_a_service_that_runs_is_used_and_its_clocks_are_left_alone(
    temporal_server: TemporalServer, tmp_path: Path, cli: Cli
) -> None:
    address = {"TEMPORAL_ADDRESS": temporal_server.address}
    with running_up(tmp_path / "state", **address) as up:
        children = len(up.children())
        paused = cli(up.state_dir, "pause", "Brightside", "--yes", "--json", **address)
        moved = cli(up.state_dir, "fast-forward", "Brightside", "--days", "1", "--json", **address)
        resumed = cli(up.state_dir, "resume", "Brightside", "--json", **address)
        up.stop()

    assert (2, None) == (children, up.document["ui_url"])
    assert temporal_server.address == up.document["address"]
    assert ("paused", "resumed") == (paused.document["state"], resumed.document["state"])
    assert (1, Code.VALIDATION_FAILED) == (moved.exit_code, moved.document["code"])


def test_a_dead_server_ends_the_stack_and_its_last_words_are_shown(tmp_path: Path) -> None:
    with running_up(tmp_path / "state") as up:
        children = up.children()
        os.kill(up.child("start-dev"), signal.SIGKILL)
        exit_code = up.process.wait(60)

    assert exit_code == 3
    assert "The Temporal server has ended" in errors_of(tmp_path / "state").read_text()
    assert not any(is_running(pid) for pid in children)


def web_answers(up: Up) -> bool:
    """Whether the web process says that it can work."""
    try:
        with urlopen(f"{up.document['web_url']}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except URLError:
        return False


def is_running(pid: int) -> bool:
    """Whether the process is there and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
