"""The activity dashboard: how many calls came in, and the latest of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Response

from domain.calendar import local_date
from domain.policy import Action
from starter.web.site import paths
from starter.web.site.charts import day_chart
from starter.web.site.guard import Guard, Visitor
from starter.web.site.writer import Writer
from systems.numbers.activity import Activity
from systems.numbers.reports import Report, Tally

PERIODS = (("Today", 1), ("Last 7 days", 7), ("Last 30 days", 30))
CALLS_SHOWN = 15


@dataclass(frozen=True)
class Figure:
    """The calls of one period, by its name."""

    name: str
    tally: Tally


def add_activity(
    router: APIRouter,
    guard: Guard,
    writer: Writer,
    activity: Activity,
    clock: Callable[[], datetime],
) -> None:
    """`/activity`."""

    @router.get(paths.ACTIVITY)
    def show(
        visitor: Annotated[Visitor, guard.of(Action.DASHBOARD)], after: str | None = None
    ) -> Response:
        account_id = visitor.account_id
        today = local_date(clock(), visitor.account.time_zone)
        # All three end with today's last moment.
        reports = [last_days(activity, account_id, today, days) for _, days in PERIODS]
        return writer.page(
            "activity",
            visitor,
            section=paths.ACTIVITY,
            figures=[
                Figure(name, report.total)
                for (name, _), report in zip(PERIODS, reports, strict=True)
            ],
            report=reports[-1],
            chart=chart_of(reports[-1]),
            calls=activity.calls(account_id, cursor=after or None, limit=CALLS_SHOWN),
            is_first=not after,
            trackers=activity.tracker_names(account_id),
        )


def last_days(activity: Activity, account_id: str, today: date, days: int) -> Report:
    """The report about that many days up to and with today."""
    tomorrow = today + timedelta(days=1)
    return activity.report(account_id, tomorrow - timedelta(days=days), tomorrow)


def chart_of(report: Report) -> object:
    """The report's days as a chart."""
    return day_chart([(each.on, each.tally.calls, each.tally.answered) for each in report.by_day])
