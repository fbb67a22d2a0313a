"""The dashboard and the reports: figures by the account's own days, as plot and as table."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from domain.calendar import local_date
from starter.web.site import paths
from starter.web.site.activity import CALLS_SHOWN
from starter.web.site.charts import HEIGHT, day_chart, round_top, widths
from starter.web.site.words import day
from systems.numbers.calls import Incoming
from systems.sample import SampleAccount
from systems.wiring import Systems
from tests.starter.web.site.accounts import TIME_ZONE, new_account
from tests.starter.web.site.visit import Front, Visit

NOW = datetime.now(UTC)
TODAY = local_date(NOW, TIME_ZONE)


@pytest.fixture
def account(systems: Systems) -> SampleAccount:
    return new_account(systems, numbers=2)


@pytest.fixture
async def visit(quiet: Front, account: SampleAccount) -> AsyncIterator[Visit]:
    async with quiet.visited_by(account.administrator_id) as opened:
        yield opened


def call(systems: Systems, account: SampleAccount, at: datetime, name: str, place: int = 0) -> None:
    """A call of a minute to one of the account's trackers, which was answered."""
    number = systems.numbers.trackers(account.account_id)[place].tracking_numbers[0]
    incoming = Incoming(f"CA{name}", number, f"+1212555{name:0>4}", at)
    systems.numbers.take(incoming)
    systems.numbers.finish(incoming, 60, is_answered=True)


async def test_without_calls_the_dashboard_says_so(visit: Visit) -> None:
    shown = await visit.get(paths.ACTIVITY)

    assert 3 == shown.text.count("0 calls")
    assert "answered" not in shown.text
    assert "No calls in the last 30 days." in shown.text
    assert "No calls yet." in shown.text


async def test_the_dashboard_counts_today_seven_and_thirty_days(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    for days, name in ((0, "0101"), (3, "0102"), (20, "0103"), (40, "0104")):
        call(systems, account, NOW - timedelta(days=days), name)

    shown = await visit.get(paths.ACTIVITY)

    figures = shown.text.partition("Calls by day")[0]
    assert "Today 1 call 100% answered, 1 caller" in figures
    assert "Last 7 days 2 calls 100% answered, 2 callers" in figures
    assert "Last 30 days 3 calls 100% answered, 3 callers" in figures
    bars = [each for tag, each in shown.page.tags if each.get("class") == "catch"]
    assert 30 == len(bars)
    assert "+1 212-555-0104" in shown.text


async def test_earlier_calls_are_a_page_away(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    for count in range(CALLS_SHOWN + 1):
        call(systems, account, NOW - timedelta(minutes=count), f"{count:04}")

    first = await visit.get(paths.ACTIVITY)
    second = await visit.get(first.page.links["Earlier calls"].partition("#")[0])

    assert "+1 212-555-0015" not in first.text
    assert "+1 212-555-0015" in second.text
    assert "Earlier calls" not in second.page.links
    assert paths.ACTIVITY in second.page.links["The latest calls"]


async def test_another_accounts_calls_are_not_to_be_had(
    visit: Visit, quiet: Front, systems: Systems
) -> None:
    other = new_account(systems)
    for count in range(CALLS_SHOWN + 1):
        call(systems, other, NOW - timedelta(minutes=count), f"{count:04}")
    async with quiet.visited_by(other.administrator_id) as theirs:
        cursor = (await theirs.get(paths.ACTIVITY)).page.links["Earlier calls"].partition("#")[0]

    shown = await visit.get(cursor)

    assert 422 == shown.status
    assert "555-00" not in shown.text


@pytest.mark.parametrize("by", ["day", "source", "tracker"])
async def test_each_report_has_plot_and_table(
    visit: Visit, systems: Systems, account: SampleAccount, by: str
) -> None:
    call(systems, account, NOW, "0101", 0)
    call(systems, account, NOW, "0102", 1)
    call(systems, account, NOW, "0103", 1)

    shown = await visit.get(f"{paths.REPORTS}?by={by}")

    table = {
        "day": f"{day(TODAY)} 3 3 3 3:00",
        "source": "All visitors 2 100% 2 2:00",
        "tracker": "Web site visitors 2 100% 2 2:00",
    }
    assert table[by] in shown.text
    assert f"Calls by {by}" in shown.page.current
    assert any(each.get("class") == "answered" for tag, each in shown.page.tags if tag == "rect")


async def test_a_period_is_chosen_by_its_first_and_last_day(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    call(systems, account, NOW - timedelta(days=60), "0101")
    shown = await visit.get(paths.REPORTS)
    before = TODAY - timedelta(days=60)
    chosen = await visit.send(
        shown,
        "Show",
        since=(before - timedelta(days=1)).isoformat(),
        until=(before + timedelta(days=1)).isoformat(),
    )

    assert "0 calls" in shown.text
    assert "1 call, 100% answered, 1 caller." in chosen.text
    assert 3 == len([each for _, each in chosen.page.tags if each.get("class") == "catch"])


async def test_a_period_that_cannot_be_is_said_at_its_field(visit: Visit) -> None:
    for since, until, field in (
        ("2026-03-02", "2026-03-01", "#until"),
        ("soon", "2026-03-01", "#since"),
        ("2026-03-01", "<script>", "#until"),
        ("2026-03-01", "", "#until"),
        ("2020-01-01", "2026-03-01", "#since"),
        ("0001-01-01", "0001-01-02", "#since"),
        ("9999-12-30", "9999-12-31", "#since"),
    ):
        shown = await visit.get(f"{paths.REPORTS}?since={since}&until={until}")

        assert 200 == shown.status, (since, until)
        assert field in shown.page.links.values(), (since, until)
        assert "<script" not in shown.html


def test_a_chart_has_a_bar_per_day_up_to_a_round_number() -> None:
    chart = day_chart([(TODAY, 12, 6), (TODAY, 0, 0)])

    assert 12 == chart.top
    assert [(HEIGHT, HEIGHT / 2), (0, 0)] == [
        (bar.height, bar.answered_height) for bar in chart.bars
    ]


def test_a_chart_without_days_can_be_drawn() -> None:
    assert day_chart([]).bars == ()
    assert day_chart([]).width > 0


@pytest.mark.parametrize("largest", [0, 1, 4, 5, 9, 10, 11, 12, 13, 99, 101, 121, 160, 999, 12_345])
def test_the_top_of_a_chart_is_even_and_not_far_off(largest: int) -> None:
    top = round_top(largest)

    assert largest <= top <= max(4, 2 * largest)
    assert top % 2 == 0


def test_bars_are_as_long_as_their_counts() -> None:
    assert [100.0, 50.0, 0.0] == widths([8, 4, 0])
    assert [0.0] == widths([0])
    assert [] == widths([])
