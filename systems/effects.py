"""Effects that happen once: each is recorded with its key in the transaction that does it."""

from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import InvariantViolated
from domain.messages import Step
from systems.db import lock_account
from systems.tables import EffectRow

Result = TypeVar("Result")


# What may differ between two requests for the same effect, beside their time.
WHO_ASKED = frozenset({"requested_by", "is_planned"})


def once(
    session: Session,
    verb: str,
    step: Step,
    result_type: type[Result],
    effect: Callable[[], Result],
    *,
    undone_by: str | None = None,
    otherwise: Result | None = None,
    part: str = "",
) -> Result:
    """Do `effect` unless it was done before; return what it returned then.

    The key is ``{act_id}:{verb}``, with `part` appended where one act does the verb several times.
    Takes the account's lock first. If the inverse `undone_by` is on record for this act, the step
    came too late: nothing is done and `otherwise` is returned.

    Raises:
        InvariantViolated: the key is on record for another request. The step's `at` is not
            compared: a run that is started over asks for the same thing at a later time.
    """
    lock_account(session, step.account_id)
    key = ":".join(filter(None, (step.act_id, verb, part)))
    request = step.model_dump(mode="json", exclude={"at"})
    # Who asks second for an end that has begun is a repeat, whoever it is (R15).
    compared = {name: value for name, value in request.items() if name not in WHO_ASKED}
    adapter: TypeAdapter[Result] = _adapter(cast(Hashable, result_type))
    recorded = session.get(EffectRow, key)
    if recorded is not None:
        if compared != {n: v for n, v in recorded.request.items() if n not in WHO_ASKED}:
            raise InvariantViolated(f"{key} is on record for another request; look at the audit")
        return adapter.validate_python(recorded.result)
    if undone_by is not None and is_recorded(session, step.act_id, undone_by):
        return adapter.validate_python(otherwise)
    result = effect()
    session.add(
        EffectRow(
            key=key,
            act_id=step.act_id,
            at=step.at,
            request=request,
            result=adapter.dump_python(result, mode="json"),
        )
    )
    return result


def is_recorded(session: Session, act_id: str, verb: str) -> bool:
    """Whether the act's `verb` is on record."""
    key = f"{act_id}:{verb}"
    return session.scalar(select(EffectRow.key).where(EffectRow.key == key)) is not None


def recorded_keys(session: Session, act_id: str) -> set[str]:
    """The keys of all that is on record of the act."""
    return set(session.scalars(select(EffectRow.key).where(EffectRow.act_id == act_id)))


@cache
def _adapter(result_type: Any) -> TypeAdapter[Any]:
    # Building one takes longer than the effect itself.
    return TypeAdapter(result_type)
