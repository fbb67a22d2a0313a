"""Whom a request is from: a session's cookie or an API key, looked up on every request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from ipaddress import IPv6Address, IPv6Network

from starlette.requests import Request

from domain.errors import Code
from domain.states import Role
from starter.now import utc_now
from starter.web.identity.cookies import Cookies
from starter.web.identity.throttle import Throttle
from starter.web.problems import Problem
from systems.identity import Identity, User
from systems.identity.sessions import LiveSession

# What a household or a rented machine is given at the least.
SUBNET_BITS = 64


@dataclass(frozen=True)
class Principal:
    """Who is asking, with the role of this very moment. `session` None: by an API key."""

    user: User
    session: LiveSession | None = None

    @property
    def user_id(self) -> str:
        """The user's id."""
        return self.user.user_id

    @property
    def account_id(self) -> str:
        """The one account that the user may see."""
        return self.user.account_id

    @property
    def is_administrator(self) -> bool:
        """Whether the user may act (R1)."""
        return self.user.role is Role.ADMIN


class Principals:
    """Finds out who is asking. Every method asks the database and blocks meanwhile."""

    def __init__(
        self,
        identity: Identity,
        cookies: Cookies,
        throttle: Throttle,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Look up in `identity`, as of `clock`."""
        self._identity = identity
        self._cookies = cookies
        self._throttle = throttle
        self._clock = clock

    def of(self, request: Request) -> Principal:
        """Who is asking.

        Raises:
            Problem: 401 `unauthenticated`; 429 `rate_limited`.
        """
        principal = self.find(request)
        if principal is None:
            self._throttle.count_stranger(address_of(request))
            raise unauthenticated()
        self._throttle.count_request(principal.user_id)
        return principal

    def find(self, request: Request) -> Principal | None:
        """Who is asking, None for somebody unknown. Nothing is counted."""
        # Whoever shows a key means the key, also when it is wrong and a cookie would be right.
        if "authorization" in request.headers:
            return self._by_key(request.headers["authorization"])
        token = self._cookies.session_of(request)
        session = self._identity.sessions.find(token, self._clock()) if token else None
        return Principal(session.user, session) if session is not None else None

    def _by_key(self, authorization: str) -> Principal | None:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        user = self._identity.api_keys.find(secret.strip(), self._clock())
        return Principal(user) if user is not None else None


def address_of(request: Request) -> str:
    """The address from which the request comes, for counting only.

    Of IPv6 it is the network: whoever has one address has the 2^64 beside it, too.
    """
    host = request.client.host if request.client is not None else ""
    try:
        address = IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = address.ipv4_mapped
    return str(mapped or IPv6Network((address, SUBNET_BITS), strict=False))


def unauthenticated() -> Problem:
    """The answer to whoever is unknown."""
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        Code.UNAUTHENTICATED,
        "Log in, or send an API key that is in force as a bearer token.",
        headers={"WWW-Authenticate": "Bearer"},
    )
