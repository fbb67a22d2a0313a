"""Two snapshots of an account are compared place by place (A2)."""

from typing import Any

import pytest

from domain.snapshot import count_differences, differences

BEFORE: dict[str, Any] = {
    "numbers": {"NUM1": {"number": "n1", "is_active": True}, "NUM2": {"number": "n2"}},
    "plan": {"add_ons": [["recording", 1000], ["forms", 500]]},
}


def changed(**places: Any) -> dict[str, Any]:
    return {**BEFORE, **places}


def test_equal_snapshots_differ_nowhere() -> None:
    assert count_differences(BEFORE, dict(BEFORE)) == 0


@pytest.mark.parametrize(
    ("after", "places"),
    [
        (
            changed(
                numbers={"NUM1": {"number": "n1", "is_active": False}, "NUM2": {"number": "n2"}}
            ),
            ["numbers.NUM1.is_active"],
        ),
        (changed(numbers={"NUM1": {"number": "n1", "is_active": True}}), ["numbers.NUM2"]),
        (changed(plan={"add_ons": [["recording", 1000], ["forms", 700]]}), ["plan.add_ons.1.1"]),
        (changed(plan={"add_ons": [["recording", 1000]]}), ["plan.add_ons"]),
        (changed(extra=1), ["extra"]),
        ({}, ["numbers", "plan"]),
    ],
    ids=["a value", "a missing thing", "inside a list", "a shorter list", "a new thing", "all"],
)
def test_each_place_that_differs_is_named_once(after: dict[str, Any], places: list[str]) -> None:
    assert list(differences(BEFORE, after)) == places
    assert count_differences(BEFORE, after) == len(places)


def test_a_missing_value_is_not_an_empty_one() -> None:
    assert count_differences({"card": None}, {}) == 1
