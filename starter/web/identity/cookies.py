"""The two cookies: one is the session, the other remembers a browser beyond it."""

from starlette.requests import Request
from starlette.responses import Response

from systems.identity.log_ins import DEVICE_FORGOTTEN_AFTER, LoggedIn
from systems.identity.sessions import ABSOLUTE

# A browser takes a cookie of this name from this very host over TLS only, so no other host of the
# same domain can plant one.
PREFIX = "__Host-"
SESSION, DEVICE = "account_pause_session", "account_pause_device"


class Cookies:
    """Reads and writes them, out of reach of scripts and of other sites' requests."""

    def __init__(self, public_url: str) -> None:
        """For the site at `public_url`; over plain HTTP, on a local stack, less is to be had."""
        self._is_secure = public_url.startswith("https://")
        prefix = PREFIX if self._is_secure else ""
        self._session, self._device = f"{prefix}{SESSION}", f"{prefix}{DEVICE}"

    def session_of(self, request: Request) -> str | None:
        """The token of the session that the request comes with."""
        return request.cookies.get(self._session)

    def device_of(self, request: Request) -> str | None:
        """The token of the device from which somebody has logged in before."""
        return request.cookies.get(self._device)

    def log_in(self, response: Response, new: LoggedIn) -> None:
        """Let the browser keep both."""
        self._set(response, self._session, new.token, int(ABSOLUTE.total_seconds()))
        self._set(response, self._device, new.device, int(DEVICE_FORGOTTEN_AFTER.total_seconds()))

    def log_out(self, response: Response) -> None:
        """Let the browser forget the session; the device stays known."""
        self._set(response, self._session, "", 0)

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite="lax",
        )
