"""The web process put together: settings and systems to routes. Wiring only, nothing at import.

guards      every request's limits, every answer's headers
problems    whatever goes wrong, as a document with a stable code
health      for load balancers
webhooks    what Stripe tells
cards       where a browser comes back to from the gateway's card page
sandbox     that page itself, while the embedded sandbox is the gateway
voice       what the telephone carrier asks when somebody calls
dni         the script that web sites load
api         what backends and programs ask, under `/api/v1`
site        the product's pages for people
"""

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from settings import Settings
from starter.backend import Backend
from starter.telemetry import OFF, Telemetry
from starter.telemetry.requests import Requests
from starter.web import cards, guards, health, problems, sandbox_cards, webhooks
from starter.web.api import api_routes, describe
from starter.web.api.services import services
from starter.web.carrier import Carrier
from starter.web.dni import dni_routes
from starter.web.identity.entrance import Entrance
from starter.web.identity.throttle import Quotas
from starter.web.pages import STATIC, Assets, Pages
from starter.web.site import mishaps
from starter.web.site.routes import site_routes
from starter.web.site.writer import Writer
from starter.web.time_limit import TimeLimit
from starter.web.voice import voice_routes
from systems.gateways.sandbox import SandboxGateway
from systems.wiring import Systems


def build_app(
    settings: Settings,
    systems: Systems,
    backend: Backend | None = None,
    *,
    with_sample_site: bool = False,
    telemetry: Telemetry = OFF,
) -> FastAPI:
    """The application on these systems, which the caller opens and closes.

    Without a `backend` there are no API and no pages. `with_sample_site` adds a small business's
    web site, for the local stack.
    """
    writer = Writer(settings.support_email)
    answering = guards.as_document if backend is None else mishaps.answering(writer)
    app = FastAPI(
        title="Account pause",
        # The interactive pages load their scripts from elsewhere, which our headers rule out.
        docs_url=None,
        redoc_url=None,
        middleware=[
            *_watched(telemetry),
            Middleware(guards.SafeHeaders, is_secure=settings.public_url.startswith("https://")),
            Middleware(guards.LastResort, answering),
            Middleware(TimeLimit),
            Middleware(guards.BodyLimit),
        ],
    )
    problems.install(app)
    pages = Pages()
    app.mount("/static", Assets(directory=STATIC))
    _add(app, health.routes(systems, telemetry.metrics))
    _add(app, webhooks.routes(webhooks.Webhooks(systems.events, _trust(settings))))
    _add(app, cards.routes(pages))
    _add(app, voice_routes(systems, _carrier(settings)))
    _add(app, dni_routes(systems, with_sample_site=with_sample_site))
    if isinstance(systems.gateway, SandboxGateway):
        _add(app, sandbox_cards.routes(systems.gateway, systems.card_entries, pages))
    if backend is not None:
        entrance = Entrance(systems.identity, settings.public_url, _quotas(settings))
        _add(app, api_routes(services(backend, entrance, settings.public_url)))
        mishaps.install(app, writer)
        _add(app, site_routes(backend, entrance, writer, public_url=settings.public_url))
        describe(app)
    return app


def _add(app: FastAPI, router: APIRouter) -> None:
    # Not `include_router`, which would make every route a second time when somebody first asks.
    app.router.routes.extend(router.routes)


def _watched(telemetry: Telemetry) -> list[Middleware]:
    if not telemetry.is_on:
        return []
    return [Middleware(Requests, telemetry.metrics, telemetry.tracer)]


def _trust(settings: Settings) -> webhooks.Trust | None:
    secret = settings.stripe_webhook_secret.get_secret_value().strip()
    if settings.stripe is None or not secret:
        return None
    return webhooks.Trust(secret, settings.stripe.is_live)


def _quotas(settings: Settings) -> Quotas:
    return Quotas(settings.requests_per_minute, settings.requests_per_minute)


def _carrier(settings: Settings) -> Carrier:
    token = settings.twilio_auth_token.get_secret_value().strip()
    return Carrier(settings.public_url, token)
