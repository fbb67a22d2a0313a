"""Idempotency keys, as Stripe keeps them.

- The same key with the same request gives the answer that was given before, whatever it was.
- The same key with other parameters, or for another endpoint, is refused: 400.
- The same key while the first request is still under way is refused: 409.
- What never began is not kept: a request whose parameters are invalid, or that was refused before.
- A key is forgotten after a day.
"""

from dataclasses import dataclass

from tests.standin.errors import Refused
from tests.standin.forms import Parameters
from tests.standin.store import Clock
from tests.standin.wire import Answer

KEPT_SECONDS = 24 * 60 * 60
LONGEST_KEY = 255
IDEMPOTENCY_ERROR = "idempotency_error"


@dataclass
class Claim:
    """A request under a key; under way as long as it has no answer."""

    key: str
    path: str
    parameters: Parameters
    claimed_at: int
    request_id: str
    answer: Answer | None = None


class Keys:
    """The keys of one account, each mode with its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._claims: dict[tuple[bool, str], Claim] = {}

    def claim(self, livemode: bool, claim: Claim) -> Claim:
        """The claim itself if the key is new, else the earlier one, which has an answer.

        Raises:
            Refused: 400 if the key stands for another request, 409 while that is under way.
        """
        if len(claim.key) > LONGEST_KEY:
            raise Refused(f"Idempotency keys can have up to {LONGEST_KEY} characters.")
        earlier = self._claims.get((livemode, claim.key))
        if earlier is None or self._clock.now() - earlier.claimed_at >= KEPT_SECONDS:
            self._claims[livemode, claim.key] = claim
            return claim
        _check_same(earlier, claim)
        if earlier.answer is None:
            raise in_use()
        return earlier

    def drop(self, livemode: bool, claim: Claim) -> None:
        """Give the key free: the request never began."""
        self._claims.pop((livemode, claim.key), None)


def in_use() -> Refused:
    """Another request with this key is under way."""
    return Refused(
        "There is currently another in-progress request using this Idempotent Key (that probably "
        "means you submitted twice, and the other request is still going through). Try again later "
        "or use another key.",
        status=409,
        kind=IDEMPOTENCY_ERROR,
        code="idempotency_key_in_use",
    )


def _check_same(earlier: Claim, claim: Claim) -> None:
    if earlier.path != claim.path:
        limit = f"for the same endpoint they were first used for ('{claim.path}' vs"
        raise _misused(f"{limit} '{earlier.path}')", claim.key)
    if earlier.parameters != claim.parameters:
        raise _misused("with the same parameters they were first used with", claim.key)


def _misused(limit: str, key: str) -> Refused:
    return Refused(
        f"Keys for idempotent requests can only be used {limit}. Try using a key other than "
        f"'{key}' if you meant to execute a different request.",
        kind=IDEMPOTENCY_ERROR,
    )
