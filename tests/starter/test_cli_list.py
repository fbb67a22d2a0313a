"""The list of pauses: every filter and order, on both databases, and cheap with thousands."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from domain.states import ActKind, PauseState
from domain.terms import Offer
from domain.timeline import plan_timeline
from starter.listing import Attention, SortedBy, list_acts, next_event
from systems.accounts.act_list import PAGE, ActLine, FeeLine, Order, Wanted, count, found, lines
from systems.accounts.act_rows import TIMELINE, dumped
from systems.db import Database
from systems.sample import SampleAccount
from systems.tables import (
    AccountRow,
    ActRow,
    AttemptRow,
    AttemptState,
    InvoiceKind,
    InvoiceRow,
    InvoiceState,
)
from tests.starter.conftest import Cli, Up

NOBODY_LISTENS = "127.0.0.1:1"
BEGAN = datetime(2026, 1, 10, 14, tzinfo=UTC)
DAY = timedelta(days=1)
TERMS = Offer().for_account("UTC", 31)
JAN = date(2026, 1, 31)
TIMELINE_OF_JANUARY = plan_timeline(TERMS, BEGAN, JAN)


def add(database: Database, number: int, **changes: Any) -> None:
    """Act `number` on an account of its own, begun on day `number`; paused, unless changed."""
    at = BEGAN + number * DAY
    timeline = plan_timeline(TERMS, at, JAN, changes.get("resume_on"))
    act: dict[str, Any] = {
        "id": f"PAU{number:05}",
        "account_id": f"ACC{number:05}",
        "kind": ActKind.PAUSE,
        "state": PauseState.PAUSED,
        "began_at": at,
        "paused_at": at,
        "resume_on": timeline.resume_on,
        "timeline": dumped(TIMELINE, timeline),
    }
    account = AccountRow(
        id=f"ACC{number:05}", name=f"Shop {number}", time_zone="UTC", created_at=BEGAN
    )
    with database.transaction() as session:
        session.add(account)
        session.flush()
        session.add(ActRow(**{**act, **changes}))


def add_fee(database: Database, number: int, state: InvoiceState, *declined_at: datetime) -> None:
    """The fee of 31 January of pause `number`, declined so often."""
    invoice = InvoiceRow(
        id=f"INV{number:05}",
        account_id=f"ACC{number:05}",
        billing_on=JAN,
        due_at=datetime(2026, 1, 31, 9, tzinfo=UTC),
        kind=InvoiceKind.FEE,
        act_id=f"PAU{number:05}",
        amount_minor=500,
        currency="USD",
        state=state,
    )
    with database.transaction() as session:
        session.add(invoice)
        session.flush()
        for attempt, again_at in enumerate(declined_at, 1):
            row = AttemptRow(
                key=f"{invoice.act_id}:{attempt}",
                invoice_id=invoice.id,
                attempt=attempt,
                state=AttemptState.DECLINED,
                rung_at=again_at,
                began_at=BEGAN,
            )
            session.add(row)


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Every statement that is sent meanwhile."""
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


@pytest.fixture
def three(database: Database) -> Database:
    """Open since the 11th and 12th, the later one back first and past due; ended since the 13th."""
    add(database, 1)
    add(database, 2, resume_on=date(2026, 3, 1))
    add_fee(database, 2, InvoiceState.PAST_DUE, BEGAN + 30 * DAY)
    add(database, 3, state=PauseState.RESUMED, ended_at=BEGAN + 9 * DAY)
    add_fee(database, 3, InvoiceState.MOVED, BEGAN + 30 * DAY)
    return database


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(), [2, 1]),
        (Wanted(ended_too=True), [3, 2, 1]),
        (Wanted(states=[PauseState.RESUMED]), [3]),
        (Wanted(states=[PauseState.CLOSED]), []),
        (Wanted(account_id="ACC00001"), [1]),
        (Wanted(resumes_before=date(2026, 3, 2)), [2]),
        (Wanted(resumes_before=date(2026, 3, 1)), []),
        (Wanted(since=BEGAN + 2 * DAY, ended_too=True), [3, 2]),
        (Wanted(past_due=True), [2]),
        (Wanted(past_due=True, ended_too=True), [2]),
        (Wanted(account_ids=["ACC00001", "ACC00003"], ended_too=True), [1]),
        (Wanted(account_ids=[]), []),
    ],
)
def test_a_filter_leaves_what_it_says(three: Database, wanted: Wanted, numbers: list[int]) -> None:
    ids = found(three, wanted)

    assert [f"PAU{number:05}" for number in numbers] == ids
    assert len(numbers) == count(three, wanted)


@pytest.mark.parametrize(
    ("order", "numbers"),
    [
        (SortedBy.BEGAN, [3, 2, 1]),
        (SortedBy.PAUSED, [3, 2, 1]),
        (SortedBy.RESUMES, [2, 1, 3]),
        (SortedBy.NEXT, [1, 2, 3]),
        (SortedBy.ACCOUNT, [1, 2, 3]),
        (SortedBy.STATE, [2, 1, 3]),
    ],
)
def test_an_order_is_kept_and_a_limit_takes_its_beginning(
    three: Database, order: SortedBy, numbers: list[int]
) -> None:
    def shown(limit: int | None) -> list[int]:
        listing = list_acts(three, Wanted(ended_too=True), {}, BEGAN + 25 * DAY, order, limit)
        assert 3 == listing.matching
        return [int(each.pause_id[3:]) for each in listing.pauses]

    assert numbers == shown(None)
    assert numbers[:2] == shown(2)


def test_a_line_says_who_has_to_act(three: Database) -> None:
    attention = dict.fromkeys(("ACC00001", "ACC00003"), Attention(False, needs_operator=True))

    listing = list_acts(three, Wanted(ended_too=True), attention, BEGAN)

    flags = {each.account_id: (each.past_due, each.needs_operator) for each in listing.pauses}
    assert {
        "ACC00001": (False, True),
        "ACC00002": (True, False),
        "ACC00003": (False, False),
    } == flags


def test_thousands_take_a_few_statements(sqlite_database: Database) -> None:
    total = 2 * PAGE + 1
    with sqlite_database.transaction() as session:
        for number in range(total):
            session.add(AccountRow(id=f"A{number}", name="", time_zone="UTC", created_at=BEGAN))
        session.flush()
        for number in range(total):
            act = ActRow(
                id=f"P{number}",
                account_id=f"A{number}",
                kind=ActKind.PAUSE,
                state=PauseState.PAUSED,
                began_at=BEGAN,
                timeline=dumped(TIMELINE, TIMELINE_OF_JANUARY),
            )
            session.add(act)

    with counted(sqlite_database) as all_of_them:
        listing = list_acts(sqlite_database, Wanted(), {}, BEGAN, SortedBy.NEXT, 20)
    with counted(sqlite_database) as some_of_them:
        list_acts(sqlite_database, Wanted(), {}, BEGAN, SortedBy.ACCOUNT, 20)

    selects = [each for each in all_of_them if each.startswith("SELECT")]
    assert (20, total) == (len(listing.pauses), listing.matching)
    # The ids, then two per page, of which there are three.
    assert 1 + 2 * 3 == len(selects)
    assert 4 == len([each for each in some_of_them if each.startswith("SELECT")])


def test_lines_come_in_the_order_that_was_asked_for(three: Database) -> None:
    ids = found(three, Wanted(ended_too=True), Order.ACCOUNT)

    assert ids == [line.act_id for line in lines(three, ids)]


# --- what comes next -----------------------------------------------------------------------------

LINE = ActLine(
    act_id="PAU1",
    account_id="ACC1",
    account_name="Shop",
    time_zone="UTC",
    kind=ActKind.PAUSE,
    state=PauseState.PAUSED,
    began_at=BEGAN,
    paused_at=BEGAN,
    ended_at=None,
    retained_numbers=3,
    clock_ahead_seconds=0,
    timeline=TIMELINE_OF_JANUARY,
)
FIRST = date(2026, 2, 1)
AGAIN_AT = datetime(2026, 2, 1, 9, tzinfo=UTC)
TAKEN = tuple(FeeLine(fee.billing_on, False, False, None) for fee in TIMELINE_OF_JANUARY.fees)


@pytest.mark.parametrize(
    ("changes", "now", "kind", "on"),
    [
        ({}, BEGAN, "stop_routing", date(2026, 1, 10)),
        ({}, BEGAN + DAY, "fee", JAN),
        # Nobody has collected it yet: it is what comes next, though it is past.
        ({}, BEGAN + 60 * DAY, "fee", JAN),
        (
            {"fees": (FeeLine(JAN, True, False, AGAIN_AT),)},
            AGAIN_AT,
            "collect_again",
            date(2026, 2, 1),
        ),
        ({"fees": (FeeLine(JAN, False, True, AGAIN_AT),)}, AGAIN_AT, "look_up", FIRST),
        ({"fees": TAKEN}, BEGAN + 100 * DAY, "remind", date(2026, 6, 10)),
        ({"fees": TAKEN}, BEGAN + 179 * DAY, "resume", date(2026, 7, 10)),
    ],
)
def test_what_comes_next_is_what_the_records_say(
    changes: dict[str, Any], now: datetime, kind: str, on: date
) -> None:
    coming = next_event(replace(LINE, **changes), now)

    assert coming is not None
    assert (kind, on) == (coming.kind, coming.at.date())


@pytest.mark.parametrize(
    "changes", [{"state": PauseState.RESUMED}, {"state": PauseState.PAUSING, "timeline": None}]
)
def test_nothing_comes_next_to_what_is_not_in_effect(changes: dict[str, Any]) -> None:
    assert next_event(replace(LINE, **changes), BEGAN) is None


# --- the command ---------------------------------------------------------------------------------


def test_nothing_that_matches_is_said_with_what_was_looked_for(stack: Up, cli: Cli) -> None:
    filters = ["--account", "Corner", "--past-due", "--resumes-before", "2027-01-01"]

    answer = cli(stack.state_dir, "list", *filters)
    document = cli(stack.state_dir, "list", *filters, "--json").document

    assert 0 == answer.exit_code
    assert "No pause or close matches: of account ACC" in answer.out
    assert "coming back before 2027-01-01, past due. In all, " in answer.out
    assert {"pauses": [], "matching": 0} == document


def test_the_list_tells_what_comes_next_and_how_many_there_are(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    cli(stack.state_dir, "pause", account.account_id, "--yes")

    one = cli(stack.state_dir, "list", "--account", account.account_id)
    cut = cli(stack.state_dir, "list", "--all", "--limit", "1", "--json").document

    assert "calls stop" in one.out
    assert 1 == len(cut["pauses"])
    assert 2 <= cut["matching"], "the sample accounts have a close"


def test_without_temporal_the_list_is_the_databases(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    cli(stack.state_dir, "pause", account.account_id, "--yes")

    listed = cli(stack.state_dir, "list", "--json", TEMPORAL_ADDRESS=NOBODY_LISTENS)
    waiting = cli(
        stack.state_dir, "list", "--needs-operator", "--json", TEMPORAL_ADDRESS=NOBODY_LISTENS
    )

    assert account.account_id in [each["account_id"] for each in listed.document["pauses"]]
    assert "From the database only" in listed.err
    assert 3 == waiting.exit_code
