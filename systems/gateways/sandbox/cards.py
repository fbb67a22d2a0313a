"""The test cards: what a person recognises each by, and what comes of charging it."""

from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Code, Rejected
from domain.payments import EnteredCard, PaymentState

# How many look-ups of a payment or refund on the card `processing` say so before it has succeeded.
LOOK_UPS_PROCESSING = 2


class Manner(StrEnum):
    """How the gateway answers: at once; with the answer lost; later; or not at all."""

    AT_ONCE = "at_once"
    LOST = "lost"
    LATER = "later"
    AWAY = "away"


@dataclass(frozen=True)
class SandboxCard:
    """A test card: what a person recognises it by, and what comes of charging it."""

    token: str
    brand: str
    last4: str
    decline_code: str | None = None
    manner: Manner = Manner.AT_ONCE
    expires_month: int = 12
    expires_year: int = 2034

    @property
    def confirmed(self) -> PaymentState:
        """Where a payment stands once it has been confirmed."""
        if self.manner is Manner.LATER:
            return PaymentState.PROCESSING
        return PaymentState.DECLINED if self.decline_code else PaymentState.SUCCEEDED

    def entered(self, customer_id: str | None = None) -> EnteredCard:
        """The card as it is handed over after somebody has entered it."""
        return EnteredCard(
            self.token,
            self.brand,
            self.last4,
            self.expires_month,
            self.expires_year,
            customer_id,
        )


CARDS: dict[str, SandboxCard] = {
    "visa": SandboxCard("card_visa", "visa", "4242"),
    "mastercard": SandboxCard("card_mastercard", "mastercard", "4444"),
    "declined": SandboxCard("card_declined", "visa", "0002", "card_declined"),
    "insufficient_funds": SandboxCard(
        "card_insufficient_funds", "visa", "9995", "insufficient_funds"
    ),
    "expired_card": SandboxCard(
        "card_expired", "visa", "0069", "expired_card", expires_month=1, expires_year=2024
    ),
    "lost_card": SandboxCard("card_lost", "visa", "9987", "lost_card"),
    "authentication_required": SandboxCard(
        "card_authentication_required", "visa", "3184", "authentication_required"
    ),
    "times_out": SandboxCard("card_times_out", "visa", "0101", manner=Manner.LOST),
    "times_out_declined": SandboxCard(
        "card_times_out_declined", "visa", "0119", "card_declined", Manner.LOST
    ),
    "processing": SandboxCard("card_processing", "visa", "0127", manner=Manner.LATER),
    "away": SandboxCard("card_away", "visa", "0135", manner=Manner.AWAY),
}
_UNKNOWN_CARD = SandboxCard("card_unknown", "unknown", "0000", "unknown_card")
_BY_TOKEN = {card.token: card for card in CARDS.values()}


def card(name: str) -> SandboxCard:
    """The test card of that name, as it would be entered on the gateway's page.

    Raises:
        Rejected: `validation_failed`, naming the choices. The name itself is not repeated: somebody
            may have typed a card number.
    """
    if name not in CARDS:
        raise Rejected(
            Code.VALIDATION_FAILED, f"There is no such test card; choose from {', '.join(CARDS)}."
        )
    return CARDS[name]


def card_of(token: str) -> SandboxCard:
    """The test card behind a token; a token of no card is declined when it is charged."""
    return _BY_TOKEN.get(token, _UNKNOWN_CARD)
