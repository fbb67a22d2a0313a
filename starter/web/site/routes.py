"""The product's pages put together. Wiring only.

log_in    in and out, and where each visitor belongs     activity    what came in
trackers  listed and made                                reports     the same, sorted and counted
billing   plan, invoices, the card on file               disabling   given up for good
closing   the cancel page, and closing                   cards       to the gateway, and back
status    what a paused account shows                    pausing     terms, dates, the button
progress  how far it is, and what became of it           resuming    what comes back
                                                         reopening   after a close
"""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter

from domain.errors import InvariantViolated
from starter.backend import Backend
from starter.now import utc_now
from starter.web.identity.entrance import Entrance
from starter.web.site.activity import add_activity
from starter.web.site.billing import add_billing
from starter.web.site.cards import Site, add_cards
from starter.web.site.closing import add_closing
from starter.web.site.disabling import add_disabling
from starter.web.site.guard import Guard, unguarded
from starter.web.site.log_in import add_log_in
from starter.web.site.mishaps import page_route
from starter.web.site.pausing import add_pausing
from starter.web.site.progress import add_progress
from starter.web.site.reopening import add_reopening
from starter.web.site.reports import add_reports
from starter.web.site.resuming import add_resuming
from starter.web.site.status import add_status
from starter.web.site.trackers import add_trackers
from starter.web.site.waiting import WAIT_SECONDS, Waiting
from starter.web.site.writer import Writer


def site_routes(
    backend: Backend,
    entrance: Entrance,
    writer: Writer,
    *,
    public_url: str,
    wait_seconds: float = WAIT_SECONDS,
    clock: Callable[[], datetime] = utc_now,
) -> APIRouter:
    """All pages.

    Raises:
        InvariantViolated: a page has no guard, and is not listed as public.
    """
    systems, guard = backend.systems, Guard(entrance, backend.systems)
    waiting = Waiting(wait_seconds)
    router = APIRouter(include_in_schema=False, route_class=page_route(writer))
    add_log_in(router, guard, writer, entrance, systems)
    add_activity(router, guard, writer, systems.activity, clock)
    add_reports(router, guard, writer, systems.activity, clock)
    add_trackers(router, guard, writer, backend)
    add_disabling(router, guard, writer, backend)
    add_billing(router, guard, writer, backend)
    add_cards(router, guard, writer, backend, Site(public_url))
    add_closing(router, guard, writer, backend, waiting)
    add_pausing(router, guard, writer, backend, waiting)
    add_status(router, guard, writer, backend)
    add_resuming(router, guard, writer, backend, waiting)
    add_progress(router, guard, writer, backend)
    add_reopening(router, guard, writer, backend)
    if open_to_all := ", ".join(unguarded(router)):
        raise InvariantViolated(f"nobody guards {open_to_all}")
    return router
