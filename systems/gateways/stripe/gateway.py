"""Payments, refunds and card pages at Stripe.

One payment is one PaymentIntent that is created without being confirmed, and confirmed once: the
customer is away. Our account, date and key stand in its metadata, so that it is found by them long
after Stripe has forgotten the idempotency key. A card is entered on a page of Stripe's (Checkout).
"""

from collections.abc import Iterator
from datetime import datetime
from math import ceil

import stripe
from stripe.params import (
    PaymentIntentCancelParams,
    PaymentIntentCreateParams,
    PaymentIntentListParams,
    PaymentIntentListParamsCreated,
)
from stripe.params.checkout import SessionCreateParams

from domain.errors import Code, InvariantViolated, Rejected
from domain.payments import CardPage, Order, PageAnswer, PageState, Payment, PaymentState, Refund
from domain.stripe_access import StripeAccess
from systems.gateways.stripe.client import TIMEOUT_SECONDS, make_client
from systems.gateways.stripe.failures import UNEXPECTED_STATE, asking, is_missing, key_refused
from systems.gateways.stripe.readings import (
    ABANDONED,
    ACCOUNT_ID,
    BILLING_ON,
    KEY,
    entered_card,
    id_of,
    instant,
    named,
    page_state,
    payment_of,
    payment_state,
    refund_of,
    text,
    waits_for_a_person,
    whole,
)

# As many as a page of a list has room for.
PER_PAGE = 100


class StripeGateway:
    """A `Gateway` whose record is Stripe's. Safe to share between threads."""

    def __init__(
        self, access: StripeAccess, timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS
    ) -> None:
        """Ask with the key of `access`, from the first call on.

        `timeout_seconds`: to connect, and for each part of an answer.
        """
        self._is_live = access.is_live
        self._stripe = make_client(access, timeout_seconds).v1

    @property
    def name(self) -> str:
        """See `PaymentGateway.name`."""
        return "stripe-live" if self._is_live else "stripe-test"

    def check(self) -> None:
        """See `Gateway.check`: the key is unknown, or it may not be used for payments."""
        try:
            # A key can be restricted, so ask for what is needed.
            self._stripe.payment_intents.list({"limit": 1})
        except (stripe.AuthenticationError, stripe.PermissionError) as error:
            raise key_refused(error) from None
        except stripe.StripeError:
            return

    # --- payments --------------------------------------------------------------------------------

    def create_payment(self, key: str, order: Order) -> Payment:
        """See `PaymentGateway.create_payment`."""
        with asking(f"a payment under the key {key}"):
            try:
                intent = self._stripe.payment_intents.create(
                    _ordered(key, order), {"idempotency_key": key}
                )
            except stripe.InvalidRequestError:
                self._check_card(order)
                raise
            return self._settled(self._as_it_stands(intent))

    def find_payment(self, key: str, order: Order) -> Payment | None:
        """See `PaymentGateway.find_payment`."""
        # Lists are up to date, Stripe's search lags behind. All of the customer's payments: clocks
        # differ, and one of each month is not many.
        params: PaymentIntentListParams = {"limit": PER_PAGE}
        if order.customer_id is not None:
            params["customer"] = order.customer_id
        with asking(f"the payment under the key {key}"):
            listed = self._stripe.payment_intents.list(params)
            found = [it for it in listed.auto_paging_iter() if named(it.metadata).get(KEY) == key]
            # The newest comes first. Of two, which there may be once Stripe has forgotten the key,
            # everybody has to take the same.
            return self._settled(found[-1]) if found else None

    def confirm_payment(self, payment_id: str) -> Payment:
        """See `PaymentGateway.confirm_payment`."""
        with asking(f"payment {payment_id}"):
            return self._settled(self._confirmed(payment_id))

    def get_payment(self, payment_id: str) -> Payment:
        """See `PaymentGateway.get_payment`."""
        with asking(f"payment {payment_id}"):
            return self._settled(self._stripe.payment_intents.retrieve(payment_id))

    def payments_between(self, since: datetime, until: datetime) -> Iterator[Payment]:
        """See `PaymentGateway.payments_between`. Fetched page by page as it is read."""
        with asking("the list of payments"):
            listed = self._stripe.payment_intents.list(
                {"created": _window(since, until), "limit": PER_PAGE}
            )
            for intent in listed.auto_paging_iter():
                yield self._read(intent)

    # --- refunds ---------------------------------------------------------------------------------

    def refund_payment(self, key: str, payment_id: str, amount_minor: int) -> Refund:
        """See `PaymentGateway.refund_payment`."""
        with asking(f"a refund of payment {payment_id} under the key {key}"):
            try:
                refund = self._stripe.refunds.create(
                    {
                        "payment_intent": payment_id,
                        "amount": amount_minor,
                        "metadata": {KEY: key},
                    },
                    {"idempotency_key": key},
                )
            except stripe.InvalidRequestError:
                self._check_is_left(payment_id, amount_minor)
                raise
            if _is_replayed(refund):
                refund = self._stripe.refunds.retrieve(refund.id)
            return refund_of(refund)

    def find_refund(self, key: str, payment_id: str) -> Refund | None:
        """See `PaymentGateway.find_refund`."""
        with asking(f"the refund of payment {payment_id} under the key {key}"):
            listed = self._stripe.refunds.list({"payment_intent": payment_id, "limit": PER_PAGE})
            refunds = [refund_of(refund) for refund in listed.auto_paging_iter()]
        return next((refund for refund in reversed(refunds) if refund.key == key), None)

    def get_refund(self, refund_id: str) -> Refund:
        """See `PaymentGateway.get_refund`."""
        with asking(f"refund {refund_id}"):
            return refund_of(self._stripe.refunds.retrieve(refund_id))

    def refunds_between(self, since: datetime, until: datetime) -> Iterator[Refund]:
        """See `PaymentGateway.refunds_between`. Fetched page by page as it is read."""
        with asking("the list of refunds"):
            listed = self._stripe.refunds.list(
                {"created": _window(since, until), "limit": PER_PAGE}
            )
            for refund in listed.auto_paging_iter():
                yield refund_of(refund)

    # --- card pages ------------------------------------------------------------------------------

    def open_page(
        self, key: str, account_id: str, customer_id: str | None, return_url: str
    ) -> CardPage:
        """See `CardPages.open_page`. A customer that was deleted at Stripe gets a successor."""
        with asking(f"a card page for account {account_id}"):
            customer_id = customer_id or self._new_customer(account_id)
            try:
                return self._opened(key, account_id, customer_id, return_url)
            except stripe.InvalidRequestError as error:
                if not is_missing(error) or error.param != "customer":
                    raise
            successor_id = self._new_customer(account_id, instead_of=customer_id)
            return self._opened(f"{key}:{successor_id}", account_id, successor_id, return_url)

    def look_up_page(self, page_id: str) -> PageAnswer:
        """See `CardPages.look_up_page`."""
        with asking(f"card page {page_id}"):
            session = self._stripe.checkout.sessions.retrieve(
                page_id, {"expand": ["setup_intent.payment_method"]}
            )
            self._check_mode(session.livemode, f"card page {page_id}")
            state = page_state(session)
            return PageAnswer(state, entered_card(session) if state is PageState.ENTERED else None)

    # --- payments, step by step ------------------------------------------------------------------

    def _confirmed(self, payment_id: str) -> stripe.PaymentIntent:
        intents = self._stripe.payment_intents
        try:
            # The key follows from what is on record before the first attempt, so that two workers
            # cannot charge at once. While Stripe remembers it, it repeats its first answer.
            intent = intents.confirm(
                payment_id, {"off_session": True}, {"idempotency_key": f"confirm:{payment_id}"}
            )
        except stripe.CardError as error:
            declined = error.error.payment_intent if error.error else None
            return declined or intents.retrieve(payment_id)
        except stripe.InvalidRequestError as error:
            if error.code == UNEXPECTED_STATE:
                return intents.retrieve(payment_id)
            return self._without_card(payment_id, error)
        return self._as_it_stands(intent)

    def _without_card(
        self, payment_id: str, refused: stripe.InvalidRequestError
    ) -> stripe.PaymentIntent:
        """A payment whose card was taken off the customer before it was charged is called off."""
        intent = self._stripe.payment_intents.retrieve(payment_id, {"expand": ["payment_method"]})
        method = intent.payment_method
        if not isinstance(method, stripe.PaymentMethod):
            raise refused
        if id_of(method.customer) == id_of(intent.customer):
            raise refused
        return self._canceled(payment_id, {})

    def _as_it_stands(self, intent: stripe.PaymentIntent) -> stripe.PaymentIntent:
        """An answer that Stripe repeats is as old as its first one."""
        if _is_replayed(intent):
            return self._stripe.payment_intents.retrieve(intent.id)
        return intent

    def _settled(self, intent: stripe.PaymentIntent) -> Payment:
        """The payment; one of ours that waits for a person is called off first.

        Nobody is there to confirm it, and what is left open might be paid later, beside the next
        attempt.
        """
        payment = self._read(intent)
        if payment.key is None or not waits_for_a_person(intent):
            return payment
        why: PaymentIntentCancelParams = (
            {"cancellation_reason": ABANDONED} if intent.status == "requires_action" else {}
        )
        return self._read(self._canceled(payment.payment_id, why))

    def _canceled(self, payment_id: str, why: PaymentIntentCancelParams) -> stripe.PaymentIntent:
        try:
            return self._stripe.payment_intents.cancel(payment_id, why)
        except stripe.InvalidRequestError as error:
            if error.code != UNEXPECTED_STATE:
                raise
            # It was paid, or called off, at the same moment.
            return self._stripe.payment_intents.retrieve(payment_id)

    def _read(self, intent: stripe.PaymentIntent) -> Payment:
        self._check_mode(intent.livemode, f"payment {intent.id}")
        return payment_of(intent)

    def _check_mode(self, is_live: bool, about: str) -> None:
        if is_live is not self._is_live:
            raise InvariantViolated(
                f"{about} belongs to Stripe's {'live' if is_live else 'test'} mode, and the key"
                " does not; check STRIPE_API_KEY"
            )

    # --- why Stripe refuses: by what is there, since its words and codes differ ------------------

    def _check_card(self, order: Order) -> None:
        """Let an order pass whose card is the customer's."""
        try:
            method = self._stripe.payment_methods.retrieve(order.card_token)
            if id_of(method.customer) == order.customer_id:
                return
        except stripe.InvalidRequestError as error:
            if not is_missing(error):
                raise
            self._check_customer(order)
        raise Rejected(
            Code.PAYMENT_METHOD_REQUIRED,
            f"Account {order.account_id}: Stripe no longer has the card on file; enter it again, or"
            " another one.",
        ) from None

    def _check_customer(self, order: Order) -> None:
        """Stripe remembers customers even when they were deleted, but those of its account only.

        With another account's key every card of every customer would seem to have been removed.
        """
        if order.customer_id is None:
            return
        try:
            self._stripe.customers.retrieve(order.customer_id)
        except stripe.InvalidRequestError as error:
            if not is_missing(error):
                raise
            raise InvariantViolated(
                f"account {order.account_id}: the Stripe account of our key has never had customer"
                f" {order.customer_id}; check STRIPE_API_KEY"
            ) from None

    def _check_is_left(self, payment_id: str, amount_minor: int) -> None:
        intent = self._stripe.payment_intents.retrieve(payment_id, {"expand": ["latest_charge"]})
        charge = intent.latest_charge
        left = 0
        if payment_state(intent) is PaymentState.SUCCEEDED and isinstance(charge, stripe.Charge):
            left = whole(intent.amount_received) - whole(charge.amount_refunded)
        if not 0 < amount_minor <= left:
            raise Rejected(
                Code.VALIDATION_FAILED,
                f"Of payment {payment_id} {left} cents are left to be given back,"
                f" not {amount_minor}.",
            ) from None

    # --- pages, step by step ---------------------------------------------------------------------

    def _new_customer(self, account_id: str, instead_of: str | None = None) -> str:
        """One customer per account, however often it is asked for within a day."""
        key = f"{account_id}:customer" + (f":{instead_of}" if instead_of else "")
        customer = self._stripe.customers.create(
            {"metadata": {ACCOUNT_ID: account_id}}, {"idempotency_key": key}
        )
        return text(customer.id)

    def _opened(self, key: str, account_id: str, customer_id: str, return_url: str) -> CardPage:
        params: SessionCreateParams = {
            "mode": "setup",
            "allowed_payment_method_types": ["card"],
            "customer": customer_id,
            "success_url": return_url,
            "cancel_url": return_url,
            "metadata": {ACCOUNT_ID: account_id},
        }
        session = self._stripe.checkout.sessions.create(params, {"idempotency_key": key})
        self._check_mode(session.livemode, f"card page {session.id}")
        expires_at = instant(session.expires_at)
        return CardPage(text(session.id), text(session.url), customer_id, expires_at)


def _ordered(key: str, order: Order) -> PaymentIntentCreateParams:
    """What Stripe is told: what it needs to charge, and what we find the payment again by (R17)."""
    metadata = {ACCOUNT_ID: order.account_id, KEY: key}
    if order.billing_on is not None:
        metadata[BILLING_ON] = order.billing_on.isoformat()
    params: PaymentIntentCreateParams = {
        "amount": order.amount_minor,
        "currency": order.currency.lower(),
        "payment_method": order.card_token,
        "allowed_payment_method_types": ["card"],
        "metadata": metadata,
        "description": " ".join(filter(None, [metadata.get(BILLING_ON), order.account_id])),
    }
    if order.customer_id is not None:
        params["customer"] = order.customer_id
    return params


def _window(since: datetime, until: datetime) -> PaymentIntentListParamsCreated:
    """Whole seconds: what was created in the second that `since` falls into came before it."""
    return {"gte": ceil(since.timestamp()), "lt": ceil(until.timestamp())}


def _is_replayed(answer: stripe.StripeObject) -> bool:
    response = answer.last_response
    return response is not None and response.headers.get("Idempotent-Replayed") == "true"
