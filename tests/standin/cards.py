"""The test cards, by name: what a person recognises them by, and what comes of charging them."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What confirming a payment on a card leads to."""

    SUCCEEDS = "succeeds"
    DECLINES = "declines"
    PROCESSES = "processes"
    ASKS = "asks"
    # Declined while the customer is away, asks while the customer is there.
    NEEDS_CUSTOMER = "needs_customer"


@dataclass(frozen=True)
class Decline:
    """What Stripe says about a declined card."""

    code: str
    decline_code: str
    message: str


@dataclass(frozen=True)
class StandinCard:
    """A test card."""

    brand: str
    last4: str
    outcome: Outcome = Outcome.SUCCEEDS
    decline: Decline | None = None
    expires_month: int = 12
    expires_year: int = 2034


DECLINED = "Your card was declined."
_NEEDS_CUSTOMER = "Your card was declined. This transaction requires authentication."

CARDS: dict[str, StandinCard] = {
    "visa": StandinCard("visa", "4242"),
    "mastercard": StandinCard("mastercard", "4444"),
    "declined": StandinCard(
        "visa", "0002", Outcome.DECLINES, Decline("card_declined", "generic_decline", DECLINED)
    ),
    "insufficient_funds": StandinCard(
        "visa",
        "9995",
        Outcome.DECLINES,
        Decline("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    ),
    "expired_card": StandinCard(
        "visa",
        "0069",
        Outcome.DECLINES,
        Decline("expired_card", "expired_card", "Your card has expired."),
        expires_month=1,
        expires_year=2024,
    ),
    "lost_card": StandinCard(
        "visa", "9987", Outcome.DECLINES, Decline("card_declined", "lost_card", DECLINED)
    ),
    "authentication_required": StandinCard(
        "visa",
        "3184",
        Outcome.NEEDS_CUSTOMER,
        Decline("authentication_required", "authentication_required", _NEEDS_CUSTOMER),
    ),
    "requires_action": StandinCard("visa", "3220", Outcome.ASKS),
    "processing": StandinCard("visa", "0127", Outcome.PROCESSES),
}

GENERIC_DECLINE = Decline("card_declined", "generic_decline", DECLINED)
