from datetime import timedelta

import pytest

from domain.errors import InvariantViolated
from systems.db import Database
from systems.numbers import SqlNumbers
from systems.numbers.calls import Treatment
from tests.systems.examples import (
    ACCOUNT,
    AT,
    LATER,
    OTHER_KEY,
    PAUSE,
    add_account,
    step,
)
from tests.together import together


@pytest.fixture
def real(database: Database) -> SqlNumbers:
    add_account(database)
    add_account(database, OTHER_KEY)
    return SqlNumbers(database)


def test_an_active_number_goes_to_its_destination(real: SqlNumbers) -> None:
    tracker = real.trackers(ACCOUNT)[0]

    route = real.route(tracker.tracking_numbers[0])

    assert Treatment.CONNECT is route.treatment
    assert (ACCOUNT, tracker.tracker_id) == (route.account_id, route.tracker_id)
    assert tracker.destination_number == route.destination_number
    kinds = [flow_step["kind"] for flow_step in route.call_flow]
    assert ["greeting", "recording", "whisper", "dial"] == kinds


def test_a_retained_number_is_intercepted_and_counted(real: SqlNumbers) -> None:
    number = real.trackers(ACCOUNT)[0].tracking_numbers[0]
    real.retain_numbers(step())

    route = real.route(number)
    for carrier_call_id in ("call-1", "call-1", "call-2"):
        real.count_retained_call(route, carrier_call_id, LATER)

    assert Treatment.INTERCEPT is route.treatment
    assert 2 == real.retained_calls(ACCOUNT)[number]
    assert 2 == sum(real.retained_calls(ACCOUNT).values())
    assert [] == real.calls(ACCOUNT)


def test_the_count_stays_after_the_resume(real: SqlNumbers) -> None:
    number = real.trackers(ACCOUNT)[0].tracking_numbers[0]
    real.retain_numbers(step())
    route = real.route(number)
    real.reactivate_numbers(step())

    together(*[lambda: real.count_retained_call(route, "call-1", LATER)] * 4)

    assert 1 == real.retained_calls(ACCOUNT)[number]
    assert Treatment.CONNECT is real.route(number).treatment


def test_released_and_unknown_numbers_are_rejected(real: SqlNumbers) -> None:
    number = real.trackers(ACCOUNT)[0].tracking_numbers[0]
    real.release_numbers(step())

    for called in (number, "+13125550199", "anonymous"):
        assert Treatment.REJECT is real.route(called).treatment
    assert {} == real.retained_calls(ACCOUNT)


def test_a_connected_call_is_logged_once(real: SqlNumbers) -> None:
    number = real.trackers(ACCOUNT)[0].tracking_numbers[0]
    route = real.route(number)

    def log() -> str:
        return real.log_call(
            route,
            carrier_call_id="call-1",
            caller="+13125550177",
            at=AT,
            duration_seconds=65,
            is_answered=True,
        )

    ids = together(*[log] * 4)

    (call,) = real.calls(ACCOUNT)
    assert {call.call_id} == set(ids)
    assert (number, "google_ads", AT, 65) == (
        call.tracking_number,
        call.source,
        call.at,
        call.duration_seconds,
    )


def test_the_activity_log_shows_the_latest_calls_first(real: SqlNumbers) -> None:
    route = real.route(real.trackers(ACCOUNT)[0].tracking_numbers[0])
    for minute in range(3):
        real.log_call(
            route,
            carrier_call_id=f"call-{minute}",
            caller="+13125550177",
            at=AT + timedelta(minutes=minute),
            duration_seconds=0,
            is_answered=False,
        )

    latest = [call.at for call in real.calls(ACCOUNT, limit=2)]

    assert [AT + timedelta(minutes=2), AT + timedelta(minutes=1)] == latest


def test_a_call_is_counted_or_logged_as_it_was_treated_only(real: SqlNumbers) -> None:
    connect = real.route(real.trackers(ACCOUNT)[0].tracking_numbers[0])
    real.retain_numbers(step(PAUSE))
    intercept = real.route(real.trackers(ACCOUNT)[0].tracking_numbers[0])

    with pytest.raises(InvariantViolated):
        real.count_retained_call(connect, "call-1", AT)
    with pytest.raises(InvariantViolated):
        real.log_call(
            intercept,
            carrier_call_id="call-1",
            caller="+13125550177",
            at=AT,
            duration_seconds=0,
            is_answered=False,
        )
