"""Checkout sessions in the mode `setup`: how a card gets on file."""

from tests.standin.customers import kept, save_card
from tests.standin.errors import Refused
from tests.standin.store import Object, new_id
from tests.standin.validation import parameter_missing
from tests.standin.world import Call, World, in_path, named

SHORTEST_SECONDS = 30 * 60
LONGEST_SECONDS = 24 * 60 * 60
PAGE = "https://checkout.stripe.com/c/pay"


def create_session(world: World, call: Call) -> Object:
    """POST /v1/checkout/sessions."""
    params = call.params
    _check(world, call)
    if "customer" in params:
        named(world, call, "customer", params["customer"], "customer")
    setup_intent = world.store.add(_setup_intent(world, call), call.livemode)
    return world.store.add(_session(world, call, setup_intent["id"]), call.livemode)


def retrieve_session(world: World, call: Call) -> Object:
    """GET /v1/checkout/sessions/{id}."""
    return in_path(world, call, "checkout.session")


def expire_session(world: World, call: Call) -> Object:
    """POST /v1/checkout/sessions/{id}/expire."""
    session = in_path(world, call, "checkout.session")
    if session["status"] != "open":
        raise Refused(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of `{session['status']}`."
        )
    _expire(world, session)
    return session


def expire_old_sessions(world: World) -> None:
    """Whatever was not used in time can be used no more."""
    for session in world.store.all("checkout.session"):
        if session["status"] == "open" and session["expires_at"] <= world.clock.now():
            _expire(world, session)


def complete_session(world: World, session: Object, card_name: str) -> Object:
    """The person has entered a card. The payment method, which is the customer's from now on."""
    method = save_card(world, card_name, session["customer"], session["livemode"])
    setup_intent = world.store.get(session["setup_intent"])
    if setup_intent is not None:
        setup_intent.update(status="succeeded", payment_method=method["id"])
        world.events.happened("setup_intent.succeeded", setup_intent)
    session.update(status="complete", url=None)
    world.events.happened("checkout.session.completed", session)
    return method


def _check(world: World, call: Call) -> None:
    params = call.params
    if params.get("mode") != "setup":
        raise Refused("The stand-in only has sessions with mode=setup.", param="mode")
    if "success_url" not in params:
        raise parameter_missing("success_url")
    if "currency" not in params and "allowed_payment_method_types" not in params:
        raise parameter_missing("currency")
    if "customer" in params and "customer_email" in params:
        raise Refused(
            "You may only specify one of these parameters: customer, customer_email.",
            code="parameters_exclusive",
            param="customer_email",
        )
    lasts_seconds = (
        params.get("expires_at", world.clock.now() + LONGEST_SECONDS) - world.clock.now()
    )
    if not SHORTEST_SECONDS <= lasts_seconds <= LONGEST_SECONDS:
        raise Refused(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout "
            "Session creation.",
            param="expires_at",
        )


def _expire(world: World, session: Object) -> None:
    session.update(status="expired", url=None)
    world.events.happened("checkout.session.expired", session)


def _setup_intent(world: World, call: Call) -> Object:
    given = call.params.get("setup_intent_data", {})
    intent_id = new_id("seti")
    return {
        "id": intent_id,
        "object": "setup_intent",
        "application": None,
        "automatic_payment_methods": None,
        "cancellation_reason": None,
        "client_secret": f"{intent_id}_secret_{new_id('s')[2:]}",
        "created": world.clock.now(),
        "customer": call.params.get("customer"),
        "description": given.get("description"),
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": call.livemode,
        "mandate": None,
        "metadata": kept(given.get("metadata")),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": "off_session",
    }


def _session(world: World, call: Call, setup_intent_id: str) -> Object:
    params = call.params
    session_id = new_id("cs_live" if call.livemode else "cs_test")
    return {
        "id": session_id,
        "object": "checkout.session",
        "amount_subtotal": None,
        "amount_total": None,
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None,
        "created": world.clock.now(),
        "currency": params.get("currency"),
        "customer": params.get("customer"),
        "customer_creation": None,
        "customer_details": None,
        "customer_email": params.get("customer_email"),
        "expires_at": params.get("expires_at", world.clock.now() + LONGEST_SECONDS),
        "invoice": None,
        "livemode": call.livemode,
        "locale": params.get("locale"),
        "metadata": kept(params.get("metadata")),
        "mode": "setup",
        "payment_intent": None,
        "payment_link": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_status": "no_payment_required",
        "setup_intent": setup_intent_id,
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "success_url": params["success_url"],
        "ui_mode": "hosted_page",
        "url": f"{PAGE}/{session_id}",
    }
