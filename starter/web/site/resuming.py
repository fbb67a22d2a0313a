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
from starter.web.site.course import CHANGED, mark_of
from starter.web.site.forms import Mistake
from starter.web.site.guard import Guard, Visitor
from starter.web.site.progress import Asked, progress_path
from starter.web.site.refusals import mistake_of
from starter.web.site.waiting import Waiting
from starter.web.site.writer import Writer, go_to

ACT, SHOWN, ACCEPT = "pause_id", "shown", "accept"

UNREACHABLE = "We could not reach what resumes the account. Press again: it is never done twice."


def add_resuming(
    router: APIRouter, guard: Guard, writer: Writer, backend: Backend, waiting: Waiting
) -> None:
    """`/status/resume`."""
    pages = _Pages(writer, backend)

    @router.get(paths.RESUME)
    def show(visitor: Annotated[Visitor, guard.of(Action.RESUME, administrator=True)]) -> Response:
        act = pages.pause_in_effect(visitor)
        return pages.page(visitor, act) if act is not None else go_to(paths.STATUS)

    @router.post(paths.RESUME)
    def resume(
        visitor: Annotated[Visitor, guard.of(Action.RESUME, administrator=True)],
    ) -> Response:
        act, pause_id = pages.pause_in_effect(visitor), visitor.form.text(ACT)
        # Sent twice, or about a pause that is over: what became of it is the answer.
        if act is None or act.act_id != pause_id:
            is_own = pages.is_own(visitor, pause_id)
            return go_to(progress_path(pause_id, Asked.RESUME) if is_own else paths.HOME)
        mistakes = pages.mistakes(visitor)
        return pages.page(visitor, act, mistakes) if mistakes else send(visitor, act)

    def send(visitor: Visitor, act: Act) -> Response:
        try:
            waiting.act(
                lambda: backend.resume(visitor.account_id, visitor.user_id, pause_id=act.act_id)
            )
        except Rejected as error:
            return pages.page(visitor, act, [mistake_of(error)])
        except Transient:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return pages.page(visitor, act, [Mistake("", UNREACHABLE)], status)
        return go_to(progress_path(act.act_id, Asked.RESUME))


class _Pages:
    """The page, and what its form is about."""

    def __init__(self, writer: Writer, backend: Backend) -> None:
        self._writer = writer
        self._backend = backend
        self._systems = backend.systems

    def pause_in_effect(self, visitor: Visitor) -> Act | None:
        act = self._systems.accounts.open_act(visitor.account_id)
        is_pause = act is not None and act.kind is ActKind.PAUSE
        return act if is_pause and act and act.state is PauseState.PAUSED else None

    def is_own(self, visitor: Visitor, act_id: str) -> bool:
        act = self._systems.accounts.act(act_id)
        return act is not None and act.account_id == visitor.account_id

    def mistakes(self, visitor: Visitor) -> Sequence[Mistake]:
        if not visitor.form.text(ACCEPT):
            return [Mistake(ACCEPT, "Tick the box to say that you have read this.")]
        is_as_shown = visitor.form.text(SHOWN) == mark_of(self._backend.preview(visitor.account_id))
        return () if is_as_shown else [Mistake("", CHANGED)]

    def page(
        self,
        visitor: Visitor,
        act: Act,
        mistakes: Sequence[Mistake] = (),
        status: int = HTTPStatus.UNPROCESSABLE_ENTITY,
    ) -> Response:
        account_id, billing = visitor.account_id, self._systems.billing
        preview = self._backend.preview(account_id)
        return self._writer.page(
            "resume",
            visitor,
            status=status if mistakes else HTTPStatus.OK,
            section=paths.STATUS,
            mistakes=mistakes,
            act=act,
            preview=preview,
            shown=mark_of(preview),
            plan=billing.snapshot(account_id),
            lines=[*billing.next_lines(account_id), *preview.resume_lines],
        )
