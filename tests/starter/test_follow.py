"""Following a pause: it asks little, survives what is away, and ends with the pause."""

import json
import signal
import subprocess
import threading
from datetime import UTC, date, datetime
from typing import Any, cast

import pytest

from domain.errors import Code, Rejected, Transient
from domain.messages import ChargeStatus, NextEvent, Status
from domain.states import ActKind, ChargeState, PauseState
from starter.backend import Backend
from starter.cli.follow_view import changes
from starter.following import RUN_IS_GONE, Follower, Sighting
from starter.runs import Run
from systems.sample import SampleAccount
from tests.starter.conftest import COMMAND, ROOT, Cli, Up, environment
from tests.starter.explaining_examples import ACCOUNT, PAUSE, still_open

AT = datetime(2026, 1, 31, 9, tzinfo=UTC)
PAUSED = Status(pause_id=PAUSE, account_id=ACCOUNT, state=PauseState.PAUSED)
RESUMED = PAUSED.model_copy(update={"state": PauseState.RESUMED, "ended_at": AT})
AWAY = Transient("Temporal did not answer")
ENDED = Run(is_running=False, needs_operator=False, result=None)


def running(events: int) -> Run:
    return Run(is_running=True, needs_operator=False, result=None, events=events)


class Answers:
    """A backend that answers as it is told, one answer per look; the last one again and again."""

    def __init__(
        self,
        *looks: tuple[Run | Exception | None, Status | Exception],
        recorded: tuple[Status, ...] = (RESUMED,),
    ) -> None:
        self.looks = list(looks)
        self.recorded = list(recorded)
        self.queries = 0

    async def run(self, _: str, __: ActKind) -> Run | None:
        answer = self.looks[0][0]
        if isinstance(answer, Exception):
            self.looks.pop(0)
            raise answer
        return answer

    async def status(self, _: str) -> Status:
        self.queries += 1
        answer = self.looks.pop(0)[1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def record(self, _: str, __: str) -> Status:
        return self.recorded.pop(0) if len(self.recorded) > 1 else self.recorded[0]


async def seen(backend: Answers) -> list[Sighting]:
    follower = Follower(cast(Backend, backend), still_open(), every_seconds=0)
    return [sighting async for sighting in follower.sightings()]


async def test_a_worker_is_asked_only_when_something_has_happened() -> None:
    class Quiet(Answers):
        rounds = 0

        async def run(self, _: str, __: ActKind) -> Run | None:
            self.rounds += 1
            return ENDED if self.rounds > 50 else running(10)

    quiet = Quiet((running(10), PAUSED))

    sightings = await seen(quiet)

    assert [Sighting(PAUSED), Sighting(RESUMED)] == sightings
    assert (51, 1) == (quiet.rounds, quiet.queries)


async def test_what_is_away_is_said_once_and_asked_again() -> None:
    away = [(AWAY, PAUSED)] * 3
    backend = Answers((running(1), PAUSED), *away, (running(2), PAUSED), (ENDED, RESUMED))

    first, noted, back, ended = await seen(backend)

    assert (Sighting(PAUSED), Sighting(PAUSED)) == (first, back)
    assert (PAUSED, True) == (noted.status, str(AWAY) in (noted.note or ""))
    assert Sighting(RESUMED) == ended


async def test_without_a_worker_the_database_says_what_it_knows() -> None:
    backend = Answers((running(1), AWAY), (ENDED, RESUMED), recorded=(PAUSED, RESUMED))

    noted, ended = await seen(backend)

    assert PauseState.PAUSED is noted.status.state
    assert noted.note
    assert Sighting(RESUMED) == ended


async def test_a_run_that_ends_between_two_questions_is_followed_to_its_end() -> None:
    gone = Rejected(Code.RUN_IS_ENDING, "That run has just ended.")

    assert [Sighting(RESUMED)] == await seen(Answers((running(1), gone)))


async def test_a_pause_without_a_run_is_told_and_followed_on() -> None:
    backend = Answers((None, PAUSED), recorded=(PAUSED,))
    follower = Follower(cast(Backend, backend), still_open(), every_seconds=0)

    sighting = await anext(follower.sightings())

    assert Sighting(PAUSED, RUN_IS_GONE) == sighting


async def test_a_pause_that_began_later_is_not_taken_for_it() -> None:
    later = PAUSED.model_copy(update={"pause_id": "PAU9"})

    assert [Sighting(RESUMED)] == await seen(Answers((running(1), later)))


# --- what has changed, in words ------------------------------------------------------------------


def charge(state: ChargeState, decline_code: str | None = None) -> ChargeStatus:
    return ChargeStatus(
        billing_on=date(2026, 1, 31),
        due_at=AT,
        amount_minor=500,
        currency="USD",
        state=state,
        decline_code=decline_code,
    )


NEXT_FEE = NextEvent(kind="fee", at=AT)


@pytest.mark.parametrize(
    ("update", "told"),
    [
        ({}, []),
        ({"state": PauseState.RESUMING}, ["resuming"]),
        ({"resume_on": date(2026, 2, 1)}, ["comes back by itself on Sun  1 Feb 2026"]),
        ({"next_event": NEXT_FEE}, ["next: Sat 31 Jan 2026, 09:00 UTC, the fee is charged"]),
        ({"charges": [charge(ChargeState.SCHEDULED)]}, []),
        ({"charges": [charge(ChargeState.PAID)]}, ["fee of Sat 31 Jan 2026 is paid"]),
        (
            {"charges": [charge(ChargeState.DECLINED, "insufficient_funds")]},
            ["fee of Sat 31 Jan 2026 is declined: insufficient funds"],
        ),
        ({"needs_operator": "send retry"}, ["an operator is needed: send retry"]),
    ],
)
def test_a_change_is_told_in_words(update: dict[str, Any], told: list[str]) -> None:
    after = PAUSED.model_copy(update=update)

    assert told == changes(Sighting(PAUSED), Sighting(after), "UTC")


def test_a_note_is_told_when_it_comes_and_when_it_goes() -> None:
    calm, noted = Sighting(PAUSED), Sighting(PAUSED, "Nobody answers.")

    assert ["Nobody answers."] == changes(calm, noted, "UTC")
    assert ["Everything answers again."] == changes(noted, calm, "UTC")
    assert ["paused", "Nobody answers."] == changes(None, noted, "UTC")


# --- the command ---------------------------------------------------------------------------------


def test_the_command_follows_a_pause_to_its_end_line_by_line(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    name = account.account_id
    cli(stack.state_dir, "pause", name, "--yes")
    with _following(stack, name, "--json") as process:
        first = json.loads(_line(process))

        cli(stack.state_dir, "resume", name)
        out, _ = process.communicate(timeout=60)
        last = json.loads(out.splitlines()[-1])

    assert ("paused", None) == (first["status"]["state"], first["note"])
    assert "paused" in first["changes"]
    assert (0, "resumed") == (process.returncode, last["status"]["state"])


def test_ctrl_c_stops_looking_and_leaves_the_pause(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    name = account.account_id
    cli(stack.state_dir, "pause", name, "--yes")
    with _following(stack, name) as process:
        _line(process)

        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    status = cli(stack.state_dir, "status", name, "--json").document
    assert (130, "paused") == (process.returncode, status["state"])
    assert "the pause goes on" in err
    assert "Traceback" not in err


def test_a_pause_that_is_over_is_shown_and_nothing_is_waited_for(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    name = account.account_id
    cli(stack.state_dir, "close", name, "--confirm", "CLOSE")

    answer = cli(stack.state_dir, "status", name, "--follow", "--json")
    never = cli(stack.state_dir, "status", "Corner", "--follow", "--json")

    assert (0, "closed") == (answer.exit_code, answer.document["status"]["state"])
    assert (1, Code.PAUSE_NOT_FOUND) == (never.exit_code, never.document["code"])


def _following(stack: Up, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*COMMAND, "status", "--follow", *arguments],
        cwd=ROOT,
        env=environment(stack.state_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _line(process: "subprocess.Popen[str]") -> str:
    """The first line; a command that says nothing is ended, and the test with it."""
    assert process.stdout is not None
    watch = threading.Timer(60, process.kill)
    watch.start()
    line = process.stdout.readline()
    watch.cancel()
    assert line, "it said nothing"
    return line
