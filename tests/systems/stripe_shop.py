"""Billing that charges through the real Stripe client, against the stand-in."""

from datetime import date, datetime
from typing import Any

from domain.errors import InvariantViolated, Throttled
from domain.messages import FeeAnswer
from domain.payments import Payment, PaymentState
from domain.stripe_access import StripeAccess
from systems.billing import SqlBilling
from systems.db import Database
from systems.gateways.stripe import StripeGateway
from systems.tables import CardRow
from tests.standin.control import Standin
from tests.standin.world import TEST_KEY
from tests.systems.billing_shop import LONG_AGO, Pause, SqlShop, add_account, local, new_pause
from tests.systems.test_billing_crashes import CrashingDatabase, CrashingGateway, Fuse

# A stand-in on loopback answers in milliseconds; what takes longer never comes.
TIMEOUT_SECONDS = 0.5


def stripe_gateway(standin: Standin, key: str = TEST_KEY) -> StripeGateway:
    """The adapter, on the stand-in, with little patience."""
    access = StripeAccess(key, standin.url)
    return StripeGateway(access, timeout_seconds=(TIMEOUT_SECONDS, TIMEOUT_SECONDS))


class StandinRecord:
    """What the stand-in has on record, in the words of the port: the truth about money."""

    def __init__(self, standin: Standin) -> None:
        self._standin = standin

    def payments(self, account_id: str | None = None) -> list[Payment]:
        made = map(_payment, self._standin.payment_intents())
        return [payment for payment in made if account_id in (None, payment.account_id)]


class StripeShop(SqlShop):
    """The real billing on Stripe, with a fuse in its database and in front of its gateway."""

    def __init__(self, database: Database, standin: Standin) -> None:
        super().__init__(database)
        self.standin = standin
        self.stripe = stripe_gateway(standin)
        self.truth = StandinRecord(standin)
        self.fuse = Fuse()
        self.sql = SqlBilling(
            CrashingDatabase(database, self.fuse), CrashingGateway(self.stripe, self.fuse)
        )
        self.billing = self.sql

    def paused(self, card_name: str = "visa") -> Pause:
        """A new account in New York, anchor 15, paused on 10 January, with that card at Stripe."""
        pause = new_pause(self, add_account(self, card_name=None))
        self.use_stripe_card(pause.account_id, card_name)
        pause.suspend(local("2026-01-10 14:00"))
        return pause

    def use_stripe_card(self, account_id: str, card_name: str, at: datetime = LONG_AGO) -> None:
        """Somebody has entered that card on Stripe's page."""
        client = self.standin.client()
        customer = client.v1.customers.create(params={"metadata": {"account_id": account_id}})
        method = client.v1.payment_methods.retrieve(self.standin.save_card(customer.id, card_name))
        assert method.card is not None
        self.sql.replace_card(
            account_id,
            method.id,
            method.card.brand,
            method.card.last4,
            method.card.exp_month,
            method.card.exp_year,
            at,
            customer_id=customer.id,
        )

    def remove_at_stripe(self, account_id: str) -> None:
        """Somebody takes the card off the customer, in Stripe's dashboard."""
        with self.database.transaction() as session:
            token = session.get_one(CardRow, account_id).token
        self.standin.client().v1.payment_methods.detach(token)

    def succeeded(self, account_id: str) -> list[Payment]:
        """The payments that moved money, as the stand-in knows it."""
        return [
            payment
            for payment in self.truth.payments(account_id)
            if payment.state is PaymentState.SUCCEEDED
        ]

    def charged(self, account_id: str) -> list[tuple[str | None, int]]:
        """What the ledger says was charged: payment and amount."""
        return [
            (entry.payment_id, entry.amount_minor)
            for entry in self.sql.ledger(account_id)
            if entry.kind == "charge"
        ]


def collected(pause: Pause, billing_on: date, at: datetime, **fields: Any) -> FeeAnswer | None:
    """What collecting comes to; None where it stops for an operator, or comes again in a while."""
    try:
        return pause.collect(billing_on, at, **fields)
    except (InvariantViolated, Throttled):
        return None


def _payment(intent: dict[str, Any]) -> Payment:
    states = {
        "succeeded": PaymentState.SUCCEEDED,
        "requires_confirmation": PaymentState.CREATED,
        "processing": PaymentState.PROCESSING,
    }
    metadata = intent["metadata"]
    return Payment(
        payment_id=intent["id"],
        account_id=metadata.get("account_id", ""),
        amount_minor=intent["amount"],
        currency=intent["currency"].upper(),
        state=states.get(intent["status"], PaymentState.DECLINED),
        key=metadata.get("key"),
    )
