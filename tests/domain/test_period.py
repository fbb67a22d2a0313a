"""What is left of a billing period at a resume, drawn as intervals: `$` fee, `P` plan, `~` left."""

from datetime import UTC, date, datetime

import pytest

from domain.period import PeriodLeft, period_left

NOON = 12


def utc(month: int, day: int, hour: int = NOON) -> datetime:
    return datetime(2027, month, day, hour, tzinfo=UTC)


def left(paused_at: datetime, resume_at: datetime, not_later_than: date) -> PeriodLeft | None:
    return period_left(15, "UTC", paused_at, resume_at, not_later_than)


def test_a_period_that_the_fee_took_is_left_from_the_resume_to_the_plans_next_date() -> None:
    # ---[===$==)~~~~P---
    found = left(utc(1, 10), utc(1, 20), date(2027, 1, 15))

    assert PeriodLeft(date(2027, 1, 20), date(2027, 1, 15), date(2027, 2, 15)) == found
    assert found is not None
    assert (26, 31) == (found.days, found.length)


@pytest.mark.parametrize(
    ("paused_at", "resume_at"),
    [
        # ---P--[====)----P---  within a period of the plan
        (utc(1, 16), utc(1, 20)),
        # ---[====)P---  resumed at the very instant, which is the plan's
        (utc(1, 10), utc(1, 15, 9)),
    ],
)
def test_nothing_is_left_of_a_period_that_the_plan_has_taken(
    paused_at: datetime, resume_at: datetime
) -> None:
    assert left(paused_at, resume_at, date(2027, 1, 15)) is None


def test_the_dates_may_be_looked_for_from_long_before() -> None:
    # ---[===$=====$==)~~P---
    assert left(utc(1, 10), utc(2, 20), date(2027, 1, 15)) == left(
        utc(1, 10), utc(2, 20), date(2027, 3, 15)
    )
