"""The embedded payment gateway: a payment provider in small, for local runs and tests."""

from systems.gateways.sandbox.cards import (
    CARDS,
    LOOK_UPS_PROCESSING,
    Manner,
    SandboxCard,
    card,
    card_of,
)
from systems.gateways.sandbox.gateway import NAME, SandboxGateway

__all__ = [
    "CARDS",
    "LOOK_UPS_PROCESSING",
    "NAME",
    "Manner",
    "SandboxCard",
    "SandboxGateway",
    "card",
    "card_of",
]
