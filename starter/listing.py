"""The list of pauses: acts from the database, who needs attention from Temporal's own list."""

from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client
from temporalio.common import TypedSearchAttributes

from domain.names import ACCOUNT_CLOSE, ACCOUNT_PAUSE
from domain.ports import Act
from domain.states import ActKind, PauseState
from workflows.view import ACCOUNT_ID, NEEDS_OPERATOR, PAST_DUE

NEEDS_ATTENTION = (
    f"ExecutionStatus = 'Running' AND WorkflowType IN ('{ACCOUNT_PAUSE}', '{ACCOUNT_CLOSE}')"
    f" AND ({PAST_DUE.name} = true OR {NEEDS_OPERATOR.name} = true)"
)


@dataclass(frozen=True)
class Attention:
    """Why a running pause or close wants to be looked at."""

    past_due: bool
    needs_operator: bool


CALM = Attention(past_due=False, needs_operator=False)


@dataclass(frozen=True)
class ListedPause:
    """One line of the list. `past_due` and `needs_operator` are False once the act has ended."""

    pause_id: str
    account_id: str
    account_name: str
    kind: ActKind
    state: PauseState
    began_at: datetime
    paused_at: datetime | None
    resume_at: datetime | None
    ended_at: datetime | None
    retained_numbers: int
    past_due: bool
    needs_operator: bool


async def attention(temporal: Client) -> dict[str, Attention]:
    """The accounts whose running pause or close is past due or waits for an operator, by id.

    The list follows the runs within about a second.
    """
    return {
        account_id: _attention_of(run.typed_search_attributes)
        async for run in temporal.list_workflows(NEEDS_ATTENTION)
        if (account_id := run.typed_search_attributes.get(ACCOUNT_ID)) is not None
    }


def _attention_of(attributes: TypedSearchAttributes) -> Attention:
    return Attention(
        past_due=bool(attributes.get(PAST_DUE)),
        needs_operator=bool(attributes.get(NEEDS_OPERATOR)),
    )


def listed(act: Act, name: str, attention: Attention) -> ListedPause:
    """The line of `act`, an act on the account called `name`."""
    is_open = act.ended_at is None
    return ListedPause(
        pause_id=act.act_id,
        account_id=act.account_id,
        account_name=name,
        kind=act.kind,
        state=act.state,
        began_at=act.began_at,
        paused_at=act.paused_at,
        resume_at=act.timeline.resume_at if act.timeline else None,
        ended_at=act.ended_at,
        retained_numbers=act.retained_numbers,
        past_due=is_open and attention.past_due,
        needs_operator=is_open and attention.needs_operator,
    )
