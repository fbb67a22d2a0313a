"""The pause page: the terms, the whole course with its dates and amounts, and the button (R2, R19).

What is shown is what will be done. The form carries a mark of what it has shown; if that is not
what a pause would do by now, because a billing date has passed or another date was typed in, the
page is shown again instead.
"""

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from domain.calendar import local_date
from domain.errors import Code, Rejected, Transient
from domain.policy import Action
from starter.backend import Backend
from starter.preview import Preview
from starter.web.site import paths
from starter.web.site.asking import ACCEPT, REASON, RESUME_ON, Asking, asking_in, fresh_asking
from starter.web.site.course import CHANGED, course_of
from starter.web.site.disabling import TRACKER, chosen
from starter.web.site.forms import LONGEST_TEXT, Mistake, too_long
from starter.web.site.guard import Guard, Visitor
from starter.web.site.progress import Asked, progress_path
from starter.web.site.refusals import advice, mistake_of
from starter.web.site.standing import Standing
from starter.web.site.waiting import Waiting
from starter.web.site.words import count
from starter.web.site.writer import Writer, go_to
from systems.numbers.trackers import TrackerStatus, TrackerView

SHOW = "show"

UNREACHABLE = "We could not reach what pauses the account. Press again: it is never done twice."


def add_pausing(
    router: APIRouter, guard: Guard, writer: Writer, backend: Backend, waiting: Waiting
) -> None:
    """`/settings/pause`: GET shows, POST shows another date or pauses."""
    pages = _Pages(writer, backend)

    @router.get(paths.PAUSE)
    def show(
        visitor: Annotated[Visitor, guard.of(Action.PREVIEW, administrator=True)],
        resume_on: str = "",
        tracker: Annotated[tuple[str, ...], Query()] = (),
    ) -> Response:
        if visitor.standing is not Standing.ACTIVE:
            return go_to(paths.STATUS)
        return pages.page(visitor, fresh_asking(resume_on), trackers=tracker)

    @router.post(paths.PAUSE)
    def pause(visitor: Annotated[Visitor, guard.of(Action.PAUSE, administrator=True)]) -> Response:
        asking = asking_in(visitor.form)
        # Sent twice, or long ago: what became of it is the answer.
        if pages.is_known(asking):
            return go_to(progress_path(asking.pause_id, Asked.PAUSE))
        if visitor.standing is not Standing.ACTIVE:
            return go_to(paths.STATUS)
        preview = pages.preview(visitor, asking)
        mistakes = () if visitor.form.is_pressed(SHOW) else _mistakes(asking, preview)
        if visitor.form.is_pressed(SHOW) or mistakes:
            return pages.page(visitor, asking, mistakes)
        return send(visitor, asking)

    def send(visitor: Visitor, asking: Asking) -> Response:
        try:
            waiting.act(
                lambda: backend.pause(
                    visitor.account_id,
                    visitor.user_id,
                    terms_version=asking.terms_version,
                    resume_on=asking.resume_day,
                    reason=asking.reason or None,
                    pause_id=asking.pause_id,
                )
            )
        except Rejected as error:
            return pages.page(visitor, asking, [mistake_of(error)])
        except Transient:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return pages.page(visitor, asking, [Mistake("", UNREACHABLE)], status=status)
        return go_to(progress_path(asking.pause_id, Asked.PAUSE))


class _Pages:
    """The page in its three forms: to pause, to disable trackers first, to enter a card first."""

    def __init__(self, writer: Writer, backend: Backend) -> None:
        self._writer = writer
        self._backend = backend
        self._systems = backend.systems

    def is_known(self, asking: Asking) -> bool:
        return self._systems.accounts.act(asking.pause_id) is not None

    def preview(self, visitor: Visitor, asking: Asking) -> Preview:
        return self._backend.preview(visitor.account_id, resume_on=asking.resume_day)

    def page(
        self,
        visitor: Visitor,
        asking: Asking,
        mistakes: Sequence[Mistake] = (),
        *,
        trackers: Sequence[str] = (),
        status: int | None = None,
    ) -> Response:
        preview = self.preview(visitor, asking)
        refusal = preview.refusal
        if refusal is not None and refusal.code == Code.TOO_MANY_TRACKING_NUMBERS:
            return self._too_many(visitor, preview, trackers)
        mistakes = [*mistakes, *_mistakes_of_date(asking, preview, mistakes)]
        usual = HTTPStatus.UNPROCESSABLE_ENTITY if mistakes else HTTPStatus.OK
        today = local_date(preview.at, preview.terms.time_zone)
        return self._writer.page(
            "pause",
            visitor,
            status=status or usual,
            section=paths.BILLING,
            mistakes=mistakes,
            preview=preview,
            terms=preview.terms,
            needs_card=refusal is not None and refusal.code == Code.PAYMENT_METHOD_REQUIRED,
            asking=asking.showing(preview),
            course=course_of(preview),
            earliest_on=today + timedelta(days=1),
            trackers=self._active(visitor),
        )

    def _too_many(self, visitor: Visitor, preview: Preview, tracker_ids: Sequence[str]) -> Response:
        assert preview.refusal is not None
        active = self._active(visitor)
        picked = chosen(active, tracker_ids)
        excess = int(preview.refusal.figures["excess"])
        missing = excess - sum(len(each.tracking_numbers) for each in picked)
        if picked and missing <= 0:
            query = "&".join(f"{TRACKER}={each.tracker_id}" for each in picked)
            return go_to(f"{paths.DISABLE_TRACKERS}?then=pause&{query}")
        return self._writer.page(
            "pause_too_many",
            visitor,
            section=paths.BILLING,
            mistakes=[Mistake("trackers", _still(missing))] if tracker_ids else (),
            figures=preview.refusal.figures,
            trackers=active,
            picked={each.tracker_id for each in picked},
        )

    def _active(self, visitor: Visitor) -> list[TrackerView]:
        trackers = self._systems.numbers.trackers(visitor.account_id)
        return [each for each in trackers if each.status is TrackerStatus.ACTIVE]


def _mistakes(asking: Asking, preview: Preview) -> Sequence[Mistake]:
    """What keeps the form from being acted on. The date is looked at when the page is shown."""
    if asking.has_bad_date or preview.refusal is not None:
        return _mistakes_of_date(asking, preview, ()) or [Mistake("", CHANGED)]
    if not asking.was_shown(preview):
        return [Mistake("", CHANGED)]
    accepted = () if asking.is_accepted else [Mistake(ACCEPT, "Accept the terms to pause.")]
    return [*accepted, *too_long(REASON, "The reason", asking.reason, LONGEST_TEXT)]


def _mistakes_of_date(
    asking: Asking, preview: Preview, known: Sequence[Mistake]
) -> Sequence[Mistake]:
    refusal = preview.refusal
    if any(each.field == RESUME_ON for each in known):
        return ()
    if asking.has_bad_date:
        return [Mistake(RESUME_ON, "That is no date; write it like 2027-02-28.")]
    if refusal is not None and refusal.code == Code.INVALID_RESUME_DATE:
        return [Mistake(RESUME_ON, advice(refusal.code, refusal.message, refusal.figures).words)]
    return ()


def _still(missing: int) -> str:
    return f"That is not enough: {count(missing, 'number')} more must be given up."
