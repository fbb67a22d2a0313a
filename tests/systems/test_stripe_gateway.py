"""What Stripe's adapter does beyond the contract: how it reads Stripe, and what it sends there."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import stripe

from domain.errors import Code, InvariantViolated, Rejected, Transient
from domain.payments import PageState, Payment, PaymentState, RefundState
from domain.stripe_access import StripeAccess
from systems.gateways.stripe import StripeGateway
from systems.gateways.stripe.client import API_VERSION
from tests.standin.cards import CARDS
from tests.standin.control import Standin, StandinRefused
from tests.standin.faults import Kind
from tests.standin.world import TEST_KEY
from tests.systems.relay import Relay, Seen, running_relay
from tests.systems.tills import JAN_15, RETURN_URL, StripeTill, insisted, paid

KEY = "PAU1:2026-01-15:1"
REFUND_KEY = "pay_1:refund:1"
PAGE_KEY = "ACC1:card:1"
DAY = timedelta(days=1)


@pytest.fixture
def till(standin: Standin) -> StripeTill:
    return StripeTill(standin)


def confirmed(till: StripeTill, card_name: str) -> Payment:
    """A payment on that card, after it was charged."""
    order = till.order(card_name)
    return till.gateway.confirm_payment(till.gateway.create_payment(KEY, order).payment_id)


def intent_of(till: StripeTill, payment: Payment) -> dict[str, Any]:
    """The truth about it."""
    [intent] = [it for it in till.standin.payment_intents() if it["id"] == payment.payment_id]
    return intent


def listed(till: StripeTill) -> list[Payment]:
    return list(till.gateway.payments_between(till.now() - DAY, till.now() + DAY))


def seeded(till: StripeTill, **fields: Any) -> Payment:
    """A payment that is on Stripe's record, as a list shows it."""
    till.standin.seed_payment_intents([{"amount": 500, "currency": "usd", **fields}])
    [payment] = listed(till)
    return payment


# --- how a payment is read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "state", "decline_code"),
    [
        ("requires_confirmation", PaymentState.CREATED, None),
        ("succeeded", PaymentState.SUCCEEDED, None),
        ("canceled", PaymentState.DECLINED, "canceled"),
        ("processing", PaymentState.PROCESSING, None),
        ("requires_capture", PaymentState.PROCESSING, None),
        ("requires_action", PaymentState.PROCESSING, None),
        ("requires_payment_method", PaymentState.PROCESSING, None),
        ("of_a_later_version", PaymentState.PROCESSING, None),
    ],
)
def test_without_evidence_there_is_no_verdict(
    till: StripeTill, status: str, state: PaymentState, decline_code: str | None
) -> None:
    payment = seeded(till, status=status)

    assert (state, decline_code) == (payment.state, payment.decline_code)


@pytest.mark.parametrize("card_name", [name for name, it in CARDS.items() if it.decline])
def test_each_decline_comes_with_the_reason_of_the_card_s_bank(
    till: StripeTill, card_name: str
) -> None:
    said = CARDS[card_name].decline

    payment = confirmed(till, card_name)

    assert said is not None
    assert (PaymentState.DECLINED, said.decline_code) == (payment.state, payment.decline_code)
    assert "retrieve_payment_intent" not in till.standin.requests(), "the answer says it all"
    assert payment == till.gateway.get_payment(payment.payment_id)
    assert [payment] == listed(till)


@pytest.mark.parametrize(
    ("told", "decline_code"),
    [
        ({"code": "card_declined", "decline_code": "stolen_card"}, "stolen_card"),
        ({"code": "expired_card"}, "expired_card"),
        ({"code": "expired_card", "decline_code": None}, "expired_card"),
        (
            {"code": "authentication_required", "decline_code": "authentication_not_handled"},
            "authentication_required",
        ),
        ({"type": "api_error"}, None),
    ],
)
def test_the_reason_is_the_bank_s_or_else_stripe_s(
    till: StripeTill, told: dict[str, str | None], decline_code: str | None
) -> None:
    payment = seeded(till, status="requires_payment_method", last_payment_error=told)

    assert (PaymentState.DECLINED, decline_code) == (payment.state, payment.decline_code)


def test_what_was_received_counts_once_something_was(till: StripeTill) -> None:
    payment = seeded(till, amount=500, amount_received=400, status="succeeded")

    assert 400 == payment.amount_minor


@pytest.mark.parametrize(
    "metadata",
    [None, {}, {"order": "4711"}, {"billing_on": "soon"}],
    ids=["none", "empty", "others", "malformed"],
)
def test_a_payment_that_somebody_else_has_made_names_nobody(
    till: StripeTill, metadata: dict[str, str] | None
) -> None:
    payment = seeded(till, metadata=metadata, customer=None)

    assert ("", None, None, None) == (
        payment.account_id,
        payment.key,
        payment.billing_on,
        payment.customer_id,
    )


def test_lists_are_fetched_page_by_page_as_they_are_read(till: StripeTill) -> None:
    till.standin.seed_payment_intents({"amount": 500, "currency": "usd"} for _ in range(250))

    payments = till.gateway.payments_between(till.now() - DAY, till.now() + DAY)
    next(payments)

    assert 1 == till.standin.requests()["list_payment_intents"]
    assert 249 == len({payment.payment_id for payment in payments})
    assert 3 == till.standin.requests()["list_payment_intents"]


def test_a_list_may_begin_and_end_between_the_whole_seconds_of_stripe_s_clock(
    till: StripeTill,
) -> None:
    # --[==*==)-- and --*[====)--
    made = till.gateway.create_payment(KEY, till.order()).created_at
    assert made is not None
    half = timedelta(seconds=0.5)

    assert [KEY] == [it.key for it in till.gateway.payments_between(made - half, made + half)]
    assert [] == list(till.gateway.payments_between(made + half, made + 2 * half))


# --- nobody is there to confirm a payment --------------------------------------------------------


def test_a_payment_for_which_the_bank_asks_is_called_off_and_can_never_be_paid(
    till: StripeTill,
) -> None:
    payment = confirmed(till, "requires_action")

    assert PaymentState.DECLINED is payment.state
    assert "authentication_required" == payment.decline_code
    assert "canceled" == intent_of(till, payment)["status"]
    with pytest.raises(StandinRefused):
        till.standin.settle_payment(payment.payment_id)
    assert payment == till.gateway.get_payment(payment.payment_id)
    assert payment == till.gateway.confirm_payment(payment.payment_id)
    assert [payment] == listed(till)


def test_it_is_called_off_by_whoever_looks_it_up_if_the_answer_was_lost(till: StripeTill) -> None:
    order = till.order("requires_action")
    payment = till.gateway.create_payment(KEY, order)
    till.lose_the_answer("confirm_payment")
    with pytest.raises(Transient):
        till.gateway.confirm_payment(payment.payment_id)
    assert [PaymentState.PROCESSING] == [it.state for it in listed(till)]
    assert "requires_action" == intent_of(till, payment)["status"]

    found = till.gateway.find_payment(KEY, order)

    assert found is not None
    assert "authentication_required" == found.decline_code
    assert "canceled" == intent_of(till, payment)["status"]


def test_no_verdict_is_given_before_it_is_called_off(till: StripeTill) -> None:
    payment = till.gateway.create_payment(KEY, till.order("requires_action"))
    till.standin.fault(Kind.RESET_BEFORE, "cancel_payment_intent")

    with pytest.raises(Transient):
        till.gateway.confirm_payment(payment.payment_id)

    assert "authentication_required" == till.gateway.get_payment(payment.payment_id).decline_code


def test_many_may_call_it_off_at_once(till: StripeTill) -> None:
    payment = till.gateway.create_payment(KEY, till.order("requires_action"))
    till.standin.client().v1.payment_intents.confirm(payment.payment_id, {"off_session": True})

    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda _: insisted(lambda: till.gateway.get_payment(payment.payment_id)), range(8)
        )

    assert {"authentication_required"} == {answer.decline_code for answer in answers}


@pytest.mark.parametrize("status", ["requires_action", "requires_payment_method"])
def test_a_payment_that_somebody_else_has_made_is_left_alone(till: StripeTill, status: str) -> None:
    somebody_s = seeded(till, status=status)

    assert PaymentState.PROCESSING is till.gateway.get_payment(somebody_s.payment_id).state
    assert status == intent_of(till, somebody_s)["status"]


def test_a_payment_of_ours_whose_card_was_taken_off_is_called_off(till: StripeTill) -> None:
    payment = till.gateway.create_payment(KEY, till.order())
    till.standin.edit(payment.payment_id, status="requires_payment_method", payment_method=None)

    looked_up = till.gateway.get_payment(payment.payment_id)

    assert (PaymentState.DECLINED, "canceled") == (looked_up.state, looked_up.decline_code)
    assert "canceled" == intent_of(till, payment)["status"]


# --- the card is gone ----------------------------------------------------------------------------


def test_a_card_that_was_removed_at_stripe_is_refused(till: StripeTill) -> None:
    order = till.order()
    till.standin.client().v1.payment_methods.detach(order.card_token)

    with pytest.raises(Rejected, match="ACC1") as refusal:
        till.gateway.create_payment(KEY, order)

    assert Code.PAYMENT_METHOD_REQUIRED is refusal.value.code
    assert [] == till.payment_ids()


def test_a_card_that_stripe_does_not_know_is_refused(till: StripeTill) -> None:
    order = till.order()
    till.standin.delete(order.card_token)

    with pytest.raises(Rejected) as refusal:
        till.gateway.create_payment(KEY, order)

    assert Code.PAYMENT_METHOD_REQUIRED is refusal.value.code


def test_a_card_of_somebody_else_is_refused(till: StripeTill) -> None:
    somebody_s = till.order(account_id="ACC2")
    order = replace(till.order(), card_token=somebody_s.card_token)

    with pytest.raises(Rejected):
        till.gateway.create_payment(KEY, order)


def test_a_stripe_account_that_never_had_the_customer_is_the_wrong_one(till: StripeTill) -> None:
    order = replace(till.order(), card_token="pm_elsewhere", customer_id="cus_elsewhere")

    with pytest.raises(InvariantViolated, match="check STRIPE_API_KEY"):
        till.gateway.create_payment(KEY, order)


def test_an_order_that_stripe_refuses_with_its_card_there_is_a_mistake_of_ours(
    till: StripeTill,
) -> None:
    order = till.order()
    till.standin.fault(Kind.FORGETS, "create_payment_intent")

    with pytest.raises(InvariantViolated, match=KEY):
        till.gateway.create_payment(KEY, order)


def test_a_payment_whose_card_is_removed_before_it_is_charged_is_called_off(
    till: StripeTill,
) -> None:
    order = till.order()
    payment = till.gateway.create_payment(KEY, order)
    till.standin.client().v1.payment_methods.detach(order.card_token)

    answer = till.gateway.confirm_payment(payment.payment_id)

    assert (PaymentState.DECLINED, "canceled") == (answer.state, answer.decline_code)
    assert answer == till.gateway.get_payment(payment.payment_id)


def test_an_order_without_the_customer_is_refused_and_finds_what_was_made(
    till: StripeTill,
) -> None:
    order = till.order()
    payment = till.gateway.create_payment(KEY, order)
    without = replace(order, customer_id=None)

    with pytest.raises(Rejected):
        till.gateway.create_payment("another", without)

    assert payment == till.gateway.find_payment(KEY, without)


# --- Stripe forgets a key after a day ------------------------------------------------------------


def test_of_two_payments_under_a_key_that_was_forgotten_everybody_finds_the_first(
    till: StripeTill,
) -> None:
    order = till.order()
    first = till.gateway.create_payment(KEY, order)
    till.advance(DAY)

    second = till.gateway.create_payment(KEY, order)

    assert first.payment_id != second.payment_id
    assert first == till.gateway.find_payment(KEY, order)


def test_of_two_refunds_under_a_key_that_was_forgotten_everybody_finds_the_first(
    till: StripeTill,
) -> None:
    payment_id = paid(till, KEY).payment_id
    first = till.gateway.refund_payment(REFUND_KEY, payment_id, 100)
    till.advance(DAY)

    second = till.gateway.refund_payment(REFUND_KEY, payment_id, 100)

    assert first.refund_id != second.refund_id
    assert first == till.gateway.find_refund(REFUND_KEY, payment_id)


def test_a_payment_is_found_behind_a_hundred_newer_ones(till: StripeTill) -> None:
    order = till.order()
    payment = till.gateway.create_payment(KEY, order)
    till.standin.seed_payment_intents(
        {"amount": 500, "currency": "usd", "customer": order.customer_id} for _ in range(120)
    )

    assert payment == till.gateway.find_payment(KEY, order)


@pytest.mark.parametrize("card_name", ["visa", "insufficient_funds", "requires_action"])
def test_a_payment_that_was_answered_is_never_charged_again(
    till: StripeTill, card_name: str
) -> None:
    answered = confirmed(till, card_name)
    till.advance(DAY)

    assert answered == till.gateway.confirm_payment(answered.payment_id)
    assert 1 == len(till.standin.objects("charge")) or card_name == "requires_action"


def test_a_repeated_answer_is_told_as_the_payment_stands_today(till: StripeTill) -> None:
    payment = confirmed(till, "processing")
    till.standin.settle_payment(payment.payment_id)

    assert PaymentState.SUCCEEDED is till.gateway.confirm_payment(payment.payment_id).state


def test_a_repeated_refund_is_told_as_it_stands_today(till: StripeTill) -> None:
    payment_id = paid(till, KEY).payment_id
    till.slow_refunds()
    refund = till.gateway.refund_payment(REFUND_KEY, payment_id, 500)
    till.standin.settle_refund(refund.refund_id, "failed")

    again = till.gateway.refund_payment(REFUND_KEY, payment_id, 500)

    assert (RefundState.PENDING, RefundState.FAILED) == (refund.state, again.state)


# --- refunds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", RefundState.PENDING),
        ("requires_action", RefundState.PENDING),
        ("of_a_later_version", RefundState.PENDING),
        (None, RefundState.PENDING),
        ("succeeded", RefundState.SUCCEEDED),
        ("failed", RefundState.FAILED),
        ("canceled", RefundState.FAILED),
    ],
)
def test_a_refund_that_is_not_known_to_be_over_is_pending(
    till: StripeTill, status: str | None, state: RefundState
) -> None:
    refund = till.gateway.refund_payment(REFUND_KEY, paid(till, KEY).payment_id, 500)
    till.standin.edit(refund.refund_id, status=status)

    assert state is till.gateway.get_refund(refund.refund_id).state


def test_a_refund_that_failed_leaves_room_for_another(till: StripeTill) -> None:
    payment_id = paid(till, KEY).payment_id
    failed = till.gateway.refund_payment(REFUND_KEY, payment_id, 500)
    till.standin.settle_refund(failed.refund_id, "failed")

    second = till.gateway.refund_payment("pay_1:refund:2", payment_id, 500)

    assert RefundState.SUCCEEDED is second.state


def test_a_refund_that_somebody_else_has_made_is_listed_without_a_key(till: StripeTill) -> None:
    payment_id = paid(till, KEY).payment_id
    [refund_id] = till.standin.seed_refunds([{"payment_intent": payment_id, "amount": 100}])

    [refund] = till.gateway.refunds_between(till.now() - DAY, till.now() + DAY)

    assert (refund_id, payment_id, None) == (refund.refund_id, refund.payment_id, refund.key)
    assert till.gateway.find_refund(REFUND_KEY, payment_id) is None


# --- card pages ----------------------------------------------------------------------------------


def test_a_customer_is_made_once_even_if_the_answer_was_lost(till: StripeTill) -> None:
    till.standin.fault(Kind.RESET_AFTER, "create_customer")
    with pytest.raises(Transient):
        till.gateway.open_page(PAGE_KEY, "ACC1", None, RETURN_URL)

    page = till.gateway.open_page(PAGE_KEY, "ACC1", None, RETURN_URL)

    [customer] = till.standin.objects("customer")
    assert (page.customer_id, {"account_id": "ACC1"}) == (customer["id"], customer["metadata"])


def test_a_customer_that_was_deleted_at_stripe_gets_one_successor(till: StripeTill) -> None:
    deleted = till.gateway.open_page(PAGE_KEY, "ACC1", None, RETURN_URL).customer_id
    assert deleted is not None
    till.standin.delete(deleted)

    pages = [till.gateway.open_page("again", "ACC1", deleted, RETURN_URL) for _ in range(2)]

    assert pages[0] == pages[1]
    assert [pages[0].customer_id] == [it["id"] for it in till.standin.objects("customer")]
    till.enter_card(pages[0].page_id, "visa")
    assert PageState.ENTERED is till.gateway.look_up_page(pages[0].page_id).state


def test_a_page_that_was_completed_without_a_card_is_no_answer(till: StripeTill) -> None:
    page = till.gateway.open_page(PAGE_KEY, "ACC1", None, RETURN_URL)
    till.standin.edit(page.page_id, status="complete")

    with pytest.raises(Transient, match=page.page_id):
        till.gateway.look_up_page(page.page_id)


# --- what is sent --------------------------------------------------------------------------------


@pytest.fixture
def relay(standin: Standin) -> Iterator[Relay]:
    with running_relay(standin.url) as relay:
        yield relay


@pytest.fixture
def month(till: StripeTill, relay: Relay) -> Payment:
    """A card is entered, a date is paid and given back: all of it goes through the relay."""
    gateway = till.gateway = StripeGateway(StripeAccess(TEST_KEY, relay.url))
    page = gateway.open_page(PAGE_KEY, "ACC1", None, RETURN_URL)
    till.enter_card(page.page_id, "visa")
    card = gateway.look_up_page(page.page_id).card
    assert card is not None
    order = replace(till.order(), card_token=card.token, customer_id=card.customer_id)
    payment = gateway.confirm_payment(gateway.create_payment(KEY, order).payment_id)
    gateway.refund_payment(REFUND_KEY, payment.payment_id, 200)
    gateway.find_payment(KEY, order)
    gateway.find_refund(REFUND_KEY, payment.payment_id)
    listed(till)
    return payment


def test_a_payment_is_ordered_with_what_it_needs_and_nothing_personal(
    month: Payment, relay: Relay
) -> None:
    [order] = relay.sent_to("/v1/payment_intents")

    assert order.parameters == {
        "amount": "500",
        "currency": "usd",
        "customer": month.customer_id,
        "payment_method": order.parameters["payment_method"],
        "allowed_payment_method_types[0]": "card",
        "description": f"{JAN_15} ACC1",
        "metadata[account_id]": "ACC1",
        "metadata[billing_on]": str(JAN_15),
        "metadata[key]": KEY,
    }


def test_a_page_takes_cards_only_and_leads_back(month: Payment, relay: Relay) -> None:
    [page] = relay.sent_to("/v1/checkout/sessions")

    assert page.parameters == {
        "mode": "setup",
        "allowed_payment_method_types[0]": "card",
        "customer": month.customer_id,
        "success_url": RETURN_URL,
        "cancel_url": RETURN_URL,
        "metadata[account_id]": "ACC1",
    }


def test_all_else_holds_ids_dates_and_amounts_too(month: Payment, relay: Relay) -> None:
    assert personal(relay.seen) == []
    assert {it.parameters.get("off_session") for it in relay.seen} == {"true", None}


def test_control_a_name_would_be_noticed(relay: Relay) -> None:
    stripe.StripeClient(TEST_KEY, base_addresses={"api": relay.url}).v1.customers.create(
        {"name": "Ada", "metadata": {"account_id": "ACC1", "note": "Ada"}}
    )

    assert personal(relay.seen) == ["name", "metadata[note]"]


SENT = {
    *("amount", "created[gte]", "created[lt]", "currency", "customer", "description", "limit"),
    *("metadata[account_id]", "metadata[billing_on]", "metadata[key]", "mode", "off_session"),
    *("payment_intent", "payment_method", "allowed_payment_method_types[0]"),
    *("success_url", "cancel_url", "expand[0]"),
}


def personal(seen: list[Seen]) -> list[str]:
    """The parameters that are none of those which hold ids, dates, amounts and fixed words."""
    return [name for it in seen for name in it.parameters if name not in SENT]


def test_whatever_moves_money_is_sent_under_a_key_that_is_on_record(
    month: Payment, relay: Relay
) -> None:
    posted = {it.path: it.headers["idempotency-key"] for it in relay.seen if it.method == "POST"}

    assert posted == {
        "/v1/customers": "ACC1:customer",
        "/v1/checkout/sessions": PAGE_KEY,
        "/v1/payment_intents": KEY,
        f"/v1/payment_intents/{month.payment_id}/confirm": f"confirm:{month.payment_id}",
        "/v1/refunds": REFUND_KEY,
    }


def test_stripe_is_told_the_version_and_nothing_about_this_machine(
    month: Payment, relay: Relay
) -> None:
    for it in relay.seen:
        assert API_VERSION == it.headers["stripe-version"]
        assert "x-stripe-client-telemetry" not in it.headers
        assert "platform" not in it.headers["x-stripe-client-user-agent"]


def test_the_version_is_the_one_that_the_package_describes() -> None:
    assert stripe.api_version == API_VERSION, (
        "the package has moved on: read its changelog for what we use, then move API_VERSION"
    )


def test_the_log_tells_nothing_of_requests_and_answers(
    till: StripeTill, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    confirmed(till, "lost_card")

    assert [] == [record for record in caplog.records if record.name.startswith("stripe")]


def test_the_key_shows_nowhere() -> None:
    access = StripeAccess("sk_live_secret")

    assert "secret" not in f"{access} {StripeGateway(access)!r} {vars(StripeGateway(access))}"


# --- controls ------------------------------------------------------------------------------------


class Hasty(StripeGateway):
    """Gives a verdict on a payment that can still be paid."""

    def _settled(self, intent: stripe.PaymentIntent) -> Payment:
        code = "authentication_required"
        return replace(self._read(intent), state=PaymentState.DECLINED, decline_code=code)


class Forgetful(StripeGateway):
    """Takes the answer that Stripe repeats for today's."""

    def _as_it_stands(self, intent: stripe.PaymentIntent) -> stripe.PaymentIntent:
        return intent


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (Hasty, test_a_payment_for_which_the_bank_asks_is_called_off_and_can_never_be_paid),
        (Forgetful, test_a_repeated_answer_is_told_as_the_payment_stands_today),
    ],
)
def test_control_an_adapter_that_takes_a_short_cut_is_noticed(
    till: StripeTill, broken: type[StripeGateway], promise: Callable[[StripeTill], None]
) -> None:
    till.gateway = broken(StripeAccess(TEST_KEY, till.standin.url))

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        promise(till)
