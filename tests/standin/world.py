"""Everything that a request can see or change; a reset is a new one."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.standin.errors import Refused, missing
from tests.standin.faults import Faults
from tests.standin.idempotency import Keys
from tests.standin.store import Clock, Object, Store
from tests.standin.webhooks import Events

TEST_KEY = "sk_test_standin"
LIVE_KEY = "sk_live_standin"


@dataclass
class Settings:
    """What tests may choose."""

    # How many look-ups of a payment in `processing` say so before it has succeeded; None: never.
    processing_look_ups: int | None = 2
    # The status of new refunds.
    refund_status: str = "succeeded"


@dataclass
class World:
    """One Stripe account in both modes."""

    clock: Clock = field(default_factory=Clock)
    store: Store = field(default_factory=Store)
    faults: Faults = field(default_factory=Faults)
    settings: Settings = field(default_factory=Settings)
    api_keys: set[str] = field(default_factory=lambda: {TEST_KEY, LIVE_KEY})
    # By payment method: the name of its card.
    cards: dict[str, str] = field(default_factory=dict)
    # By payment in `processing`: how often it was looked at.
    look_ups: dict[str, int] = field(default_factory=dict)
    # What tests ask about afterwards.
    requests: Counter[str] = field(default_factory=Counter)
    card_numbers: list[str] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = Keys(self.clock)
        self.events = Events(self.clock, self.store)


@dataclass(frozen=True)
class Call:
    """A request that Stripe would carry out: who asks, about which object, with what."""

    livemode: bool
    id: str
    params: dict[str, Any]


# What Stripe calls them when they are missing: in words, and as the parameter in the path.
_WORDS = {
    "payment_method": ("PaymentMethod", "payment_method"),
    "payment_intent": ("payment_intent", "intent"),
    "checkout.session": ("checkout.session", "session"),
    "customer": ("customer", "id"),
    "refund": ("refund", "id"),
}


def in_path(world: World, call: Call, kind: str) -> Object:
    """The object that the path names.

    Raises:
        Refused: 404 `resource_missing`.
    """
    thing = world.store.find(kind, call.id, call.livemode)
    if thing is None:
        raise missing_in_path(kind, call.id, _hint(world, call, kind, call.id))
    return thing


def missing_in_path(kind: str, given_id: str, hint: str = "") -> Refused:
    """The path names what does not exist."""
    words, param = _WORDS[kind]
    return missing(words, given_id, param, 404, hint)


def named(world: World, call: Call, kind: str, given_id: str, param: str) -> Object:
    """The object that a parameter names.

    Raises:
        Refused: 400 `resource_missing`.
    """
    thing = world.store.find(kind, given_id, call.livemode)
    if thing is None:
        words, _ = _WORDS[kind]
        raise missing(words, given_id, param, hint=_hint(world, call, kind, given_id))
    return thing


def _hint(world: World, call: Call, kind: str, given_id: str) -> str:
    if world.store.find(kind, given_id, not call.livemode) is None:
        return ""
    here, there = ("live", "test") if call.livemode else ("test", "live")
    return (
        f"; a similar object exists in {there} mode, but a {here} mode key was used to make this "
        "request."
    )
