"""Disabling trackers for good: which ones, a page that says what is lost, then the act."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from domain.policy import Action
from starter.backend import Backend
from starter.web.site import paths
from starter.web.site.forms import Mistake
from starter.web.site.guard import Guard, Visitor
from starter.web.site.writer import Writer, go_to
from systems.numbers.trackers import TrackerStatus, TrackerView

TRACKER = "tracker"
# Where it may go on afterwards: disabling is also a step on the way to a pause.
THEN = {"pause": paths.PAUSE}


def add_disabling(router: APIRouter, guard: Guard, writer: Writer, backend: Backend) -> None:
    """`/trackers/disable`: GET shows what is lost, POST disables."""
    numbers = backend.systems.numbers

    @router.get(paths.DISABLE_TRACKERS)
    def show(
        visitor: Annotated[Visitor, guard.of(Action.CHANGE_TRACKERS, administrator=True)],
        tracker: Annotated[tuple[str, ...], Query()] = (),
        then: str = "",
    ) -> Response:
        return page(visitor, tracker, then)

    @router.post(paths.DISABLE_TRACKERS)
    def disable(
        visitor: Annotated[Visitor, guard.of(Action.CHANGE_TRACKERS, administrator=True)],
    ) -> Response:
        form, then = visitor.form, visitor.form.text("then")
        if not form.text("understood"):
            mistake = Mistake("understood", "Tick the box to say that you know what is lost.")
            return page(visitor, form.all(TRACKER), then, [mistake])
        for each in chosen(numbers.trackers(visitor.account_id), form.all(TRACKER)):
            backend.disable_tracker(visitor.account_id, visitor.user_id, each.tracker_id)
        return go_to(THEN.get(then, f"{paths.TRACKERS}?done=disabled"))

    def page(
        visitor: Visitor, tracker_ids: Sequence[str], then: str, mistakes: Sequence[Mistake] = ()
    ) -> Response:
        trackers = chosen(numbers.trackers(visitor.account_id), tracker_ids)
        if not trackers:
            # None was chosen, or all of them are gone by now: both are seen in the list.
            return go_to(THEN.get(then, f"{paths.TRACKERS}?done=none"))
        return writer.page(
            "disable_trackers",
            visitor,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if mistakes else HTTPStatus.OK,
            section=paths.TRACKERS,
            mistakes=mistakes,
            trackers=trackers,
            count=sum(len(each.tracking_numbers) for each in trackers),
            then=then if then in THEN else "",
            back=THEN.get(then, paths.TRACKERS),
        )


def chosen(trackers: Sequence[TrackerView], tracker_ids: Sequence[str]) -> list[TrackerView]:
    """The active trackers among those of the account that have these ids; others do not exist."""
    return [
        each
        for each in trackers
        if each.tracker_id in tracker_ids and each.status is TrackerStatus.ACTIVE
    ]
