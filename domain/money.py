"""Amounts of money: integer cents, never floats."""

from decimal import ROUND_HALF_UP, Decimal

CURRENCY = "USD"


def share_of_period(amount_minor: int, days: int, days_in_period: int) -> int:
    """The share of `amount_minor` that falls on `days` whole days of a period, half a cent up.

    Raises:
        ValueError: when `days` does not lie within the period.
    """
    if not 0 <= days <= days_in_period or days_in_period == 0:
        raise ValueError(f"{days} days do not lie within a period of {days_in_period}")
    share = Decimal(amount_minor) * days / days_in_period
    return int(share.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def display(amount_minor: int, currency: str = CURRENCY) -> str:
    """`amount_minor` as people read it: ``$5.00``, or ``5.00 EUR`` where it is not dollars."""
    sign = "-" if amount_minor < 0 else ""
    figures = f"{abs(amount_minor) // 100:,}.{abs(amount_minor) % 100:02}"
    return f"{sign}${figures}" if currency == "USD" else f"{sign}{figures} {currency}"
