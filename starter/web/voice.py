"""The carrier's edge: what the carrier asks when somebody calls, and what it is told to do.

    POST /voice                              a call has come: where does it go?
    POST /voice/status/{place}               the dial before that place of the flow is over
    POST /voice/status                       the call is over, or a message was left
    POST /voice/whisper/{call_flow}/{place}  the business has answered: what does it hear first?

A caller meets an answer whatever happens, so nothing in here ends in an error: whoever cannot be
put through hears an apology. Numbers of callers go to the database and nowhere else (R17).
"""

import asyncio
import logging
import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import phonenumbers
from anyio import to_thread
from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from domain.errors import PauseError, unforeseen
from starter.now import utc_now
from starter.web import twiml
from starter.web.carrier import Carrier, Fields
from starter.web.paths import VOICE, VOICE_STATUS, WHISPER
from systems.numbers import SqlNumbers
from systems.numbers.call_flow import MAX_STEPS, part_from, whisper_at
from systems.numbers.calls import ANONYMOUS, REJECTED, Incoming, Route, Treatment
from systems.numbers.written import is_e164
from systems.wiring import Systems

log = logging.getLogger("account_pause.voice")

CALL_ID = re.compile(r"CA[0-9a-f]{32}")

# The carrier writes these words for callers without a number, on the keys of a telephone.
WITHHELD = frozenset(
    f"+{phonenumbers.convert_alpha_characters_in_number(word)}"
    for word in ("ANONYMOUS", "BLOCKED", "RESTRICTED", "UNAVAILABLE", "UNKNOWN")
)

# How a dial can have ended that somebody answered.
ANSWERED = frozenset({"answered", "completed"})
SECONDS, LONGEST_CALL_SECONDS = re.compile("[0-9]{1,9}"), 86_400

# The carrier waits for 15 seconds and then tells the caller of an error in its own words.
PATIENCE_SECONDS = 10.0

Place = Annotated[int, Path(ge=0, le=MAX_STEPS + 1)]


class Voice:
    """Answers the carrier in TwiML. Errors are the caller's."""

    def __init__(
        self, numbers: SqlNumbers, carrier: Carrier, clock: Callable[[], datetime] = utc_now
    ) -> None:
        """Route by `numbers`; `carrier` knows our public addresses."""
        self._numbers = numbers
        self._carrier = carrier
        self._clock = clock

    def answer(self, fields: Fields) -> str:
        """What a new call is to do. Safe to repeat: the carrier asks again when in doubt."""
        call = incoming(fields, self._clock())
        route = self._numbers.take(call) if call else REJECTED
        if call is None or route.treatment is Treatment.REJECT:
            return twiml.reject()
        if route.treatment is Treatment.INTERCEPT:
            return twiml.intercept()
        return self._go_on(call, route, 0)

    def go_on(self, fields: Fields, place: int) -> str:
        """The dial before `place` is over: its outcome is noted, and the flow goes on there."""
        call = incoming(fields, self._clock())
        if call is None:
            return twiml.hang_up()
        is_answered = was_answered(fields)
        route = self._numbers.finish(call, talked_seconds(fields), is_answered=is_answered)
        if is_answered or route.treatment is not Treatment.CONNECT:
            return twiml.hang_up()
        return self._go_on(call, route, place)

    def end(self, fields: Fields) -> str:
        """The call is over. It is in the log now, if it was not before."""
        call = incoming(fields, self._clock())
        if call is not None:
            self._numbers.finish(call, talked_seconds(fields), is_answered=was_answered(fields))
        return twiml.hang_up()

    def whisper(self, call_flow_id: str, place: int) -> str:
        """What the business hears before it is connected."""
        return twiml.whisper(whisper_at(self._numbers.call_flow(call_flow_id), place))

    def _go_on(self, call: Incoming, route: Route, place: int) -> str:
        part = part_from(route.call_flow, place)
        destination = route.destination_number or ""
        # A number that leads to itself would call itself without end, at our cost.
        if not is_e164(destination) or destination == call.number:
            return twiml.apology()
        return twiml.connect(
            part,
            destination,
            action=self._carrier.url(f"{VOICE_STATUS}/{part.place + 1}"),
            whisper=self._carrier.url(f"{WHISPER}/{route.call_flow_id}/{part.place}"),
            ended=self._carrier.url(VOICE_STATUS),
        )


def voice_routes(
    systems: Systems,
    carrier: Carrier,
    clock: Callable[[], datetime] = utc_now,
    patience_seconds: float = PATIENCE_SECONDS,
) -> APIRouter:
    """The addresses that the carrier asks; whoever is not the carrier is refused."""
    router = APIRouter(include_in_schema=False)
    voice = Voice(systems.numbers, carrier, clock)
    Believed = Annotated[Fields, Depends(carrier.fields)]

    async def spoken(work: Callable[[], str], otherwise: str) -> Response:
        text = await _answered(work, patience_seconds)
        return Response(otherwise if text is None else text, media_type="text/xml")

    @router.post(VOICE)
    async def answer(fields: Believed) -> Response:
        return await spoken(lambda: voice.answer(fields), otherwise=twiml.apology())

    @router.post(VOICE_STATUS)
    async def end(fields: Believed) -> Response:
        return await spoken(lambda: voice.end(fields), otherwise=twiml.hang_up())

    @router.post(VOICE_STATUS + "/{place}")
    async def go_on(fields: Believed, place: Place) -> Response:
        # After a conversation an apology would only puzzle whoever is still on the line.
        otherwise = twiml.hang_up() if was_answered(fields) else twiml.apology()
        return await spoken(lambda: voice.go_on(fields, place), otherwise=otherwise)

    @router.post(WHISPER + "/{call_flow_id}/{place}", dependencies=[Depends(carrier.fields)])
    async def whisper(call_flow_id: str, place: Place) -> Response:
        # Being connected matters more to the business than what it is told before.
        nothing = twiml.whisper(None)
        return await spoken(lambda: voice.whisper(call_flow_id, place), otherwise=nothing)

    return router


def incoming(fields: Fields, at: datetime) -> Incoming | None:
    """The call that the fields tell of; None for one that no carrier puts through."""
    carrier_call_id, number = fields.get("CallSid", ""), fields.get("To", "")
    if CALL_ID.fullmatch(carrier_call_id) is None or not is_e164(number):
        return None
    caller = fields.get("From", "")
    is_known = is_e164(caller) and caller not in WITHHELD
    return Incoming(carrier_call_id, number, caller if is_known else ANONYMOUS, at)


def was_answered(fields: Fields) -> bool:
    """Whether the business was connected with the caller."""
    is_bridged = fields.get("DialBridged", "true") != "false"
    return is_bridged and fields.get("DialCallStatus") in ANSWERED


def talked_seconds(fields: Fields) -> int:
    """How long business and caller were connected, as far as the carrier says it: in seconds."""
    told = fields.get("DialCallDuration", "")
    if SECONDS.fullmatch(told) is None or not was_answered(fields):
        return 0
    return min(int(told), LONGEST_CALL_SECONDS)


async def _answered(work: Callable[[], str], patience_seconds: float) -> str | None:
    """What `work` comes to; None when it fails or takes longer than a caller would wait."""
    try:
        async with asyncio.timeout(patience_seconds):
            return await to_thread.run_sync(work, abandon_on_cancel=True)
    except TimeoutError:
        log.warning("a call could not be served: the database takes too long")
    except PauseError as error:
        log.warning("a call could not be served: %s", error)
    except Exception as error:
        # `exception` would log the message.
        log.error("a call failed: %s", unforeseen(error))  # noqa: TRY400
    return None
