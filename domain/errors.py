"""What can go wrong, as one tree.

    PauseError
    ├── Rejected           a rule said no; never retried; a 4xx at the edge
    ├── Transient          a system is away or busy; try again; a 503 at the edge
    │   └── Throttled      it has done nothing, and takes no more for the moment
    └── InvariantViolated  our own mistake; stop and ask an operator; a 500 at the edge

Systems translate the errors of databases and vendors into this tree. `activities/failures.py` turns
it into Temporal's failures, the web turns it into HTTP; nothing else knows both sides.

Messages name the account and the step and say what to do. They reach workflow histories, so they
carry ids, counts, dates and amounts only (R17).
"""

from collections.abc import Mapping
from enum import StrEnum
from traceback import format_tb

Figure = str | int


class Code(StrEnum):
    """The stable codes under which a refusal is known to programs."""

    UNAUTHENTICATED = "unauthenticated"
    NOT_AN_ADMINISTRATOR = "not_an_administrator"
    ACCOUNT_PAUSED = "account_paused"
    ACCOUNT_CLOSED = "account_closed"
    ACCOUNT_NOT_FOUND = "account_not_found"
    PAUSE_NOT_FOUND = "pause_not_found"
    ACCOUNT_ALREADY_PAUSED = "account_already_paused"
    ACCOUNT_NOT_PAUSED = "account_not_paused"
    PAYMENT_METHOD_REQUIRED = "payment_method_required"
    TERMS_NOT_ACCEPTED = "terms_not_accepted"
    TOO_MANY_TRACKING_NUMBERS = "too_many_tracking_numbers"
    INVALID_RESUME_DATE = "invalid_resume_date"
    VALIDATION_FAILED = "validation_failed"
    IDEMPOTENCY_KEY_IN_USE = "idempotency_key_in_use"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    PRECONDITION_FAILED = "precondition_failed"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    PAUSING_FAILED = "pausing_failed"
    RUN_IS_ENDING = "run_is_ending"


class PauseError(Exception):
    """The root of the tree: everything the product raises on purpose."""


class Rejected(PauseError):
    """A rule said no. Nothing was changed; asking again unchanged gives the same answer."""

    def __init__(self, code: Code, message: str, **figures: Figure) -> None:
        """Keep the stable `code`, the sentence for people and the figures needed to act."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.figures: Mapping[str, Figure] = figures


class Transient(PauseError):
    """A system did not answer or was busy. What it did is unknown; the step is safe to repeat."""


class Throttled(Transient):
    """A system was asked too often and has done nothing. Whoever asks again leaves it some time."""


class InvariantViolated(PauseError):
    """Something that cannot be is. Nothing further is done until a person has looked."""


def invalid(field: str, message: str) -> Rejected:
    """The refusal of what was given for `field`."""
    return Rejected(Code.VALIDATION_FAILED, message, field=field)


def unforeseen(error: Exception) -> str:
    """What a log tells of an error that nobody foresaw: its kind and where it was.

    The message is withheld: it may hold what logs must not (R17).
    """
    where = "".join(format_tb(error.__traceback__))
    return f"{type(error).__name__}, somebody has to look, at\n{where}"
