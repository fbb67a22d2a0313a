"""What a decline means, in words: for the administrator who can do something, and for operators.

Codes are those of the gateway (a card network's reason where it gives one) and three of our own.
For a card that was reported lost or stolen the administrator reads no more than that it cannot be
used, as card networks ask: whoever reads it may not be its owner. Source: R13, Stripe's "decline
codes".
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Decline:
    """`administrator` completes "The card ... was declined: "; `operator` stands alone."""

    administrator: str
    operator: str


_GENERIC = "the bank gave no reason; ask it, or enter another card"
_UNUSABLE = "it cannot be used any more; enter another card"
_EXPIRED = "it has expired; enter the new one"
_DETAILS = "its details are not right; enter it again"

DECLINES: dict[str, Decline] = {
    "declined": Decline(_GENERIC, "no reason given"),
    "card_declined": Decline(_GENERIC, "bank gave no reason"),
    "generic_decline": Decline(_GENERIC, "bank gave no reason"),
    "do_not_honor": Decline(_GENERIC, "bank does not honour the card"),
    "no_card": Decline("no card is on file; enter one", "no card on file"),
    "card_removed": Decline(
        "the payment provider no longer has it; enter it again",
        "card was removed at the gateway",
    ),
    "authentication_required": Decline(
        "the bank wants you to confirm it in person, which a monthly fee cannot wait for; enter it"
        " again, or another one",
        "bank asks for authentication",
    ),
    "expired_card": Decline(_EXPIRED, "card has expired"),
    "insufficient_funds": Decline(
        "there is not enough money on it; top it up before the next attempt, or enter another card",
        "insufficient funds",
    ),
    "unknown_card": Decline(_DETAILS, "card is unknown at the gateway"),
    "lost_card": Decline(_UNUSABLE, "card reported lost"),
    "stolen_card": Decline(_UNUSABLE, "card reported stolen"),
    "pickup_card": Decline(_UNUSABLE, "card to be retained by whoever holds it"),
    "fraudulent": Decline(_GENERIC, "suspected of fraud"),
    "incorrect_cvc": Decline(_DETAILS, "wrong security code"),
    "incorrect_number": Decline(_DETAILS, "wrong number"),
    "card_velocity_exceeded": Decline(
        "its limit is used up; raise it, or enter another card", "limit of the card exceeded"
    ),
    "canceled": Decline("the attempt was called off", "payment was cancelled at the gateway"),
}


def explained(decline_code: str | None) -> Decline:
    """What the code means; one that is not in the list counts as a decline without a reason."""
    if decline_code is None:
        return DECLINES["declined"]
    return DECLINES.get(decline_code, Decline(_GENERIC, f"the gateway's code {decline_code}"))
