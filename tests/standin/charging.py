"""What comes of charging a card: the states of a payment and the charges that it leaves."""

from typing import Any

from tests.standin.cards import CARDS, Decline, Outcome
from tests.standin.errors import DOCS, Refused
from tests.standin.store import Object, new_id
from tests.standin.world import World


def charge(world: World, intent: Object, off_session: bool) -> None:
    """Try the card of a payment that is being confirmed.

    Raises:
        Refused: 402 with the payment in it, when the card was declined. The payment has lost its
            payment method then.
    """
    card = CARDS[world.cards[intent["payment_method"]]]
    needs_customer = card.outcome is Outcome.NEEDS_CUSTOMER
    if card.outcome is Outcome.ASKS or (needs_customer and not off_session):
        _ask(world, intent)
    elif card.outcome is Outcome.PROCESSES:
        _process(world, intent)
    elif card.decline is not None:
        decline(world, intent, card.decline)
        raise _card_error(intent, card.decline)
    else:
        succeed(world, intent)


def succeed(world: World, intent: Object) -> None:
    """The money has moved."""
    made = _charge_of(world, intent)
    made.update(status="succeeded", paid=True, captured=True, amount_captured=intent["amount"])
    intent.update(
        status="succeeded",
        amount_received=intent["amount"],
        last_payment_error=None,
        next_action=None,
        processing=None,
    )
    world.events.happened("payment_intent.succeeded", intent)


def decline(world: World, intent: Object, said: Decline) -> None:
    """No money has moved, and the payment asks for another payment method."""
    made = _charge_of(world, intent)
    made.update(status="failed", failure_code=said.code, failure_message=said.message)
    method = world.store.get(intent["payment_method"])
    intent.update(
        status="requires_payment_method",
        last_payment_error=_said(said, made["id"], method),
        next_action=None,
        payment_method=None,
        processing=None,
    )
    world.events.happened("payment_intent.payment_failed", intent)


def look_at(world: World, intent: Object) -> None:
    """A payment in `processing` gets on with it when it is looked at often enough."""
    limit = world.settings.processing_look_ups
    if intent["status"] != "processing" or intent["id"] not in world.look_ups or limit is None:
        return
    world.look_ups[intent["id"]] += 1
    if world.look_ups[intent["id"]] > limit:
        succeed(world, intent)


def new_charge(world: World, intent: Object) -> Object:
    """A charge under way."""
    method = world.store.get(intent["payment_method"])
    return world.store.add(
        {
            "id": new_id("ch"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": 0,
            "amount_refunded": 0,
            "balance_transaction": None,
            "captured": False,
            "created": world.clock.now(),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_code": None,
            "failure_message": None,
            "livemode": intent["livemode"],
            "metadata": dict(intent["metadata"]),
            "paid": False,
            "payment_intent": intent["id"],
            "payment_method": intent["payment_method"],
            "payment_method_details": {"type": "card", "card": method["card"]} if method else None,
            "refunded": False,
            "status": "pending",
        },
        intent["livemode"],
    )


def _charge_of(world: World, intent: Object) -> Object:
    latest = world.store.get(intent["latest_charge"])
    if latest is None or latest["status"] != "pending":
        latest = new_charge(world, intent)
        intent["latest_charge"] = latest["id"]
    return latest


def _process(world: World, intent: Object) -> None:
    _charge_of(world, intent)
    world.look_ups[intent["id"]] = 0
    intent.update(status="processing", processing={"type": "card", "card": {}})
    world.events.happened("payment_intent.processing", intent)


def _ask(world: World, intent: Object) -> None:
    intent.update(
        status="requires_action",
        next_action={
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect"},
        },
    )
    world.events.happened("payment_intent.requires_action", intent)


def _said(said: Decline, charge_id: str, method: Object | None) -> dict[str, Any]:
    return {
        "charge": charge_id,
        "code": said.code,
        "decline_code": said.decline_code,
        "doc_url": f"{DOCS}/{said.code.replace('_', '-')}",
        "message": said.message,
        "payment_method": method,
        "type": "card_error",
    }


def _card_error(intent: Object, said: Decline) -> Refused:
    told = intent["last_payment_error"]
    return Refused(
        said.message,
        status=402,
        kind="card_error",
        code=said.code,
        decline_code=said.decline_code,
        charge=told["charge"],
        payment_intent=intent,
        payment_method=told["payment_method"],
    )
