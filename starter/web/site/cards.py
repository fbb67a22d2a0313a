"""Entering a card: over to the gateway's own page, and back to where it was needed (R8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from anyio import from_thread
from fastapi import APIRouter, Request, Response

from domain.errors import Code, Rejected
from domain.policy import Action
from starter.backend import Backend
from starter.card_desk import CardDesk
from starter.web.site import paths
from starter.web.site.guard import Guard, Visitor
from starter.web.site.writer import Writer, go_to

# Which card page the browser has been sent to; read again when it comes back.
COOKIE, SECONDS = "account_pause_card_page", 24 * 3600

# Where a card is needed, by the word in the address. Reopening must be meant: it costs a plan.
REOPEN = "reopen"
THEN: Mapping[str, str] = {
    "billing": paths.BILLING,
    "pause": paths.PAUSE,
    "status": paths.STATUS,
    REOPEN: paths.HOME,
}


@dataclass(frozen=True)
class Site:
    """Where browsers know the pages to be."""

    public_url: str

    @property
    def is_secure(self) -> bool:
        """Whether cookies may be kept from plain HTTP."""
        return self.public_url.startswith("https://")

    def url(self, path: str) -> str:
        """The public address of a path."""
        return f"{self.public_url.rstrip('/')}{path}"


def add_cards(
    router: APIRouter, guard: Guard, writer: Writer, backend: Backend, site: Site
) -> None:
    """`POST /card` leads to the gateway, which leads to `/card/entered`."""
    desk = CardDesk(backend)

    @router.post(paths.ENTER_CARD)
    def enter(
        visitor: Annotated[Visitor, guard.of(Action.PAYMENT_METHOD, administrator=True)],
    ) -> Response:
        then = visitor.form.text("then")
        then = then if then in THEN else "billing"
        page = backend.enter_card(
            visitor.account_id,
            visitor.user_id,
            site.url(f"{paths.CARD_ENTERED}?then={then}"),
            reopen=then == REOPEN,
        )
        # Not by a redirect: browsers hold those of a form to the page's policy, and where the
        # gateway's page is, is the gateway's affair.
        answer = writer.page("to_gateway", visitor, url=page.url)
        answer.set_cookie(
            COOKIE,
            page.page_id,
            max_age=SECONDS,
            path=paths.ENTER_CARD,
            secure=site.is_secure,
            httponly=True,
            samesite="lax",
        )
        return answer

    @router.get(paths.CARD_ENTERED)
    def entered(
        request: Request,
        visitor: Annotated[Visitor, guard.of(Action.PAYMENT_METHOD, administrator=True)],
        then: str = "",
    ) -> Response:
        page_id, back = request.cookies.get(COOKIE, ""), THEN.get(then, paths.BILLING)
        try:
            from_thread.run(desk.take, visitor.account_id, page_id)
        except Rejected as error:
            if error.code == Code.PAYMENT_METHOD_REQUIRED:
                return writer.page("no_card_yet", visitor, back=back, then=then)
            # Expired, or none of the account's. What stands is seen where the card was needed.
            return go_to(back)
        return go_to(f"{back}?done=card" if back == paths.STATUS else back)
