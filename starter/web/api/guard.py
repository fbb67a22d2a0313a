"""Authorisation of the API, in one place: who asks, for which account, to do what (R1, R6).

A route learns who asks from a guard only, and a guard says which `Action` the route is and whether
it needs an administrator. `unguarded` finds routes without one; what needs nobody is listed here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import APIKeyCookie, HTTPBearer

from domain.errors import Rejected
from domain.policy import Action
from starter.web.api.once import Once
from starter.web.identity.admission import Admission
from starter.web.identity.cookies import PREFIX, SESSION
from starter.web.identity.entrance import Entrance
from starter.web.identity.forgery import TOKEN_HEADER
from starter.web.identity.principal import Principal
from systems.requests import Progress

# Operations that somebody may call who is not known yet.
PUBLIC = frozenset({"logIn"})

# These two describe; `Principals` looks at the request by itself.
API_KEY = HTTPBearer(
    scheme_name="apiKey",
    description="An API key, `ap_` and 43 characters, as a bearer token. It acts for one user, with"
    " the role that this user has at the moment.",
    auto_error=False,
)
SESSION_COOKIE = APIKeyCookie(
    name=f"{PREFIX}{SESSION}",
    scheme_name="session",
    description="The cookie that `logIn` sets; over plain HTTP its name lacks the prefix. A request"
    f" that changes something needs the session's `csrf_token` in the header `{TOKEN_HEADER}`, and"
    " an `Origin` or `Sec-Fetch-Site` that is ours.",
    auto_error=False,
)

AccountId = Annotated[str, Path(examples=["ACC0d5db1940281569db722616986b09693"])]
CsrfToken = Annotated[
    str | None,
    Header(alias=TOKEN_HEADER, description="The session's `csrf_token`; not with an API key."),
]


@dataclass(frozen=True)
class UserGuard:
    """Lets anybody through who is known: for what belongs to no account."""

    entrance: Entrance

    def __call__(
        self,
        request: Request,
        csrf_token: CsrfToken = None,
        _key: Annotated[Any, Security(API_KEY)] = None,
        _cookie: Annotated[Any, Security(SESSION_COOKIE)] = None,
    ) -> Principal:
        """Who asks. It runs in a thread, since it asks the database."""
        principal = self.entrance.principals.of(request)
        if principal.session is not None:
            self.entrance.forgery.check(request, principal.session, csrf_token)
        request.state.principal = principal
        return principal


@dataclass(frozen=True)
class AccountGuard:
    """Lets users of the account in the path through, if the account is open to `action` now."""

    user: UserGuard
    admission: Admission
    once: Once
    action: Action
    administrator: bool

    def __call__(
        self,
        request: Request,
        account_id: AccountId,
        csrf_token: CsrfToken = None,
        _key: Annotated[Any, Security(API_KEY)] = None,
        _cookie: Annotated[Any, Security(SESSION_COOKIE)] = None,
    ) -> Principal:
        """Who asks."""
        principal = self.user(request, csrf_token)
        self.admission.check_account(principal, account_id, administrator=self.administrator)
        try:
            self.admission.check_access(account_id, self.action)
        except Rejected:
            if not self._was_let_through(request, principal):
                raise
        return principal

    def _was_let_through(self, request: Request, principal: Principal) -> bool:
        """Whether this repeats a request that came before the account was paused or closed.

        One that was answered gets its answer again, which does nothing. One that was cut off may do
        nothing more now; but a close may find that it has closed the account.
        """
        progress = self.once.progress(request, principal)
        is_close = self.action is Action.CLOSE
        return progress is Progress.ANSWERED or (progress is Progress.BEGUN and is_close)


class Guards:
    """Makes the guards of one application."""

    def __init__(self, entrance: Entrance, admission: Admission, once: Once) -> None:
        """Whom `entrance` knows, `admission` lets through."""
        self._user = UserGuard(entrance)
        self._admission = admission
        self._once = once

    def user(self) -> Any:
        """The dependency of a route for anybody who is known."""
        return Security(self._user)

    def account(self, action: Action, *, administrator: bool = False) -> Any:
        """The dependency of a route that is `action` on the account in its path."""
        return Security(
            AccountGuard(self._user, self._admission, self._once, action, administrator)
        )


def principal_of(request: Request) -> Principal:
    """Whom the route's guard has let through; without a guard there is nobody."""
    principal: Principal = request.state.principal
    return principal


By = Annotated[Principal, Depends(principal_of)]


def guard_of(route: APIRoute) -> UserGuard | AccountGuard | None:
    """The guard that a route has."""
    return next(_guards(route.dependant), None)


def unguarded(router: APIRouter) -> list[str]:
    """The operations that anybody could call, though nobody has said that they are public."""
    return [
        f"{route.methods} {route.path}"
        for context in iter_route_contexts(router.routes)
        if isinstance(route := context.original_route, APIRoute)
        and route.operation_id not in PUBLIC
        and guard_of(route) is None
    ]


def _guards(dependant: Dependant) -> Iterator[UserGuard | AccountGuard]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, UserGuard | AccountGuard):
            yield dependency.call
        yield from _guards(dependency)
