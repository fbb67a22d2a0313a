"""Reports: the calls of a period by day, by source, by tracker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Response

from domain.calendar import local_date
from domain.errors import Rejected
from domain.policy import Action
from starter.web.site import paths
from starter.web.site.activity import chart_of, last_days
from starter.web.site.charts import widths
from starter.web.site.forms import Mistake, day_in
from starter.web.site.guard import Guard, Visitor
from starter.web.site.words import source
from starter.web.site.writer import Writer
from systems.numbers.activity import Activity
from systems.numbers.reports import GroupTally, Report, Tally

DAYS = 30
SHORTCUTS = (7, 30, 90, 365)
SINCE, UNTIL = "since", "until"


class By(StrEnum):
    """What a report sorts calls by."""

    DAY = "day"
    SOURCE = "source"
    TRACKER = "tracker"


@dataclass(frozen=True)
class Group:
    """One line of a report by source or tracker; `width` is its bar's, in percent."""

    name: str
    tally: Tally
    width: float


def add_reports(
    router: APIRouter,
    guard: Guard,
    writer: Writer,
    activity: Activity,
    clock: Callable[[], datetime],
) -> None:
    """`/reports`, with `by` and the period's first and last day in the query."""

    @router.get(paths.REPORTS)
    def show(
        visitor: Annotated[Visitor, guard.of(Action.REPORTS)],
        by: str = By.DAY,
        since: str = "",
        until: str = "",
    ) -> Response:
        account_id = visitor.account_id
        today = local_date(clock(), visitor.account.time_zone)
        report, mistakes = _report(activity, account_id, today, since, until)
        kind = By(by) if by in set(By) else By.DAY
        return writer.page(
            "reports",
            visitor,
            section=paths.REPORTS,
            mistakes=mistakes,
            kind=kind,
            kinds=list(By),
            report=report,
            last_on=report.until_on - timedelta(days=1),
            shortcuts=[(days, today - timedelta(days=days - 1), today) for days in SHORTCUTS],
            chart=chart_of(report),
            groups=_groups(activity, account_id, report, kind),
        )


def _report(
    activity: Activity, account_id: str, today: date, since: str, until: str
) -> tuple[Report, Sequence[Mistake]]:
    """What was asked for; the last 30 days where nothing was, or nothing that can be had."""
    usual = last_days(activity, account_id, today, DAYS)
    if not since and not until:
        return usual, ()
    first, last = day_in(since), day_in(until)
    if first is None or last is None:
        field = SINCE if first is None else UNTIL
        return usual, [Mistake(field, "A period has a first and a last day.")]
    if last < first:
        return usual, [Mistake(UNTIL, "The last day lies before the first one.")]
    try:
        return activity.report(account_id, first, last + timedelta(days=1)), ()
    except (Rejected, OverflowError):
        message = "A period has 366 days at most, and lies in this century."
        return usual, [Mistake(SINCE, message)]


def _groups(activity: Activity, account_id: str, report: Report, kind: By) -> list[Group]:
    if kind is By.SOURCE:
        return _with_bars([(source(each.name), each) for each in report.by_source])
    names = activity.tracker_names(account_id)
    return _with_bars([(names.get(each.name, each.name), each) for each in report.by_tracker])


def _with_bars(named: Sequence[tuple[str, GroupTally]]) -> list[Group]:
    bars = widths([each.tally.calls for _, each in named])
    return [Group(name, each.tally, width) for (name, each), width in zip(named, bars, strict=True)]
