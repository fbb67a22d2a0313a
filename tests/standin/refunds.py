"""Refunds, never of more than what is left."""

from typing import Any

from tests.standin.customers import kept
from tests.standin.errors import Refused
from tests.standin.listing import listed
from tests.standin.store import Object, new_id
from tests.standin.validation import parameter_missing
from tests.standin.world import Call, World, in_path, named


def create_refund(world: World, call: Call) -> Object:
    """POST /v1/refunds."""
    params = call.params
    if "payment_intent" not in params:
        raise parameter_missing("payment_intent")
    intent = named(world, call, "payment_intent", params["payment_intent"], "payment_intent")
    paid = _charge_to_refund(world, intent)
    left = paid["amount"] - paid["amount_refunded"]
    amount = params.get("amount", left)
    _check_amount(amount, left, paid)
    refund = world.store.add(new_refund(world, {**params, "amount": amount}, intent), call.livemode)
    _count(paid, amount)
    world.events.happened("refund.created", refund)
    world.events.happened("charge.refunded", paid)
    return refund


def retrieve_refund(world: World, call: Call) -> Object:
    """GET /v1/refunds/{id}."""
    return in_path(world, call, "refund")


def list_refunds(world: World, call: Call) -> Object:
    """GET /v1/refunds."""
    return listed(world, call, "refund", "/v1/refunds", ("payment_intent", "charge"))


def settle_refund(world: World, refund: Object, status: str) -> None:
    """The bank has answered. What failed can be refunded again."""
    paid = world.store.get(refund["charge"])
    if status in ("failed", "canceled") and paid is not None and refund["status"] != status:
        _count(paid, -refund["amount"])
    refund["status"] = status
    world.events.happened("refund.updated", refund)


def new_refund(world: World, params: dict[str, Any], intent: Object) -> Object:
    """A refund that was just created."""
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": params["amount"],
        "balance_transaction": None,
        "charge": intent["latest_charge"],
        "created": world.clock.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "destination_details": {"type": "card", "card": {"type": "refund"}},
        "metadata": kept(params.get("metadata")),
        "payment_intent": intent["id"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": world.settings.refund_status,
        "transfer_reversal": None,
    }


def _charge_to_refund(world: World, intent: Object) -> Object:
    paid = world.store.get(intent["latest_charge"])
    if paid is None or intent["status"] != "succeeded":
        raise Refused(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            param="payment_intent",
        )
    return paid


def _check_amount(amount: int, left: int, paid: Object) -> None:
    if left <= 0:
        raise Refused(
            f"Charge {paid['id']} has already been refunded.", code="charge_already_refunded"
        )
    if amount < 1:
        raise Refused(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
        )
    if amount > left:
        raise Refused(
            f"Refund amount (${amount / 100:.2f}) is greater than unrefunded amount on charge "
            f"(${left / 100:.2f})",
            param="amount",
        )


def _count(paid: Object, amount: int) -> None:
    paid["amount_refunded"] += amount
    paid["refunded"] = paid["amount_refunded"] == paid["amount"]
