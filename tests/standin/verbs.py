"""What tests can do to the stand-in: ``POST /_standin/{verb}`` with the arguments as JSON."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tests.standin.api import respond
from tests.standin.cards import CARDS, GENERIC_DECLINE
from tests.standin.charging import decline, new_charge, succeed
from tests.standin.customers import save_card
from tests.standin.faults import Fault, Kind
from tests.standin.intents import new_intent
from tests.standin.refunds import new_refund, settle_refund
from tests.standin.sessions import complete_session, expire_old_sessions
from tests.standin.store import Object
from tests.standin.webhooks import Endpoint
from tests.standin.wire import Answer, Door, Reply, Request
from tests.standin.world import Settings, World

PREFIX = "/_standin/"


class NotPossible(Exception):
    """The test asks for something that cannot be."""


class Verbs:
    """The stand-in as tests steer it. Every public method is a verb, told about in `control`."""

    def __init__(self) -> None:
        self._world = World()
        self._door = Door(self._respond)

    @property
    def door(self) -> Door:
        """Where Stripe's API is served."""
        return self._door

    async def _respond(self, request: Request) -> Reply:
        return await respond(self._world, request)

    # --- the whole --------------------------------------------------------------------------------

    async def reset(self) -> None:
        self._world.events.stop()
        self._world = World()
        self._door.let_go()
        await self._door.open()

    def configure(self, **settings: Any) -> None:
        self._world.settings = Settings(**{**vars(self._world.settings), **settings})

    def now(self) -> float:
        return self._world.clock.now()

    def advance(self, seconds: float) -> None:
        self._world.clock.advance(seconds)
        expire_old_sessions(self._world)

    def set_clock(self, seconds: float) -> None:
        self._world.clock.set(seconds)
        expire_old_sessions(self._world)

    # --- faults -----------------------------------------------------------------------------------

    def fault(self, kind: str, **about: Any) -> None:
        self._world.faults.planned.append(Fault(Kind(kind), **about))

    def faults_left(self) -> list[dict[str, Any]]:
        return [vars(fault) for fault in self._world.faults.planned if fault.times]

    def clear_faults(self) -> None:
        self._world.faults.planned.clear()

    def away(self, seconds: float | None = None) -> None:
        self._door.shut()
        if seconds is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, lambda: loop.create_task(self._door.open()))

    async def back(self) -> None:
        await self._door.open()

    # --- keys -------------------------------------------------------------------------------------

    def add_key(self, key: str) -> None:
        self._world.api_keys.add(key)

    def revoke_key(self, key: str) -> None:
        self._world.api_keys.discard(key)

    # --- what people and banks do -----------------------------------------------------------------

    def complete_session(self, session_id: str, card: str) -> str:
        session = self._there(session_id)
        expire_old_sessions(self._world)
        if session["status"] != "open":
            raise NotPossible(f"the session is {session['status']}")
        _check_card(card)
        return str(complete_session(self._world, session, card)["id"])

    def save_card(self, customer_id: str, card: str) -> str:
        self._there(customer_id)
        _check_card(card)
        livemode = self._world.store.livemode(customer_id)
        return str(save_card(self._world, card, customer_id, livemode)["id"])

    def settle_payment(self, payment_intent_id: str, declined_as: str | None = None) -> None:
        intent = self._there(payment_intent_id)
        if intent["status"] not in ("processing", "requires_action"):
            raise NotPossible(f"the payment is {intent['status']}")
        if declined_as is None:
            succeed(self._world, intent)
        else:
            _check_card(declined_as)
            decline(self._world, intent, CARDS[declined_as].decline or GENERIC_DECLINE)

    def settle_refund(self, refund_id: str, status: str) -> None:
        settle_refund(self._world, self._there(refund_id), status)

    # --- the record -------------------------------------------------------------------------------

    def objects(self, kind: str) -> list[Object]:
        return self._world.store.all(kind)

    def seed_payments(self, payments: list[Object]) -> list[str]:
        return [self._seeded_payment(fields) for fields in payments]

    def seed_refunds(self, refunds: list[Object]) -> list[str]:
        return [self._seeded_refund(fields) for fields in refunds]

    def edit(self, object_id: str, fields: Object) -> None:
        self._there(object_id)
        self._world.store.edit(object_id, fields)

    def delete(self, object_id: str) -> None:
        self._there(object_id)
        self._world.store.delete(object_id)

    # --- webhooks ---------------------------------------------------------------------------------

    def webhook(self, url: str | None, secret: str = "") -> None:
        self._world.events.send_to(Endpoint(url, secret) if url else None)

    def events(self) -> list[Object]:
        return self._world.events.all

    def deliveries(self) -> list[dict[str, Any]]:
        return self._world.events.told()

    # --- what was seen ----------------------------------------------------------------------------

    def requests(self) -> dict[str, int]:
        return dict(self._world.requests)

    def card_numbers(self) -> list[str]:
        return self._world.card_numbers

    def bugs(self) -> list[str]:
        return self._world.bugs

    # ----------------------------------------------------------------------------------------------

    def _there(self, given_id: str) -> Object:
        thing = self._world.store.get(given_id)
        if thing is None:
            raise NotPossible(f"there is no {given_id}")
        return thing

    def _seeded_payment(self, fields: Object) -> str:
        livemode = fields.get("livemode", False)
        intent = {**new_intent(self._world, fields, livemode), **fields}
        self._world.store.add(intent, livemode)
        if intent["status"] == "succeeded":
            charge = new_charge(self._world, intent)
            charge.update(status="succeeded", paid=True, captured=True, created=intent["created"])
            intent.update(latest_charge=charge["id"])
            intent.update({"amount_received": intent["amount"], **fields})
        return str(intent["id"])

    def _seeded_refund(self, fields: Object) -> str:
        intent = self._there(fields["payment_intent"])
        refund = {**new_refund(self._world, fields, intent), **fields}
        charge = self._world.store.get(refund["charge"])
        if charge is not None and refund["status"] in ("succeeded", "pending"):
            charge["amount_refunded"] += refund["amount"]
            charge["refunded"] = charge["amount_refunded"] >= charge["amount"]
        livemode = self._world.store.livemode(intent["id"])
        return str(self._world.store.add(refund, livemode)["id"])


async def obeyed(verbs: Verbs, request: Request) -> Reply:
    """The answer to a verb: 200 with what it returned, or 400 with why it cannot be."""
    name = request.path.removeprefix(PREFIX)
    try:
        verb = _verb(verbs, name)
        done = verb(**json.loads(request.body or b"{}"))
        result = await done if asyncio.iscoroutine(done) else done
    except (NotPossible, TypeError, ValueError, KeyError) as refused:
        said = f"{name}: {type(refused).__name__}: {refused}"
        return Reply(Answer(400, json.dumps(said).encode()))
    return Reply(Answer(200, json.dumps(result).encode()))


def _verb(verbs: Verbs, name: str) -> Callable[..., Any]:
    if name.startswith("_") or name not in vars(Verbs) or name == "door":
        raise NotPossible("there is no such verb")
    verb: Callable[..., Any] = getattr(verbs, name)
    return verb


def _check_card(name: str) -> None:
    if name not in CARDS:
        raise NotPossible(f"there is no card {name}; choose from {', '.join(CARDS)}")
