"""Account Status: what a paused account's users see instead of the product."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated

from anyio import from_thread
from fastapi import APIRouter, Response

from domain.calendar import local_date
from domain.errors import Code, Rejected, Transient
from domain.messages import ChargeStatus, Status
from domain.money import CURRENCY
from domain.policy import Action
from domain.ports import Act
from domain.states import ActKind, ChargeState, PauseState
from starter.backend import Backend
from starter.web.site import paths
from starter.web.site.forms import Mistake, day_in
from starter.web.site.guard import Guard, Visitor
from starter.web.site.progress import Asked, progress_path
from starter.web.site.refusals import mistake_of
from starter.web.site.standing import HOMES, Standing
from starter.web.site.writer import Writer, go_to

ON, SEEN, DROP = "resume_on", "seen_on", "drop"
UNREACHABLE = "We could not reach the pause to change its date. Please try again."

ASKED = {
    PauseState.PAUSING: Asked.PAUSE,
    PauseState.RESUMING: Asked.RESUME,
    PauseState.CLOSING: Asked.CLOSE,
}
STILL_COMING = (ChargeState.SCHEDULED, ChargeState.COLLECTING)


@dataclass(frozen=True)
class Charges:
    """The fees of a pause: so far, and still to come."""

    so_far: tuple[ChargeStatus, ...]
    to_come: tuple[ChargeStatus, ...]
    paid_minor: int
    currency: str


def add_status(router: APIRouter, guard: Guard, writer: Writer, backend: Backend) -> None:
    """`/status`, and `/status/date` for the form on it."""
    pages = _Pages(writer, backend)

    @router.get(paths.STATUS)
    def show(
        visitor: Annotated[Visitor, guard.of(Action.PAUSE_STATUS)], done: str = ""
    ) -> Response:
        return pages.page(visitor, done=done)

    @router.post(paths.RESUME_DATE)
    def change_date(
        visitor: Annotated[Visitor, guard.of(Action.CHANGE_RESUME_DATE, administrator=True)],
    ) -> Response:
        form = visitor.form
        resume_on = None if form.is_pressed(DROP) else day_in(form.text(ON))
        if resume_on is None and not form.is_pressed(DROP):
            return pages.page(visitor, [Mistake(ON, "Choose a date first.")], typed=form.text(ON))
        try:
            from_thread.run(
                lambda: backend.change_resume_date(
                    visitor.account_id,
                    visitor.user_id,
                    resume_on,
                    pause_id=form.text("pause_id") or None,
                    expected_resume_on=day_in(form.text(SEEN)),
                )
            )
        except Rejected as error:
            if pages.has_date(visitor, resume_on):
                # Sent twice: the first has done it.
                return go_to(f"{paths.STATUS}?done=date")
            is_changed = error.code == Code.PRECONDITION_FAILED
            typed = "" if is_changed else form.text(ON)
            return pages.page(visitor, [mistake_of(error, ON)], typed=typed)
        except Transient:
            return pages.page(visitor, [Mistake("", UNREACHABLE)], typed=form.text(ON))
        return go_to(f"{paths.STATUS}?done=date")


class _Pages:
    """The page, or where to go while there is none."""

    def __init__(self, writer: Writer, backend: Backend) -> None:
        self._writer = writer
        self._backend = backend
        self._systems = backend.systems

    def has_date(self, visitor: Visitor, resume_on: date | None) -> bool:
        """Whether the open pause resumes on that date, None being the latest."""
        act = self._systems.accounts.open_act(visitor.account_id)
        timeline = act.timeline if act is not None else None
        wanted = resume_on or (timeline.latest_resume_on if timeline else None)
        return timeline is not None and timeline.resume_on == wanted

    def page(
        self,
        visitor: Visitor,
        mistakes: Sequence[Mistake] = (),
        *,
        done: str = "",
        typed: str = "",
    ) -> Response:
        act = self._systems.accounts.open_act(visitor.account_id)
        if act is None and visitor.standing is not Standing.PAUSED:
            return go_to(HOMES[visitor.standing])
        if act is None:
            # It has ended since we looked at where the visitor belongs.
            return go_to(paths.HOME)
        if act.kind is ActKind.CLOSE or act.state in ASKED:
            return go_to(progress_path(act.act_id, ASKED.get(act.state, Asked.CLOSE)))
        return self._paused(visitor, act, mistakes, done, typed)

    def _paused(
        self, visitor: Visitor, act: Act, mistakes: Sequence[Mistake], done: str, typed: str
    ) -> Response:
        account_id = visitor.account_id
        status = self._backend.record(account_id)
        now = self._backend.business_now(account_id)
        today = local_date(now, visitor.account.time_zone)
        assert act.timeline is not None
        numbers = self._systems.numbers
        return self._writer.page(
            "status",
            visitor,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if mistakes else HTTPStatus.OK,
            section=paths.STATUS,
            mistakes=mistakes,
            done=done,
            act=act,
            record=status,
            timeline=act.timeline,
            terms=act.terms,
            days_left=(act.timeline.resume_on - today).days,
            earliest_on=today + timedelta(days=1),
            typed=typed or act.timeline.resume_on.isoformat(),
            charges=charges_of(status),
            card=self._systems.billing.card(account_id),
            is_draining=now < act.timeline.stop_routing_at,
            numbers=numbers.retained_calls(account_id),
            trackers=[each for each in numbers.trackers(account_id) if each.disabled_at is None],
        )


def charges_of(status: Status) -> Charges:
    """The fees of the pause, those that were tried apart from those to come."""
    so_far = tuple(each for each in status.charges if each.state not in STILL_COMING)
    to_come = tuple(each for each in status.charges if each.state in STILL_COMING)
    paid = [each for each in so_far if each.state is ChargeState.PAID]
    currency = status.terms.currency if status.terms else CURRENCY
    return Charges(so_far, to_come, sum(each.amount_minor for each in paid), currency)
