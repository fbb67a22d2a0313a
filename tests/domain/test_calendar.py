"""Billing dates against a walk through the days, instants against a watch on the local clock."""

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import (
    MIDNIGHT,
    add_months,
    billing_date,
    billing_dates_from,
    due_instant,
    instant,
    local_date,
    next_billing_date,
    previous_billing_date,
)
from tests.covering import leading

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)

# 2028 is a leap year. The margins let every date of the four years have neighbours.
FOUR_YEARS = [date(2026, 1, 1) + DAY * n for n in range(4 * 365 + 1)]
WITH_MARGINS = [date(2025, 11, 1) + DAY * n for n in range(4 * 365 + 130)]
ANCHORS = range(1, 32)

ZONES = (
    "Africa/Cairo",
    "America/Havana",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Chatham",
    "UTC",
)


def days_billed(anchor: int) -> list[date]:
    """Found by walking: the anchor's day, or a month's last day that comes before it."""
    return [
        day
        for day in WITH_MARGINS
        if day.day == anchor or (day.day < anchor and (day + DAY).day == 1)
    ]


# --- billing dates -------------------------------------------------------------------------------


@pytest.mark.parametrize("anchor", ANCHORS)
def test_next_and_previous_billing_dates_are_those_that_a_walk_through_four_years_finds(
    anchor: int,
) -> None:
    billed = days_billed(anchor)

    wrong = [
        day
        for day in FOUR_YEARS
        if next_billing_date(anchor, day) != billed[bisect_right(billed, day)]
        or previous_billing_date(anchor, day) != billed[bisect_left(billed, day) - 1]
    ]

    assert [] == wrong


@pytest.mark.parametrize("anchor", ANCHORS)
def test_billing_dates_are_one_per_month_strictly_increasing_and_never_past_the_anchor(
    anchor: int,
) -> None:
    dates = list(islice(billing_dates_from(anchor, date(2026, 1, 1)), 60))

    months = [day.year * 12 + day.month for day in dates]
    assert list(range(months[0], months[0] + 60)) == months
    assert all(earlier < later for earlier, later in pairwise(dates))
    assert all(day.day == anchor or (day + DAY).day == 1 for day in dates)
    assert all(day.day <= anchor for day in dates)


def test_a_short_month_does_not_shift_the_dates_that_follow() -> None:
    from_january = list(islice(billing_dates_from(31, date(2027, 1, 31)), 4))

    expected = [date(2027, 1, 31), date(2027, 2, 28), date(2027, 3, 31), date(2027, 4, 30)]
    assert expected == from_january


@pytest.mark.parametrize(
    ("year", "month", "anchor", "expected"),
    [
        (2027, 2, 31, date(2027, 2, 28)),
        (2028, 2, 30, date(2028, 2, 29)),
        (2027, 4, 31, date(2027, 4, 30)),
        (2027, 12, 31, date(2027, 12, 31)),
        (2027, 2, 1, date(2027, 2, 1)),
    ],
)
def test_the_billing_date_of_a_month_is_clamped_to_its_last_day(
    year: int, month: int, anchor: int, expected: date
) -> None:
    assert expected == billing_date(year, month, anchor)


@pytest.mark.parametrize("anchor", [1, 15, 28, 29, 30, 31])
def test_billing_dates_from_a_day_hold_the_day_itself(anchor: int) -> None:
    billed = days_billed(anchor)

    for first in FOUR_YEARS[:400:7]:
        expected = [day for day in billed if day >= first][:7]
        assert expected == list(islice(billing_dates_from(anchor, first), 7))


# --- months --------------------------------------------------------------------------------------


def test_six_months_later_is_the_same_day_or_the_last_one_that_the_month_has() -> None:
    for day in FOUR_YEARS:
        later = add_months(day, 6)

        assert (day.year * 12 + day.month + 6) == (later.year * 12 + later.month)
        assert later.day == day.day or (later.day < day.day and (later + DAY).day == 1)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 8, 31), date(2027, 2, 28)),
        (date(2027, 8, 31), date(2028, 2, 29)),
        (date(2027, 3, 31), date(2027, 9, 30)),
        (date(2027, 1, 10), date(2027, 7, 10)),
    ],
)
def test_six_months_are_clamped_to_the_months_end(day: date, expected: date) -> None:
    assert expected == add_months(day, 6)


# --- instants ------------------------------------------------------------------------------------


def watch(zone: str, first: datetime, hours: int) -> list[tuple[datetime, datetime]]:
    """What a clock on the wall shows, minute by minute: pairs of UTC instant and local reading."""
    wall = ZoneInfo(zone)
    instants = (first + MINUTE * n for n in range(hours * 60))
    return [(at, at.astimezone(wall).replace(tzinfo=None, fold=0)) for at in instants]


def first_shown(watched: list[tuple[datetime, datetime]], wanted: datetime) -> datetime:
    """When the clock first shows `wanted`; if it never does, when it first shows more."""
    exact = [at for at, shown in watched if shown == wanted]
    return exact[0] if exact else next(at for at, shown in watched if shown > wanted)


def clock_changes(zone: str, years: range) -> list[datetime]:
    """The UTC midnights of the days on which the zone's offset changes."""
    wall = ZoneInfo(zone)
    midnights = [
        datetime(years[0], 1, 1, tzinfo=UTC) + DAY * n for n in range(len(years) * 365 + 4)
    ]
    offsets = [at.astimezone(wall).utcoffset() for at in midnights]
    return [
        at
        for at, before, after in zip(midnights, offsets, offsets[1:], strict=False)
        if before != after
    ]


@pytest.mark.parametrize("zone", leading(ZONES, 4))
def test_instants_around_every_clock_change_are_those_that_a_watched_clock_shows(
    zone: str,
) -> None:
    # Local times of three days in steps of 15 minutes, and the odd minutes around midnight.
    minutes = sorted({*range(0, 24 * 60, 15), 1, 2, 59, 61, 23 * 60 + 59})

    for change in clock_changes(zone, range(2008, 2028)):
        watched = watch(zone, change - 2 * DAY, hours=5 * 24)
        shown_at: dict[datetime, datetime] = {}
        for at, shown in watched:
            shown_at.setdefault(shown, at)
        for day in (change.date() - DAY, change.date(), change.date() + DAY):
            for minute in minutes:
                wanted = datetime.combine(day, MIDNIGHT) + MINUTE * minute
                expected = shown_at.get(wanted) or first_shown(watched, wanted)
                assert expected == instant(day, wanted.time(), zone), wanted


def oddities(zone: str) -> set[str]:
    """What a watched clock does at midnight, or to a whole day, around its changes."""
    found = set()
    for change in clock_changes(zone, range(2008, 2028)):
        shown = [local for _, local in watch(zone, change - DAY, hours=3 * 24)]
        for before, after in pairwise(shown):
            if after - before >= DAY:
                found.add("skipped day")
            elif after - before > MINUTE and after.date() > before.date():
                found.add("skipped midnight")
            elif after <= datetime.combine(before, MIDNIGHT) < before:
                found.add("repeated midnight")
    return found


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Pacific/Apia", "skipped day"),
        ("America/Sao_Paulo", "skipped midnight"),
        ("Asia/Beirut", "skipped midnight"),
        ("America/Havana", "repeated midnight"),
    ],
)
def test_the_zones_under_test_are_odd_enough_for_the_test_above_to_prove_something(
    zone: str, expected: str
) -> None:
    assert expected in oddities(zone)


@pytest.mark.parametrize(
    ("day", "clock", "zone", "expected"),
    [
        # Skipped midnight: clocks went from 23:59:59 to 01:00.
        (date(2018, 11, 4), time(0), "America/Sao_Paulo", "2018-11-04T03:00+00:00"),
        (date(2024, 4, 26), time(0), "Africa/Cairo", "2024-04-25T22:00+00:00"),
        # Skipped at 02:00, and half an hour only.
        (date(2027, 3, 14), time(2, 30), "America/New_York", "2027-03-14T07:00+00:00"),
        (date(2027, 10, 3), time(2, 10), "Australia/Lord_Howe", "2027-10-02T15:30+00:00"),
        # Repeated: the first of two.
        (date(2026, 11, 1), time(0), "America/Havana", "2026-11-01T04:00+00:00"),
        (date(2027, 10, 31), time(2, 30), "Europe/Berlin", "2027-10-31T00:30+00:00"),
        # A day that never was: the first instant of the next.
        (date(2011, 12, 30), time(0), "Pacific/Apia", "2011-12-30T10:00+00:00"),
        (date(2011, 12, 30), time(9), "Pacific/Apia", "2011-12-30T10:00+00:00"),
        # Odd offsets.
        (date(2027, 1, 15), time(9), "Asia/Kathmandu", "2027-01-15T03:15+00:00"),
        (date(2027, 1, 15), time(9), "Pacific/Chatham", "2027-01-14T19:15+00:00"),
    ],
)
def test_skipped_local_times_move_on_and_repeated_ones_mean_the_first(
    day: date, clock: time, zone: str, expected: str
) -> None:
    assert datetime.fromisoformat(expected) == instant(day, clock, zone)


@given(
    day=st.dates(date(1975, 1, 1), date(2037, 12, 1)),
    clock=st.sampled_from([time(0), time(1), time(2, 30), time(9), time(23, 59)]),
    zone=st.sampled_from(sorted(available_timezones() - {"localtime"})),
)
def test_in_every_zone_the_clock_has_reached_the_time_at_the_instant_and_not_a_second_before(
    day: date, clock: time, zone: str
) -> None:
    at = instant(day, clock, zone)

    def shown(moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)

    assert UTC is at.tzinfo
    assert shown(at) >= datetime.combine(day, clock) > shown(at - timedelta(seconds=1))


def test_a_billing_date_falls_due_at_nine_in_summer_and_in_winter() -> None:
    assert datetime(2027, 1, 15, 14, tzinfo=UTC) == due_instant(
        date(2027, 1, 15), "America/New_York"
    )
    assert datetime(2027, 7, 15, 13, tzinfo=UTC) == due_instant(
        date(2027, 7, 15), "America/New_York"
    )


def test_the_local_date_is_the_one_that_people_in_the_zone_read() -> None:
    at = datetime(2027, 1, 15, 11, 30, tzinfo=UTC)

    assert date(2027, 1, 15) == local_date(at, "America/New_York")
    assert date(2027, 1, 16) == local_date(at, "Pacific/Auckland")
    assert date(2027, 1, 14) == local_date(at.replace(hour=4), "America/New_York")


def test_an_unknown_zone_is_an_error_and_not_utc() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        instant(date(2027, 1, 15), MIDNIGHT, "Atlantis/Main")
