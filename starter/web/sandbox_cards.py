"""The sandbox gateway's own page for entering a card: what a provider's hosted page is elsewhere.

There is nothing to type: test cards are chosen by name, so no card number can get here. Whoever has
the page's id, which nobody can guess, may choose one, once.
"""

import re
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, RedirectResponse, Response

from domain.errors import InvariantViolated, Rejected
from domain.payments import PageState
from starter.now import utc_now
from starter.web.pages import Pages
from systems.billing.card_entries import CardEntries
from systems.gateways.sandbox import CARDS, Manner, SandboxCard, SandboxGateway

WHAT_IT_DOES = {
    Manner.AT_ONCE: "paid",
    Manner.LOST: "paid, but the answer is lost, so it is unknown until looked up",
    Manner.LATER: "processed for a while, then paid",
    Manner.AWAY: "the gateway does not answer",
}


def routes(
    gateway: SandboxGateway,
    entries: CardEntries,
    pages: Pages,
    clock: Callable[[], datetime] = utc_now,
) -> APIRouter:
    """`GET` and `POST /sandbox/cards/{page_id}`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/sandbox/cards/{page_id}")
    def show(page_id: str) -> HTMLResponse:
        return _page(gateway, pages, page_id)

    @router.post("/sandbox/cards/{page_id}")
    def enter(page_id: str, card: Annotated[str, Form(max_length=50)] = "") -> Response:
        try:
            _check_id(page_id)
            gateway.enter_card(page_id, card)
        except Rejected:
            return _page(gateway, pages, page_id, was_refused=True)
        except InvariantViolated:
            return _no_page(pages)
        # A provider would send a webhook now.
        entries.look_up_soon(page_id, clock())
        return RedirectResponse(gateway.return_url(page_id), HTTPStatus.SEE_OTHER)

    return router


def what_it_does(card: SandboxCard) -> str:
    """What comes of charging the card."""
    if card.decline_code is None:
        return WHAT_IT_DOES[card.manner]
    reason = card.decline_code.replace("_", " ")
    declined = "declined" if reason == "card declined" else f"declined, {reason}"
    return f"{declined}, but the answer is lost" if card.manner is Manner.LOST else declined


def _page(
    gateway: SandboxGateway, pages: Pages, page_id: str, *, was_refused: bool = False
) -> HTMLResponse:
    try:
        _check_id(page_id)
        state, return_url = gateway.look_up_page(page_id).state, gateway.return_url(page_id)
    except InvariantViolated:
        return _no_page(pages)
    if state is not PageState.OPEN:
        return pages.page("sandbox_card_over", status=HTTPStatus.GONE, state=state)
    return pages.page(
        "sandbox_card",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if was_refused else HTTPStatus.OK,
        leads_to=return_url,
        was_refused=was_refused,
        cards=[(name, card, what_it_does(card)) for name, card in CARDS.items()],
    )


def _check_id(page_id: str) -> None:
    # Not everything that an address may hold can be looked for in a database.
    if re.fullmatch(r"[A-Za-z0-9_]{1,100}", page_id) is None:
        raise InvariantViolated("no page has such an id")


def _no_page(pages: Pages) -> HTMLResponse:
    return pages.page("no_page", status=HTTPStatus.NOT_FOUND)
