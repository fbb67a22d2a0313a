"""How far an act is, as far as record and run tell; and only to whom it belongs."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from domain.errors import Code
from domain.ids import Prefix, make_id
from domain.messages import Refusal, Status
from domain.ports import Act
from domain.states import ActKind, PauseState
from starter.runs import Run
from starter.web.site import paths
from starter.web.site.progress import Course, seen_before_it_began, seen_in, seen_while_running
from starter.web.site.refusals import advice
from starter.web.site.waiting import LONGEST_PAUSE_SECONDS, rounds_of
from systems.wiring import Systems
from tests.starter.web.site.accounts import new_account, paused
from tests.starter.web.site.visit import Front

PAUSE_ID, OTHER = ("PAU" + 32 * digit for digit in "12")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TOO_MANY = Refusal(code=Code.TOO_MANY_TRACKING_NUMBERS, message="no", figures={"excess": 3})


def act(state: PauseState, ended_at: datetime | None = None) -> Act:
    return Act(PAUSE_ID, "ACC1", ActKind.PAUSE, state, "USR1", NOW, ended_at=ended_at)


def run(*, needs_operator: bool = False) -> Run:
    return Run(is_running=True, needs_operator=needs_operator, result=None)


def over(pause_id: str, refusal: Refusal | None = None) -> Run:
    result = Status(pause_id=pause_id, account_id="ACC1", state=PauseState.REFUSED, refusal=refusal)
    return Run(is_running=False, needs_operator=False, result=result)


@pytest.mark.parametrize(
    ("state", "course"),
    [
        (PauseState.RESUMED, Course.RESUMED),
        (PauseState.CLOSED, Course.CLOSED),
        (PauseState.REFUSED, Course.REFUSED),
    ],
)
def test_how_an_act_has_ended_is_on_record(state: PauseState, course: Course) -> None:
    seen = seen_in(act(state, ended_at=NOW))

    assert seen is not None
    assert course is seen.course


def test_a_pause_in_effect_is_on_record_and_one_that_begins_is_not_yet() -> None:
    paused = seen_in(act(PauseState.PAUSED))

    assert paused is not None
    assert Course.PAUSED is paused.course
    assert seen_in(act(PauseState.PAUSING)) is None


@pytest.mark.parametrize(
    ("state", "course"),
    [
        (PauseState.PAUSING, Course.NEEDS_OPERATOR),
        (PauseState.RESUMING, Course.NEEDS_OPERATOR),
        (PauseState.CLOSING, Course.NEEDS_OPERATOR),
        # A fee that waits for an operator does not hold up the resume that was asked for.
        (PauseState.PAUSED, Course.UNDER_WAY),
    ],
)
def test_a_stuck_step_is_told_where_it_is_what_one_waits_for(
    state: PauseState, course: Course
) -> None:
    assert course is seen_while_running(act(state), run(needs_operator=True)).course
    assert Course.UNDER_WAY is seen_while_running(act(state), run()).course
    assert Course.UNDER_WAY is seen_while_running(act(state), None).course


@pytest.mark.parametrize(
    ("run", "course"),
    [
        (run(), Course.UNDER_WAY),
        (run(needs_operator=True), Course.NEEDS_OPERATOR),
        (over(PAUSE_ID, TOO_MANY), Course.REFUSED),
        (over(OTHER, TOO_MANY), Course.NOTHING),
        (over(PAUSE_ID), Course.NOTHING),
        (Run(is_running=False, needs_operator=False, result=None), Course.NOTHING),
        (None, Course.NOTHING),
    ],
)
def test_before_there_is_a_record_the_run_tells(run: Run | None, course: Course) -> None:
    assert course is seen_before_it_began(PAUSE_ID, run).course


@pytest.mark.parametrize("code", list(Code))
def test_every_refusal_has_words_for_people(code: Code) -> None:
    figures: dict[str, str | int] = {
        "active": 53,
        "limit": 50,
        "excess": 3,
        "earliest": "2026-03-02",
        "latest": "x",
    }
    told = advice(code, "Account ACC1 says no.", figures)

    assert told.words
    assert bool(told.link) == bool(told.link_words)


def test_a_page_that_looks_again_does_so_ever_more_seldom() -> None:
    pauses = [rounds_of(again).pause_seconds for again in (0, 1, 5, 100)]

    assert sorted(pauses) == pauses
    assert LONGEST_PAUSE_SECONDS == pauses[-1]
    assert [False, True] == [rounds_of(again).are_many for again in (1, 10)]
    assert [0, 0] == [rounds_of(again).so_far for again in (-5, 10**9)]


async def test_another_accounts_pause_is_none(quiet: Front, systems: Systems) -> None:
    mine, other = new_account(systems), new_account(systems)
    theirs = paused(systems, other)
    async with quiet.visited_by(mine.administrator_id) as visit:
        for asked in ("pause", "resume", "close"):
            shown = await visit.get(f"{paths.PROGRESS}/{theirs['act_id']}?asked={asked}")

            assert 404 == shown.status
            assert "There is no such pause" in shown.text


async def test_another_accounts_pause_can_neither_be_resumed_nor_moved_nor_closed(
    quiet: Front, systems: Systems
) -> None:
    mine, other = new_account(systems), new_account(systems)
    paused(systems, mine)
    theirs = paused(systems, other)["act_id"]
    async with quiet.visited_by(mine.administrator_id) as visit:
        resume = await visit.get(paths.RESUME)
        resumed = await visit.send(resume, "Resume my account", accept="yes", pause_id=theirs)
        status = await visit.get(paths.STATUS)
        moved = await visit.send(status, "Change the date", resume_on="2030-01-01", pause_id=theirs)
        close = await visit.get(paths.CLOSE)
        closed = await visit.send(close, "Close for good", confirm="CLOSE", act_id=theirs)

    assert paths.STATUS == resumed.path
    assert 422 == moved.status
    assert paths.STATUS == closed.path
    assert PauseState.PAUSED is systems.accounts.acts(other.account_id)[0].state
    assert PauseState.PAUSED is systems.accounts.acts(mine.account_id)[0].state


async def test_nonsense_in_the_address_is_no_error_of_ours(quiet: Front, systems: Systems) -> None:
    account = new_account(systems)
    async with quiet.visited_by(account.administrator_id) as visit:
        unknown = await visit.get(f"{paths.PROGRESS}/{make_id(Prefix.CLOSE, uuid4())}?asked=close")
        odd = await visit.get(f"{paths.PROGRESS}/x%00y?asked=resume&again=-1")
        wrong = await visit.get(f"{paths.PROGRESS}/{PAUSE_ID}?asked=dance")

    # Temporal is away here, so nobody can say that nothing has arrived.
    assert (200, 200, 422) == (unknown.status, odd.status, wrong.status)
