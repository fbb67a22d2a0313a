"""The way back into a closed account: its price, and the way to the gateway's card page (R14)."""

from typing import Annotated

from fastapi import APIRouter, Response

from domain.policy import Action
from starter.backend import Backend
from starter.web.site import paths
from starter.web.site.guard import Guard, Visitor
from starter.web.site.standing import HOMES, Standing
from starter.web.site.writer import Writer, go_to


def add_reopening(router: APIRouter, guard: Guard, writer: Writer, backend: Backend) -> None:
    """`/reopen`."""
    billing = backend.systems.billing

    @router.get(paths.REOPEN)
    def show(visitor: Annotated[Visitor, guard.of(Action.PAUSE_STATUS)]) -> Response:
        if visitor.standing is not Standing.CLOSED:
            return go_to(HOMES[visitor.standing])
        account_id = visitor.account_id
        return writer.page(
            "reopen",
            visitor,
            section=paths.REOPEN,
            closed_at=visitor.account.closed_at,
            quote=billing.quote(account_id),
            lines=billing.next_lines(account_id),
        )
