"""A visitor of the pages: a browser's cookies, redirects and forms, without a browser."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx
from fastapi import FastAPI
from starlette.middleware import Middleware

from domain.states import Role
from domain.terms import Offer
from settings import Settings
from starter.backend import Backend
from starter.client import PauseClient
from starter.connect import connect
from starter.now import utc_now
from starter.web import sandbox_cards
from starter.web.app import build_app
from starter.web.guards import BodyLimit, LastResort, SafeHeaders
from starter.web.identity.entrance import Entrance
from starter.web.identity.throttle import Quotas
from starter.web.pages import STATIC, Assets, Pages
from starter.web.site import mishaps
from starter.web.site.routes import site_routes
from starter.web.site.waiting import WAIT_SECONDS
from starter.web.site.writer import Writer
from systems.identity.sessions import begin
from systems.tables import UserRow
from systems.wiring import Systems
from tests.starter.web.site.reader import Form, Page, read

URL = "http://shop.example"
SESSION = "account_pause_session"
MOST_REDIRECTS = 5
SUPPORT = "support@example.com"

Value = str | Sequence[str]


@dataclass(frozen=True)
class Shown:
    """A page that was answered with, where it is, and how."""

    page: Page
    status: int
    path: str
    html: str
    headers: httpx.Headers

    @property
    def text(self) -> str:
        """What can be read on it."""
        return self.page.text


class Visit:
    """One browser; whoever is logged in, is so by its cookies."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """`client` keeps the cookies and follows no redirect."""
        self.client = client

    async def get(self, path: str) -> Shown:
        """Open a page, following wherever it leads."""
        return await self._follow(await self.client.get(path, headers={"Accept": "text/html"}))

    async def send(self, shown: Shown, button: str, **values: Value) -> Shown:
        """Fill in the form that has this button and press it."""
        return await self._follow(await self.post(shown, button, **values))

    async def post(self, shown: Shown, button: str, **values: Value) -> httpx.Response:
        """The same, but stay where the answer is."""
        form = shown.page.form(button)
        fields = filled(form, button, values)
        action = form.action or shown.path
        if form.method == "get":
            # A browser puts the fields into the address, in their order.
            return await self.client.get(f"{action}?{urlencode(fields)}")
        return await self.client.post(action, data=as_data(fields), headers=OURS)

    async def _follow(self, answer: httpx.Response) -> Shown:
        for _ in range(MOST_REDIRECTS):
            if answer.status_code != httpx.codes.SEE_OTHER:
                break
            answer = await self.client.get(answer.headers["location"], headers=LOOKING)
        return shown_by(answer)


OURS = {"Origin": URL, "Accept": "text/html"}
LOOKING = {"Accept": "text/html"}


def shown_by(answer: httpx.Response) -> Shown:
    """The page that an answer is."""
    path = answer.request.url.raw_path.decode()
    return Shown(read(answer.text), answer.status_code, path, answer.text, answer.headers)


def filled(form: Form, button: str, values: dict[str, Value]) -> list[tuple[str, str]]:
    """The fields that the form sends with these values in it."""
    fields = [(name, value) for name, value in form.fields if name not in values]
    for name, value in values.items():
        fields += [(name, each) for each in ([value] if isinstance(value, str) else value)]
    name, value = form.buttons[button]
    return [*fields, (name, value)] if name else fields


def as_data(fields: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Fields as the client sends them."""
    data: dict[str, list[str]] = {}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    return data


@asynccontextmanager
async def visit_of(app: FastAPI) -> AsyncIterator[Visit]:
    """A browser in which nobody is logged in."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield Visit(client)


@dataclass(frozen=True)
class Front:
    """The pages over one backend, and who comes to them."""

    backend: Backend
    app: FastAPI

    @asynccontextmanager
    async def visited_by(self, user_id: str) -> AsyncIterator[Visit]:
        """A browser in which that user is logged in."""
        async with visit_of(self.app) as visit:
            with self.backend.systems.db.transaction() as session:
                new = begin(session, session.get_one(UserRow, user_id), datetime.now(UTC))
            visit.client.cookies.set(SESSION, new.token)
            yield visit

    def user(self, account_id: str, role: Role = Role.ADMIN) -> str:
        """The account's user in that role."""
        users = self.backend.systems.accounts.users(account_id)
        return next(user.user_id for user in users if user.role is role)


def whole_front_of(backend: Backend) -> Front:
    """The pages over `backend` in the application as the web process has it."""
    settings = Settings(public_url=URL, requests_per_minute=1_000_000)
    return Front(backend, build_app(settings, backend.systems, backend))


def front_of(
    backend: Backend,
    *,
    public_url: str = URL,
    wait_seconds: float = WAIT_SECONDS,
    clock: Callable[[], datetime] = utc_now,
) -> Front:
    """The pages over `backend`, and the sandbox's card page; not all the rest, which takes long."""
    systems, writer = backend.systems, Writer(SUPPORT)
    last_resort = Middleware(LastResort, mishaps.answering(writer))
    app = FastAPI(middleware=[Middleware(SafeHeaders), last_resort, Middleware(BodyLimit)])
    entrance = Entrance(systems.identity, public_url, Quotas(principals=1_000_000), clock)
    mishaps.install(app, writer)
    app.mount("/static", Assets(directory=STATIC))
    app.router.routes.extend(
        sandbox_cards.routes(systems.sandbox, systems.card_entries, Pages()).routes
    )
    app.include_router(
        site_routes(
            backend,
            entrance,
            writer,
            public_url=public_url,
            wait_seconds=wait_seconds,
            clock=clock,
        )
    )
    return Front(backend, app)


def impatient_front_of(backend: Backend) -> Front:
    """The same, but no act is waited for: the page shows how far it is."""
    return front_of(backend, wait_seconds=0.05)


async def backend_without_temporal(
    systems: Systems, offer: Offer | None = None, clock: Callable[[], datetime] = utc_now
) -> Backend:
    """The product's commands while Temporal is away."""
    client = await connect("127.0.0.1:1", lazy=True)
    return Backend(systems, PauseClient(client, systems.accounts), offer or Offer(), clock)
