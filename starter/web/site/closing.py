"""The cancel page, which offers to pause first; and the page that closes an account (R14)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response

from domain.errors import Rejected
from domain.ids import Prefix, checked_id
from domain.policy import CLOSE_CONFIRMATION, Action, check_confirmed
from domain.states import ActKind
from starter.backend import Backend
from starter.web.site import paths
from starter.web.site.forms import Form, Mistake, fresh_id
from starter.web.site.guard import Guard, Visitor
from starter.web.site.progress import Asked, progress_path
from starter.web.site.standing import Standing
from starter.web.site.waiting import Waiting
from starter.web.site.writer import Writer, go_to

CONFIRM, ACT = "confirm", "act_id"


def add_closing(
    router: APIRouter, guard: Guard, writer: Writer, backend: Backend, wait: Waiting
) -> None:
    """`/settings/cancel` and `/settings/close`."""
    systems = backend.systems

    @router.get(paths.CANCEL)
    def cancel(
        visitor: Annotated[Visitor, guard.of(Action.CLOSE, administrator=True)],
    ) -> Response:
        if visitor.standing is not Standing.ACTIVE:
            return go_to(paths.STATUS)
        return writer.page("cancel", visitor, section=paths.BILLING, offer=backend.offer)

    @router.get(paths.CLOSE)
    def show(visitor: Annotated[Visitor, guard.of(Action.CLOSE, administrator=True)]) -> Response:
        return page(visitor, act_meant(visitor))

    @router.post(paths.CLOSE)
    def close(visitor: Annotated[Visitor, guard.of(Action.CLOSE, administrator=True)]) -> Response:
        account_id, form = visitor.account_id, visitor.form
        act_id = act_in(form) or act_meant(visitor)
        try:
            check_confirmed(account_id, form.text(CONFIRM))
        except Rejected:
            mistake = Mistake(CONFIRM, f"Type {CLOSE_CONFIRMATION} to show that you mean it.")
            return page(visitor, act_id, [mistake])
        if is_another(visitor, act_id):
            return go_to(paths.HOME)
        try:
            wait.act(
                lambda: backend.close(
                    account_id, visitor.user_id, form.text(CONFIRM), close_id=act_id
                )
            )
        except Rejected as error:
            return page(visitor, act_id, [Mistake("", error.message)])
        return go_to(progress_path(act_id, Asked.CLOSE))

    def act_meant(visitor: Visitor) -> str:
        """The open pause or close, which ends so; else the close to be, made once (R15)."""
        act = systems.accounts.open_act(visitor.account_id)
        return act.act_id if act is not None else fresh_id(Prefix.CLOSE)

    def is_another(visitor: Visitor, act_id: str) -> bool:
        """Whether the form is about a pause that is over, or was shown before another began."""
        act = systems.accounts.open_act(visitor.account_id)
        known = systems.accounts.act(act_id)
        if known is not None and known.account_id != visitor.account_id:
            return True
        is_over = known is not None and known.ended_at is not None
        return is_over or (act is not None and act.act_id != act_id)

    def page(visitor: Visitor, act_id: str, mistakes: Sequence[Mistake] = ()) -> Response:
        account_id = visitor.account_id
        act = systems.accounts.open_act(account_id)
        if act is not None and act.kind is ActKind.CLOSE:
            return go_to(progress_path(act.act_id, Asked.CLOSE))
        return writer.page(
            "close",
            visitor,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if mistakes else HTTPStatus.OK,
            section=paths.STATUS if act else paths.BILLING,
            mistakes=mistakes,
            act_id=act_id,
            word=CLOSE_CONFIRMATION,
            numbers=len(systems.numbers.retained_calls(account_id)),
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
