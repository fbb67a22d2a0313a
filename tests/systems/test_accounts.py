"""The contract of `Accounts`, from the request to the pause in effect."""

from datetime import date, timedelta

import pytest

from domain.errors import Code, InvariantViolated, Rejected
from domain.messages import ChangeResumeDate
from domain.ports import Accounts, Act
from domain.states import AccountStatus, ActKind, PauseState, Role
from tests.systems.accounts_world import (
    SNAPSHOT,
    World,
    code_of,
    fake_world,
    pause,
    real_world,
    resume,
)
from tests.systems.examples import (
    ACCOUNT,
    ADMIN,
    AT,
    CLOSE,
    LATER,
    NEXT_PAUSE,
    OTHER,
    PAUSE,
    QUOTE,
    ROLES,
    TERMS,
    begin_pause,
    change_resume_date,
    end,
    mark_paused,
    mark_refused,
    message,
    send_reminder,
    step,
    timeline,
)
from tests.together import together


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return fake_world()
    return real_world(request.getfixturevalue(f"{request.param}_database"))


@pytest.fixture
def accounts(world: World) -> Accounts:
    return world.accounts


# --- accounts and users --------------------------------------------------------------------------


def test_an_account_has_a_status_and_a_time_zone(accounts: Accounts) -> None:
    record = accounts.account(ACCOUNT)

    assert AccountStatus.ACTIVE is record.status
    assert (ACCOUNT, "UTC") == (record.account_id, record.time_zone)


def test_an_unknown_account_is_not_found(accounts: Accounts) -> None:
    unknown = "ACC" + "0" * 32

    assert Code.ACCOUNT_NOT_FOUND is code_of(lambda: accounts.account(unknown))
    assert Code.ACCOUNT_NOT_FOUND is code_of(
        lambda: accounts.begin_pause(begin_pause(account_id=unknown), TERMS, 3)
    )


def test_a_user_has_a_role_on_the_own_account_only(accounts: Accounts) -> None:
    assert Role.ADMIN is accounts.role(ACCOUNT, ADMIN)
    assert set(Role) == {accounts.role(ACCOUNT, user_id) for user_id in ROLES}
    assert accounts.role(OTHER, ADMIN) is None
    assert accounts.role(ACCOUNT, "USR" + "0" * 32) is None


# --- begin_pause ---------------------------------------------------------------------------------


def test_a_pause_begins_with_its_pinned_terms(world: World) -> None:
    act = world.accounts.begin_pause(begin_pause(resume_on=date(2026, 4, 1)), TERMS, 3)

    assert act == Act(
        act_id=PAUSE,
        account_id=ACCOUNT,
        kind=ActKind.PAUSE,
        state=PauseState.PAUSING,
        requested_by=ADMIN,
        began_at=AT,
        terms=TERMS,
        resume_on=date(2026, 4, 1),
        retained_numbers=3,
    )
    assert act == world.accounts.act(PAUSE) == world.accounts.open_act(ACCOUNT)
    assert [(ADMIN, "pause_begun")] == world.audit()
    assert [] == world.notices()
    assert AccountStatus.ACTIVE is world.accounts.account(ACCOUNT).status


def test_no_act_is_none(accounts: Accounts) -> None:
    assert accounts.act(PAUSE) is None
    assert accounts.open_act(ACCOUNT) is None
    assert accounts.last_act(ACCOUNT) is None
    assert accounts.snapshot_of(PAUSE) is None


def test_the_last_act_is_the_open_one_else_the_latest(accounts: Accounts) -> None:
    pause(accounts)
    resume(accounts)
    accounts.begin_pause(begin_pause(NEXT_PAUSE, at=LATER), TERMS, 3)
    assert accounts.act(NEXT_PAUSE) == accounts.last_act(ACCOUNT)

    accounts.mark_refused(mark_refused(NEXT_PAUSE))
    assert accounts.act(NEXT_PAUSE) == accounts.last_act(ACCOUNT)

    # Begun by the real clock, that is before the one whose clock had run ahead.
    third = "PAU" + "3" * 32
    accounts.begin_pause(begin_pause(third), TERMS, 3)
    assert accounts.act(third) == accounts.last_act(ACCOUNT)


def test_beginning_the_same_pause_twice_gives_the_first_answer(world: World) -> None:
    first = world.accounts.begin_pause(begin_pause(), TERMS, 3)

    again = world.accounts.begin_pause(begin_pause(at=LATER), TERMS, 7)

    assert first == again
    assert [(ADMIN, "pause_begun")] == world.audit()


def test_the_same_key_for_another_request_is_an_invariant_violation(accounts: Accounts) -> None:
    accounts.begin_pause(begin_pause(), TERMS, 3)

    with pytest.raises(InvariantViolated):
        accounts.begin_pause(begin_pause(resume_on=date(2026, 4, 1)), TERMS, 3)


def test_a_second_pause_is_refused_while_one_is_open(accounts: Accounts) -> None:
    accounts.begin_pause(begin_pause(), TERMS, 3)

    code = code_of(lambda: accounts.begin_pause(begin_pause(NEXT_PAUSE), TERMS, 3))

    assert Code.ACCOUNT_ALREADY_PAUSED is code
    assert accounts.act(NEXT_PAUSE) is None


def test_one_of_twenty_pauses_asked_for_at_once_begins(accounts: Accounts) -> None:
    ids = [f"PAU{place:032x}" for place in range(20)]

    answers = together(*(lambda i=i: accounts.begin_pause(begin_pause(i), TERMS, 3) for i in ids))

    begun = [answer for answer in answers if isinstance(answer, Act)]
    refused = [answer for answer in answers if isinstance(answer, Rejected)]
    assert (1, 19) == (len(begun), len(refused)), answers
    assert {Code.ACCOUNT_ALREADY_PAUSED} == {answer.code for answer in refused}
    assert begun[0] == accounts.open_act(ACCOUNT)


def test_one_pause_sent_twenty_times_at_once_begins_once(world: World) -> None:
    answers = together(*[lambda: world.accounts.begin_pause(begin_pause(), TERMS, 3)] * 20)

    assert [world.accounts.act(PAUSE)] * 20 == answers
    assert [(ADMIN, "pause_begun")] == world.audit()


def test_a_closed_account_cannot_be_paused(accounts: Accounts) -> None:
    accounts.begin_close(end(CLOSE))
    accounts.mark_closed(step(CLOSE))

    code = code_of(lambda: accounts.begin_pause(begin_pause(), TERMS, 3))

    assert Code.ACCOUNT_CLOSED is code


def test_a_pause_that_begins_after_its_own_refusal_does_nothing(accounts: Accounts) -> None:
    accounts.mark_refused(mark_refused())

    act = accounts.begin_pause(begin_pause(), TERMS, 3)

    assert PauseState.REFUSED is act.state
    assert accounts.act(PAUSE) is None
    assert accounts.open_act(ACCOUNT) is None


# --- mark_paused, mark_refused -------------------------------------------------------------------


def test_when_the_effects_stand_account_and_act_are_paused(world: World) -> None:
    pause(world.accounts)

    act = world.accounts.act(PAUSE)
    assert act is not None
    assert (PauseState.PAUSED, AT, timeline()) == (act.state, act.paused_at, act.timeline)
    assert (date(2026, 7, 10), 2) == (act.resume_on, act.retained_numbers)
    assert AccountStatus.PAUSED is world.accounts.account(ACCOUNT).status
    assert world.accounts.snapshot_of(PAUSE) == SNAPSHOT
    assert ["paused"] == world.notices()


def test_marking_paused_twice_changes_nothing(world: World) -> None:
    pause(world.accounts)
    before = (world.accounts.act(PAUSE), world.audit(), world.notices())

    world.accounts.mark_paused(mark_paused(), timeline(date(2026, 2, 1)), 9, {})

    assert before == (world.accounts.act(PAUSE), world.audit(), world.notices())
    assert world.accounts.snapshot_of(PAUSE) == SNAPSHOT


def test_marking_paused_at_once_from_many_sides_queues_one_notice(world: World) -> None:
    world.accounts.begin_pause(begin_pause(), TERMS, 3)

    answers = together(
        *[lambda: world.accounts.mark_paused(mark_paused(), timeline(), 2, SNAPSHOT)] * 8
    )

    assert [None] * 8 == answers
    assert ["paused"] == world.notices()


def test_marking_paused_after_the_refusal_does_nothing(world: World) -> None:
    world.accounts.begin_pause(begin_pause(), TERMS, 3)
    world.accounts.mark_refused(mark_refused())

    world.accounts.mark_paused(mark_paused(), timeline(), 2, SNAPSHOT)

    act = world.accounts.act(PAUSE)
    assert act is not None
    assert PauseState.REFUSED is act.state
    assert AccountStatus.ACTIVE is world.accounts.account(ACCOUNT).status
    assert [] == world.notices()


def test_a_refused_pause_leaves_the_account_as_it_was(world: World) -> None:
    world.accounts.begin_pause(begin_pause(), TERMS, 3)

    for _ in range(2):
        world.accounts.mark_refused(mark_refused())

    act = world.accounts.act(PAUSE)
    assert act is not None
    assert (PauseState.REFUSED, AT, "pausing_failed") == (act.state, act.ended_at, act.refusal)
    assert AccountStatus.ACTIVE is world.accounts.account(ACCOUNT).status
    assert world.accounts.open_act(ACCOUNT) is None
    assert [] == world.notices()
    assert [(ADMIN, "pause_begun"), ("system", "pause_refused")] == world.audit()


def test_an_act_that_has_ended_is_not_refused_any_more(accounts: Accounts) -> None:
    pause(accounts)
    resume(accounts)
    before = accounts.act(PAUSE)

    accounts.mark_refused(mark_refused())

    assert before == accounts.act(PAUSE)


def test_an_act_of_another_account_is_an_invariant_violation(accounts: Accounts) -> None:
    accounts.begin_pause(begin_pause(), TERMS, 3)

    with pytest.raises(InvariantViolated):
        accounts.mark_closed(step(account_id=OTHER))


# --- change_resume_date, remind ------------------------------------------------------------------


def test_the_last_change_of_the_resume_date_counts(world: World) -> None:
    pause(world.accounts)
    first, second = date(2026, 3, 1), date(2026, 4, 1)

    for minutes, day in enumerate((first, second, second, first)):
        at = AT + timedelta(minutes=minutes)
        change = message(ChangeResumeDate, at=at, requested_by=ADMIN, resume_on=day)
        world.accounts.change_resume_date(change, timeline(day))

    act = world.accounts.act(PAUSE)
    assert act is not None
    assert (first, timeline(first)) == (act.resume_on, act.timeline)
    # The repeat in the middle has left no line of its own.
    assert [(ADMIN, "resume_date_changed")] * 3 == world.audit()[-3:]


def test_a_late_attempt_of_an_older_change_does_not_undo_a_newer_one(world: World) -> None:
    pause(world.accounts)
    older, newer = date(2026, 3, 1), date(2026, 4, 1)
    change = message(ChangeResumeDate, requested_by=ADMIN, resume_on=older)
    again = message(
        ChangeResumeDate, at=AT + timedelta(minutes=1), requested_by=ADMIN, resume_on=newer
    )

    world.accounts.change_resume_date(change, timeline(older))
    world.accounts.change_resume_date(again, timeline(newer))
    world.accounts.change_resume_date(change, timeline(older))

    act = world.accounts.act(PAUSE)
    assert act is not None
    assert newer == act.resume_on


def test_the_resume_date_cannot_change_unless_paused(accounts: Accounts) -> None:
    day = date(2026, 3, 1)

    def change() -> None:
        accounts.change_resume_date(change_resume_date(day), timeline(day))

    assert Code.ACCOUNT_NOT_PAUSED is code_of(change)
    accounts.begin_pause(begin_pause(), TERMS, 3)
    assert Code.ACCOUNT_NOT_PAUSED is code_of(change)
    accounts.mark_paused(mark_paused(), timeline(), 2, SNAPSHOT)
    accounts.begin_resume(end())
    assert Code.ACCOUNT_NOT_PAUSED is code_of(change)


def test_a_reminder_is_queued_once_per_date_and_rung(world: World) -> None:
    pause(world.accounts)
    reminders = timeline().reminders

    for reminder in (*reminders, *reminders):
        world.accounts.remind(send_reminder(reminder), QUOTE)

    assert 3 == len(reminders)
    assert ["reminder"] * 3 == [kind for kind in world.notices() if kind == "reminder"]


def test_a_moved_date_has_reminders_of_its_own(world: World) -> None:
    pause(world.accounts)
    moved = timeline(date(2026, 6, 1))
    world.accounts.remind(send_reminder(timeline().reminders[0]), QUOTE)
    world.accounts.change_resume_date(change_resume_date(moved.resume_on), moved)

    world.accounts.remind(send_reminder(moved.reminders[0]), QUOTE)

    assert 2 == world.notices().count("reminder")


def test_a_reminder_that_was_overtaken_is_skipped(world: World) -> None:
    pause(world.accounts)
    moved = timeline(date(2026, 6, 1))
    world.accounts.change_resume_date(change_resume_date(moved.resume_on), moved)

    world.accounts.remind(send_reminder(timeline().reminders[0]), QUOTE)
    world.accounts.begin_resume(end())
    world.accounts.remind(send_reminder(moved.reminders[0]), QUOTE)

    assert 0 == world.notices().count("reminder")
