"""Charts as shapes: how tall and how wide, for a template to draw as SVG. Pure.

A library's charts bring style sheets and scripts of their own into the page, which its policy
rules out; these are rectangles that the page's own style sheet colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

# One bar with the gap beside it, and the height of the tallest, in units of the drawing.
SLOT, GAP, HEIGHT = 10.0, 2.0, 100.0


@dataclass(frozen=True)
class Bar:
    """One day: where its bar stands, and how high it is. The answered part is the lower one."""

    on: date
    calls: int
    answered: int
    x: float
    height: float
    answered_height: float


@dataclass(frozen=True)
class DayChart:
    """A bar per day. `top` is what the upper edge stands for: a round number of calls."""

    bars: tuple[Bar, ...]
    top: int
    width: float
    bar_width: float = SLOT - GAP
    height: float = HEIGHT


def day_chart(days: Sequence[tuple[date, int, int]]) -> DayChart:
    """The chart of days with their calls and how many were answered."""
    top = round_top(max((calls for _, calls, _ in days), default=0))
    scale = HEIGHT / top
    bars = tuple(
        Bar(
            on=on,
            calls=calls,
            answered=answered,
            x=place * SLOT + GAP / 2,
            height=round(calls * scale, 2),
            answered_height=round(answered * scale, 2),
        )
        for place, (on, calls, answered) in enumerate(days)
    )
    return DayChart(bars, top, max(len(days), 1) * SLOT)


def round_top(largest: int) -> int:
    """The smallest of 4, 6, 8, 10, 12, 16, 20, 30, 40, 60, 80, 100, 120 … not below `largest`.

    Half of it is a whole number too, which the middle line is labelled with.
    """
    tens = 1
    while largest > 10 * tens:
        tens *= 10
    steps = (4, 6, 8, 10) if tens == 1 else (1.2, 1.6, 2, 3, 4, 6, 8, 10)
    return next(int(step * tens) for step in steps if step * tens >= largest)


def widths(counts: Sequence[int]) -> list[float]:
    """How long the bar of each count is, in percent of the longest."""
    longest = max(counts, default=0)
    return [round(100 * each / longest, 2) if longest else 0.0 for each in counts]
