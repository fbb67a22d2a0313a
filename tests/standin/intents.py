"""Payments: create, confirm, cancel, look up, list."""

from typing import Any

from tests.standin.charging import charge, look_at
from tests.standin.customers import kept
from tests.standin.errors import Refused, unexpected_state
from tests.standin.listing import listed
from tests.standin.store import Object, new_id
from tests.standin.world import Call, World, in_path, named

LEAST = 50
MOST = 99_999_999
CURRENCIES = {"usd", "eur", "gbp", "cad", "aud", "nzd", "chf", "sek", "nok", "dkk", "mxn"}

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = CONFIRMABLE
_ONLY_WHEN_CONFIRMING = ("off_session", "return_url", "error_on_requires_action")
_WITHOUT_REDIRECT = {"card", "link"}


def create_payment_intent(world: World, call: Call) -> Object:
    """POST /v1/payment_intents."""
    params = call.params
    check_amount(params["amount"])
    _check_currency(params["currency"])
    if not params.get("confirm"):
        _check_not_confirming(params)
    if "customer" in params:
        named(world, call, "customer", params["customer"], "customer")
    if "payment_method" in params:
        _check_method(world, call, params["payment_method"], params.get("customer"))
    intent = world.store.add(new_intent(world, params, call.livemode), call.livemode)
    if params.get("confirm"):
        _confirm(world, call, intent)
    return intent


def confirm_payment_intent(world: World, call: Call) -> Object:
    """POST /v1/payment_intents/{id}/confirm."""
    intent = in_path(world, call, "payment_intent")
    _confirm(world, call, intent)
    return intent


def cancel_payment_intent(world: World, call: Call) -> Object:
    """POST /v1/payment_intents/{id}/cancel."""
    intent = in_path(world, call, "payment_intent")
    if intent["status"] not in CANCELABLE:
        raise unexpected_state(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. "
            "Only a PaymentIntent with one of the following statuses may be canceled: "
            f"{', '.join(CANCELABLE)}.",
            intent,
        )
    intent.update(
        status="canceled",
        canceled_at=world.clock.now(),
        cancellation_reason=call.params.get("cancellation_reason"),
        next_action=None,
    )
    world.events.happened("payment_intent.canceled", intent)
    return intent


def retrieve_payment_intent(world: World, call: Call) -> Object:
    """GET /v1/payment_intents/{id}."""
    intent = in_path(world, call, "payment_intent")
    look_at(world, intent)
    return intent


def list_payment_intents(world: World, call: Call) -> Object:
    """GET /v1/payment_intents."""
    return listed(world, call, "payment_intent", "/v1/payment_intents", ("customer",))


def check_amount(amount: int) -> None:
    """Whether Stripe would charge that much, in cents.

    Raises:
        Refused: 400.
    """
    if amount < 1:
        raise Refused(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
        )
    if amount < LEAST:
        raise Refused("Amount must be at least $0.50 usd", code="amount_too_small", param="amount")
    if amount > MOST:
        raise Refused(
            "Amount must be no more than $999,999.99", code="amount_too_large", param="amount"
        )


def new_intent(world: World, params: dict[str, Any], livemode: bool) -> Object:
    """A payment that was just created."""
    intent_id = new_id("pi")
    automatic = {"allow_redirects": "always", "enabled": True}
    has_method = "payment_method" in params
    return {
        "id": intent_id,
        "object": "payment_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": params.get("automatic_payment_methods", automatic),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{intent_id}_secret_{new_id('s')[2:]}",
        "confirmation_method": "automatic",
        "created": world.clock.now(),
        "currency": params["currency"],
        "customer": params.get("customer"),
        "description": params.get("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": livemode,
        "metadata": kept(params.get("metadata")),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": params.get("payment_method"),
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": params.get("receipt_email"),
        "review": None,
        "setup_future_usage": params.get("setup_future_usage"),
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
        "status": "requires_confirmation" if has_method else "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


def _confirm(world: World, call: Call, intent: Object) -> None:
    params = call.params
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(_why_not(intent["status"]), intent)
    method_id = params.get("payment_method", intent["payment_method"])
    if method_id is None:
        raise unexpected_state(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken.",
            intent,
        )
    _check_method(world, call, method_id, intent["customer"])
    off_session = bool(params.get("off_session"))
    if not off_session:
        _check_return_url(intent, params)
    intent["payment_method"] = method_id
    charge(world, intent, off_session)


def _why_not(status: str) -> str:
    if status == "succeeded":
        return (
            "You cannot confirm this PaymentIntent because it has already succeeded after being "
            "previously confirmed."
        )
    return (
        f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a "
        "PaymentIntent with one of the following statuses may be confirmed: "
        "requires_confirmation, requires_action."
    )


def _check_currency(currency: str) -> None:
    if currency not in CURRENCIES:
        raise Refused(f"Invalid currency: {currency}.", param="currency")


def _check_not_confirming(params: dict[str, Any]) -> None:
    for name in _ONLY_WHEN_CONFIRMING:
        if name in params:
            raise Refused(
                f"The parameter `{name}` cannot be passed when creating a PaymentIntent unless "
                "`confirm` is set to true.",
                param=name,
            )


def _check_method(world: World, call: Call, method_id: str, customer: str | None) -> None:
    method = named(world, call, "payment_method", method_id, "payment_method")
    if method["customer"] == customer and customer is not None:
        return
    if method["customer"] is None:
        message = (
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer "
            "attachment, shared with a connected account without Customer attachment, or was "
            "detached from a Customer. It may not be used again. To use a PaymentMethod multiple "
            "times, you must attach it to a Customer first."
        )
    elif customer is None:
        message = (
            f"The provided PaymentMethod ({method_id}) belongs to the Customer "
            f"{method['customer']}. Please include the Customer in the `customer` parameter on the "
            "PaymentIntent."
        )
    else:
        message = (
            f"The customer does not have a payment method with the ID {method_id}. The payment "
            "method must be attached to the customer."
        )
    raise Refused(message, code="resource_missing", param="payment_method")


def _check_return_url(intent: Object, params: dict[str, Any]) -> None:
    """A payment method that sends the customer elsewhere needs a way back."""
    allowed = intent["allowed_payment_method_types"]
    never_redirects = intent["automatic_payment_methods"].get("allow_redirects") == "never"
    only_here = allowed is not None and set(allowed) <= _WITHOUT_REDIRECT
    if "return_url" in params or never_redirects or only_here:
        return
    raise Refused(
        "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. "
        "Because some of these payment methods might redirect your customer off of your page, you "
        "must provide a `return_url`.",
        code="parameter_missing",
        param="return_url",
    )
