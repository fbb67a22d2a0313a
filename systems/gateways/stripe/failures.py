"""What goes wrong at Stripe, as errors of `domain/errors.py`.

    no answer, a broken one, 409, 5xx          Transient           nobody knows what was done
    429                                        Throttled           nothing was done, Stripe was
                                                                   asked too often
    401, 403                                   Transient           nothing was done, until the
                                                                   operator has mended the key
    a key that stands for something else       InvariantViolated   our own mistake
    404, and every other 4xx                   InvariantViolated   our record is not Stripe's

Messages name what was asked for, with Stripe's codes and the id of its request. Never its own
words: they may repeat what was sent, and what a person entered on its page (R17).
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import stripe

from domain.errors import InvariantViolated, PauseError, Throttled, Transient
from domain.payments import KeyRefused

logger = logging.getLogger(__name__)

RESOURCE_MISSING = "resource_missing"
UNEXPECTED_STATE = "payment_intent_unexpected_state"

_WORD = re.compile(r"[A-Za-z0-9_.\[\]-]{1,80}")


@contextmanager
def asking(about: str) -> Iterator[None]:
    """Turn what Stripe's client raises into our errors; `about` is what Stripe is asked for.

    What is read from an answer belongs inside: an answer of another shape is none.
    """
    failure: PauseError
    try:
        yield
        return
    except stripe.StripeError as error:
        failure = _failure(error, about)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        failure = Transient(f"Stripe's answer about {about} has no known shape ({_type(error)})")
    # Without the original, whose words would be printed with it.
    raise failure from None


def is_missing(error: stripe.InvalidRequestError) -> bool:
    """Whether Stripe does not know what the request names."""
    return error.code == RESOURCE_MISSING


def key_refused(error: stripe.StripeError) -> KeyRefused:
    """The error that ends a start."""
    return KeyRefused(f"Stripe refuses the key in STRIPE_API_KEY ({_told(error)}); check it.")


def _failure(error: stripe.StripeError, about: str) -> PauseError:
    told = _told(error)
    match error:
        case stripe.AuthenticationError() | stripe.PermissionError():
            logger.error("Stripe refuses our key (%s); check STRIPE_API_KEY", told)
            return Transient(
                f"Stripe refused our key when asked about {about} ({told}); check STRIPE_API_KEY"
            )
        case stripe.RateLimitError():
            return Throttled(f"Stripe takes no more requests for now, asked about {about} ({told})")
        case stripe.IdempotencyError():
            return InvariantViolated(
                f"Stripe has seen the key of {about} with another request ({told})"
            )
        case stripe.InvalidRequestError(http_status=404):
            return InvariantViolated(f"Stripe knows nothing of {about} ({told})")
        case stripe.InvalidRequestError() | stripe.CardError():
            return InvariantViolated(f"Stripe refused {about} ({told})")
        case _:
            return Transient(f"Stripe gave no clear answer about {about} ({told})")


def _told(error: stripe.StripeError) -> str:
    """Codes and ids only."""
    told = {
        "status": error.http_status,
        "code": error.code,
        "param": getattr(error, "param", None),
        "request": error.request_id,
    }
    words = [f"{name} {value}" for name, value in told.items() if _is_word(value)]
    return ", ".join([_type(error), *words])


def _is_word(value: object) -> bool:
    return value is not None and _WORD.fullmatch(str(value)) is not None


def _type(error: Exception) -> str:
    return type(error).__name__
