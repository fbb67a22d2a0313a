"""The page on scale: its results follow from its inputs, and its benchmarks are those there are."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import takewhile

import pytest

from benchmarks import arithmetic
from benchmarks.__main__ import BENCHMARKS
from benchmarks.arithmetic import Inputs
from benchmarks.figures import Figure, ratio
from tests.house.documents import document

PAGE = document("docs/scale.md")

# Where the page works something out for fees of one day: which.
DAYS = {
    "fees_on_a_day": arithmetic.fees_on_a_day,
    "fees_on_the_worst_day": arithmetic.fees_on_the_worst_day,
}

ONE = Inputs(
    open_pauses=1,
    months_of_a_pause=6,
    fee_usd=5,
    actions_of_a_pause=36,
    history_kib=20,
    idle_kib=24,
    rows_of_a_pause=60,
    database_kib=30,
    cached_kib=200,
    fee_cpu_ms=30,
    fees_per_second_of_a_worker=10,
    workers=2,
    stripe_requests_per_second=100,
    stripe_requests_per_second_and_endpoint=25,
    stripe_requests_of_a_fee=2,
    seconds_of_a_fee_at_stripe=1,
    retention_days=30.44,
    sweep_seconds=300,
    shards=512,
)


def test_every_result_on_the_page_follows_from_its_inputs() -> None:
    inputs = Inputs(**{row[1].strip("`"): _number(row[2]) for row in _rows("inputs")})
    results = {row[1].strip("`"): row[2] for row in _rows("results")}
    worked_out = {call: _shown(_worked_out(call, inputs), results[call]) for call in results}

    assert {field.name for field in fields(Inputs)} == {
        row[1].strip("`") for row in _rows("inputs")
    }
    assert worked_out == results, "the page's right column is what benchmarks/arithmetic.py says"


def test_control_another_input_would_show_in_the_results() -> None:
    inputs = Inputs(**{row[1].strip("`"): _number(row[2]) for row in _rows("inputs")})
    more = replace(inputs, open_pauses=inputs.open_pauses * 1.1)
    results = {row[1].strip("`"): row[2] for row in _rows("results")}

    changed = {it for it in results if _shown(_worked_out(it, more), results[it]) != results[it]}

    assert {"new_pauses_per_month", "fees_on_the_worst_day", "cloud_usd"} <= changed


def test_every_benchmark_is_on_the_page_and_no_other() -> None:
    named = re.findall(r'make bench BENCH_ARGS="?([a-z ]+)', "\n".join(PAGE.code))

    assert set(BENCHMARKS) == {name for names in named for name in names.split()}


@pytest.mark.parametrize(
    ("millions", "usd"),
    [(0, 0), (1, 50), (5, 250), (11.25, 525), (200, 5 * 50 + 5 * 45 + 400 + 1050 + 1500 + 2500)],
)
def test_actions_are_priced_tier_by_tier(millions: float, usd: float) -> None:
    # The third is the example of Temporal's own page.
    inputs = replace(ONE, open_pauses=millions * 1_000_000, actions_of_a_pause=6)

    assert pytest.approx(usd) == arithmetic.actions_usd(inputs)


def test_beyond_the_last_tier_there_is_no_price() -> None:
    inputs = replace(ONE, open_pauses=201_000_000, actions_of_a_pause=6)

    with pytest.raises(ValueError, match="not public"):
        arithmetic.actions_usd(inputs)


def test_the_plan_is_its_least_or_its_share() -> None:
    many = replace(ONE, open_pauses=10_000_000)
    usage = sum(each(many) for each in _BILLED)

    assert pytest.approx(500, abs=0.01) == arithmetic.cloud_usd(ONE)
    assert pytest.approx(usage * 1.1) == arithmetic.cloud_usd(many)


def test_on_the_worst_day_four_anchor_days_are_billed() -> None:
    assert pytest.approx(4 / 31) == arithmetic.fees_on_the_worst_day(ONE)


def test_stripe_is_held_up_by_the_endpoint_or_by_the_account() -> None:
    talkative = replace(ONE, stripe_requests_of_a_fee=10)

    assert 25 == arithmetic.stripe_fees_per_second(ONE)
    assert 10 == arithmetic.stripe_fees_per_second(talkative)


@pytest.mark.parametrize(("value", "is_met"), [(1.29, True), (1.3, True), (1.31, False)])
def test_a_budget_is_the_most_that_is_allowed(value: float, is_met: bool) -> None:
    assert is_met is Figure("sandbox", value, budget=1.3).is_met


def test_what_has_no_budget_is_neither_met_nor_missed() -> None:
    assert Figure("rows", 72).is_met is None


def test_a_ratio_compares_round_by_round_and_its_median_counts() -> None:
    # The machine became slower in the second round: for both.
    shown = ratio("price", ours=[12, 40, 15], plain=[10, 40, 10])

    assert (1.2, 1.0, 1.5) == (shown.value, shown.low, shown.high)


_BILLED: list[Callable[[Inputs], float]] = [
    arithmetic.actions_usd,
    arithmetic.active_usd,
    arithmetic.retained_usd,
]


def _rows(heading: str) -> list[list[str]]:
    """The rows of the table whose second heading is `heading`."""
    rows = iter(row for row in PAGE.rows if len(row) > 1)
    next(row for row in rows if row[1] == heading)
    next(rows)
    return list(takewhile(lambda row: row[1].startswith("`"), rows))


def _worked_out(call: str, inputs: Inputs) -> float:
    """The value of `name`, or of `name(fees)` for the fees of one of the `DAYS`."""
    name, _, day = call.rstrip(")").partition("(")
    function = getattr(arithmetic, name)
    value: float = function(inputs, DAYS[day](inputs)) if day else function(inputs)
    return value


def _number(cell: str) -> float:
    return float(cell.replace(",", ""))


def _shown(value: float, like: str) -> str:
    """The value with as many digits as the page has."""
    digits = len(like.partition(".")[2])
    return f"{value:,.{digits}f}"
