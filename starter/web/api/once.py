"""`Idempotency-Key`: a request may be sent again and again, and is done once (R15).

Answers are kept word for word, refusals by a rule included: whoever wants to try again after one
takes a new key. What only means "try again" is not kept, nor what went wrong here.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Header, Request
from starlette.responses import Response

from domain.errors import Code, Rejected, Transient
from starter.web.api.answers import Answer
from starter.web.identity.principal import Principal
from starter.web.problems import Problem, problem_of
from systems.requests import Answered, Begun, Progress, Requests, Scope

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
KEPT_HEADERS = ("content-type", "location", "etag")
TRY_AGAIN = frozenset({Code.RUN_IS_ENDING, Code.RATE_LIMITED, Code.UNAVAILABLE})
IN_USE_SECONDS = 5

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias=HEADER,
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Made up by the caller for this one request, a UUID for example. The request"
        " may then be repeated for seven months, with one effect and the same answer.",
    ),
]


@dataclass(frozen=True)
class Call:
    """One request on its way to its effect. What it makes gets its id from `effect_id`.

    `asked_at` is when it was asked for first. `is_repeat`: an earlier try was cut off.
    """

    effect_id: UUID
    asked_at: datetime
    is_repeat: bool = False


Act = Callable[[Call], Awaitable[Answer]]


class Once:
    """Does what is asked once per key."""

    def __init__(self, requests: Requests, clock: Callable[[], datetime]) -> None:
        """Keep answers in `requests`."""
        self._requests = requests
        self._clock = clock
        # What could not be let go, since the database was away: nobody works on it any more.
        self._left: dict[Scope, datetime] = {}

    async def answer(
        self, request: Request, principal: Principal, key: str | None, act: Act
    ) -> Response:
        """The answer of `act`, or the one that it had before.

        Raises:
            Rejected: `idempotency_key_reused`.
            Problem: 409 `idempotency_key_in_use`.
        """
        if key is None:
            return (await act(Call(uuid4(), self._clock()))).response()
        scope = _scope(request, principal, key)
        begun = await self._begun(scope, _fingerprint(await request.body()))
        if isinstance(begun, Answered):
            return _response(begun, {REPLAYED: "true"})
        try:
            answered = await _answered(act, Call(begun.effect_id, begun.began_at, begun.is_repeat))
            await asyncio.to_thread(self._requests.answer, scope, answered)
        except BaseException:
            await self._let_go(scope, begun)
            raise
        return _response(answered)

    def progress(self, request: Request, principal: Principal) -> Progress:
        """How far the request has come, if it is a repeat. Asks the database and blocks."""
        key = request.headers.get(HEADER)
        if key is None:
            return Progress.UNKNOWN
        return self._requests.progress(_scope(request, principal, key))

    async def _begun(self, scope: Scope, fingerprint: str) -> Begun | Answered:
        begin, now = self._requests.begin, self._clock()
        try:
            begun = await asyncio.to_thread(begin, scope, fingerprint, now, self._left.get(scope))
        except Rejected as error:
            if error.code is not Code.IDEMPOTENCY_KEY_IN_USE:
                raise
            headers = {"Retry-After": str(IN_USE_SECONDS)}
            raise Problem(
                HTTPStatus.CONFLICT, error.code, error.message, headers=headers
            ) from error
        self._left.pop(scope, None)
        return begun

    async def _let_go(self, scope: Scope, begun: Begun) -> None:
        try:
            await asyncio.shield(asyncio.to_thread(self._requests.let_go, scope, begun))
        except Transient:
            now = self._clock()
            self._left = {each: until for each, until in self._left.items() if until > now}
            self._left[scope] = begun.held_until


def _scope(request: Request, principal: Principal, key: str) -> Scope:
    return Scope(principal.user_id, request.method, request.url.path, key)


def _fingerprint(body: bytes) -> str:
    """The same for the same document, however its fields are ordered and set apart."""
    written = json.dumps(json.loads(body), sort_keys=True) if body else ""
    return hashlib.sha256(written.encode()).hexdigest()


async def _answered(act: Act, call: Call) -> Answered:
    try:
        response = (await act(call)).response()
    except Rejected as error:
        if error.code in TRY_AGAIN:
            raise
        response = problem_of(error).response()
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return Answered(response.status_code, headers, bytes(response.body).decode())


def _response(answered: Answered, more: dict[str, str] | None = None) -> Response:
    return Response(answered.body, answered.status, {**answered.headers, **(more or {})})
