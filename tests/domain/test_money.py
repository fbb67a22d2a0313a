"""Shares of a period against exact fractions, and amounts as people read them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import display, share_of_period


@given(
    amount_minor=st.integers(0, 10**9),
    days_in_period=st.integers(1, 366),
    data=st.data(),
)
def test_a_share_is_the_exact_fraction_rounded_half_up(
    amount_minor: int, days_in_period: int, data: st.DataObject
) -> None:
    days = data.draw(st.integers(0, days_in_period))

    share = share_of_period(amount_minor, days, days_in_period)

    exact = Fraction(amount_minor * days, days_in_period)
    assert Fraction(-1, 2) < exact - share < Fraction(1, 2) or share - exact == Fraction(1, 2)


@pytest.mark.parametrize(
    ("amount_minor", "days", "days_in_period", "expected"),
    [
        (4500, 0, 31, 0),
        (4500, 31, 31, 4500),
        (4500, 10, 30, 1500),
        (4500, 1, 31, 145),  # 145.16
        (1, 1, 2, 1),  # half a cent up
        (3, 1, 2, 2),
        (5, 1, 2, 3),  # half to even would give 2
        (0, 3, 28, 0),
    ],
)
def test_shares_of_a_period(
    amount_minor: int, days: int, days_in_period: int, expected: int
) -> None:
    assert expected == share_of_period(amount_minor, days, days_in_period)


@pytest.mark.parametrize(("days", "days_in_period"), [(-1, 30), (31, 30), (0, 0)])
def test_days_outside_the_period_are_an_error(days: int, days_in_period: int) -> None:
    with pytest.raises(ValueError, match="do not lie within"):
        share_of_period(4500, days, days_in_period)


@pytest.mark.parametrize(
    ("amount_minor", "expected"),
    [
        (500, "$5.00"),
        (0, "$0.00"),
        (5, "$0.05"),
        (123456789, "$1,234,567.89"),
        (-500, "-$5.00"),
        (-5, "-$0.05"),
    ],
)
def test_amounts_read_as_dollars(amount_minor: int, expected: str) -> None:
    assert expected == display(amount_minor)


def test_another_currency_is_named() -> None:
    assert display(123450, "EUR") == "1,234.50 EUR"
    assert display(-50, "EUR") == "-0.50 EUR"
