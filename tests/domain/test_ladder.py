"""When an unpaid date is tried again, and when an unclear one is looked up.

rung   0     1       2          3             4                        5
day    0-----1-------5---------10------------15-----------------------25
       declined                               final notice             last attempt
"""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ladder import (
    final_notice_rung,
    last_rung,
    next_look_up_at,
    next_rung_at,
    rung_day,
)
from domain.terms import Offer, Terms

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
NEW_YORK = "America/New_York"
TERMS = Offer().for_account(NEW_YORK, 15)
FINAL_NOTICE = 4
LAST_ATTEMPT = 5


def local(day: date, clock: str, zone: str = NEW_YORK) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def shown(at: datetime, zone: str = NEW_YORK) -> datetime:
    """What people read on the wall."""
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def climb(terms: Terms, first_at: datetime, late: dict[int, timedelta]) -> list[datetime]:
    """When each rung is taken if every attempt is declined and some steps come late."""
    taken = [first_at]
    while (due_at := next_rung_at(terms, len(taken) - 1, taken[-1])) is not None:
        taken.append(due_at + late.get(len(taken), timedelta(0)))
    return taken


@pytest.mark.parametrize(
    "first_on",
    [
        pytest.param(date(2027, 1, 15), id="winter"),
        pytest.param(date(2027, 3, 1), id="clocks go forward on 14 March"),
        pytest.param(date(2027, 3, 13), id="clocks go forward on day 1"),
        pytest.param(date(2027, 10, 20), id="clocks go back on 7 November"),
        pytest.param(date(2027, 2, 20), id="over the end of February"),
    ],
)
def test_steps_come_on_days_1_5_10_15_and_25_at_nine_through_every_clock_change(
    first_on: date,
) -> None:
    taken = climb(TERMS, local(first_on, "09:00"), late={})

    assert [local(first_on + DAY * days, "09:00") for days in (0, 1, 5, 10, 15, 25)] == taken


@pytest.mark.parametrize("clock", ["00:00", "08:59", "09:00", "09:02", "10:30", "17:00", "23:59"])
def test_day_0_is_the_day_of_the_first_decline_at_whatever_hour_it_comes(clock: str) -> None:
    # An unclear answer may turn out a decline in the evening, or workers were down till then.
    taken = climb(TERMS, local(date(2027, 1, 15), clock), late={})

    expected = [local(date(2027, 1, 15) + DAY * days, "09:00") for days in (1, 5, 10, 15, 25)]
    assert expected == taken[1:]


#   planned   0---1-------5---------10---------15------------------25
#   late      0---1-------5-------------(3 days)13---------18------------------28


def test_a_late_step_shifts_those_that_follow_by_as_much() -> None:
    taken = climb(TERMS, local(date(2027, 1, 15), "09:00"), late={3: 3 * DAY})

    days = [0, 1, 5, 13, 18, 28]
    assert [local(date(2027, 1, 15) + DAY * n, "09:00") for n in days] == taken


def test_a_step_late_by_hours_waits_for_the_first_nine_oclock_after_the_whole_gap() -> None:
    taken = climb(TERMS, local(date(2027, 1, 15), "09:00"), late={4: timedelta(hours=6)})

    # The final notice went out on the 30th at 15:00; ten days later is 9 February at 15:00.
    assert local(date(2027, 1, 30), "15:00") == taken[FINAL_NOTICE]
    assert local(date(2027, 2, 10), "09:00") == taken[LAST_ATTEMPT]


def test_an_attempt_that_took_a_few_minutes_shifts_nothing() -> None:
    late = dict.fromkeys(range(1, 5), 20 * MINUTE)

    taken = climb(TERMS, local(date(2027, 1, 15), "09:20"), late=late)

    assert [date(2027, 1, 15) + DAY * days for days in (0, 1, 5, 10, 15, 25)] == [
        shown(at).date() for at in taken
    ]


def test_nothing_follows_the_last_attempt() -> None:
    assert next_rung_at(TERMS, LAST_ATTEMPT, local(date(2027, 1, 15), "09:00")) is None
    assert next_rung_at(TERMS, LAST_ATTEMPT + 1, local(date(2027, 1, 15), "09:00")) is None


@given(
    zone=st.sampled_from([NEW_YORK, "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu"]),
    minutes=st.integers(0, 3 * 365 * 24 * 60),
)
def test_the_close_comes_ten_days_after_the_final_notice_at_least_however_late_that_went_out(
    zone: str, minutes: int
) -> None:
    notified_at = datetime(2026, 1, 1, tzinfo=UTC) + MINUTE * minutes

    last_at = next_rung_at(Offer().for_account(zone, 15), FINAL_NOTICE, notified_at)

    assert last_at is not None
    notified, last = shown(notified_at, zone), shown(last_at, zone)
    assert time(9) == last.time()
    assert last.date() - notified.date() >= 10 * DAY
    # Within the hour after nine counts as nine; else it is ten times 24 hours on the wall.
    in_time = time(9) <= notified.time() <= time(10)
    assert last - notified >= 10 * DAY - (timedelta(hours=1) if in_time else timedelta(0))
    assert last - notified < 11 * DAY + timedelta(hours=9)


@given(
    first_minutes=st.integers(0, 365 * 24 * 60),
    late_minutes=st.lists(st.integers(0, 20 * 24 * 60), min_size=5, max_size=5),
)
def test_steps_never_come_closer_together_than_the_ladder_says(
    first_minutes: int, late_minutes: list[int]
) -> None:
    first_at = datetime(2026, 6, 1, tzinfo=UTC) + MINUTE * first_minutes
    late = {rung: MINUTE * n for rung, n in enumerate(late_minutes, start=1)}

    taken = climb(TERMS, first_at, late)

    days = [shown(at).date() for at in taken]
    gaps = [(after - before).days for before, after in pairwise(days)]
    assert len(gaps) == 5
    assert all(gap >= wanted for gap, wanted in zip(gaps, (1, 4, 5, 5, 10), strict=True))


def test_the_ladder_is_terms() -> None:
    terms = Offer(ladder_days=(2, 7), last_attempt_day=20).for_account("UTC", 15)

    taken = climb(terms, local(date(2027, 1, 15), "09:00", "UTC"), late={})

    assert [local(date(2027, 1, 15) + DAY * n, "09:00", "UTC") for n in (0, 2, 7, 20)] == taken
    assert (2, 3) == (final_notice_rung(terms), last_rung(terms))


def test_the_rungs_have_the_days_of_the_terms() -> None:
    assert [0, 1, 5, 10, 15, 25] == [rung_day(TERMS, rung) for rung in range(6)]
    assert (FINAL_NOTICE, LAST_ATTEMPT) == (final_notice_rung(TERMS), last_rung(TERMS))


# --- look-ups ------------------------------------------------------------------------------------
#
#   doubt  5min   1h            1 day         2 days
#   ?------?------?-------------?-------------?---


def test_an_unclear_charge_is_looked_up_after_five_minutes_an_hour_and_then_daily() -> None:
    doubted_at = local(date(2027, 3, 12), "09:00")

    looked_up = [doubted_at]
    for _ in range(6):
        looked_up.append(next_look_up_at(doubted_at, looked_up[-1]))

    hours = [(at - doubted_at).total_seconds() / 3600 for at in looked_up]
    assert [0, 5 / 60, 1, 24, 48, 72, 96] == hours


@pytest.mark.parametrize(
    ("looked_up_after", "expected"),
    [
        (timedelta(minutes=4), timedelta(minutes=5)),
        (timedelta(minutes=6), timedelta(hours=1)),
        (timedelta(hours=2), DAY),
        (DAY + MINUTE, 2 * DAY),
        (9 * DAY + timedelta(hours=23), 10 * DAY),
    ],
)
def test_a_look_up_that_came_late_delays_no_other(
    looked_up_after: timedelta, expected: timedelta
) -> None:
    doubted_at = local(date(2027, 3, 12), "09:00")

    next_at = next_look_up_at(doubted_at, doubted_at + looked_up_after)

    assert doubted_at + expected == next_at
