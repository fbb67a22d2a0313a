"""Fees, reminders and the resume of a pause, checked by walking through its days."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import add_months
from domain.terms import Offer, Terms
from domain.timeline import Timeline, latest_resume_on, plan_timeline
from tests.covering import covering
from tests.domain.simulation import Arrival, World, close_at, resume_at

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
NEW_YORK = "America/New_York"
START_OF_2026 = datetime(2026, 1, 1, tzinfo=UTC)


def terms_of(anchor: int, zone: str = NEW_YORK) -> Terms:
    return Offer().for_account(zone, anchor)


def local(day: date, clock: str, zone: str = NEW_YORK) -> datetime:
    """For local times that exist once."""
    return datetime.combine(day, time.fromisoformat(clock), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def is_billed(day: date, anchor: int) -> bool:
    return day.day == anchor or (day.day < anchor and (day + DAY).day == 1)


def billed_days(anchor: int, first: date, days: int) -> list[date]:
    return [day for day in (first + DAY * n for n in range(days)) if is_billed(day, anchor)]


def owed_days(anchor: int, zone: str, paused_at: datetime, resumed_at: datetime) -> list[date]:
    """R7, read off the wall: days whose 09:00 lies in [paused_at, resumed_at)."""
    first = paused_at.date() - 2 * DAY
    return [
        day
        for day in billed_days(anchor, first, (resumed_at - paused_at).days + 6)
        if paused_at <= local(day, "09:00", zone) < resumed_at
    ]


def first_untaken(anchor: int, zone: str, paused_at: datetime) -> date:
    """The plan has taken every date that was due before `paused_at` (R7)."""
    first = paused_at.date() - 2 * DAY
    return next(
        day for day in billed_days(anchor, first, 70) if local(day, "09:00", zone) >= paused_at
    )


def planned(terms: Terms, paused_at: datetime, resume_on: date | None = None) -> Timeline:
    untaken = first_untaken(terms.billing_day, terms.time_zone, paused_at)
    return plan_timeline(terms, paused_at, untaken, resume_on)


def fee_days(timeline: Timeline) -> list[date]:
    return [fee.billing_on for fee in timeline.fees]


# --- fees ----------------------------------------------------------------------------------------
#
#   anchor 15, paused 10 Jan 14:00
#      10     15    15    15    15    15    15    10
#   ---[======$=====$=====$=====$=====$=====$=====)---
#     Jan    Jan   Feb   Mar   Apr   May   Jun   Jul


def test_paused_on_10_january_the_15th_is_the_fees_six_times() -> None:
    timeline = planned(terms_of(15), local(date(2027, 1, 10), "14:00"))

    assert [date(2027, month, 15) for month in range(1, 7)] == fee_days(timeline)
    assert local(date(2027, 7, 10), "00:00") == timeline.resume_at
    assert date(2027, 7, 10) == timeline.resume_on == timeline.latest_resume_on


#   anchor 15, paused 15 Jan 14:00 (the plan took 15 Jan at 09:00)
#   15    15    15    15    15    15    15
#   [=====$=====$=====$=====$=====$=====)P-- plan again
#  Jan   Feb   Mar   Apr   May   Jun   Jul


def test_paused_on_15_january_after_nine_the_fee_comes_five_times_and_july_is_the_plans() -> None:
    timeline = planned(terms_of(15), local(date(2027, 1, 15), "14:00"))

    assert [date(2027, month, 15) for month in range(2, 7)] == fee_days(timeline)
    assert local(date(2027, 7, 15), "00:00") == timeline.resume_at
    assert local(date(2027, 7, 15), "09:00") >= timeline.resume_at


#   anchor 15, paused 15 Jan, around the due instant
#    08:59  [$====    the fee's
#    09:00  [$====    the fee's: the interval holds its begin
#    09:00:00.000001  P[====    the plan's


@pytest.mark.parametrize(
    ("after_nine", "expected"),
    [
        (timedelta(minutes=-1), date(2027, 1, 15)),
        (timedelta(0), date(2027, 1, 15)),
        (timedelta(microseconds=1), date(2027, 2, 15)),
    ],
)
def test_a_date_due_at_the_very_instant_of_the_pause_is_the_fees(
    after_nine: timedelta, expected: date
) -> None:
    paused_at = local(date(2027, 1, 15), "09:00") + after_nine

    # 1 January on purpose: what was due before the pause is the plan's whatever it says.
    timeline = plan_timeline(terms_of(15), paused_at, date(2027, 1, 1))

    assert expected == timeline.fees[0].billing_on


def test_a_date_that_the_plan_has_taken_in_advance_is_no_fee() -> None:
    timeline = plan_timeline(
        terms_of(15), local(date(2027, 1, 10), "14:00"), first_billing_on=date(2027, 2, 15)
    )

    assert date(2027, 2, 15) == timeline.fees[0].billing_on


@pytest.mark.parametrize(
    ("anchor", "clock"),
    covering([1, 14, 15, 28, 29, 30, 31], ["00:00", "08:59:59", "09:00", "09:00:01", "23:59:59"]),
)
def test_six_months_have_five_or_six_fees_one_per_month_and_exactly_those_owed(
    anchor: int, clock: str
) -> None:
    # Every day from March 2027 to March 2028, a leap year.
    for day in (date(2027, 3, 15) + DAY * n for n in range(370)):
        paused_at = local(day, clock)

        timeline = planned(terms_of(anchor), paused_at)

        assert len(timeline.fees) in (5, 6), day
        assert owed_days(anchor, NEW_YORK, paused_at, timeline.resume_at) == fee_days(timeline)
        assert all(one.due_at < two.due_at for one, two in pairwise(timeline.fees))
        months = [fee.billing_on.year * 12 + fee.billing_on.month for fee in timeline.fees]
        assert list(range(months[0], months[0] + len(months))) == months


@given(
    anchor=st.integers(1, 31),
    zone=st.sampled_from([NEW_YORK, "Pacific/Apia", "America/St_Johns", "Asia/Kathmandu", "UTC"]),
    paused_at=st.integers(0, 4 * 365 * 86400).map(lambda n: START_OF_2026 + n * SECOND),
    days_chosen=st.one_of(st.none(), st.integers(1, 250)),
)
def test_every_fee_is_owed_and_none_is_missing_for_any_pause(
    anchor: int, zone: str, paused_at: datetime, days_chosen: int | None
) -> None:
    paused_on = paused_at.astimezone(ZoneInfo(zone)).date()
    resume_on = None if days_chosen is None else paused_on + DAY * days_chosen

    timeline = planned(terms_of(anchor, zone), paused_at, resume_on)

    assert owed_days(anchor, zone, paused_at, timeline.resume_at) == fee_days(timeline)
    assert [local(day, "09:00", zone) for day in fee_days(timeline)] == [
        fee.due_at for fee in timeline.fees
    ]
    assert len(timeline.fees) <= 6
    assert timeline.resume_on <= timeline.latest_resume_on


# --- plan or fee: each date exactly once ---------------------------------------------------------
#
#   plan   P  P  P              P  P  P  P       dates outside [paused_at, resumed_at)
#   fee             $  $  $  $                   dates collected by walking the agenda
#   ---------------[============)------------


ANCHOR = 15
THREE_YEARS = billed_days(ANCHOR, date(2025, 7, 1), 3 * 365)
PAUSED_AT = local(date(2026, 11, 10), "14:00")
BILLING_DAY = date(2027, 2, 15)
NINE_SHARP = local(BILLING_DAY, "09:00")
AN_INSTANT = timedelta(microseconds=1)
DOWN = (local(date(2027, 1, 3), "12:00"), local(date(2027, 3, 20), "17:00"))
DOWN_FOR_GOOD = (local(date(2027, 4, 1), "12:00"), local(date(2027, 9, 30), "12:00"))


@pytest.mark.parametrize(
    ("arrivals", "outages"),
    [
        pytest.param([], [], id="planned"),
        pytest.param([], [DOWN], id="planned, workers down for two billing dates"),
        pytest.param([], [DOWN_FOR_GOOD], id="planned, workers down at the resume"),
        pytest.param([resume_at(NINE_SHARP - 4 * 3600 * SECOND)], [], id="in the early morning"),
        pytest.param([resume_at(NINE_SHARP - AN_INSTANT)], [], id="just before nine"),
        pytest.param([resume_at(NINE_SHARP)], [], id="at nine"),
        pytest.param([resume_at(NINE_SHARP + AN_INSTANT)], [], id="just after nine"),
        pytest.param([resume_at(NINE_SHARP + 5 * 3600 * SECOND)], [], id="in the afternoon"),
        pytest.param(
            [resume_at(NINE_SHARP - SECOND, read_at=NINE_SHARP + SECOND)], [], id="read after nine"
        ),
        pytest.param([resume_at(NINE_SHARP - SECOND)], [DOWN], id="before nine, workers down"),
        pytest.param([resume_at(NINE_SHARP)], [DOWN], id="at nine, workers down"),
        pytest.param([resume_at(NINE_SHARP + SECOND)], [DOWN], id="after nine, workers down"),
        pytest.param([resume_at(PAUSED_AT + SECOND)], [], id="at once"),
        pytest.param([close_at(NINE_SHARP)], [], id="closed at nine"),
    ],
)
def test_over_three_years_each_billing_date_is_taken_once_by_plan_or_fee(
    arrivals: list[Arrival], outages: list[tuple[datetime, datetime]]
) -> None:
    terms = terms_of(ANCHOR)
    world = World(terms, planned(terms, PAUSED_AT), arrivals=arrivals, outages=outages)

    end = world.run()

    by_plan = [day for day in THREE_YEARS if not PAUSED_AT <= local(day, "09:00") < end.at]
    assert THREE_YEARS == sorted([*by_plan, *world.collected_on])


def test_a_resume_before_nine_leaves_the_day_to_the_plan_though_workers_were_down_for_weeks() -> (
    None
):
    terms = terms_of(ANCHOR)
    before, after = (
        World(terms, planned(terms, PAUSED_AT), arrivals=[resume_at(asked_at)], outages=[DOWN])
        for asked_at in (NINE_SHARP - SECOND, NINE_SHARP + SECOND)
    )

    ends = before.run(), after.run()

    assert [NINE_SHARP - SECOND, NINE_SHARP + SECOND] == [end.at for end in ends]
    assert BILLING_DAY not in before.collected_on
    assert BILLING_DAY in after.collected_on


# --- the planned resume --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paused_on", "expected"),
    [
        (date(2026, 8, 31), date(2027, 2, 28)),
        (date(2027, 8, 31), date(2028, 2, 29)),
        (date(2027, 1, 10), date(2027, 7, 10)),
    ],
)
def test_the_pause_lasts_six_months_clamped_to_the_months_end(
    paused_on: date, expected: date
) -> None:
    timeline = planned(terms_of(15), local(paused_on, "14:00"))

    assert expected == timeline.resume_on
    assert local(expected, "00:00") == timeline.resume_at


def test_the_six_months_are_counted_from_the_day_that_the_account_reads() -> None:
    # 02:00 UTC on the 11th is the evening of the 10th in New York.
    paused_at = datetime(2027, 1, 11, 2, tzinfo=UTC)

    assert date(2027, 7, 10) == latest_resume_on(terms_of(15), paused_at)
    assert date(2027, 7, 11) == latest_resume_on(terms_of(15, "UTC"), paused_at)


def test_a_resume_at_a_midnight_that_clocks_skip_comes_with_the_first_instant_of_the_day() -> None:
    terms = terms_of(15, "Africa/Cairo")
    paused_at = local(date(2026, 10, 30), "14:00", "Africa/Cairo")

    timeline = planned(terms, paused_at)

    # On 30 April 2027 Cairo's clocks go from 23:59:59 of the 29th to 01:00.
    assert date(2027, 4, 30) == timeline.resume_on
    assert local(date(2027, 4, 30), "01:00", "Africa/Cairo") == timeline.resume_at


def test_an_earlier_date_is_followed_and_a_later_one_is_cut_to_six_months() -> None:
    paused_at = local(date(2027, 1, 10), "14:00")

    early = planned(terms_of(15), paused_at, date(2027, 3, 15))
    late = planned(terms_of(15), paused_at, date(2027, 7, 11))

    # Resumed at midnight, so 15 March, due at nine, is the plan's.
    assert [date(2027, 1, 15), date(2027, 2, 15)] == fee_days(early)
    assert local(date(2027, 3, 15), "00:00") == early.resume_at
    assert date(2027, 7, 10) == early.latest_resume_on
    assert planned(terms_of(15), paused_at) == late


@pytest.mark.parametrize("clock", ["00:00", "00:03", "09:00"])
def test_a_chosen_date_that_has_come_by_the_time_of_the_effect_ends_the_pause_at_once(
    clock: str,
) -> None:
    # Chosen late on the 14th as "tomorrow"; the effects stood only after midnight.
    paused_at = local(date(2027, 1, 15), clock)

    timeline = planned(terms_of(15), paused_at, date(2027, 1, 15))

    assert paused_at == timeline.resume_at
    assert () == timeline.fees
    assert () == timeline.reminders


# --- drain ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("drain_minutes", [0, 60, 90])
def test_routing_stops_when_the_drain_is_over(drain_minutes: int) -> None:
    terms = Offer(drain_minutes=drain_minutes).for_account(NEW_YORK, 15)
    paused_at = local(date(2027, 1, 10), "14:00")

    timeline = planned(terms, paused_at)

    assert paused_at + timedelta(minutes=drain_minutes) == timeline.stop_routing_at


# --- reminders -----------------------------------------------------------------------------------
#
#   ---[=======================R======R=====R==)---
#                             30     14     3  0   days before, each at 09:00


def test_reminders_come_at_nine_thirty_fourteen_and_three_days_before() -> None:
    # A month that New York's clocks change in.
    timeline = planned(terms_of(15), local(date(2026, 10, 1), "14:00"))

    assert date(2027, 4, 1) == timeline.resume_on
    assert [
        (30, local(date(2027, 3, 2), "09:00")),
        (14, local(date(2027, 3, 18), "09:00")),
        (3, local(date(2027, 3, 29), "09:00")),
    ] == [(reminder.days_before, reminder.at) for reminder in timeline.reminders]
    assert {timeline.resume_on} == {reminder.resume_on for reminder in timeline.reminders}


@pytest.mark.parametrize(
    ("paused_at_local", "resume_on", "expected"),
    [
        ("14:00", date(2027, 2, 10), [30, 14, 3]),
        # 30 days before 9 February is the 10th of January itself.
        ("08:59", date(2027, 2, 9), [30, 14, 3]),
        ("09:00", date(2027, 2, 9), [14, 3]),
        ("14:00", date(2027, 2, 9), [14, 3]),
        ("14:00", date(2027, 1, 14), [3]),
        ("08:59", date(2027, 1, 13), [3]),
        ("14:00", date(2027, 1, 13), []),
        ("14:00", date(2027, 1, 11), []),
    ],
)
def test_only_reminders_that_are_still_ahead_are_planned(
    paused_at_local: str, resume_on: date, expected: list[int]
) -> None:
    paused_at = local(date(2027, 1, 10), paused_at_local)

    timeline = planned(terms_of(15), paused_at, resume_on)

    assert expected == [reminder.days_before for reminder in timeline.reminders]


def test_reminders_are_in_order_and_before_the_resume_whatever_the_terms_say() -> None:
    terms = Offer(reminder_days=(0, 3, 30, 14)).for_account(NEW_YORK, 15)

    timeline = planned(terms, local(date(2027, 1, 10), "14:00"))

    assert [30, 14, 3] == [reminder.days_before for reminder in timeline.reminders]


# --- other terms ---------------------------------------------------------------------------------


def test_the_months_are_terms() -> None:
    terms = Offer(months=3).for_account(NEW_YORK, 15)

    timeline = planned(terms, local(date(2027, 1, 10), "14:00"))

    assert add_months(date(2027, 1, 10), 3) == timeline.resume_on
    assert 3 == len(timeline.fees)


def test_terms_are_the_offer_with_the_accounts_zone_and_anchor() -> None:
    offer = Offer(fee_minor=700, drain_minutes=0, reminder_days=(7,))

    terms = offer.for_account("Asia/Kathmandu", 31)

    assert (700, 0, (7,)) == (terms.fee_minor, terms.drain_minutes, terms.reminder_days)
    assert ("Asia/Kathmandu", 31) == (terms.time_zone, terms.billing_day)


def test_the_offer_is_what_the_article_says() -> None:
    offer = Offer()

    assert (500, "USD") == (offer.fee_minor, offer.currency)
    assert (50, 6) == (offer.max_numbers, offer.months)
