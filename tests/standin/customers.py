"""Customers, their payment methods, and the balance, which is how a key is tried."""

from tests.standin.cards import CARDS
from tests.standin.errors import Refused
from tests.standin.store import Object, new_id
from tests.standin.world import Call, World, in_path

_NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def create_customer(world: World, call: Call) -> Object:
    """POST /v1/customers."""
    params = call.params
    return world.store.add(
        {
            "id": new_id("cus"),
            "object": "customer",
            "address": None,
            "balance": 0,
            "created": world.clock.now(),
            "currency": None,
            "default_source": None,
            "delinquent": False,
            "description": params.get("description"),
            "discount": None,
            "email": params.get("email"),
            "invoice_prefix": new_id("in")[-8:].upper(),
            "livemode": call.livemode,
            "metadata": kept(params.get("metadata")),
            "name": params.get("name"),
            "phone": params.get("phone"),
            "preferred_locales": [],
            "shipping": None,
            "tax_exempt": "none",
            "test_clock": None,
        },
        call.livemode,
    )


def retrieve_customer(world: World, call: Call) -> Object:
    """GET /v1/customers/{id}."""
    return in_path(world, call, "customer")


def retrieve_payment_method(world: World, call: Call) -> Object:
    """GET /v1/payment_methods/{id}."""
    return in_path(world, call, "payment_method")


def detach_payment_method(world: World, call: Call) -> Object:
    """POST /v1/payment_methods/{id}/detach."""
    method = in_path(world, call, "payment_method")
    if method["customer"] is None:
        raise Refused(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible."
        )
    method["customer"] = None
    return method


def retrieve_balance(world: World, call: Call) -> Object:
    """GET /v1/balance."""
    nothing = {"amount": 0, "currency": "usd", "source_types": {"card": 0}}
    return {
        "object": "balance",
        "available": [nothing],
        "livemode": call.livemode,
        "pending": [nothing],
    }


def save_card(world: World, card_name: str, customer: str | None, livemode: bool) -> Object:
    """What a person does on the hosted page: enter a test card, which is kept for later."""
    card = CARDS[card_name]
    method: Object = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": {"address": _NO_ADDRESS, "email": None, "name": None, "phone": None},
        "card": {
            "brand": card.brand,
            "checks": None,
            "country": "US",
            "display_brand": card.brand,
            "exp_month": card.expires_month,
            "exp_year": card.expires_year,
            "fingerprint": f"print{card.brand}{card.last4}",
            "funding": "credit",
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": world.clock.now(),
        "customer": customer,
        "livemode": livemode,
        "metadata": {},
        "type": "card",
    }
    world.cards[method["id"]] = card_name
    return world.store.add(method, livemode)


def kept(metadata: dict[str, str] | str | None) -> dict[str, str]:
    """Metadata as it is kept: an empty value takes its key out."""
    if not isinstance(metadata, dict):
        return {}
    return {name: value for name, value in metadata.items() if value}
