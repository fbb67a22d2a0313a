"""Reports over calls: counted by day, source and tracker. Pure; `activity.py` brings the calls.

Days are the account's own: from one local midnight to the next, 23 or 25 hours where clocks change.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from domain.calendar import MIDNIGHT, instant
from systems.numbers.calls import ANONYMOUS


@dataclass(frozen=True)
class CallFact:
    """What a report needs to know of one call."""

    at: datetime
    source: str
    tracker_id: str
    caller: str
    duration_seconds: int
    is_answered: bool


@dataclass(frozen=True)
class Tally:
    """How many calls, and of what kind.

    Callers who withhold their number are counted among the calls and not among `unique_callers`.
    `talk_seconds` is of answered calls.
    """

    calls: int = 0
    answered: int = 0
    unique_callers: int = 0
    talk_seconds: int = 0

    @property
    def answered_share(self) -> float | None:
        """Which part of the calls was answered, 0 to 1; None without any call."""
        return self.answered / self.calls if self.calls else None


@dataclass(frozen=True)
class DayTally:
    """The calls of one local day."""

    on: date
    tally: Tally


@dataclass(frozen=True)
class GroupTally:
    """The calls of one source, or one tracker by its id."""

    name: str
    tally: Tally


@dataclass(frozen=True)
class Report:
    """The calls of the local days in ``[since_on, until_on)``.

    `by_day` has every day, in order; `by_source` and `by_tracker` those with calls, the most first.
    """

    since_on: date
    until_on: date
    time_zone: str
    total: Tally
    by_day: tuple[DayTally, ...]
    by_source: tuple[GroupTally, ...]
    by_tracker: tuple[GroupTally, ...]


def days_between(since_on: date, until_on: date) -> list[date]:
    """The days in ``[since_on, until_on)``."""
    return [since_on + timedelta(days=count) for count in range((until_on - since_on).days)]


def begins_at(on: date, time_zone: str) -> datetime:
    """The first instant of a local day."""
    return instant(on, MIDNIGHT, time_zone)


def report(calls: Iterable[CallFact], since_on: date, until_on: date, time_zone: str) -> Report:
    """Count the calls, which lie in those days, in any order. One pass; calls are not kept."""
    days = days_between(since_on, until_on)
    starts = [begins_at(on, time_zone) for on in days]
    total, by_day = _Count(), [_Count() for _ in days]
    by_source: dict[str, _Count] = defaultdict(_Count)
    by_tracker: dict[str, _Count] = defaultdict(_Count)
    for call in calls:
        day = by_day[bisect_right(starts, call.at) - 1]
        for count in (total, day, by_source[call.source], by_tracker[call.tracker_id]):
            count.add(call)
    return Report(
        since_on=since_on,
        until_on=until_on,
        time_zone=time_zone,
        total=total.tally(),
        by_day=tuple(DayTally(on, count.tally()) for on, count in zip(days, by_day, strict=True)),
        by_source=_most_first(by_source),
        by_tracker=_most_first(by_tracker),
    )


@dataclass
class _Count:
    """A tally that grows."""

    calls: int = 0
    answered: int = 0
    talk_seconds: int = 0
    callers: set[str] = field(default_factory=set)

    def add(self, call: CallFact) -> None:
        self.calls += 1
        if call.is_answered:
            self.answered += 1
            self.talk_seconds += call.duration_seconds
        if call.caller != ANONYMOUS:
            self.callers.add(call.caller)

    def tally(self) -> Tally:
        return Tally(self.calls, self.answered, len(self.callers), self.talk_seconds)


def _most_first(counts: dict[str, _Count]) -> tuple[GroupTally, ...]:
    groups = (GroupTally(name, count.tally()) for name, count in counts.items())
    return tuple(sorted(groups, key=lambda each: (-each.tally.calls, each.name)))
