"""The contract of `Accounts` on the ways in which a pause ends."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from domain.errors import Code, InvariantViolated, Rejected
from domain.messages import Step
from domain.names import Activity
from domain.ports import Accounts
from domain.states import AccountStatus, ActKind, PauseState
from systems.db import Database
from systems.effects import once
from systems.tables import NoticeRow
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
    PAUSE,
    QUOTE,
    TERMS,
    begin_pause,
    end,
    mark_paused,
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


# --- resume --------------------------------------------------------------------------------------


def test_a_resumed_account_is_active_and_may_pause_again(world: World) -> None:
    pause(world.accounts)

    for _ in range(2):
        resume(world.accounts)

    act = world.accounts.act(PAUSE)
    assert act is not None
    assert (PauseState.RESUMED, LATER) == (act.state, act.ended_at)
    assert AccountStatus.ACTIVE is world.accounts.account(ACCOUNT).status
    assert ["paused", "resumed"] == world.notices()
    assert [(ADMIN, "resume_begun"), ("system", "resumed")] == world.audit()[-2:]
    assert PauseState.PAUSING is world.accounts.begin_pause(begin_pause(NEXT_PAUSE), TERMS, 3).state


@pytest.mark.parametrize(
    ("requested_by", "is_planned", "actor"),
    [(ADMIN, False, ADMIN), (None, False, "operator"), (None, True, "system")],
)
def test_the_audit_says_who_resumed(
    world: World, requested_by: str | None, is_planned: bool, actor: str
) -> None:
    pause(world.accounts)

    world.accounts.begin_resume(end(requested_by=requested_by, is_planned=is_planned))

    assert (actor, "resume_begun") == world.audit()[-1]


def test_the_mail_about_a_resume_is_told_what_the_next_invoice_holds(database: Database) -> None:
    accounts = real_world(database).accounts
    pause(accounts)
    accounts.begin_resume(end())

    accounts.mark_resumed(step(at=LATER), 0, replace(QUOTE, pending=(("the rest", 1_234),)))

    with database.transaction() as session:
        notice = session.scalars(select(NoticeRow).where(NoticeRow.kind == "resumed")).one()
    assert [{"words": "the rest", "amount_minor": 1_234, "currency": "USD"}] == notice.data["lines"]


def test_no_end_is_recorded_while_the_record_has_lost_a_step_of_it(database: Database) -> None:
    accounts = real_world(database).accounts
    accounts.begin_close(end(CLOSE))
    have_on_record(database, step(CLOSE), Activity.CLOSE_BILLING)

    with pytest.raises(InvariantViolated, match=f"release_numbers .*redo {ACCOUNT}"):
        accounts.mark_closed(step(CLOSE))
    have_on_record(database, step(CLOSE), Activity.RELEASE_NUMBERS)
    accounts.mark_closed(step(CLOSE))

    assert AccountStatus.CLOSED is accounts.account(ACCOUNT).status


def have_on_record(database: Database, done: Step, verb: Activity) -> None:
    with database.transaction() as session:
        once(session, verb, done, type(None), lambda: None)


def test_a_pause_can_be_taken_back_before_it_is_in_effect(world: World) -> None:
    world.accounts.begin_pause(begin_pause(), TERMS, 3)
    world.accounts.begin_resume(end(requested_by=None))

    world.accounts.mark_paused(mark_paused(), timeline(), 2, SNAPSHOT)
    world.accounts.mark_resumed(step(at=LATER), 0, QUOTE)

    act = world.accounts.act(PAUSE)
    assert act is not None
    assert (PauseState.RESUMED, None) == (act.state, act.paused_at)
    assert AccountStatus.ACTIVE is world.accounts.account(ACCOUNT).status


def test_resuming_what_never_began_does_nothing(world: World) -> None:
    resume(world.accounts)

    assert world.accounts.act(PAUSE) is None
    assert ([], []) == (world.notices(), world.audit())
    assert PauseState.REFUSED is world.accounts.begin_pause(begin_pause(), TERMS, 3).state
    assert world.accounts.open_act(ACCOUNT) is None


def test_what_is_closing_or_closed_cannot_resume(accounts: Accounts) -> None:
    pause(accounts)
    accounts.begin_close(end())

    assert Code.ACCOUNT_NOT_PAUSED is code_of(lambda: accounts.begin_resume(end()))
    accounts.mark_closed(step(at=LATER))
    assert Code.ACCOUNT_NOT_PAUSED is code_of(lambda: accounts.begin_resume(end()))


def test_resumed_without_having_begun_to_resume_is_an_invariant_violation(
    accounts: Accounts,
) -> None:
    pause(accounts)

    with pytest.raises(InvariantViolated):
        accounts.mark_resumed(step(), 0, QUOTE)


# --- close ---------------------------------------------------------------------------------------


def test_a_paused_account_can_be_closed(world: World) -> None:
    pause(world.accounts)

    for _ in range(2):
        world.accounts.begin_close(end())
    for _ in range(2):
        world.accounts.mark_closed(step(at=LATER))

    act = world.accounts.act(PAUSE)
    assert act is not None
    assert (ActKind.PAUSE, PauseState.CLOSED, LATER) == (act.kind, act.state, act.ended_at)
    assert AccountStatus.CLOSED is world.accounts.account(ACCOUNT).status
    assert ["paused", "closed"] == world.notices()
    assert [(ADMIN, "close_begun"), ("system", "closed")] == world.audit()[-2:]


def test_an_active_account_is_closed_by_an_act_of_its_own(world: World) -> None:
    world.accounts.begin_close(end(CLOSE))

    act = world.accounts.act(CLOSE)
    assert act is not None
    assert (ActKind.CLOSE, PauseState.CLOSING, ADMIN) == (act.kind, act.state, act.requested_by)
    assert act == world.accounts.open_act(ACCOUNT)
    world.accounts.mark_closed(step(CLOSE, LATER))
    assert AccountStatus.CLOSED is world.accounts.account(ACCOUNT).status
    assert ["closed"] == world.notices()


def test_a_close_by_the_ladder_is_the_systems(world: World) -> None:
    pause(world.accounts)

    world.accounts.begin_close(end(requested_by=None, is_planned=True))

    assert ("system", "close_begun") == world.audit()[-1]


def test_a_close_is_refused_where_it_cannot_be(accounts: Accounts) -> None:
    pause(accounts)
    assert Code.ACCOUNT_ALREADY_PAUSED is code_of(lambda: accounts.begin_close(end(CLOSE)))

    resume(accounts)
    assert Code.ACCOUNT_NOT_PAUSED is code_of(lambda: accounts.begin_close(end()))

    accounts.begin_close(end(CLOSE))
    accounts.mark_closed(step(CLOSE))
    another = "CLO" + "2" * 32
    assert Code.ACCOUNT_CLOSED is code_of(lambda: accounts.begin_close(end(another)))


def test_of_a_pause_and_a_close_at_once_one_begins(accounts: Accounts) -> None:
    answers = together(
        lambda: accounts.begin_pause(begin_pause(), TERMS, 3),
        lambda: accounts.begin_close(end(CLOSE)),
    )

    refused = [answer for answer in answers if isinstance(answer, Rejected)]
    assert [Code.ACCOUNT_ALREADY_PAUSED] == [answer.code for answer in refused], answers
    assert accounts.open_act(ACCOUNT) is not None


# --- note ----------------------------------------------------------------------------------------


def test_what_was_ignored_is_noted_once(world: World) -> None:
    for at in (AT, AT, LATER):
        world.accounts.note(PAUSE, ACCOUNT, ADMIN, "resume_ignored", at)

    assert [(ADMIN, "resume_ignored")] * 2 == world.audit()
