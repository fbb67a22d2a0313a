"""How a request to Stripe is answered, from its key to the fault that it meets on the way out."""

import asyncio
import json
import traceback
from dataclasses import dataclass, replace

from stripe._api_version import _ApiVersion

from tests.standin.errors import Refused, broken, missing
from tests.standin.expanding import check_expand, expanded
from tests.standin.faults import DROPS, Fault, Kind, shown
from tests.standin.forms import Parameters, decoded, with_card_number
from tests.standin.idempotency import Claim, in_use
from tests.standin.operations import Operation, matching
from tests.standin.sessions import expire_old_sessions
from tests.standin.store import new_id
from tests.standin.validation import validated
from tests.standin.wire import Answer, Reply, Request
from tests.standin.world import Call, World, missing_in_path

NO_FAULT = Fault(Kind.SLOW, seconds=0)
_SECRET_KEYS = ("sk_test_", "rk_test_", "sk_live_", "rk_live_")


@dataclass(frozen=True)
class Asked:
    """A request for an operation that the stand-in has, on its way."""

    world: World
    request: Request
    operation: Operation
    id: str
    fault: Fault
    request_id: str


async def respond(world: World, request: Request) -> Reply:
    """What the client gets to see, if anything."""
    found = matching(request.method, request.path)
    if found is None:
        return Reply(_no_such_address(request))
    operation, given_id = found
    world.requests[operation.name] += 1
    fault = world.faults.take(operation.name) or NO_FAULT
    if fault.kind in DROPS:
        return Reply(manner=DROPS[fault.kind])
    answer = await _answer(Asked(world, request, operation, given_id, fault, new_id("req")))
    return shown(answer, fault.kind)


async def _answer(asked: Asked) -> Answer:
    try:
        answer = await _carried_out(asked)
    except Refused as refused:
        answer = refused.answer()
    except Exception:
        # A mistake of the stand-in. The fixture fails the test that met it.
        asked.world.bugs.append(traceback.format_exc())
        answer = broken()
    return replace(answer, headers={"Request-Id": asked.request_id, **answer.headers})


async def _carried_out(asked: Asked) -> Answer:
    world, request = asked.world, asked.request
    livemode = _authenticated(world, request)
    _check_version(request)
    _check_card_numbers(asked)
    if asked.fault.kind is Kind.RATE_LIMITED_429:
        raise _too_many()
    if asked.fault.kind is Kind.CONFLICT_409:
        raise in_use()
    expire_old_sessions(world)
    parameters = decoded(request)
    if asked.fault.kind is Kind.FORGETS:
        return _forgotten(asked, parameters)
    key = request.headers.get("idempotency-key")
    if request.method == "GET" or not key:
        return await _executed(asked, _call(asked, livemode, parameters))
    return await _once(asked, livemode, parameters, key)


async def _once(asked: Asked, livemode: bool, parameters: Parameters, key: str) -> Answer:
    """The answer under this key: given anew only the first time."""
    keys, now = asked.world.keys, asked.world.clock.now()
    mine = Claim(key, asked.request.path, parameters, now, asked.request_id)
    claim = keys.claim(livemode, mine)
    if claim.answer is not None:
        return await _replayed(asked, claim, claim.answer)
    try:
        claim.answer = await _executed(asked, _call(asked, livemode, parameters))
    finally:
        if claim.answer is None:
            keys.drop(livemode, claim)
    return claim.answer


async def _replayed(asked: Asked, claim: Claim, answer: Answer) -> Answer:
    await asyncio.sleep(asked.fault.seconds)
    if asked.fault.kind in (Kind.ERROR_500_BEFORE, Kind.ERROR_500_AFTER):
        return broken()
    headers = {"Idempotent-Replayed": "true", "Original-Request": claim.request_id}
    return replace(answer, headers={**answer.headers, **headers})


async def _executed(asked: Asked, call: Call) -> Answer:
    """The effect and its answer, which a failure is too from here on."""
    if asked.fault.kind is Kind.ERROR_500_BEFORE:
        return broken()
    try:
        thing = asked.operation.run(asked.world, call)
        body = expanded(asked.world, thing, call.params.get("expand", []))
        # Written out at once: what happens to the object later is not in this answer.
        answer = Answer(200, json.dumps(body).encode())
    except Refused as refused:
        answer = refused.answer()
    await asyncio.sleep(asked.fault.seconds)
    return broken() if asked.fault.kind is Kind.ERROR_500_AFTER else answer


def _call(asked: Asked, livemode: bool, parameters: Parameters) -> Call:
    """The request as Stripe would carry it out.

    Raises:
        Refused: 400 when Stripe would not, or when the stand-in does not know what would come of a
            parameter.
    """
    operation = asked.operation
    params = validated(operation.params, parameters)
    for name in params.keys() - operation.understood:
        raise Refused(
            f"Stripe takes {name}, but the stand-in does not know what comes of it. Teach it.",
            code="standin_does_not_know",
            param=name,
        )
    check_expand(operation.answers, "limit" in operation.understood, params.get("expand", []))
    return Call(livemode, asked.id, params)


def _authenticated(world: World, request: Request) -> bool:
    """The mode of the key."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not key:
        raise Refused("You did not provide an API key.", status=401)
    if key not in world.api_keys or not key.startswith(_SECRET_KEYS):
        raise Refused(f"Invalid API Key provided: {key[:8]}****{key[-4:]}", status=401)
    if "stripe-account" in request.headers:
        raise Refused(
            "The provided key does not have access to that account.",
            status=403,
            code="account_invalid",
        )
    return "_live_" in key


def _check_version(request: Request) -> None:
    version = request.headers.get("stripe-version")
    if version != _ApiVersion.CURRENT:
        raise Refused(f"Invalid Stripe API version: {version}; pinned is {_ApiVersion.CURRENT}.")


def _check_card_numbers(asked: Asked) -> None:
    names = with_card_number(asked.request)
    asked.world.card_numbers += [f"{asked.operation.name}: {name}" for name in names]
    if names:
        raise Refused(
            "Sending credit card numbers directly to the Stripe API is generally unsafe.",
            status=402,
            kind="card_error",
            param=names[0],
        )


def _forgotten(asked: Asked, parameters: Parameters) -> Answer:
    operation = asked.operation
    if "limit" in operation.understood:
        page = {"object": "list", "data": [], "has_more": False, "url": operation.path}
        return Answer(200, json.dumps(page).encode())
    if asked.id:
        raise missing_in_path(operation.answers, asked.id)
    forgotten = parameters.keys() & {"customer", "payment_intent"}
    name = min(forgotten, default=operation.answers)
    raise missing(name, parameters.get(name, ""), name)


def _too_many() -> Refused:
    return Refused(
        "Request rate limit exceeded. Learn more about rate limits in the documentation.",
        status=429,
        code="rate_limit",
    )


def _no_such_address(request: Request) -> Answer:
    return Refused(
        f"Unrecognized request URL ({request.method}: {request.path}).", status=404
    ).answer()
