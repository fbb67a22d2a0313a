"""The states of a pause and the ways between them."""

from itertools import product

import pytest

from domain.errors import InvariantViolated
from domain.states import ChargeState, PauseState, moved

#   pausing ---> paused ---> resuming ---> resumed
#      |  \         \
#      |   \         `---> closing ---> closed
#      |    `--> refused
#      `--(an operator's cancel)--> resuming

WAYS = {
    ("pausing", "paused"),
    ("pausing", "refused"),
    ("pausing", "resuming"),
    ("paused", "resuming"),
    ("paused", "closing"),
    ("resuming", "resumed"),
    ("closing", "closed"),
}


@pytest.mark.parametrize(("current", "to"), list(product(PauseState, PauseState)))
def test_a_pause_goes_only_the_ways_of_the_drawing(current: PauseState, to: PauseState) -> None:
    if current is to or (current, to) in WAYS:
        assert to is moved(current, to)
        return
    with pytest.raises(InvariantViolated, match=f"from {current} to {to}"):
        moved(current, to)


def test_resumed_closed_and_refused_are_final_and_nothing_else() -> None:
    assert {"resumed", "closed", "refused"} == {state for state in PauseState if state.is_final}


def test_every_state_can_be_reached_and_left_for_a_final_one() -> None:
    assert set(PauseState) == {"pausing"} | {to for _, to in WAYS}
    assert set(PauseState) == {at for at, _ in WAYS} | {s for s in PauseState if s.is_final}


def test_the_states_of_a_charge_that_clients_read_stay_what_they_are() -> None:
    assert set(ChargeState) >= {
        "scheduled",
        "collecting",
        "paid",
        "declined",
        "unknown",
        "not_owed",
        "moved",
        "written_off",
    }
