"""The activity log, and the reports over it."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from domain.calendar import local_date
from domain.policy import Action
from starter.web.api.answers import Answer
from starter.web.api.bodies import Day, TrackerId
from starter.web.api.documents import Call, CallPage, Report
from starter.web.api.guard import AccountId
from starter.web.api.paging import Cursor, Limit, next_page
from starter.web.api.routes.table import Table
from starter.web.api.services import Services

# What a report is about if nobody says.
DAYS = timedelta(days=30)


def activity_routes(api: Services) -> APIRouter:
    """`/accounts/{account_id}/activity` and `/reports`."""
    activity, table = Activity(api), Table("Activity", api.guards)
    table.of_account(
        "GET",
        "/accounts/{account_id}/activity",
        activity.list_calls,
        Action.DASHBOARD,
        CallPage,
        links=next_page("listCalls"),
    )
    table.of_account(
        "GET", "/accounts/{account_id}/reports", activity.get_report, Action.REPORTS, Report
    )
    return table.router


class Activity:
    """What the routes do."""

    def __init__(self, api: Services) -> None:
        """Read what the systems have."""
        self._api = api

    def list_calls(
        self,
        account_id: AccountId,
        since: Annotated[AwareDatetime | None, Query(description="From this instant on.")] = None,
        until: Annotated[AwareDatetime | None, Query(description="Before this instant.")] = None,
        tracker_id: Annotated[TrackerId | None, Query()] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Response:
        """The calls of the account, the latest first."""
        page = self._api.systems.activity.calls(
            account_id,
            since=since,
            until=until,
            tracker_id=tracker_id,
            cursor=cursor,
            limit=limit,
        )
        items = tuple(map(Call.of, page.calls))
        return Answer(CallPage(items=items, next_cursor=page.next_cursor)).response()

    def get_report(
        self,
        account_id: AccountId,
        since_on: Annotated[Day | None, Query(description="The first day.")] = None,
        until_on: Annotated[Day | None, Query(description="The day after the last.")] = None,
        tracker_id: Annotated[TrackerId | None, Query()] = None,
    ) -> Response:
        """The calls of some days, counted by day, source and tracker.

        Without days it is about the last 30, today included.
        """
        if until_on is None:
            zone = self._api.systems.accounts.account(account_id).time_zone
            today = local_date(self._api.backend.business_now(account_id), zone)
            until_on = today + timedelta(days=1)
        report = self._api.systems.activity.report(
            account_id, since_on or until_on - DAYS, until_on, tracker_id=tracker_id
        )
        return Answer(Report.of(report)).response()
