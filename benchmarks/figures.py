"""What was measured: figures with their spread, their budget, and whether it is met."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured quantity. `low` and `high` are the outermost rounds, if there were several."""

    name: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    budget: float | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the budget is kept, None if there is none."""
        return None if self.budget is None else self.value <= self.budget

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "is_met": self.is_met}


def figure(
    name: str, rounds: Sequence[float], unit: str = "", budget: float | None = None
) -> Figure:
    """The median of what the rounds showed, with the outermost of them."""
    if len(rounds) == 1:
        return Figure(name, rounds[0], unit, budget=budget)
    return Figure(name, median(rounds), unit, min(rounds), max(rounds), budget)


def ratio(
    name: str, ours: Sequence[float], plain: Sequence[float], budget: float | None = None
) -> Figure:
    """How much more the first takes than the second, round by round: they ran side by side."""
    return figure(name, [a / b for a, b in zip(ours, plain, strict=True)], "x", budget)


def table(title: str, figures: Sequence[Figure]) -> Table:
    """For people."""
    shown = Table("figure", title=title, title_justify="left", title_style="bold")
    for heading in ("measured", "from", "to", "budget"):
        shown.add_column(heading, justify="right")
    for each in figures:
        shown.add_row(
            each.name,
            _number(each.value, each.unit),
            "" if each.low is None else _number(each.low),
            "" if each.high is None else _number(each.high),
            _budget(each),
        )
    return shown


def _budget(each: Figure) -> str:
    if each.budget is None:
        return ""
    verdict = "[green]met[/]" if each.is_met else "[red]missed[/]"
    return f"{_number(each.budget)} {verdict}"


def _number(value: float, unit: str = "") -> str:
    digits = 0 if abs(value) >= 100 or value == int(value) else 2
    return f"{value:,.{digits}f} {unit}".rstrip()
