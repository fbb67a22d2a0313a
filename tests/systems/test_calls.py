from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from threading import Event
from typing import Any
from uuid import uuid5

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from domain.ids import Prefix, make_id
from domain.states import AccountStatus, NumberState
from systems.db import Database, lock_account
from systems.numbers import Activity, SqlNumbers
from systems.numbers.calls import NAMESPACE, CallView, Incoming, Route, Treatment
from systems.tables import AccountRow, CallRow, NumberRow
from tests.systems.examples import (
    ACCOUNT,
    AT,
    OTHER,
    OTHER_KEY,
    add_account,
    step,
)
from tests.together import together

CALLER = "+13125550177"


@pytest.fixture
def real(database: Database) -> SqlNumbers:
    add_account(database)
    add_account(database, OTHER_KEY)
    return SqlNumbers(database)


def calls_of(numbers: SqlNumbers, account_id: str, limit: int = 50) -> list[CallView]:
    """The account's activity log."""
    return list(Activity(numbers._db).calls(account_id, limit=limit).calls)


def test_an_active_number_goes_to_its_destination(real: SqlNumbers) -> None:
    tracker = real.trackers(ACCOUNT)[0]

    route = real.route(tracker.tracking_numbers[0])

    assert Treatment.CONNECT is route.treatment
    assert (ACCOUNT, tracker.tracker_id) == (route.account_id, route.tracker_id)
    assert tracker.destination_number == route.destination_number
    kinds = [flow_step["kind"] for flow_step in route.call_flow]
    assert ["greeting", "recording", "whisper", "dial"] == kinds


def test_a_retained_number_is_intercepted_and_counted(real: SqlNumbers) -> None:
    number = number_of(real)
    real.retain_numbers(step())

    for carrier_call_id in ("call-1", "call-1", "call-2"):
        assert Treatment.INTERCEPT is real.take(incoming(number, carrier_call_id)).treatment

    assert Treatment.INTERCEPT is real.route(number).treatment
    assert {number: 2} == {key: n for key, n in real.retained_calls(ACCOUNT).items() if n}
    assert [] == calls_of(real, ACCOUNT)


def test_released_and_unknown_numbers_are_rejected(real: SqlNumbers) -> None:
    number = real.trackers(ACCOUNT)[0].tracking_numbers[0]
    real.release_numbers(step())

    for called in (number, "+13125550199", "anonymous"):
        assert Treatment.REJECT is real.route(called).treatment
    assert {} == real.retained_calls(ACCOUNT)


def test_a_call_is_logged_or_counted_once_however_often_it_is_told(real: SqlNumbers) -> None:
    number = number_of(real)
    together(*[lambda: real.take(incoming(number))] * 4)
    real.retain_numbers(step())

    together(*[lambda: real.take(incoming(number, "call-2"))] * 4)

    (call,) = calls_of(real, ACCOUNT)
    assert (number, "google_ads", AT) == (call.tracking_number, call.source, call.at)
    assert 1 == real.retained_calls(ACCOUNT)[number]


def test_the_activity_log_shows_the_latest_calls_first(real: SqlNumbers) -> None:
    for minute in range(3):
        call = incoming(number_of(real), f"call-{minute}")
        real.take(replace(call, at=AT + timedelta(minutes=minute)))

    latest = [call.at for call in calls_of(real, ACCOUNT, limit=2)]

    assert [AT + timedelta(minutes=2), AT + timedelta(minutes=1)] == latest


# --- taking a call, and hearing of its end --------------------------------------------------------


def test_a_connected_call_is_taken_and_logged_in_one_move(real: SqlNumbers) -> None:
    call = incoming(number_of(real))

    route = real.take(call)

    (logged,) = calls_of(real, ACCOUNT)
    assert Treatment.CONNECT is route.treatment
    assert (CALLER, False, 0, AT) == (
        logged.caller,
        logged.is_answered,
        logged.duration_seconds,
        logged.at,
    )


def test_the_outcome_is_noted_before_and_after_the_call_is_taken(real: SqlNumbers) -> None:
    number = number_of(real)
    first, second = incoming(number), incoming(number, "call-2")

    real.take(first)
    for call in (first, second):
        real.finish(call, 65, is_answered=True)
    real.take(second)

    assert [(65, True)] * 2 == outcomes(real)


def test_reports_in_any_order_come_to_the_same(real: SqlNumbers) -> None:
    reports = [(0, False), (65, True), (0, False), (80, True), (65, True)]
    for place, order in enumerate(permutations(reports, 5)):
        if place % 10 == 0:
            for duration, is_answered in order:
                real.finish(
                    incoming(number_of(real), f"call-{place}"), duration, is_answered=is_answered
                )

    assert {(80, True)} == set(outcomes(real))


def test_a_call_goes_where_it_went_first_though_the_pause_has_come_since(real: SqlNumbers) -> None:
    number = number_of(real)
    connected, intercepted = incoming(number), incoming(number, "call-2")
    real.take(connected)
    real.retain_numbers(step())
    real.take(intercepted)

    assert Treatment.CONNECT is real.take(connected).treatment
    real.reactivate_numbers(step())
    assert Treatment.INTERCEPT is real.take(intercepted).treatment

    assert ["call-1"] == logged_ids(real)
    assert 1 == real.retained_calls(ACCOUNT)[number]


def test_a_call_in_the_pauses_very_moment_is_logged_or_counted_never_both(
    real: SqlNumbers,
) -> None:
    number = number_of(real)
    calls = [incoming(number, f"call-{place}") for place in range(4)]

    together(
        *[lambda call=call: real.take(call) for call in calls * 3],
        lambda: real.retain_numbers(step()),
    )

    assert 4 == len(calls_of(real, ACCOUNT)) + real.retained_calls(ACCOUNT)[number]


def test_a_call_that_waits_for_a_close_is_rejected(postgresql_database: Database) -> None:
    add_account(postgresql_database)
    real = SqlNumbers(postgresql_database)
    call = incoming(number_of(real))

    def release(session: Session) -> None:
        session.query(NumberRow).update({NumberRow.state: NumberState.RELEASED})

    route = meanwhile(postgresql_database, lambda: real.take(call), release)

    assert Treatment.REJECT is route.treatment
    assert [] == calls_of(real, ACCOUNT)


def test_a_report_that_waits_for_a_longer_one_does_not_shorten_the_call(
    postgresql_database: Database,
) -> None:
    add_account(postgresql_database)
    real = SqlNumbers(postgresql_database)
    call = incoming(number_of(real))
    real.take(call)

    def note(session: Session) -> None:
        session.query(CallRow).update({CallRow.duration_seconds: 80, CallRow.is_answered: True})

    meanwhile(postgresql_database, lambda: real.finish(call, 30, is_answered=True), note)

    assert [(80, True)] == outcomes(real)


def test_the_end_of_an_intercepted_call_makes_it_no_activity(real: SqlNumbers) -> None:
    number = number_of(real)
    real.retain_numbers(step())
    real.take(incoming(number))
    real.finish(incoming(number), 0, is_answered=False)
    real.reactivate_numbers(step())

    route = real.finish(incoming(number), 9, is_answered=False)

    assert Treatment.INTERCEPT is route.treatment
    assert [] == calls_of(real, ACCOUNT)
    assert 1 == real.retained_calls(ACCOUNT)[number]


def test_a_conversation_that_outlasts_its_number_keeps_its_outcome(real: SqlNumbers) -> None:
    call = incoming(number_of(real))
    real.take(call)
    real.release_numbers(step())

    assert Treatment.CONNECT is real.finish(call, 300, is_answered=True).treatment
    assert Treatment.REJECT is real.take(call).treatment

    assert [(300, True)] == outcomes(real)


def test_no_number_of_a_closed_account_is_answered(real: SqlNumbers, database: Database) -> None:
    number = number_of(real)
    with database.transaction() as session:
        session.get_one(AccountRow, ACCOUNT).status = AccountStatus.CLOSED

    assert Treatment.REJECT is real.take(incoming(number)).treatment
    assert [] == calls_of(real, ACCOUNT)


def test_one_call_rings_one_number(real: SqlNumbers) -> None:
    mine = number_of(real)
    other = number_of(real, OTHER)

    assert Treatment.CONNECT is real.take(incoming(mine)).treatment
    assert Treatment.REJECT is real.take(incoming(other)).treatment

    assert [] == calls_of(real, OTHER)


def test_nobodys_call_is_neither_taken_nor_finished(real: SqlNumbers) -> None:
    call = incoming("+13125550199")

    assert Treatment.REJECT is real.take(call).treatment
    assert Treatment.REJECT is real.finish(call, 10, is_answered=True).treatment


def test_a_call_flow_is_found_by_its_id(real: SqlNumbers) -> None:
    route = real.route(number_of(real))

    assert route.call_flow == real.call_flow(route.call_flow_id or "")
    assert () == real.call_flow("CFL" + "0" * 32)


def meanwhile(
    database: Database, work: Callable[[], Route], change: Callable[[Session], None]
) -> Route:
    """What `work` comes to, when `change` happens while it waits for the account's lock.

    On SQLite nothing can happen meanwhile: there transactions follow one another.
    """
    waits = Event()

    def notice(_: Any, __: Any, statement: str, *rest: Any) -> None:
        if "FOR UPDATE" in statement:
            waits.set()

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            lock_account(session, ACCOUNT)
            event.listen(database.engine, "before_cursor_execute", notice)
            working = pool.submit(work)
            assert waits.wait(10), "the account's lock was not asked for"
            change(session)
        event.remove(database.engine, "before_cursor_execute", notice)
        return working.result(10)


def number_of(real: SqlNumbers, account_id: str = ACCOUNT) -> str:
    return real.trackers(account_id)[0].tracking_numbers[0]


def incoming(number: str, carrier_call_id: str = "call-1") -> Incoming:
    return Incoming(carrier_call_id, number, CALLER, AT)


def outcomes(real: SqlNumbers) -> list[tuple[int, bool]]:
    return [(call.duration_seconds, call.is_answered) for call in calls_of(real, ACCOUNT)]


def logged_ids(real: SqlNumbers) -> list[str]:
    ids = {make_id(Prefix.CALL, uuid5(NAMESPACE, f"call-{n}")): f"call-{n}" for n in range(1, 9)}
    return [ids[call.call_id] for call in calls_of(real, ACCOUNT)]
