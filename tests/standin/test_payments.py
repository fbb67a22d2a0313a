"""Payments and card pages at the stand-in, seen through the official client."""

from datetime import timedelta

import pytest
import stripe

from systems.gateways.sandbox import CARDS as SANDBOX_CARDS
from tests.standin.cards import CARDS
from tests.standin.control import Standin
from tests.standin.shop import AWAY, SETUP, error_of, shop

OBJECTS: dict[str, type[stripe.StripeObject]] = {
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "customer": stripe.Customer,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "refund": stripe.Refund,
    "setup_intent": stripe.SetupIntent,
}


# --- a card on file ------------------------------------------------------------------------------


def test_a_card_gets_on_file_by_the_hosted_page(standin: Standin) -> None:
    client = standin.client()
    customer = client.v1.customers.create({"name": "Brightside"})
    session = client.v1.checkout.sessions.create({**SETUP, "customer": customer.id})
    assert ("open", True) == (session.status, bool(session.url))

    card_id = standin.complete_session(session.id, "mastercard")

    done = client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["setup_intent.payment_method"]}
    )
    assert isinstance(done.setup_intent, stripe.SetupIntent)
    method = done.setup_intent.payment_method
    assert isinstance(method, stripe.PaymentMethod)
    assert method.card is not None
    assert ("complete", None, "succeeded") == (done.status, done.url, done.setup_intent.status)
    assert (card_id, customer.id, "4444") == (method.id, method.customer, method.card.last4)


def test_a_session_nobody_used_expires_after_a_day(standin: Standin) -> None:
    client = standin.client()
    session = client.v1.checkout.sessions.create(SETUP)

    standin.advance(timedelta(hours=24))

    assert "expired" == client.v1.checkout.sessions.retrieve(session.id).status
    with pytest.raises(AssertionError, match="the session is expired"):
        standin.complete_session(session.id)


def test_only_an_open_session_can_be_expired(standin: Standin) -> None:
    client = standin.client()
    session = client.v1.checkout.sessions.create(SETUP)

    assert "expired" == client.v1.checkout.sessions.expire(session.id).status

    with pytest.raises(stripe.InvalidRequestError, match="has a status of `expired`"):
        client.v1.checkout.sessions.expire(session.id)


# --- creating ------------------------------------------------------------------------------------


def test_creating_a_payment_moves_no_money(standin: Standin) -> None:
    intent = shop(standin).create()

    assert ("requires_confirmation", 500, 0) == (
        intent.status,
        intent.amount,
        intent.amount_received,
    )
    assert intent.latest_charge is None
    assert {"account": "ACC1"} == intent.metadata.to_dict()


@pytest.mark.parametrize(
    ("wrong", "param"), [("pm_never", "payment_method"), ("cus_never", "customer")]
)
def test_a_payment_needs_a_customer_and_a_card_that_exist(
    standin: Standin, wrong: str, param: str
) -> None:
    store = shop(standin)

    with pytest.raises(stripe.InvalidRequestError, match=wrong) as refused:
        store.client.v1.payment_intents.create({**store.order, param: wrong})  # type: ignore[misc]

    assert (400, "resource_missing", param) == (
        refused.value.http_status,
        refused.value.code,
        refused.value.param,
    )


def test_a_card_can_be_charged_for_its_own_customer_only(standin: Standin) -> None:
    mine, other = shop(standin), shop(standin)

    with pytest.raises(stripe.InvalidRequestError, match="must be attached to the customer"):
        mine.client.v1.payment_intents.create({**mine.order, "payment_method": other.card_id})


def test_a_card_that_was_detached_cannot_be_charged(standin: Standin) -> None:
    store = shop(standin)
    waiting = store.create()
    store.client.v1.payment_methods.detach(store.card_id)

    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        store.confirm(waiting.id)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        store.create()
    with pytest.raises(stripe.InvalidRequestError, match="detachment is impossible"):
        store.client.v1.payment_methods.detach(store.card_id)


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (0, "parameter_invalid_integer"),
        (-500, "parameter_invalid_integer"),
        (49, "amount_too_small"),
        (100_000_000, "amount_too_large"),
    ],
)
def test_an_amount_has_limits(standin: Standin, amount: int, code: str) -> None:
    store = shop(standin)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        store.client.v1.payment_intents.create({**store.order, "amount": amount})

    assert code == refused.value.code
    assert [] == standin.payment_intents()


# --- confirming ----------------------------------------------------------------------------------


def test_a_good_card_is_charged(standin: Standin) -> None:
    store = shop(standin)

    intent = store.pay()

    found = store.client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert ("succeeded", 500, store.card_id) == (
        found.status,
        found.amount_received,
        found.payment_method,
    )
    assert isinstance(found.latest_charge, stripe.Charge)
    assert ("succeeded", True) == (found.latest_charge.status, found.latest_charge.paid)


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("declined", "card_declined", "generic_decline"),
        ("insufficient_funds", "card_declined", "insufficient_funds"),
        ("lost_card", "card_declined", "lost_card"),
        ("expired_card", "expired_card", "expired_card"),
        ("authentication_required", "authentication_required", "authentication_required"),
    ],
)
def test_a_decline_is_a_402_and_takes_the_card_off_the_payment(
    standin: Standin, card: str, code: str, decline_code: str
) -> None:
    store = shop(standin, card)
    intent = store.create()

    with pytest.raises(stripe.CardError) as declined:
        store.confirm(intent.id)

    error = error_of(declined.value)
    assert (402, code, decline_code) == (
        declined.value.http_status,
        declined.value.code,
        error["decline_code"],
    )
    payment = error["payment_intent"]
    assert ("requires_payment_method", None, 0) == (
        payment["status"],
        payment["payment_method"],
        payment["amount_received"],
    )
    assert (code, decline_code, store.card_id) == (
        payment["last_payment_error"]["code"],
        payment["last_payment_error"]["decline_code"],
        payment["last_payment_error"]["payment_method"]["id"],
    )
    assert payment == store.only_payment()


def test_a_declined_payment_can_be_confirmed_with_another_card(standin: Standin) -> None:
    store = shop(standin, "declined")
    intent = store.create()
    with pytest.raises(stripe.CardError):
        store.confirm(intent.id)

    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method") as refused:
        store.confirm(intent.id)
    better = standin.save_card(store.customer_id, "visa")
    paid = store.client.v1.payment_intents.confirm(intent.id, {**AWAY, "payment_method": better})

    assert "payment_intent_unexpected_state" == refused.value.code
    assert ("succeeded", None) == (paid.status, paid.last_payment_error)


def test_what_has_succeeded_or_was_cancelled_cannot_be_confirmed(standin: Standin) -> None:
    store = shop(standin)
    paid, cancelled = store.pay(), store.create()
    store.client.v1.payment_intents.cancel(cancelled.id, {"cancellation_reason": "abandoned"})

    for intent, status in ((paid, "succeeded"), (cancelled, "canceled")):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            store.confirm(intent.id)
        error = error_of(refused.value)
        assert ("payment_intent_unexpected_state", status) == (
            error["code"],
            error["payment_intent"]["status"],
        )


def test_what_has_succeeded_cannot_be_cancelled(standin: Standin) -> None:
    store = shop(standin)
    paid = store.pay()

    with pytest.raises(stripe.InvalidRequestError, match="cannot cancel") as refused:
        store.client.v1.payment_intents.cancel(paid.id)

    assert "payment_intent_unexpected_state" == refused.value.code


def test_a_customer_who_is_there_is_asked(standin: Standin) -> None:
    store = shop(standin, "authentication_required")
    back_to = "https://example.com/back"

    asked = store.client.v1.payment_intents.confirm(store.create().id, {"return_url": back_to})

    assert "requires_action" == asked.status
    assert asked.next_action is not None


def test_a_customer_who_is_there_needs_a_way_back(standin: Standin) -> None:
    store = shop(standin)

    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        store.client.v1.payment_intents.confirm(store.create().id)


def test_a_payment_that_asks_for_an_action_is_settled_by_the_customer(standin: Standin) -> None:
    store = shop(standin, "requires_action")
    first, second = store.pay(), store.pay()
    assert ("requires_action", "requires_action") == (first.status, second.status)

    standin.settle_payment(first.id)
    standin.settle_payment(second.id, declined_as="lost_card")

    retrieve = store.client.v1.payment_intents.retrieve
    failed = retrieve(second.id)
    assert "succeeded" == retrieve(first.id).status
    assert failed.last_payment_error is not None
    assert ("requires_payment_method", "lost_card") == (
        failed.status,
        failed.last_payment_error.decline_code,
    )


def test_a_payment_in_processing_succeeds_at_a_later_look_up(standin: Standin) -> None:
    store = shop(standin, "processing")
    intent = store.pay()

    looked_up = [store.client.v1.payment_intents.retrieve(intent.id).status for _ in range(4)]

    assert "processing" == intent.status
    assert ["processing", "processing", "succeeded", "succeeded"] == looked_up


def test_a_payment_in_processing_can_wait_until_it_is_settled(standin: Standin) -> None:
    standin.process_for(None)
    store = shop(standin, "processing")
    intent = store.pay()
    retrieve = store.client.v1.payment_intents.retrieve

    assert ["processing"] * 4 == [retrieve(intent.id).status for _ in range(4)]
    standin.settle_payment(intent.id)
    assert "succeeded" == retrieve(intent.id).status


def test_a_payment_can_be_created_and_confirmed_at_once(standin: Standin) -> None:
    good, bad = shop(standin), shop(standin, "declined")

    paid = good.client.v1.payment_intents.create(
        {**good.order, "confirm": True, "off_session": True}
    )
    with pytest.raises(stripe.CardError):
        bad.client.v1.payment_intents.create({**bad.order, "confirm": True, "off_session": True})

    assert "succeeded" == paid.status
    assert ["succeeded", "requires_payment_method"] == [
        each["status"] for each in standin.payment_intents()
    ]


def test_control_what_belongs_to_confirming_is_refused_without_it(standin: Standin) -> None:
    store = shop(standin)

    with pytest.raises(stripe.InvalidRequestError, match="unless `confirm` is set to true"):
        store.client.v1.payment_intents.create({**store.order, "off_session": True})


# --- keys and modes ------------------------------------------------------------------------------


def test_a_key_is_tried_by_the_balance(standin: Standin) -> None:
    assert standin.client().v1.balance.retrieve().livemode is False
    assert standin.client("sk_live_standin").v1.balance.retrieve().livemode is True
    with pytest.raises(stripe.AuthenticationError):
        standin.client("sk_test_of_nobody").v1.balance.retrieve()


def test_a_key_can_be_replaced(standin: Standin) -> None:
    store = shop(standin)
    intent = store.create()
    standin.add_key("sk_test_second")
    standin.revoke_key("sk_test_standin")

    with pytest.raises(stripe.AuthenticationError) as refused:
        store.confirm(intent.id)
    again = standin.client("sk_test_second").v1.payment_intents.retrieve(intent.id)

    assert 401 == refused.value.http_status
    assert "requires_confirmation" == again.status


def test_the_modes_do_not_see_each_other(standin: Standin) -> None:
    intent = shop(standin).create()
    live = standin.client("sk_live_standin")

    with pytest.raises(stripe.InvalidRequestError, match="similar object exists in test mode"):
        live.v1.payment_intents.retrieve(intent.id)
    assert [] == live.v1.payment_intents.list().data


# --- honesty -------------------------------------------------------------------------------------


def test_the_cards_look_like_those_of_the_embedded_gateway() -> None:
    for name in CARDS.keys() & SANDBOX_CARDS.keys():
        ours, theirs = CARDS[name], SANDBOX_CARDS[name]
        assert (theirs.brand, theirs.last4) == (ours.brand, ours.last4)


def test_objects_have_no_fields_that_stripe_does_not_have(standin: Standin) -> None:
    store = shop(standin, "visa")
    client = store.client
    session = client.v1.checkout.sessions.create(SETUP)
    standin.complete_session(session.id)
    client.v1.refunds.create({"payment_intent": store.pay().id})

    for kind, official in OBJECTS.items():
        found = standin.objects(kind)
        assert found, f"the test made no {kind}"
        assert found[0].keys() - official.__annotations__.keys() == set(), kind
