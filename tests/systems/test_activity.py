"""The activity log, page by page, and reports over it: on both databases."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, select

from domain.calendar import local_date
from domain.errors import Code, Rejected
from domain.ids import Prefix, make_id
from systems.db import Database
from systems.numbers import Activity, SqlNumbers
from systems.numbers.activity import MOST_DAYS
from systems.numbers.calls import ANONYMOUS
from systems.numbers.reports import (
    CallFact,
    DayTally,
    GroupTally,
    Report,
    Tally,
    begins_at,
    days_between,
    report,
)
from systems.tables import AccountRow, CallRow, CompanyRow, TrackerRow
from tests.systems.examples import ACCOUNT, AT, OTHER, OTHER_KEY, add_account

CHICAGO = "America/Chicago"
CALLER = "+13125550177"


@pytest.fixture
def activity(database: Database) -> Activity:
    add_account(database)
    add_account(database, OTHER_KEY)
    return Activity(database)


@pytest.fixture
def sqlite_activity(sqlite_database: Database) -> Activity:
    """For what is refused before any database is asked."""
    add_account(sqlite_database)
    return Activity(sqlite_database)


# --- the log -------------------------------------------------------------------------------------


def test_the_log_is_read_page_by_page_the_latest_first(
    activity: Activity, database: Database
) -> None:
    ids = add_calls(database, [AT + timedelta(minutes=minute) for minute in range(7)])

    pages = list(all_pages(activity, limit=3))

    assert [3, 3, 1] == [len(page) for page in pages]
    assert list(reversed(ids)) == [call_id for page in pages for call_id in page]


def test_calls_of_one_moment_are_all_shown_and_none_twice(
    activity: Activity, database: Database
) -> None:
    ids = add_calls(database, [AT] * 7)

    shown = [call_id for page in all_pages(activity, limit=2) for call_id in page]

    assert sorted(ids) == shown


def test_a_call_that_comes_in_between_moves_no_page(activity: Activity, database: Database) -> None:
    ids = add_calls(database, [AT + timedelta(minutes=minute) for minute in range(4)])
    first = activity.calls(ACCOUNT, limit=2)

    add_calls(database, [AT + timedelta(hours=1)], first=100)
    second = activity.calls(ACCOUNT, limit=2, cursor=first.next_cursor)

    assert [ids[1], ids[0]] == [call.call_id for call in second.calls]
    assert second.next_cursor is None


def test_a_page_that_is_just_full_is_the_last(activity: Activity, database: Database) -> None:
    add_calls(database, [AT, AT + timedelta(minutes=1)])

    assert activity.calls(ACCOUNT, limit=2).next_cursor is None
    assert activity.calls(ACCOUNT, limit=1).next_cursor is not None


def test_the_beginning_of_a_time_belongs_to_it_and_its_end_does_not(
    activity: Activity, database: Database
) -> None:
    #   AT     +1     +2     +3
    # --[======*======*======)--
    ids = add_calls(database, [AT + timedelta(hours=hour) for hour in range(4)])

    page = activity.calls(ACCOUNT, since=AT, until=AT + timedelta(hours=3))

    assert [ids[2], ids[1], ids[0]] == [call.call_id for call in page.calls]


def test_the_log_of_one_tracker(activity: Activity, database: Database) -> None:
    one, two = (each.tracker_id for each in SqlNumbers(database).trackers(ACCOUNT))
    add_calls(database, [AT], tracker=0)
    (wanted,) = add_calls(database, [AT], tracker=1, first=10)

    page = activity.calls(ACCOUNT, tracker_id=two)

    assert [wanted] == [call.call_id for call in page.calls]
    assert {one, two} == set(activity.tracker_names(ACCOUNT))


def test_trackers_of_one_name_are_told_apart_by_their_company(
    activity: Activity, database: Database
) -> None:
    with database.transaction() as session:
        first, second = session.scalars(
            select(TrackerRow).where(TrackerRow.account_id == ACCOUNT)
        ).all()
        company = session.get_one(CompanyRow, first.company_id).name
        alone = {first.name, second.name}
    before = set(activity.tracker_names(ACCOUNT).values())
    with database.transaction() as session:
        session.get_one(TrackerRow, second.id).name = first.name

    assert alone == before
    assert {f"{first.name}, {company}"} == set(activity.tracker_names(ACCOUNT).values())


def test_the_log_of_an_account_is_its_own(activity: Activity, database: Database) -> None:
    (mine,) = add_calls(database, [AT])
    (theirs,) = add_calls(database, [AT], account_id=OTHER, first=10)
    tracker = SqlNumbers(database).trackers(OTHER)[0].tracker_id

    assert [mine] == [call.call_id for call in activity.calls(ACCOUNT).calls]
    assert () == activity.calls(ACCOUNT, tracker_id=tracker).calls
    assert () == activity.calls("ACC" + "0" * 32).calls
    assert 1 == whole(activity).total.calls
    assert 0 == whole(activity, tracker_id=tracker).total.calls
    assert tracker not in activity.tracker_names(ACCOUNT)
    with pytest.raises(Rejected):
        activity.calls(ACCOUNT, cursor=theirs)


@pytest.mark.parametrize(
    "asked",
    [
        {"cursor": "CAL" + "0" * 32},
        {"cursor": "\x00"},
        {"cursor": ""},
        {"tracker_id": "' OR 1=1 --"},
        {"limit": 0},
        {"limit": 201},
    ],
)
def test_what_cannot_be_asked_is_refused(sqlite_activity: Activity, asked: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as refused:
        sqlite_activity.calls(ACCOUNT, **asked)

    assert Code.VALIDATION_FAILED is refused.value.code


# --- reports -------------------------------------------------------------------------------------


def test_a_report_counts_calls_by_day_source_and_tracker(
    activity: Activity, database: Database
) -> None:
    one, two = (each.tracker_id for each in SqlNumbers(database).trackers(ACCOUNT))
    add_calls(database, [AT, AT], tracker=0, seconds=60)
    add_calls(database, [AT], tracker=0, caller=ANONYMOUS, first=10)
    add_calls(database, [AT + timedelta(days=1)], tracker=1, caller="+13125550178", first=20)

    counted = activity.report(ACCOUNT, AT.date(), AT.date() + timedelta(days=3))

    assert Tally(4, 2, 2, 120) == counted.total
    assert 0.5 == counted.total.answered_share
    assert [3, 1, 0] == [day.tally.calls for day in counted.by_day]
    assert [("google_ads", 3), ("all_visitors", 1)] == numbers_of(counted.by_source)
    assert [(one, 3), (two, 1)] == numbers_of(counted.by_tracker)
    assert [1, 1] == [each.tally.unique_callers for each in counted.by_tracker]


def test_an_empty_report_has_its_days(activity: Activity) -> None:
    counted = activity.report(ACCOUNT, AT.date(), AT.date() + timedelta(days=2))

    assert Tally() == counted.total
    assert counted.total.answered_share is None
    assert [AT.date(), AT.date() + timedelta(days=1)] == [day.on for day in counted.by_day]
    assert () == counted.by_source


@pytest.mark.parametrize(
    ("zone", "on", "hours"),
    [
        (CHICAGO, date(2026, 3, 8), 23),
        (CHICAGO, date(2026, 11, 1), 25),
        ("Australia/Sydney", date(2026, 4, 5), 25),
    ],
)
def test_a_day_is_as_long_as_its_clocks_make_it(
    activity: Activity, database: Database, zone: str, on: date, hours: int
) -> None:
    move_to(database, zone)
    noon = datetime(on.year, on.month, on.day, 12, 30, tzinfo=UTC)
    add_calls(database, [noon + timedelta(hours=hour) for hour in range(-40, 40)])

    counted = activity.report(ACCOUNT, on, on + timedelta(days=1))

    assert hours == counted.total.calls == counted.by_day[0].tally.calls


def test_midnight_is_the_accounts_own(activity: Activity, database: Database) -> None:
    move_to(database, CHICAGO)
    midnight = datetime(2026, 1, 11, 6, tzinfo=UTC)
    add_calls(database, [midnight - timedelta(seconds=1), midnight])

    counted = activity.report(ACCOUNT, date(2026, 1, 10), date(2026, 1, 12))

    assert [1, 1] == [day.tally.calls for day in counted.by_day]


@pytest.mark.parametrize(
    ("since_on", "until_on"),
    [
        (date(2026, 1, 2), date(2026, 1, 1)),
        (date(2026, 1, 1), date(2026, 1, 1) + timedelta(days=MOST_DAYS + 1)),
        (date.min, date(2026, 1, 1)),
        (date(2099, 12, 31), date.max),
    ],
)
def test_days_that_make_no_report_are_refused(
    sqlite_activity: Activity, since_on: date, until_on: date
) -> None:
    with pytest.raises(Rejected):
        sqlite_activity.report(ACCOUNT, since_on, until_on)


def test_an_unknown_account_has_no_report(activity: Activity) -> None:
    with pytest.raises(Rejected) as refused:
        activity.report("ACC" + "0" * 32, AT.date(), AT.date())

    assert Code.ACCOUNT_NOT_FOUND is refused.value.code


def test_log_and_report_walk_the_index(activity: Activity, database: Database) -> None:
    (cursor,) = add_calls(database, [AT])

    with plans(database) as found:
        activity.calls(ACCOUNT, since=AT, until=AT, cursor=cursor)
        activity.report(ACCOUNT, AT.date(), AT.date() + timedelta(days=30))

    assert 2 == len(found)
    assert all("calls_by_account" in plan for plan in found), found


def test_control_a_query_without_the_account_does_not_walk_it(
    activity: Activity, database: Database
) -> None:
    with plans(database) as found, database.transaction() as session:
        session.query(CallRow).where(CallRow.duration_seconds > 5).all()

    assert ["calls_by_account" in plan for plan in found] == [False]


# --- counting, without a database ----------------------------------------------------------------

ZONES = (
    *("UTC", CHICAGO, "Australia/Lord_Howe", "Europe/Paris", "America/Havana", "Asia/Beirut"),
    *(
        "Pacific/Apia",
        "Pacific/Chatham",
        "Asia/Kathmandu",
        "Africa/Casablanca",
        "America/Sao_Paulo",
    ),
)
# In these weeks the clocks of nearly all of them change.
FIRST_ON = date(2026, 3, 1)
DAYS = 50

few = settings(max_examples=50, deadline=None)

INSTANTS = st.integers(0, DAYS * 86_400 - 1).map(
    lambda second: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=second)
)
FACTS = st.builds(
    CallFact,
    at=INSTANTS,
    source=st.sampled_from(["google_ads", "direct_mail", "all_visitors"]),
    tracker_id=st.sampled_from(["one", "two"]),
    caller=st.sampled_from([ANONYMOUS, CALLER, "+13125550178", "+13125550179"]),
    duration_seconds=st.integers(0, 3600),
    is_answered=st.booleans(),
)


@few
@given(st.lists(FACTS, max_size=60), st.sampled_from(ZONES))
def test_every_call_is_counted_on_the_day_that_its_clock_showed(
    calls: list[CallFact], zone: str
) -> None:
    counted = counted_of(calls, zone)

    for day in counted.by_day:
        expected = [call for call in calls if local_date(call.at, zone) == day.on]
        assert naively(expected) == day.tally


@few
@given(st.lists(FACTS, max_size=60), st.sampled_from(ZONES))
def test_the_parts_sum_up_to_the_whole(calls: list[CallFact], zone: str) -> None:
    counted = counted_of(calls, zone)

    assert naively(calls) == counted.total
    for parts in (counted.by_day, counted.by_source, counted.by_tracker):
        tallies: list[Tally] = [part.tally for part in parts]
        assert counted.total.calls == sum(tally.calls for tally in tallies)
        assert counted.total.answered == sum(tally.answered for tally in tallies)
        assert counted.total.talk_seconds == sum(tally.talk_seconds for tally in tallies)
        assert counted.total.unique_callers <= sum(tally.unique_callers for tally in tallies)
    for name in ("google_ads", "direct_mail", "all_visitors"):
        of_source = [call for call in calls if call.source == name]
        assert dict(groups(counted.by_source)).get(name, Tally()) == naively(of_source)


@few
@given(st.lists(FACTS, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_calls_makes_no_difference(calls: list[CallFact], random: Any) -> None:
    shuffled = list(calls)
    random.shuffle(shuffled)

    assert counted_of(calls, CHICAGO) == counted_of(shuffled, CHICAGO)


@few
@given(st.lists(FACTS, min_size=1, max_size=30))
def test_one_more_call_is_one_more(calls: list[CallFact]) -> None:
    fewer, more = counted_of(calls[1:], "UTC").total, counted_of(calls, "UTC").total

    assert fewer.calls + 1 == more.calls
    assert fewer.answered + calls[0].is_answered == more.answered
    assert 0 <= more.unique_callers - fewer.unique_callers <= 1


@pytest.mark.parametrize("zone", ZONES)
def test_days_follow_each_other_without_gap_or_overlap(zone: str) -> None:
    for on in days_between(date(2026, 1, 1), date(2027, 1, 1)):
        start = begins_at(on, zone)
        assert on == local_date(start, zone)
        assert on > local_date(start - timedelta(seconds=1), zone)


def test_a_day_that_a_country_skipped_has_no_calls() -> None:
    # Samoa went from 29 to 31 December 2011.
    calls = [fact(datetime(2011, 12, 30, hour, tzinfo=UTC)) for hour in (9, 10, 11)]

    counted = report(calls, date(2011, 12, 29), date(2012, 1, 1), "Pacific/Apia")

    assert [1, 0, 2] == [day.tally.calls for day in counted.by_day]


def test_control_days_of_another_zone_count_otherwise() -> None:
    calls = [fact(datetime(2026, 1, 11, 5, 59, tzinfo=UTC))]
    since_on, until_on = date(2026, 1, 10), date(2026, 1, 12)

    assert report(calls, since_on, until_on, "UTC").by_day != (
        report(calls, since_on, until_on, CHICAGO).by_day
    )


# --- small things --------------------------------------------------------------------------------


def add_calls(
    database: Database,
    moments: Sequence[datetime],
    *,
    account_id: str = ACCOUNT,
    tracker: int = 0,
    caller: str = CALLER,
    seconds: int = 0,
    first: int = 0,
) -> list[str]:
    """Calls to one number; their ids, which rise from `first`."""
    numbers = SqlNumbers(database)
    number = numbers.trackers(account_id)[tracker].tracking_numbers[0]
    route = numbers.route(number)
    rows = [
        CallRow(
            id=make_id(Prefix.CALL, UUID(int=first + place)),
            account_id=account_id,
            company_id=route.company_id,
            tracker_id=route.tracker_id,
            number_id=route.number_id,
            carrier_call_id=f"call-{first + place}",
            caller=caller,
            source=route.source,
            at=at,
            duration_seconds=seconds,
            is_answered=seconds > 0,
        )
        for place, at in enumerate(moments)
    ]
    with database.transaction() as session:
        session.add_all(rows)
    return [row.id for row in rows]


def all_pages(activity: Activity, limit: int) -> Iterator[list[str]]:
    page = activity.calls(ACCOUNT, limit=limit)
    yield [call.call_id for call in page.calls]
    while page.next_cursor is not None:
        page = activity.calls(ACCOUNT, limit=limit, cursor=page.next_cursor)
        yield [call.call_id for call in page.calls]


def whole(activity: Activity, tracker_id: str | None = None) -> Report:
    return activity.report(
        ACCOUNT, AT.date(), AT.date() + timedelta(days=30), tracker_id=tracker_id
    )


def move_to(database: Database, zone: str) -> None:
    with database.transaction() as session:
        session.get_one(AccountRow, ACCOUNT).time_zone = zone


@contextmanager
def plans(database: Database) -> Iterator[list[str]]:
    """How the database goes about each query over calls by account or duration."""
    found: list[str] = []

    def explain(connection: Connection, _: Any, statement: str, values: Any, *rest: Any) -> None:
        if "FROM calls" not in statement or "calls.id = " in statement.partition("WHERE")[2]:
            return
        explained = connection.connection.cursor()
        if database.engine.dialect.name == "sqlite":
            explained.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        else:
            # On a handful of rows reading all of them is cheaper than any index.
            explained.execute("SET LOCAL enable_seqscan = off")
            explained.execute(f"EXPLAIN {statement}", values)
        found.append("\n".join(str(row) for row in explained.fetchall()))

    event.listen(database.engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", explain)


def fact(at: datetime) -> CallFact:
    return CallFact(at, "google_ads", "one", CALLER, 0, is_answered=False)


def counted_of(calls: list[CallFact], zone: str) -> Report:
    # A day more on either side: local days begin before and after those of UTC.
    return report(calls, FIRST_ON - timedelta(1), FIRST_ON + timedelta(DAYS + 1), zone)


def naively(calls: Sequence[CallFact]) -> Tally:
    return Tally(
        calls=len(calls),
        answered=len([call for call in calls if call.is_answered]),
        unique_callers=len({call.caller for call in calls} - {ANONYMOUS}),
        talk_seconds=sum(call.duration_seconds for call in calls if call.is_answered),
    )


def groups(tallies: Sequence[GroupTally | DayTally]) -> list[tuple[str, Tally]]:
    return [(each.name, each.tally) for each in tallies if isinstance(each, GroupTally)]


def numbers_of(tallies: Sequence[GroupTally]) -> list[tuple[str, int]]:
    return [(each.name, each.tally.calls) for each in tallies]
