"""Requests that another web site makes a browser send, with our cookie: told from our own.

Only what changes something is looked at, and only with a cookie: no browser sends an API key by
itself. Two things must hold. The browser says where the request comes from, and that is us; and it
carries the secret of the session, which another site cannot read.
"""

from hmac import compare_digest
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import Request

from starter.web.problems import Problem
from systems.identity.sessions import LiveSession

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
TOKEN_HEADER = "X-CSRF-Token"
CROSS_SITE = "cross_site_request"


class Forgery:
    """Refuses forged requests to the site at `public_url`."""

    def __init__(self, public_url: str) -> None:
        """`public_url` is what browsers have in their address line."""
        parts = urlsplit(public_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"

    def check_origin(self, request: Request) -> None:
        """Let a request through that comes from one of our own pages.

        Browsers send at least one of the two headers with everything but a plain link, and no page
        can change them. A request without either is refused, since nothing speaks for it.

        Raises:
            Problem: 403 `cross_site_request`.
        """
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site is None and origin is None:
            raise _forged("Neither Origin nor Sec-Fetch-Site says where the request is from.")
        # Under a `no-referrer` policy, which some people set for all pages, Origin is `null` and no
        # help. Then the other header has to say it, which no page of another origin can make it do.
        is_nameless = origin == "null" and site == "same-origin"
        is_ours = is_nameless or self._is_ours(request, origin)
        if site not in (None, "same-origin") or not is_ours:
            raise _forged("The request comes from another site.")

    def check(self, request: Request, session: LiveSession, token: str | None) -> None:
        """Let a request of the session through that changes nothing, or comes from our own page.

        `token` is what the page sends along: the header `X-CSRF-Token`, or a form's field.

        Raises:
            Problem: 403 `cross_site_request`.
        """
        if request.method in SAFE_METHODS:
            return
        self.check_origin(request)
        if not compare_digest((token or "").encode(), session.csrf_secret.encode()):
            raise _forged(f"The session's token is missing or wrong; send it as {TOKEN_HEADER}.")

    def _is_ours(self, request: Request, origin: str | None) -> bool:
        # By the name that the browser has asked for, too: a local stack has several.
        own = f"{request.url.scheme}://{request.headers.get('host', '')}"
        return origin is None or origin in (self._origin, own)


def _forged(detail: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, CROSS_SITE, detail)
