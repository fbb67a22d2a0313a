"""The contract of `Numbers`, for the fake and for the real one on both databases."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from domain.messages import Count
from domain.ports import Numbers
from domain.states import NumberState
from systems.db import Database
from systems.numbers import SqlNumbers
from systems.tables import NumberRow
from tests.fakes.numbers import FakeNumbers
from tests.systems.examples import (
    ACCOUNT,
    AT,
    LATER,
    NEXT_PAUSE,
    OTHER,
    OTHER_KEY,
    add_account,
    step,
)
from tests.together import together

ACTIVE, RETAINED, RELEASED = NumberState.ACTIVE, NumberState.RETAINED, NumberState.RELEASED


@dataclass
class World:
    """The numbers system with two accounts of three numbers, and the numbers' states."""

    numbers: Numbers
    states: Callable[[str], list[NumberState]]


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return _fake_world()
    return _real_world(request.getfixturevalue(f"{request.param}_database"))


def _fake_world() -> World:
    numbers = FakeNumbers()
    numbers.add(ACCOUNT)
    numbers.add(OTHER)
    return World(numbers, numbers.states)


def _real_world(database: Database) -> World:
    add_account(database)
    add_account(database, OTHER_KEY)

    def states(account_id: str) -> list[NumberState]:
        with database.transaction() as session:
            rows = session.scalars(select(NumberRow).where(NumberRow.account_id == account_id))
            return [row.state for row in rows]

    return World(SqlNumbers(database), states)


# --- the port ------------------------------------------------------------------------------------


def test_each_number_of_a_pool_counts(world: World) -> None:
    assert 3 == world.numbers.count_active(ACCOUNT)
    assert 0 == world.numbers.count_active("ACC" + "0" * 32)


def test_active_numbers_are_retained_and_come_back(world: World) -> None:
    assert Count(count=3) == world.numbers.retain_numbers(step())
    assert [RETAINED] * 3 == world.states(ACCOUNT)
    assert 0 == world.numbers.count_active(ACCOUNT)

    assert Count(count=3) == world.numbers.reactivate_numbers(step(at=LATER))
    assert [ACTIVE] * 3 == world.states(ACCOUNT)


def test_another_account_keeps_its_numbers(world: World) -> None:
    world.numbers.retain_numbers(step())
    world.numbers.release_numbers(step())

    assert [ACTIVE] * 3 == world.states(OTHER)


def test_retaining_twice_answers_as_the_first_time(world: World) -> None:
    answers = [world.numbers.retain_numbers(step(at=at)) for at in (AT, LATER)]

    assert [Count(count=3)] * 2 == answers
    assert [RETAINED] * 3 == world.states(ACCOUNT)


def test_a_late_retry_does_not_retain_after_the_resume(world: World) -> None:
    world.numbers.retain_numbers(step())
    world.numbers.reactivate_numbers(step())

    world.numbers.retain_numbers(step())
    world.numbers.reactivate_numbers(step())

    assert [ACTIVE] * 3 == world.states(ACCOUNT)


def test_a_drain_that_the_resume_overtook_retains_nothing(world: World) -> None:
    assert Count(count=0) == world.numbers.reactivate_numbers(step())

    assert Count(count=0) == world.numbers.retain_numbers(step())

    assert [ACTIVE] * 3 == world.states(ACCOUNT)


def test_the_next_pause_retains_again(world: World) -> None:
    world.numbers.retain_numbers(step())
    world.numbers.reactivate_numbers(step())

    assert Count(count=3) == world.numbers.retain_numbers(step(NEXT_PAUSE))

    assert [RETAINED] * 3 == world.states(ACCOUNT)


@pytest.mark.parametrize("first_retained", [True, False])
def test_released_numbers_are_gone_for_good(world: World, first_retained: bool) -> None:
    if first_retained:
        world.numbers.retain_numbers(step())

    answers = [world.numbers.release_numbers(step()) for _ in range(2)]

    assert [Count(count=3)] * 2 == answers
    world.numbers.retain_numbers(step(NEXT_PAUSE))
    world.numbers.reactivate_numbers(step())
    assert [RELEASED] * 3 == world.states(ACCOUNT)
    assert 0 == world.numbers.count_active(ACCOUNT)


def test_a_drain_that_the_close_overtook_retains_nothing(world: World) -> None:
    world.numbers.release_numbers(step())

    assert Count(count=0) == world.numbers.retain_numbers(step())


def test_the_snapshot_is_the_same_before_during_and_after_the_pause(world: World) -> None:
    before = world.numbers.snapshot(ACCOUNT)

    world.numbers.retain_numbers(step())
    during = world.numbers.snapshot(ACCOUNT)
    world.numbers.reactivate_numbers(step())
    after = world.numbers.snapshot(ACCOUNT)

    assert before == during == after
    assert before != world.numbers.snapshot(OTHER)


def test_the_snapshot_differs_once_numbers_are_gone(world: World) -> None:
    before = world.numbers.snapshot(ACCOUNT)

    world.numbers.release_numbers(step())

    assert before != world.numbers.snapshot(ACCOUNT)


def test_no_number_is_lost_when_steps_come_twice_and_at_once(world: World) -> None:
    before = world.numbers.snapshot(ACCOUNT)

    answers = together(
        *[lambda: world.numbers.retain_numbers(step())] * 4,
        *[lambda: world.numbers.reactivate_numbers(step())] * 4,
    )
    world.numbers.reactivate_numbers(step())

    assert [] == [answer for answer in answers if isinstance(answer, Exception)]
    assert 3 == len(world.states(ACCOUNT))
    # Whatever came first: what was retained has been given back, or was never retained (N1).
    assert before == world.numbers.snapshot(ACCOUNT) or RETAINED not in world.states(ACCOUNT)


def test_the_snapshot_shows_a_number_that_was_not_given_back(
    database: Database,
) -> None:
    add_account(database)
    real = SqlNumbers(database)
    before = real.snapshot(ACCOUNT)
    real.retain_numbers(step())
    real.reactivate_numbers(step())
    assert before == real.snapshot(ACCOUNT)

    # As a faulty resume would leave it.
    with database.transaction() as session:
        query = select(NumberRow).where(NumberRow.account_id == ACCOUNT).limit(1)
        session.scalars(query).one().state = RETAINED

    assert before != real.snapshot(ACCOUNT)
