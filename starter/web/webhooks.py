"""What Stripe tells by itself: believed for its signature, kept once, and acted on by the worker.

Of a body only ids are taken: which event, of which kind, about which object. Whatever else it says
is the gateway's to answer when it is asked, so no body can move money or a verdict (M7). Neither
the gateway nor Temporal is asked in here, and the answer takes milliseconds.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    StrictBool,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from stripe import SignatureVerificationError, WebhookSignature

from domain.errors import Code
from starter.now import utc_now
from starter.web.problems import Problem
from systems.billing.cards import looks_like_a_card_number
from systems.billing.events import About, GatewayEvents, about

log = logging.getLogger("account_pause.web")

# How far the signature's time and ours may lie apart, either way. Stripe signs each delivery anew,
# so an honest one is seconds old; one that is older, or from the future, may be a recorded one.
AGE_AT_MOST = timedelta(minutes=5)

NOT_CONFIGURED = "webhooks_not_configured"
INVALID_SIGNATURE = "invalid_signature"
TIMESTAMP_OUT_OF_RANGE = "timestamp_out_of_range"
WRONG_MODE = "wrong_mode"


@dataclass(frozen=True)
class Trust:
    """Whose webhooks are believed: signed with `secret`, of the mode that our key is of."""

    secret: str = field(repr=False)
    is_live: bool


def _no_card_number(value: str) -> str:
    if looks_like_a_card_number(value):
        raise ValueError("looks like a card number")
    return value


# As Stripe's are: letters and digits, parts set apart by underscores. The database keeps 255.
Id = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z]+(_[A-Za-z0-9]+)+$", max_length=255),
    AfterValidator(_no_card_number),
]
Kind = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=255),
    AfterValidator(_no_card_number),
]
ID: TypeAdapter[str] = TypeAdapter(Id)


class Event(BaseModel):
    """What is read of an event; the object it tells of stays as it came."""

    model_config = ConfigDict(frozen=True)

    id: Id
    type: Kind
    livemode: StrictBool
    data: dict[str, Any] = {}


class Webhooks:
    """Receives events. `trust` None: nothing was said about whom to believe, so nobody is."""

    def __init__(
        self, events: GatewayEvents, trust: Trust | None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        """Keep what is believed in `events`."""
        self._events = events
        self._trust = trust
        self._clock = clock
        self._has_warned = False

    async def receive(self, body: bytes, signature: str | None) -> str:
        """What was done with the event: `kept`, `known`, or `ignored` as none of our concern.

        Raises:
            Problem: 400 and why it is not believed; 503 while nobody is.
            Transient: the database is away.
        """
        trust, now = self._trusted(), self._clock()
        check_signature(body, signature, trust.secret, now)
        event = _event(body)
        if event.livemode is not trust.is_live:
            modes = "test mode, our key of live" if trust.is_live else "live mode, our key of test"
            raise _refused(WRONG_MODE, f"The event is of {modes} mode.")
        object_id = _object_id(event)
        if object_id is None:
            return "ignored"
        is_new = await run_in_threadpool(self._events.receive, event.id, event.type, object_id, now)
        return "kept" if is_new else "known"

    def _trusted(self) -> Trust:
        if self._trust is not None:
            return self._trust
        if not self._has_warned:
            self._has_warned = True
            log.warning(
                "a webhook came and webhooks are not configured:"
                " set STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET"
            )
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, NOT_CONFIGURED, "Webhooks are not configured."
        )


def routes(webhooks: Webhooks) -> APIRouter:
    """`POST /webhooks/stripe`."""
    router = APIRouter(include_in_schema=False)

    @router.post("/webhooks/stripe")
    async def receive(request: Request) -> JSONResponse:
        signature = request.headers.get("stripe-signature")
        return JSONResponse({"event": await webhooks.receive(await request.body(), signature)})

    return router


def check_signature(body: bytes, header: str | None, secret: str, now: datetime) -> None:
    """Let a body through that was signed with `secret` around `now`.

    Raises:
        Problem: 400.
    """
    try:
        WebhookSignature.verify_header(body, header, secret)
    except (SignatureVerificationError, ValueError, TypeError):
        # A body that is no UTF-8, or a signature that is no ASCII, is an error of its own kind.
        raise _refused(
            INVALID_SIGNATURE, "The signature does not belong to this body and our secret."
        ) from None
    # Compared here and in both directions: the package takes what is signed for the far future.
    if abs(int(now.timestamp()) - _signed_at(header or "")) > AGE_AT_MOST.total_seconds():
        raise _refused(
            TIMESTAMP_OUT_OF_RANGE, "The signature is too old, or from the future; see the clocks."
        )


def _signed_at(header: str) -> int:
    """The time that the signature is about, read as the package has read it."""
    items = (item.split("=", 2) for item in header.split(","))
    return next(int(item[1]) for item in items if item[0] == "t")


def _event(body: bytes) -> Event:
    try:
        return Event.model_validate_json(body)
    except ValidationError:
        raise _refused(Code.VALIDATION_FAILED, "This is no event of Stripe's.") from None


def _object_id(event: Event) -> str | None:
    """The id of what is to be looked up; None if the event is none of our concern."""
    what = about(event.type)
    told = event.data.get("object")
    if what is None or not isinstance(told, dict):
        return None
    named = told.get("payment_intent" if what is About.REFUND else "id")
    if named is None:
        return None
    try:
        return ID.validate_python(named)
    except ValidationError:
        raise _refused(
            Code.VALIDATION_FAILED, "The event's object has a malformed id; nothing was kept."
        ) from None


def _refused(code: str, detail: str) -> Problem:
    log.warning("a webhook was refused: %s", code)
    return Problem(HTTPStatus.BAD_REQUEST, code, detail)
