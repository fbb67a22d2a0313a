from dataclasses import replace

import pytest

from domain.errors import Code, Rejected
from domain.states import TrackerType
from systems.db import Database
from systems.numbers import SqlNumbers
from systems.numbers.calls import Treatment
from systems.numbers.trackers import NewTracker, TrackerStatus
from tests.systems.examples import (
    ACCOUNT,
    AT,
    LATER,
    OTHER,
    OTHER_KEY,
    add_account,
    step,
)
from tests.together import together


@pytest.fixture
def real(database: Database) -> SqlNumbers:
    add_account(database)
    add_account(database, OTHER_KEY)
    return SqlNumbers(database)


def _new_tracker(numbers: SqlNumbers) -> NewTracker:
    like = numbers.trackers(ACCOUNT)[0]
    return NewTracker(
        tracker_id="TRK" + "a" * 32,
        account_id=ACCOUNT,
        company_id=like.company_id,
        name="Radio",
        type=TrackerType.SOURCE,
        source="radio",
        destination_number=like.destination_number,
        call_flow_id=_call_flow_id(numbers),
        tracking_numbers=("+13125550150",),
        swap_targets=(like.destination_number,),
    )


def _call_flow_id(numbers: SqlNumbers) -> str:
    trackers = numbers.snapshot(ACCOUNT)["trackers"].values()
    call_flow_id: str = next(iter(trackers))["call_flow_id"]
    return call_flow_id


def test_trackers_are_listed_with_their_numbers(real: SqlNumbers) -> None:
    source, pool = real.trackers(ACCOUNT)

    assert (TrackerType.SOURCE, 1) == (source.type, len(source.tracking_numbers))
    assert (TrackerType.SESSION, 2) == (pool.type, len(pool.tracking_numbers))
    assert {TrackerStatus.ACTIVE} == {source.status, pool.status}
    assert "Example Dental, front desk" == source.call_flow


def test_a_tracker_is_created_once(real: SqlNumbers) -> None:
    new = _new_tracker(real)

    first, again = (real.create_tracker(new, AT) for _ in range(2))

    assert first == again
    assert ("+13125550150",) == first.tracking_numbers
    assert 4 == real.count_active(ACCOUNT)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"destination_number": "312 555 0100"}, "destination_number"),
        ({"destination_number": "+1312555010"}, "destination_number"),
        ({"destination_number": "+15550100"}, "destination_number"),
        ({"tracking_numbers": ("13125550150",)}, "tracking_numbers"),
        ({"tracking_numbers": ("+1 312 555 0150",)}, "tracking_numbers"),
        ({"tracking_numbers": ()}, "tracking_numbers"),
        ({"tracking_numbers": ("+13125550150", "+13125550151")}, "tracking_numbers"),
        (
            {"type": TrackerType.SESSION, "tracking_numbers": ("+13125550150",) * 2},
            "tracking_numbers",
        ),
        ({"type": TrackerType.SESSION, "tracking_numbers": ()}, "tracking_numbers"),
        ({"destination_number": "+13125550150"}, "destination_number"),
        ({"swap_targets": ("call us",)}, "swap_targets"),
        ({"swap_targets": ("+13125550100", "555-0100")}, "swap_targets"),
        ({"swap_targets": ("(312) 555-0150",)}, "swap_targets"),
        ({"company_id": "COM" + "0" * 32}, "company_id"),
        ({"call_flow_id": "CFL" + "0" * 32}, "call_flow_id"),
        ({"account_id": OTHER}, "company_id"),
    ],
)
def test_a_malformed_tracker_is_refused(
    real: SqlNumbers, changes: dict[str, object], field: str
) -> None:
    new = replace(_new_tracker(real), **changes)  # type: ignore[arg-type] # names are checked below

    with pytest.raises(Rejected) as refused:
        real.create_tracker(new, AT)

    assert (Code.VALIDATION_FAILED, field) == (
        refused.value.code,
        refused.value.figures["field"],
    )
    assert "555" not in refused.value.message.replace(ACCOUNT, "")
    assert 3 == real.count_active(ACCOUNT)


def test_a_number_that_somebody_holds_is_refused(real: SqlNumbers) -> None:
    held = real.trackers(OTHER)[0].tracking_numbers

    with pytest.raises(Rejected) as refused:
        real.create_tracker(replace(_new_tracker(real), tracking_numbers=held), AT)

    assert "tracking_numbers" == refused.value.figures["field"]


def test_calls_never_go_round_in_a_circle(real: SqlNumbers) -> None:
    new = _new_tracker(real)
    held = real.trackers(ACCOUNT)[0].tracking_numbers[0]

    with pytest.raises(Rejected) as refused:
        real.create_tracker(replace(new, destination_number=held), AT)

    assert "destination_number" == refused.value.figures["field"]
    theirs = real.trackers(OTHER)[0].tracking_numbers[0]
    # What others hold is nobody's business, and their account is no part of the circle.
    made = real.create_tracker(replace(new, destination_number=theirs), AT)
    assert theirs == made.destination_number


def test_swap_targets_are_kept_as_they_are_written(real: SqlNumbers) -> None:
    targets = ("(312) 555-0100", "+44 20 7946 0100", "3125550199")

    made = real.create_tracker(replace(_new_tracker(real), swap_targets=targets), AT)

    assert targets == made.swap_targets


def test_of_two_trackers_that_take_one_number_at_once_one_gets_it(real: SqlNumbers) -> None:
    first = _new_tracker(real)
    second = replace(first, tracker_id="TRK" + "b" * 32)

    answers = together(
        lambda: real.create_tracker(first, AT), lambda: real.create_tracker(second, AT)
    )

    assert 1 == len([answer for answer in answers if isinstance(answer, Rejected)]), answers
    assert 4 == real.count_active(ACCOUNT)


def test_disabling_a_tracker_is_for_good(real: SqlNumbers) -> None:
    pool = real.trackers(ACCOUNT)[1]

    first, again = (real.disable_tracker(pool.tracker_id, ACCOUNT, at) for at in (AT, LATER))

    assert first == again
    assert (TrackerStatus.DISABLED, AT) == (first.status, first.disabled_at)
    assert pool.tracking_numbers == first.tracking_numbers
    assert 1 == real.count_active(ACCOUNT)
    assert Treatment.REJECT is real.route(pool.tracking_numbers[0]).treatment


def test_somebody_elses_tracker_cannot_be_disabled(real: SqlNumbers) -> None:
    theirs = real.trackers(OTHER)[0]

    with pytest.raises(Rejected) as refused:
        real.disable_tracker(theirs.tracker_id, ACCOUNT, AT)

    assert Code.VALIDATION_FAILED is refused.value.code
    assert 3 == real.count_active(OTHER)


def test_a_close_disables_the_trackers(real: SqlNumbers) -> None:
    real.release_numbers(step())

    assert {TrackerStatus.DISABLED} == {tracker.status for tracker in real.trackers(ACCOUNT)}
    assert {AT} == {tracker.disabled_at for tracker in real.trackers(ACCOUNT)}
