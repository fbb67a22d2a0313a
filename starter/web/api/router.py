"""The API put together."""

from collections.abc import Callable, Iterable

from fastapi import APIRouter

from domain.errors import InvariantViolated
from starter.web.api.guard import unguarded
from starter.web.api.routes.accounts import account_routes
from starter.web.api.routes.activity import activity_routes
from starter.web.api.routes.pauses import pause_routes
from starter.web.api.routes.payments import payment_routes
from starter.web.api.routes.sessions import session_routes
from starter.web.api.routes.trackers import tracker_routes
from starter.web.api.services import Services

Part = Callable[[Services], APIRouter]

PARTS: tuple[Part, ...] = (
    session_routes,
    account_routes,
    pause_routes,
    tracker_routes,
    payment_routes,
    activity_routes,
)


def api_routes(api: Services, parts: Iterable[Part] = PARTS) -> APIRouter:
    """Everything under `/api/v1`.

    Raises:
        InvariantViolated: a route has no guard, and is not listed as public.
    """
    router = APIRouter()
    for routes in parts:
        part = routes(api)
        if open_to_all := unguarded(part):
            raise InvariantViolated(f"nobody guards {', '.join(open_to_all)}")
        # Not `include_router`, which would make every route a second time.
        router.routes.extend(part.routes)
    return router
