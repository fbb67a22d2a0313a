"""The resume page: what comes back, what the plan costs next, and the button (R9)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response

from domain.errors import Rejected, Transient
from domain.policy import Action
from domain.ports import Act
from domain.states import ActKind, PauseState
from starter.backend import Backend
from starter.web.site import paths
from starter.web.site.course import mark_of
from starter.web.site.forms import Mistake
from starter.web.site.guard import Guard, Visitor
from starter.web.site.progress import Asked, progress_path
from starter.web.site.refusals import advice
from starter.web.site.waiting import Waiting
from starter.web.site.writer import Writer, go_to

ACT, SHOWN, ACCEPT = "pause_id", "shown", "accept"

CHANGED = "The dates or amounts are no longer what this page showed. Look at them and press again."
UNREACHABLE = "We could not reach what resumes the account. Press again: it is never done twice."


def add_resuming(
    router: APIRouter, guard: Guard, writer: Writer, backend: Backend, waiting: Waiting
) -> None:
    """`/status/resume`."""
    systems = backend.systems

    @router.get(paths.RESUME)
    def show(visitor: Annotated[Visitor, guard.of(Action.RESUME, administrator=True)]) -> Response:
        act = systems.accounts.open_act(visitor.account_id)
        return page(visitor, act) if is_paused(act) and act else go_to(paths.STATUS)

    @router.post(paths.RESUME)
    def resume(
        visitor: Annotated[Visitor, guard.of(Action.RESUME, administrator=True)],
    ) -> Response:
        form, act = visitor.form, systems.accounts.open_act(visitor.account_id)
        pause_id = form.text(ACT)
        # Sent twice, or about a pause that is over: what became of it is the answer.
        if act is None or not is_paused(act) or act.act_id != pause_id:
            is_own = is_own_act(visitor, pause_id)
            return go_to(progress_path(pause_id, Asked.RESUME) if is_own else paths.HOME)
        if not form.text(ACCEPT):
            return page(visitor, act, [Mistake(ACCEPT, "Say that the plan is to begin again.")])
        if form.text(SHOWN) != mark_of(backend.preview(visitor.account_id)):
            return page(visitor, act, [Mistake("", CHANGED)])
        return send(visitor, act)

    def send(visitor: Visitor, act: Act) -> Response:
        try:
            waiting.act(
                lambda: backend.resume(visitor.account_id, visitor.user_id, pause_id=act.act_id)
            )
        except Rejected as error:
            words = advice(error.code, error.message, error.figures).words
            return page(visitor, act, [Mistake("", words)])
        except Transient:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return page(visitor, act, [Mistake("", UNREACHABLE)], status)
        return go_to(progress_path(act.act_id, Asked.RESUME))

    def page(
        visitor: Visitor,
        act: Act,
        mistakes: Sequence[Mistake] = (),
        status: int = HTTPStatus.UNPROCESSABLE_ENTITY,
    ) -> Response:
        preview = backend.preview(visitor.account_id)
        return writer.page(
            "resume",
            visitor,
            status=status if mistakes else HTTPStatus.OK,
            section=paths.STATUS,
            mistakes=mistakes,
            act=act,
            preview=preview,
            shown=mark_of(preview),
            plan=systems.billing.snapshot(visitor.account_id),
            lines=[*systems.billing.next_lines(visitor.account_id), *preview.resume_lines],
        )

    def is_own_act(visitor: Visitor, act_id: str) -> bool:
        act = systems.accounts.act(act_id)
        return act is not None and act.account_id == visitor.account_id


def is_paused(act: Act | None) -> bool:
    """Whether the act is a pause that is in effect."""
    return act is not None and act.kind is ActKind.PAUSE and act.state is PauseState.PAUSED
