"""Who sees a page: the session's user, on the account of that user alone, if access allows it.

The one place where pages let people in. Every route says which `Action` it is, and gets a `Visitor`
or does not run; whatever a page reads, it reads for `Visitor.account_id`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from domain.policy import Action
from starter.web.identity.admission import Admission
from starter.web.identity.entrance import Entrance
from starter.web.identity.principal import Principal, unauthenticated
from starter.web.site import paths
from starter.web.site.forms import TOKEN, Form, sent_form
from starter.web.site.standing import Standing, standing
from systems.accounts.views import AccountView
from systems.identity.sessions import LiveSession
from systems.wiring import Systems

# What somebody opens who is not known yet.
PUBLIC = frozenset({paths.LOG_IN})


@dataclass(frozen=True)
class Visitor:
    """Somebody who is logged in, the account of theirs as it stands, and the form that was sent."""

    principal: Principal
    session: LiveSession
    account: AccountView
    standing: Standing
    form: Form

    @property
    def account_id(self) -> str:
        """The one account that the visitor may see."""
        return self.account.account_id

    @property
    def user_id(self) -> str:
        """In whose name the visitor acts."""
        return self.principal.user_id

    @property
    def is_administrator(self) -> bool:
        """Whether the visitor may act (R1)."""
        return self.principal.is_administrator


class Guard:
    """Makes the dependencies by which pages are guarded."""

    def __init__(self, entrance: Entrance, systems: Systems) -> None:
        """Whom `entrance` knows, on the accounts of `systems`."""
        self._entrance = entrance
        self._systems = systems
        self._admission = Admission(systems.access)

    def of(self, action: Action, *, administrator: bool = False) -> Any:
        """A visitor whose account is open to `action` now; a form must come from our own page."""

        def check(request: Request, form: Annotated[Form, Depends(sent_form)]) -> Visitor:
            visitor = self.visitor(request, form)
            # An error page after this shows whose it is.
            request.state.visitor = visitor
            self._entrance.forgery.check(request, visitor.session, form.text(TOKEN))
            self._admission.check_account(
                visitor.principal, visitor.account_id, administrator=administrator
            )
            self._admission.check_access(visitor.account_id, action)
            return visitor

        check.action = action  # type: ignore[attr-defined]  # read by `unguarded`
        return Depends(check)

    def visitor(self, request: Request, form: Form) -> Visitor:
        """Who is logged in.

        Raises:
            Problem: 401 `unauthenticated`: nobody, or a program with a key; 429 `rate_limited`.
        """
        principal = self._entrance.principals.of(request)
        if principal.session is None:
            raise unauthenticated()
        account = self._systems.accounts.view(principal.account_id)
        act = self._systems.accounts.open_act(principal.account_id)
        stands = standing(account.status, act)
        return Visitor(principal, principal.session, account, stands, form)

    def check_own(self, visitor: Visitor, account_id: str) -> None:
        """Let a visitor through whose account is named in the address.

        Raises:
            Rejected: `account_not_found`, whether or not there is such an account.
        """
        self._admission.check_account(visitor.principal, account_id)

    def is_logged_in(self, request: Request) -> bool:
        """Whether somebody is, for pages that others may open too. Nothing is counted."""
        principal = self._entrance.principals.find(request)
        return principal is not None and principal.session is not None


def unguarded(router: APIRouter) -> Iterator[str]:
    """The pages of the router that anybody may open, though they are not meant to be public."""
    for route in router.routes:
        assert isinstance(route, APIRoute), route
        if route.path not in PUBLIC and not _is_guarded(route.dependant):
            yield route.path


def _is_guarded(dependant: Dependant) -> bool:
    return hasattr(dependant.call, "action") or any(map(_is_guarded, dependant.dependencies))
