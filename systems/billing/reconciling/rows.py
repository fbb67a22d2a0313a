"""Differences as they are kept: found, found again, ended, acknowledged.

A difference is one row, however often it is found: its kind and its object make the key. All
functions that write expect the account's lock to be held, where the object is an account's.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.differences import Difference, DifferenceKind, Remedy, Side
from domain.errors import Code, Rejected, invalid
from systems import audit
from systems.billing.cards import refuse_card_numbers
from systems.db import lock_account
from systems.tables import AccountRow, DifferenceRow, DifferenceState

# As what a difference ends that a later look no longer finds.
ENDS = {
    Remedy.SETTLE: DifferenceState.SETTLED,
    Remedy.REFUND: DifferenceState.REFUNDED,
    Remedy.REPORT: DifferenceState.VANISHED,
}


@dataclass(frozen=True)
class DifferenceView:
    """One difference, as people and programs read it; `key` is what it is acknowledged by.

    `payment_id` and `our_key` lead to both records, `other_id` is the payment that had paid the
    date. `ended_by` is `system`, or the operator who has acknowledged it.
    """

    key: str
    kind: DifferenceKind
    account_id: str | None
    object_id: str
    state: DifferenceState
    remedy: Remedy
    here: Side | None
    there: Side | None
    our_key: str | None
    payment_id: str | None
    other_id: str | None
    is_refund: bool
    gateway: str
    found_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    ended_by: str | None


def note(
    session: Session,
    gateway: str,
    names: Collection[str],
    found: Sequence[Difference],
    now: datetime,
) -> None:
    """Keep what was found about the object of these `names`; what is found no more has ended."""
    for each in found:
        _note(session, gateway, each, now)
    keys = [key_of(each) for each in found]
    gone = select(DifferenceRow).where(
        DifferenceRow.object_id.in_(names),
        DifferenceRow.state == DifferenceState.OPEN,
        DifferenceRow.key.not_in(keys),
    )
    for row in session.scalars(gone):
        if row.detail["gateway"] == gateway:
            _end(row, ENDS[Remedy(row.detail["remedy"])], audit.SYSTEM, now)


def acknowledge(
    session: Session, key: str, actor: str, reason: str, at: datetime
) -> DifferenceView:
    """An operator has dealt with it; see `Reconciliation.acknowledge`."""
    row = session.get(DifferenceRow, key)
    if row is None:
        raise Rejected(Code.VALIDATION_FAILED, "There is no such difference on record.")
    if row.account_id is not None and session.get(AccountRow, row.account_id) is not None:
        lock_account(session, row.account_id)
        session.refresh(row)
    _check_words(row, actor=actor, reason=reason)
    if row.state is DifferenceState.ACKNOWLEDGED:
        return view_of(row)
    if row.state is not DifferenceState.OPEN:
        raise Rejected(
            Code.VALIDATION_FAILED,
            f"Difference {key} waits for nobody: it is {row.state} since {row.ended_at}.",
            state=row.state.value,
        )
    _end(row, DifferenceState.ACKNOWLEDGED, actor, at)
    audit.write(
        session,
        # What names no account of ours is kept under no account.
        account_id=row.account_id or "",
        at=at,
        what="difference_acknowledged",
        actor=actor,
        reason=reason.strip(),
        difference=key,
    )
    return view_of(row)


def views(session: Session, *, only_open: bool) -> list[DifferenceView]:
    """The differences, the oldest first."""
    query = select(DifferenceRow).order_by(DifferenceRow.found_at, DifferenceRow.key)
    if only_open:
        query = query.where(DifferenceRow.state == DifferenceState.OPEN)
    return [view_of(row) for row in session.scalars(query)]


def key_of(difference: Difference) -> str:
    """What a difference is acknowledged by: found again it is the same one."""
    return f"{difference.kind}:{difference.object_id}"


def view_of(row: DifferenceRow) -> DifferenceView:
    """The difference as others see it."""
    detail = row.detail
    return DifferenceView(
        key=row.key,
        kind=row.kind,
        account_id=row.account_id,
        object_id=row.object_id,
        state=row.state,
        remedy=Remedy(detail["remedy"]),
        here=_side(detail["here"]),
        there=_side(detail["there"]),
        our_key=detail["key"],
        payment_id=detail["payment_id"],
        other_id=detail["other_id"],
        is_refund=detail["is_refund"],
        gateway=detail["gateway"],
        found_at=row.found_at,
        seen_at=row.seen_at,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
    )


def _note(session: Session, gateway: str, difference: Difference, now: datetime) -> None:
    key, detail = key_of(difference), _detail(gateway, difference)
    row = session.get(DifferenceRow, key)
    if row is None:
        row = DifferenceRow(
            key=key,
            kind=difference.kind,
            account_id=difference.account_id,
            object_id=difference.object_id,
            state=DifferenceState.OPEN,
            found_at=now,
        )
        session.add(row)
    elif row.state is not DifferenceState.ACKNOWLEDGED or row.detail != detail:
        row.state, row.ended_at, row.ended_by = DifferenceState.OPEN, None, None
    row.account_id, row.detail, row.seen_at = difference.account_id, detail, now
    session.flush()


def _end(row: DifferenceRow, state: DifferenceState, by: str, at: datetime) -> None:
    row.state, row.ended_at, row.ended_by = state, at, by


def _check_words(row: DifferenceRow, **words: str) -> None:
    refuse_card_numbers(row.account_id or "of nobody", **words)
    for name, text in words.items():
        longest = audit.LONGEST[name]
        if not 0 < len(text.strip()) <= longest:
            raise invalid(
                name, f"Difference {row.key}: the {name} takes 1 to {longest} characters."
            )


def _detail(gateway: str, difference: Difference) -> dict[str, Any]:
    return {
        "gateway": gateway,
        "remedy": difference.remedy.value,
        "is_refund": difference.is_refund,
        "key": difference.key,
        "payment_id": difference.payment_id,
        "other_id": difference.other_id,
        "here": _plain(difference.here),
        "there": _plain(difference.there),
    }


def _plain(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    fields = asdict(side)
    billing_on = side.billing_on.isoformat() if side.billing_on else None
    return {**fields, "state": str(side.state), "billing_on": billing_on}


def _side(plain: dict[str, Any] | None) -> Side | None:
    if plain is None:
        return None
    billing_on = plain["billing_on"]
    return Side(**{**plain, "billing_on": date.fromisoformat(billing_on) if billing_on else None})
