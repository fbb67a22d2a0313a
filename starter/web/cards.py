"""Where a browser comes back to once a card was entered on the gateway's page.

The page says nothing about the card: whether it is on file is known a moment later, and whoever
opened the page elsewhere sees it there.
"""

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from starter.web.pages import Pages
from starter.web.paths import CARD_ENTERED


def routes(pages: Pages) -> APIRouter:
    """`GET /cards/entered`."""
    router = APIRouter(include_in_schema=False)

    @router.get(CARD_ENTERED)
    def entered() -> HTMLResponse:
        return pages.page("card_entered")

    return router
