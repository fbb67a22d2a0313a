"""What the routes of the API work with, put together once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starter.backend import Backend
from starter.now import utc_now
from starter.web.api.guard import Guards
from starter.web.api.once import Once
from starter.web.identity.admission import Admission
from starter.web.identity.entrance import Entrance
from systems.requests import Requests
from systems.wiring import Systems


@dataclass(frozen=True)
class Services:
    """The product's commands, and what stands before them. `public_url` has no slash at its end."""

    backend: Backend
    systems: Systems
    entrance: Entrance
    guards: Guards
    once: Once
    public_url: str


def services(
    backend: Backend,
    entrance: Entrance,
    public_url: str,
    requests: Requests | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Services:
    """The services on one backend; `entrance` is shared with the pages."""
    systems = backend.systems
    once = Once(requests or Requests(systems.db), clock)
    guards = Guards(entrance, Admission(systems.access), once)
    return Services(backend, systems, entrance, guards, once, public_url.rstrip("/"))
