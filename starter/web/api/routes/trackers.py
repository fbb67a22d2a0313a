"""Trackers: listed, made, and disabled for good."""

from asyncio import to_thread
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from domain.ids import Prefix, make_id
from domain.policy import Action
from starter.web.api.answers import Answer
from starter.web.api.bodies import TrackerBody, TrackerId
from starter.web.api.documents import Tracker, TrackerPage
from starter.web.api.guard import AccountId, By
from starter.web.api.once import Call, IdempotencyKey
from starter.web.api.paging import Cursor, Key, Limit, next_page, page_of
from starter.web.api.routes.table import Table, link
from starter.web.api.services import Services
from systems.numbers.trackers import NewTracker, TrackerView

TRACKERS = "/accounts/{account_id}/trackers"
LOCATION = {
    "Location": {
        "description": "Where the tracker is.",
        "schema": {"type": "string", "format": "uri-reference"},
    }
}


def tracker_routes(api: Services) -> APIRouter:
    """`/accounts/{account_id}/trackers` and each of them."""
    trackers, table = Trackers(api), Table("Trackers", api.guards)
    table.of_account(
        "GET",
        TRACKERS,
        trackers.list_trackers,
        Action.LIST_TRACKERS,
        TrackerPage,
        links=next_page("listTrackers"),
    )
    table.of_account(
        "POST",
        TRACKERS,
        trackers.create_tracker,
        Action.CHANGE_TRACKERS,
        Tracker,
        administrator=True,
        status=HTTPStatus.CREATED,
        headers=LOCATION,
        links=link("disableTracker", {"tracker_id": "$response.body#/tracker_id"}),
    )
    table.of_account(
        "DELETE",
        f"{TRACKERS}/{{tracker_id}}",
        trackers.disable_tracker,
        Action.CHANGE_TRACKERS,
        Tracker,
        administrator=True,
    )
    return table.router


class Trackers:
    """What the routes do."""

    def __init__(self, api: Services) -> None:
        """By the product's commands."""
        self._api = api

    def list_trackers(
        self, account_id: AccountId, cursor: Cursor = None, limit: Limit = 50
    ) -> Response:
        """The account's trackers, the disabled ones too: by company, the oldest first."""
        trackers = self._api.systems.numbers.trackers(account_id)
        shown, next_cursor = page_of(trackers, _key, cursor, limit)
        items = tuple(map(Tracker.of, shown))
        return Answer(TrackerPage(items=items, next_cursor=next_cursor)).response()

    async def create_tracker(
        self,
        request: Request,
        account_id: AccountId,
        body: TrackerBody,
        by: By,
        key: IdempotencyKey = None,
    ) -> Response:
        """Make a tracker with active numbers."""

        async def create(call: Call) -> Answer:
            new = NewTracker(
                tracker_id=make_id(Prefix.TRACKER, call.effect_id),
                account_id=account_id,
                **body.model_dump(),
            )
            made = await to_thread(self._create, new, by.user_id)
            location = f"{request.url.path}/{made.tracker_id}"
            return Answer(Tracker.of(made), HTTPStatus.CREATED, {"Location": location})

        return await self._api.once.answer(request, by, key, create)

    def disable_tracker(
        self,
        account_id: AccountId,
        tracker_id: Annotated[TrackerId, Path(examples=["TRK9a3f0c6d5b1e4f7a8c2d0e9b6a5f4c3d"])],
        by: By,
    ) -> Response:
        """Disable the tracker for good: its numbers go, its history stays."""
        disabled = self._api.backend.disable_tracker(account_id, by.user_id, tracker_id)
        return Answer(Tracker.of(disabled)).response()

    def _create(self, new: NewTracker, user_id: str) -> TrackerView:
        at = self._api.backend.business_now(new.account_id)
        return self._api.systems.numbers.create_tracker(new, at, user_id)


def _key(tracker: TrackerView) -> Key:
    return (tracker.company, tracker.created_at.isoformat(), tracker.name, tracker.tracker_id)
