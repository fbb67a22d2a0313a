"""Stripe's objects as the port shows them.

Anything but a plain int, text or list of what is expected raises `TypeError`: it is no answer.
"""

from datetime import UTC, date, datetime
from typing import Protocol

import stripe

from domain.payments import (
    EnteredCard,
    PageState,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)

# Under these names our own facts are kept with Stripe's objects.
ACCOUNT_ID = "account_id"
BILLING_ON = "billing_on"
KEY = "key"

# Why a payment was declined for which the bank wanted the customer to be there. We call such a
# payment off, and Stripe keeps why: it was abandoned.
AUTHENTICATION_REQUIRED = "authentication_required"
ABANDONED = "abandoned"
CANCELED = "canceled"

# Whatever is not in here is under way, as far as anybody knows: no verdict without evidence.
_PAYMENT_STATES = {
    "requires_confirmation": PaymentState.CREATED,
    "succeeded": PaymentState.SUCCEEDED,
    "canceled": PaymentState.DECLINED,
}
_REFUND_STATES = {
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}
_PAGE_STATES = {"complete": PageState.ENTERED, "expired": PageState.EXPIRED}


class _Named(Protocol):
    @property
    def id(self) -> str: ...


def payment_of(intent: stripe.PaymentIntent) -> Payment:
    """The payment: `amount_minor` is what was received, or while that is nothing, what is asked."""
    state, metadata = payment_state(intent), named(intent.metadata)
    has_paid = state is PaymentState.SUCCEEDED
    return Payment(
        payment_id=text(intent.id),
        account_id=metadata.get(ACCOUNT_ID, ""),
        amount_minor=whole(intent.amount_received if has_paid else intent.amount),
        currency=text(intent.currency).upper(),
        state=state,
        decline_code=_decline_code(intent) if state is PaymentState.DECLINED else None,
        key=metadata.get(KEY),
        billing_on=_day(metadata.get(BILLING_ON)),
        customer_id=id_of(intent.customer),
        created_at=instant(intent.created),
    )


def payment_state(intent: stripe.PaymentIntent) -> PaymentState:
    """Where the payment stands. Without a payment method it was declined only if Stripe says why.

    Otherwise somebody has taken the method off, or has changed the payment after its decline, which
    makes Stripe forget the reason.
    """
    if intent.status == "requires_payment_method" and intent.last_payment_error is not None:
        return PaymentState.DECLINED
    return _PAYMENT_STATES.get(text(intent.status), PaymentState.PROCESSING)


def waits_for_a_person(intent: stripe.PaymentIntent) -> bool:
    """Whether it goes no further unless somebody does something with it, and could go further."""
    if intent.status == "requires_payment_method":
        return intent.last_payment_error is None
    return intent.status == "requires_action"


def refund_of(refund: stripe.Refund) -> Refund:
    """The refund. One of a charge without a payment has the charge's id in its place."""
    return Refund(
        refund_id=text(refund.id),
        payment_id=id_of(refund.payment_intent) or id_of(refund.charge) or "",
        amount_minor=whole(refund.amount),
        currency=text(refund.currency).upper(),
        state=_REFUND_STATES.get(refund.status or "", RefundState.PENDING),
        key=named(refund.metadata).get(KEY),
        created_at=instant(refund.created),
    )


def page_state(session: stripe.checkout.Session) -> PageState:
    """What became of the page."""
    return _PAGE_STATES.get(session.status or "", PageState.OPEN)


def entered_card(session: stripe.checkout.Session) -> EnteredCard:
    """The card that was entered; the session comes with its setup intent and payment method."""
    setup = session.setup_intent
    method = setup.payment_method if isinstance(setup, stripe.SetupIntent) else None
    card = method.card if isinstance(method, stripe.PaymentMethod) else None
    if not isinstance(method, stripe.PaymentMethod) or card is None:
        raise TypeError("a page was completed without a card")
    return EnteredCard(
        token=text(method.id),
        brand=text(card.brand),
        last4=text(card.last4),
        expires_month=whole(card.exp_month),
        expires_year=whole(card.exp_year),
        customer_id=id_of(method.customer),
    )


def named(metadata: stripe.StripeObject | None) -> dict[str, str]:
    """What is kept with an object, by us or by somebody else."""
    kept = metadata.to_dict() if metadata is not None else {}
    return {name: value for name, value in kept.items() if isinstance(value, str)}


def id_of(thing: str | _Named | None) -> str | None:
    """The id of what an object refers to, by name or in full."""
    if thing is None or isinstance(thing, str):
        return thing
    return text(thing.id)


def instant(seconds: object) -> datetime:
    """Stripe's clock counts whole seconds."""
    return datetime.fromtimestamp(whole(seconds), UTC)


def whole(value: object) -> int:
    """The value, which must be an int."""
    if not isinstance(value, int):
        raise TypeError("an int was expected")
    return value


def text(value: object) -> str:
    """The value, which must be text."""
    if not isinstance(value, str):
        raise TypeError("text was expected")
    return value


def _decline_code(intent: stripe.PaymentIntent) -> str | None:
    if intent.status == "canceled":
        was_abandoned = intent.cancellation_reason == ABANDONED
        return AUTHENTICATION_REQUIRED if was_abandoned else CANCELED
    # Stripe leaves out what it has nothing to say about.
    code = getattr(intent.last_payment_error, "code", None)
    reason = getattr(intent.last_payment_error, "decline_code", None)
    return code if code == AUTHENTICATION_REQUIRED else reason or code


def _day(written: str | None) -> date | None:
    try:
        return date.fromisoformat(written) if written else None
    except ValueError:
        # Somebody else's.
        return None
