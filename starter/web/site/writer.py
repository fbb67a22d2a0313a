"""Writes the product's pages: a template, what it shows, and who looks at it."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from jinja2 import Environment
from starlette.responses import HTMLResponse, RedirectResponse

from starter.web.pages import Pages, environment
from starter.web.site import paths, words
from starter.web.site.guard import Visitor
from starter.web.site.standing import HOMES, Standing

FOLDER = "site/"

# `Origin` is missing from forms under a page that says `no-referrer`, and without it nobody could
# tell our own forms from another site's. Other sites still learn nothing.
HEADERS = {"Referrer-Policy": "same-origin"}


class Writer:
    """Writes pages and says where to go next."""

    def __init__(self, support_email: str) -> None:
        """`support_email` is whom people can ask."""
        self._pages = Pages(templates())
        self._support_email = support_email

    def page(
        self,
        template: str,
        visitor: Visitor | None,
        *,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """The page from `template` for a visitor, or for somebody who is not known."""
        shown = {"mistakes": (), "support": self._support_email, "visitor": visitor, **values}
        page = self._pages.page(FOLDER + template, status=status, **shown)
        page.headers.update({**HEADERS, **(headers or {})})
        return page


@cache
def templates() -> Environment:
    """The templates with the words, the paths and the standings that all of them use."""
    made = environment()
    made.filters.update(words.FILTERS)
    made.globals.update(paths=paths, homes=HOMES, Standing=Standing)
    return made


def go_to(path: str) -> RedirectResponse:
    """Send the browser to one of our pages, by GET whatever it did before."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)
