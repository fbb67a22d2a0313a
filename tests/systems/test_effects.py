import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import Code, InvariantViolated, Rejected
from domain.messages import Count, Step
from systems.db import Database
from systems.effects import is_recorded, once
from systems.tables import AccountRow, EffectRow
from tests.systems.examples import (
    ACCOUNT,
    LATER,
    NEXT_PAUSE,
    OTHER,
    OTHER_KEY,
    add_account,
    step,
)
from tests.together import together


class Counter:
    """An effect that can be seen: it appends to the account's name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, of: Step, verb: str = "suspend", part: str = "") -> Count:
        with self._database.transaction() as session:
            return once(
                session,
                verb,
                of,
                Count,
                lambda: self._bump(session),
                undone_by="restore",
                otherwise=Count(count=-1),
                part=part,
            )

    def fail(self, of: Step) -> None:
        def bump_and_fail() -> None:
            raise Rejected(Code.VALIDATION_FAILED, f"refused after {self._bump(session).count}")

        with self._database.transaction() as session:
            once(session, "suspend", of, type(None), bump_and_fail)

    @property
    def value(self) -> int:
        with self._database.transaction() as session:
            return int(session.get_one(AccountRow, ACCOUNT).name)

    def _bump(self, session: Session) -> Count:
        row = session.get_one(AccountRow, ACCOUNT)
        row.name = str(int(row.name) + 1)
        return Count(count=int(row.name))


@pytest.fixture
def counter(database: Database) -> Counter:
    add_account(database)
    add_account(database, OTHER_KEY)
    with database.transaction() as session:
        session.get_one(AccountRow, ACCOUNT).name = "0"
    return Counter(database)


def test_an_effect_happens_once_and_answers_the_same(counter: Counter) -> None:
    answers = [counter.run(step()) for _ in range(3)]

    assert [Count(count=1)] * 3 == answers
    assert 1 == counter.value


def test_an_effect_asked_for_at_once_happens_once(counter: Counter) -> None:
    answers = together(*[lambda: counter.run(step())] * 10)

    assert [Count(count=1)] * 10 == answers
    assert 1 == counter.value


def test_a_repeat_at_a_later_time_is_the_same_request(counter: Counter) -> None:
    counter.run(step())

    assert Count(count=1) == counter.run(step(at=LATER))


def test_another_act_verb_or_part_is_another_effect(counter: Counter) -> None:
    counter.run(step())
    counter.run(step(NEXT_PAUSE))
    counter.run(step(), verb="disable")
    counter.run(step(), part="2026-07-10")

    assert 4 == counter.value


def test_the_same_key_for_another_request_is_an_invariant_violation(counter: Counter) -> None:
    counter.run(step())

    with pytest.raises(InvariantViolated):
        counter.run(step(account_id=OTHER))
    assert 1 == counter.value


def test_an_effect_whose_inverse_is_on_record_does_not_happen(counter: Counter) -> None:
    counter.run(step(), verb="restore")

    assert Count(count=-1) == counter.run(step())
    assert 1 == counter.value


def test_an_effect_that_is_refused_leaves_no_record(database: Database, counter: Counter) -> None:
    with pytest.raises(Rejected):
        counter.fail(step())

    assert 0 == counter.value
    with database.transaction() as session:
        assert not is_recorded(session, step().act_id, "suspend")
        assert [] == list(session.scalars(select(EffectRow)))
    assert Count(count=1) == counter.run(step())


def test_an_unknown_account_has_no_effects(counter: Counter) -> None:
    with pytest.raises(Rejected) as refused:
        counter.run(step(account_id="ACC" + "0" * 32))

    assert Code.ACCOUNT_NOT_FOUND is refused.value.code
