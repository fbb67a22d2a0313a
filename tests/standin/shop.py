"""A customer with a card on file, for the tests of the stand-in itself."""

from dataclasses import dataclass
from typing import Any

import stripe
from stripe.params import PaymentIntentConfirmParams, PaymentIntentCreateParams
from stripe.params.checkout import SessionCreateParams

from tests.standin.control import Standin

# The customer is not there.
AWAY: PaymentIntentConfirmParams = {"off_session": True}
SETUP: SessionCreateParams = {
    "mode": "setup",
    "currency": "usd",
    "success_url": "https://example.com/done",
}


@dataclass(frozen=True)
class Shop:
    """What most tests need, through the official client."""

    standin: Standin
    client: stripe.StripeClient
    customer_id: str
    card_id: str

    @property
    def order(self) -> PaymentIntentCreateParams:
        """Five dollars from the card on file."""
        return {
            "amount": 500,
            "currency": "usd",
            "customer": self.customer_id,
            "payment_method": self.card_id,
            "metadata": {"account": "ACC1"},
        }

    def create(self, key: str | None = None) -> stripe.PaymentIntent:
        """A payment that waits to be confirmed."""
        return self.client.v1.payment_intents.create(self.order, {"idempotency_key": key})

    def confirm(self, intent_id: str, key: str | None = None) -> stripe.PaymentIntent:
        """Charge it; the customer is not there."""
        return self.client.v1.payment_intents.confirm(intent_id, AWAY, {"idempotency_key": key})

    def pay(self) -> stripe.PaymentIntent:
        """Both."""
        return self.confirm(self.create().id)

    def only_payment(self) -> dict[str, Any]:
        """The truth about the only payment there is."""
        [payment] = self.standin.payment_intents()
        return payment


def shop(standin: Standin, card: str = "visa") -> Shop:
    """A new customer whose card is on file."""
    client = standin.client()
    customer = client.v1.customers.create({"name": "Brightside"})
    return Shop(standin, client, customer.id, standin.save_card(customer.id, card))


def error_of(failure: stripe.StripeError) -> dict[str, Any]:
    """The `error` of the answer's body."""
    body: Any = failure.json_body
    error: dict[str, Any] = body["error"]
    return error
