"""The one place where the domain's errors become Temporal's.

Rejected           ApplicationError of the code's type, not retried; the figures as its details
InvariantViolated  ApplicationError "invariant_violated", not retried: an operator has to look
Transient          ApplicationError "unavailable", retried
Throttled          the same at a time of its own, or a crowd that was refused comes back as one
anything else      retried twenty times by its class name, then given to an operator; its message
                   is withheld, since it may hold what neither histories nor logs may (R17): the
                   worker's log says where it arose
"""

import random
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from domain.errors import (
    Code,
    InvariantViolated,
    Rejected,
    Throttled,
    Transient,
    unforeseen,
)
from domain.messages import Step
from domain.names import Activity, account_id_of

INVARIANT_VIOLATED = "invariant_violated"
ATTEMPTS_FOR_A_SURPRISE = 20

Params = ParamSpec("Params")
Result = TypeVar("Result")


def step(
    name: Activity, *, beats: bool = False
) -> Callable[[Callable[Params, Result]], Callable[Params, Result]]:
    """Register a method as the activity `name`, with its errors translated.

    A request that leaves the account to the run's id (see `Step`) reaches the method with it. One
    that `beats` learns at a beat that it is to stop; nothing is thrown into the middle of its work.
    """

    def register(method: Callable[Params, Result]) -> Callable[Params, Result]:
        @wraps(method)
        def run(*args: Params.args, **kwargs: Params.kwargs) -> Result:
            try:
                return method(*map(_whole, args), **kwargs)
            except Exception as error:
                raise failure_of(error) from None

        return activity.defn(name=name, no_thread_cancel_exception=beats)(run)

    return register


def _whole(argument: Any) -> Any:
    if not isinstance(argument, Step) or argument.account_id:
        return argument
    account_id = account_id_of(activity.info().workflow_id or "")
    return argument.model_copy(update={"account_id": account_id})


def _time_of_its_own() -> timedelta:
    """Anywhere within 5, 10, 20 ... 300 s, so that the asking spreads until the system keeps up."""
    attempt = activity.info().attempt if activity.in_activity() else 1
    within = min(5 * 2 ** min(attempt - 1, 10), 300)
    return timedelta(seconds=random.uniform(0, within))


def _has_had_its_chances() -> bool:
    # With the steps' back-off twenty attempts take a quarter of an hour: what still fails in an
    # unforeseen way then is a mistake of ours, and an operator should hear of it (R16).
    return activity.in_activity() and activity.info().attempt >= ATTEMPTS_FOR_A_SURPRISE


def failure_of(error: Exception) -> ApplicationError:
    """What Temporal is told of `error`."""
    match error:
        case Rejected():
            return ApplicationError(
                error.message, dict(error.figures), type=error.code, non_retryable=True
            )
        case InvariantViolated():
            return ApplicationError(str(error), type=INVARIANT_VIOLATED, non_retryable=True)
        case Throttled():
            return ApplicationError(
                str(error), type=Code.UNAVAILABLE, next_retry_delay=_time_of_its_own()
            )
        case Transient():
            return ApplicationError(str(error), type=Code.UNAVAILABLE)
        case ApplicationError():
            return error
        case _ if _has_had_its_chances():
            return ApplicationError(
                f"{type(error).__name__} again and again, see the worker's log",
                type=INVARIANT_VIOLATED,
                non_retryable=True,
            )
        case _:
            activity.logger.error("a step failed: %s", unforeseen(error))
            return ApplicationError("see the worker's log", type=type(error).__name__)
