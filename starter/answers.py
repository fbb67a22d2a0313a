"""What Temporal's client says, in the words of this product: a `Status` or an error of ours."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

from temporalio.client import (
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import Code, Rejected, Transient
from domain.messages import Status

# How long a caller waits for a run to answer. The server keeps the request; it may be repeated.
ANSWER_SECONDS = 60


class RunIsGone(Rejected):
    """There is no such run, or none any more; whether its pause is over the database knows."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(Code.RUN_IS_ENDING, "That run has just ended.")


def or_refusal(status: Status) -> Status:
    """`status`, unless it tells of a refusal.

    Raises:
        Rejected: with the refusal's code, sentence and figures.
    """
    if status.refusal is not None:
        refusal = status.refusal
        raise Rejected(Code(refusal.code), refusal.message, **refusal.figures)
    return status


async def answer(call: Awaitable[Status]) -> Status:
    """What `call` answers, within `ANSWER_SECONDS`.

    Raises:
        Rejected: the workflow refused. `run_is_ending`: it has ended, or is about to.
        Transient: Temporal or its workers did not answer.
    """
    with translated():
        async with asyncio.timeout(ANSWER_SECONDS):
            return await call


@contextmanager
def translated() -> Iterator[None]:
    """Turn what Temporal's client raises into errors of ours; see `answer`."""
    try:
        yield
    except WorkflowUpdateFailedError as error:
        raise _rejection_of(error.cause) from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise Transient(
            "no worker answered in time: is one running? The request stands; asking again is safe"
        ) from error
    except RPCError as error:
        if _lacks_namespace(error):
            raise Transient(
                "Temporal has no such namespace: is it that of TEMPORAL_NAMESPACE?"
                " `account-pause namespace` makes one"
            ) from error
        if error.status is RPCStatusCode.NOT_FOUND:
            raise RunIsGone from error
        if error.status in (RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED):
            raise Transient("no worker answered in time; ask again") from error
        raise Transient(f"Temporal did not answer: {error.status.name}") from error
    except RuntimeError as error:
        # What a client that connects with its first call says when nothing is there.
        if "Failed client connect" not in str(error):
            raise
        raise Transient("Temporal did not answer: no connection") from error
    except WorkflowQueryRejectedError as error:
        # It was asked of a run that is open.
        raise RunIsGone from error
    except WorkflowQueryFailedError as error:
        raise Transient("the run could not be asked where it stands") from error


def _lacks_namespace(error: RPCError) -> bool:
    """Without its namespace every run is not found; none of them is over."""
    return any(
        each.type_url.endswith("NamespaceNotFoundFailure") for each in error.grpc_status.details
    )


def _rejection_of(cause: BaseException | None) -> Exception:
    if isinstance(cause, ApplicationError) and cause.type in set(Code):
        details = cause.details[0] if cause.details else {}
        return Rejected(Code(cause.type), cause.message, **details)
    return Transient(f"the request was not accepted: {cause}")
