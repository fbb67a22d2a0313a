"""Logging in and out, and where each visitor belongs afterwards."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response

from domain.policy import Action
from starter.web.identity.entrance import Entrance
from starter.web.site import paths
from starter.web.site.forms import Form, sent_form
from starter.web.site.guard import Guard, Visitor
from starter.web.site.standing import HOMES, Standing, standing_of
from starter.web.site.writer import Writer, go_to
from systems.wiring import Systems

# To an active account a mail says "your plan, your card and your invoices".
MEANT_BY_MAILS = {**HOMES, Standing.ACTIVE: paths.BILLING}


def add_log_in(
    router: APIRouter, guard: Guard, writer: Writer, entrance: Entrance, systems: Systems
) -> None:
    """`/`, `/log-in`, `/log-out`, and the address in mails."""

    @router.get(paths.HOME)
    def home(visitor: Annotated[Visitor, guard.of(Action.LOG_IN)]) -> Response:
        return go_to(HOMES[visitor.standing])

    @router.get(paths.LOG_IN)
    def show(request: Request, next: str = "") -> Response:
        if guard.is_logged_in(request):
            return go_to(own_path(next) or paths.HOME)
        return writer.page("log_in", None, next=own_path(next), email="", was_wrong=False)

    @router.post(paths.LOG_IN)
    def log_in(request: Request, form: Annotated[Form, Depends(sent_form)]) -> Response:
        email, after = form.text("email"), own_path(form.text("next"))
        new = entrance.log_in(request, email, form.secret("password"))
        if new is None:
            return writer.page(
                "log_in",
                None,
                status=HTTPStatus.UNPROCESSABLE_ENTITY,
                next=after,
                email=email,
                was_wrong=True,
            )
        answer = go_to(after or HOMES[standing_of(systems, new.session.user.account_id)])
        entrance.cookies.log_in(answer, new)
        return answer

    @router.post(paths.LOG_OUT)
    def log_out(visitor: Annotated[Visitor, guard.of(Action.LOG_IN)]) -> Response:
        entrance.log_out(visitor.principal)
        answer = go_to(paths.LOG_IN)
        entrance.cookies.log_out(answer)
        return answer

    @router.get(paths.OF_ACCOUNT)
    def of_account(
        account_id: str, visitor: Annotated[Visitor, guard.of(Action.LOG_IN)]
    ) -> Response:
        guard.check_own(visitor, account_id)
        return go_to(MEANT_BY_MAILS[visitor.standing])


def own_path(text: str) -> str:
    """`text` if it leads to one of our own pages, else nothing: log-ins lead nowhere else."""
    # Browsers read a backslash as a slash, and two of them at the start as another host.
    is_local = text.startswith("/") and not text.startswith("//") and "\\" not in text
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    is_plain = text.isascii() and text.isprintable() and len(text) <= paths.LONGEST
    return text if is_local and is_plain and not parts.scheme and not parts.netloc else ""
