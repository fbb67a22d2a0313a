"""The contract of `Dni`, for the fake and for the real one on both databases."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from domain.messages import Count
from domain.ports import Dni
from domain.states import AccountStatus, NumberState
from systems.db import Database
from systems.dni import SqlDni, Swap, WebScript
from systems.tables import AccountRow, CompanyRow, NumberRow, TrackerRow
from tests.fakes.dni import FakeDni
from tests.systems.examples import (
    ACCOUNT,
    AT,
    CLOSE,
    LATER,
    NEXT_PAUSE,
    OTHER,
    OTHER_KEY,
    add_account,
    step,
)
from tests.together import together


@dataclass
class World:
    """The DNI system: one account with two companies, the second's script off, and another."""

    dni: Dni
    enabled: Callable[[str], list[bool]]


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        dni = FakeDni()
        dni.add(ACCOUNT, enabled=1, disabled=1)
        dni.add(OTHER, enabled=2)
        return World(dni, dni.is_enabled)
    return _real_world(request.getfixturevalue(f"{request.param}_database"))


def _real_world(database: Database) -> World:
    dni = _real_dni(database)
    return World(
        dni, lambda account_id: [row.is_script_enabled for row in dni.companies(account_id)]
    )


def _real_dni(database: Database) -> SqlDni:
    add_account(database)
    add_account(database, OTHER_KEY)
    with database.transaction() as session:
        query = select(CompanyRow).where(
            CompanyRow.account_id == ACCOUNT, CompanyRow.name == "Example Ortho"
        )
        session.scalars(query).one().is_script_enabled = False
    return SqlDni(database)


def test_scripts_are_disabled_and_enabled_again(world: World) -> None:
    assert Count(count=2) == world.dni.disable_script(step())
    assert [False, False] == world.enabled(ACCOUNT)
    assert [True, True] == world.enabled(OTHER)

    assert Count(count=1) == world.dni.enable_script(step(at=LATER))
    assert [True, False] == world.enabled(ACCOUNT), "what was off before stays off"


def test_steps_come_twice_and_answer_as_the_first_time(world: World) -> None:
    assert [Count(count=2)] * 2 == [world.dni.disable_script(step(at=at)) for at in (AT, LATER)]
    assert [Count(count=1)] * 2 == [world.dni.enable_script(step(at=at)) for at in (AT, LATER)]
    assert [True, False] == world.enabled(ACCOUNT)


def test_a_late_retry_does_not_disable_after_the_resume(world: World) -> None:
    assert Count(count=0) == world.dni.enable_script(step())

    assert Count(count=0) == world.dni.disable_script(step())

    assert [True, False] == world.enabled(ACCOUNT)


def test_a_script_that_another_act_disabled_stays_off(world: World) -> None:
    world.dni.disable_script(step())

    assert Count(count=0) == world.dni.enable_script(step(NEXT_PAUSE))

    assert [False, False] == world.enabled(ACCOUNT)


def test_the_snapshot_is_the_same_before_during_and_after_the_pause(world: World) -> None:
    before = world.dni.snapshot(ACCOUNT)

    world.dni.disable_script(step())
    during = world.dni.snapshot(ACCOUNT)
    world.dni.enable_script(step())
    after = world.dni.snapshot(ACCOUNT)

    assert before == during == after
    assert [True, False] == sorted((entry["swaps"] for entry in after.values()), reverse=True)


def test_steps_at_once_end_in_one_of_the_two_states(world: World) -> None:
    answers = together(
        *[lambda: world.dni.disable_script(step())] * 4,
        *[lambda: world.dni.enable_script(step(NEXT_PAUSE))] * 4,
    )
    world.dni.enable_script(step())

    assert [] == [answer for answer in answers if isinstance(answer, Exception)]
    assert [True, False] == world.enabled(ACCOUNT)


# --- what only the real one does -----------------------------------------------------------------


@pytest.fixture
def real(database: Database) -> SqlDni:
    return _real_dni(database)


def test_a_script_is_found_by_its_key(real: SqlDni) -> None:
    company = real.companies(ACCOUNT)[0]

    script = real.web_script(company.script_key)

    assert script is not None
    assert company.script_key == script.script_key
    assert 30 == script.swap_settings["cookie_days"]


def test_an_unknown_key_is_nobodys(real: SqlDni) -> None:
    assert real.web_script("no-such-key") is None


def test_the_snapshot_shows_a_script_that_was_not_enabled_again(
    database: Database, real: SqlDni
) -> None:
    before = real.snapshot(ACCOUNT)
    real.disable_script(step())
    real.enable_script(step())

    # As a faulty resume would leave it.
    with database.transaction() as session:
        company = session.get_one(CompanyRow, real.companies(ACCOUNT)[0].company_id)
        company.is_script_enabled = False

    assert before != real.snapshot(ACCOUNT)


def test_a_reopened_account_swaps_again_what_its_close_had_disabled(real: SqlDni) -> None:
    real.disable_script(step(CLOSE))

    for _ in range(2):
        real.reopen(ACCOUNT, LATER)

    assert [True, False] == [company.is_script_enabled for company in real.companies(ACCOUNT)]


# --- what a web site is told ---------------------------------------------------------------------


@pytest.fixture
def key(real: SqlDni) -> str:
    """The script key of the company that has trackers: one for a source, and a pool."""
    return real.companies(ACCOUNT)[0].script_key


def test_a_web_site_is_told_which_numbers_stand_for_which_source(real: SqlDni, key: str) -> None:
    assert real.web_script(key) == WebScript(
        script_key=key,
        swap_settings={"cookie_days": 30, "referrer_parameter": "utm_source"},
        swaps=(
            Swap("google_ads", ("+12015550100",), ("+12015550101",)),
            Swap("all_visitors", ("+12015550100",), ("+12015550102", "+12015550103")),
        ),
    )


def test_every_company_has_its_own_numbers(database: Database, real: SqlDni, key: str) -> None:
    theirs = real.web_script(real.companies(OTHER)[0].script_key)

    assert theirs is not None
    numbers = {number for swap in theirs.swaps for number in swap.tracking_numbers}
    assert numbers == set(_numbers_of(database, OTHER))


def test_nothing_is_swapped_for_a_key_that_nobody_has(real: SqlDni) -> None:
    assert real.web_script("no-such-key") is None


def test_nothing_is_swapped_by_a_company_without_numbers(real: SqlDni) -> None:
    ortho = next(each for each in real.companies(ACCOUNT) if each.name == "Example Ortho")

    assert real.web_script(ortho.script_key) is None


def test_nothing_is_swapped_from_the_pause_to_the_resume(real: SqlDni, key: str) -> None:
    before = real.web_script(key)

    real.disable_script(step())
    during = real.web_script(key)
    real.enable_script(step(at=LATER))

    assert during is None
    assert before == real.web_script(key)


@pytest.mark.parametrize("status", [AccountStatus.PAUSED, AccountStatus.CLOSED])
def test_nothing_is_swapped_for_an_account_that_is_not_active(
    status: AccountStatus, database: Database, real: SqlDni, key: str
) -> None:
    _change(database, AccountRow, ACCOUNT, status=status)

    assert real.web_script(key) is None


@pytest.mark.parametrize("state", [NumberState.RETAINED, NumberState.RELEASED])
def test_only_active_numbers_are_shown(
    state: NumberState, database: Database, real: SqlDni, key: str
) -> None:
    _change(database, NumberRow, _numbers_of(database, ACCOUNT)["+12015550102"], state=state)

    script = real.web_script(key)

    assert script is not None
    assert [("+12015550101",), ("+12015550103",)] == [
        swap.tracking_numbers for swap in script.swaps
    ]


def test_a_disabled_tracker_swaps_nothing(database: Database, real: SqlDni, key: str) -> None:
    with database.transaction() as session:
        query = select(TrackerRow.id).where(
            TrackerRow.account_id == ACCOUNT, TrackerRow.source == "google_ads"
        )
        tracker_id = session.scalars(query).one()
    _change(database, TrackerRow, tracker_id, disabled_at=AT)

    script = real.web_script(key)

    assert script is not None
    assert ["all_visitors"] == [swap.source for swap in script.swaps]


def test_of_two_trackers_for_one_source_the_older_one_comes_first(
    database: Database, real: SqlDni, key: str
) -> None:
    with database.transaction() as session:
        query = select(TrackerRow).where(TrackerRow.account_id == ACCOUNT)
        for tracker in session.scalars(query):
            if tracker.source == "google_ads":
                tracker.created_at = LATER
            tracker.source = "the_same"

    script = real.web_script(key)

    assert script is not None
    assert [2, 1] == [len(swap.tracking_numbers) for swap in script.swaps]


def _numbers_of(database: Database, account_id: str) -> dict[str, str]:
    with database.transaction() as session:
        rows = session.scalars(select(NumberRow).where(NumberRow.account_id == account_id))
        return {row.number: row.id for row in rows}


def _change(database: Database, table: Any, row_id: str, **values: Any) -> None:
    with database.transaction() as session:
        row = session.get_one(table, row_id)
        for name, value in values.items():
            setattr(row, name, value)
