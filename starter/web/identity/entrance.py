"""The one way in: what pages and API share to find out who asks, and to let people in and out."""

from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request

from starter.now import utc_now
from starter.web.identity.cookies import Cookies
from starter.web.identity.forgery import Forgery
from starter.web.identity.principal import Principal, Principals, address_of
from starter.web.identity.throttle import Quotas, Throttle
from systems.identity import Identity
from systems.identity.log_ins import LoggedIn
from systems.identity.tokens import hash_of
from systems.identity.users import normal_email


class Entrance:
    """Log-in, log-out, and who is asking. Pages and API must share one, since it counts."""

    def __init__(
        self,
        identity: Identity,
        public_url: str,
        quotas: Quotas | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """For the site that browsers know as `public_url`."""
        self._identity = identity
        self._clock = clock
        self.cookies = Cookies(public_url)
        self.forgery = Forgery(public_url)
        self.throttle = Throttle(quotas)
        self.principals = Principals(identity, self.cookies, self.throttle, clock)

    def log_in(self, request: Request, email: str, password: str) -> LoggedIn | None:
        """A session for whoever has that e-mail and password; None: one of the two is wrong.

        The answer has to set its cookies (`Cookies.log_in`). It blocks for tens of milliseconds.

        Raises:
            Problem: 403 `cross_site_request`; 429 `rate_limited`.
        """
        self.forgery.check_origin(request)
        email, now = normal_email(email), self._clock()
        device = self.cookies.device_of(request)
        is_known = device and self._identity.log_ins.is_known_device(email, device, now)
        known_device = hash_of(device) if device and is_known else None
        self.throttle.count_log_in(address_of(request), email, known_device)
        return self._identity.log_ins.log_in(email, password, now)

    def log_out(self, principal: Principal, *, everywhere: bool = False) -> None:
        """End the session that asks, or all sessions of its user."""
        if everywhere:
            self._identity.sessions.end_all(principal.user_id, self._clock())
        elif principal.session is not None:
            self._identity.sessions.end(principal.session.session_id, self._clock())
