"""The cancel page, which offers to pause first; and the page that closes an account (R14)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response

from domain.errors import Rejected, Transient
from domain.ids import Prefix, checked_id
from domain.policy import CLOSE_CONFIRMATION, Action, check_confirmed
from domain.states import ActKind
from starter.backend import Backend
from starter.web.site import paths
from starter.web.site.forms import Form, Mistake, fresh_id
from starter.web.site.guard import Guard, Visitor
from starter.web.site.progress import Asked, progress_path
from starter.web.site.refusals import mistake_of
from starter.web.site.standing import Standing
from starter.web.site.waiting import Waiting
from starter.web.site.writer import Writer, go_to

CONFIRM, ACT = "confirm", "act_id"

UNREACHABLE = "We could not reach what closes the account. Press again: it is never done twice."


def add_closing(
    router: APIRouter, guard: Guard, writer: Writer, backend: Backend, waiting: Waiting
) -> None:
    """`/settings/cancel` and `/settings/close`."""
    pages = _Pages(writer, backend)

    @router.get(paths.CANCEL)
    def cancel(
        visitor: Annotated[Visitor, guard.of(Action.CLOSE, administrator=True)],
    ) -> Response:
        if visitor.standing is not Standing.ACTIVE:
            return go_to(paths.STATUS)
        return writer.page("cancel", visitor, section=paths.BILLING, offer=backend.offer)

    @router.get(paths.CLOSE)
    def show(visitor: Annotated[Visitor, guard.of(Action.CLOSE, administrator=True)]) -> Response:
        return pages.page(visitor, pages.act_meant(visitor))

    @router.post(paths.CLOSE)
    def close(visitor: Annotated[Visitor, guard.of(Action.CLOSE, administrator=True)]) -> Response:
        act_id = act_in(visitor.form) or pages.act_meant(visitor)
        try:
            check_confirmed(visitor.account_id, visitor.form.text(CONFIRM))
        except Rejected:
            words = f"Type {CLOSE_CONFIRMATION} to show that you mean it."
            return pages.page(visitor, act_id, [Mistake(CONFIRM, words)])
        return go_to(paths.HOME) if pages.is_another(visitor, act_id) else send(visitor, act_id)

    def send(visitor: Visitor, act_id: str) -> Response:
        confirm = visitor.form.text(CONFIRM)
        try:
            waiting.act(
                lambda: backend.close(visitor.account_id, visitor.user_id, confirm, close_id=act_id)
            )
        except Rejected as error:
            return pages.page(visitor, act_id, [mistake_of(error)])
        except Transient:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return pages.page(visitor, act_id, [Mistake("", UNREACHABLE)], status)
        return go_to(progress_path(act_id, Asked.CLOSE))


class _Pages:
    """The page, and what its form is about."""

    def __init__(self, writer: Writer, backend: Backend) -> None:
        self._writer = writer
        self._systems = backend.systems

    def act_meant(self, visitor: Visitor) -> str:
        """The open pause or close, which ends so; else the close to be, made once (R15)."""
        act = self._systems.accounts.open_act(visitor.account_id)
        return act.act_id if act is not None else fresh_id(Prefix.CLOSE)

    def is_another(self, visitor: Visitor, act_id: str) -> bool:
        """Whether the form is about a pause that is over, or was shown before another began."""
        act = self._systems.accounts.open_act(visitor.account_id)
        known = self._systems.accounts.act(act_id)
        if known is not None and known.account_id != visitor.account_id:
            return True
        is_over = known is not None and known.ended_at is not None
        return is_over or (act is not None and act.act_id != act_id)

    def page(
        self,
        visitor: Visitor,
        act_id: str,
        mistakes: Sequence[Mistake] = (),
        status: int = HTTPStatus.UNPROCESSABLE_ENTITY,
    ) -> Response:
        act = self._systems.accounts.open_act(visitor.account_id)
        if act is not None and act.kind is ActKind.CLOSE:
            return go_to(progress_path(act.act_id, Asked.CLOSE))
        return self._writer.page(
            "close",
            visitor,
            status=status if mistakes else HTTPStatus.OK,
            section=paths.STATUS if act else paths.BILLING,
            mistakes=mistakes,
            act_id=act_id,
            word=CLOSE_CONFIRMATION,
            numbers=len(self._systems.numbers.retained_calls(visitor.account_id)),
            back=paths.STATUS if act else paths.BILLING,
        )


def act_in(form: Form) -> str | None:
    """The pause or close that the form is about, None where that is damaged."""
    for prefix in (Prefix.PAUSE, Prefix.CLOSE):
        try:
            return checked_id(prefix, form.text(ACT))
        except Rejected:
            continue
    return None
