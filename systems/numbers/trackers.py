"""Trackers as the product's own pages and commands use them: listed, made, disabled."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.errors import Rejected, invalid
from domain.ids import Prefix, make_id
from domain.states import NumberState, TrackerType
from systems import audit
from systems.db import Database, lock_account
from systems.numbers.written import as_e164, is_e164, read, region_of
from systems.tables import CallFlowRow, CompanyRow, NumberRow, TrackerRow

# A number's id is derived from its tracker and the number; fixed for ever.
NAMESPACE = UUID("0b7a3a86-97d5-4c43-a9e3-4a86d1a1c5f3")


class TrackerStatus(StrEnum):
    """Whether a tracker still tracks. Disabling is for good."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True)
class NewTracker:
    """What somebody asks for. Numbers are E.164; `source` takes exactly one, `session` a pool.

    `swap_targets` are numbers as people write them; without a country code they are of the country
    of the tracking numbers.
    """

    tracker_id: str
    account_id: str
    company_id: str
    name: str
    type: TrackerType
    source: str
    destination_number: str
    call_flow_id: str
    tracking_numbers: tuple[str, ...]
    swap_targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrackerView:
    """A tracker as a list shows it; a disabled one with the numbers it had."""

    tracker_id: str
    company_id: str
    company: str
    name: str
    type: TrackerType
    status: TrackerStatus
    source: str
    destination_number: str
    call_flow_id: str
    call_flow: str
    tracking_numbers: tuple[str, ...]
    swap_targets: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None


class Trackers:
    """The trackers of an account. Whether access allows a change is the caller's question (R6)."""

    _db: Database

    def trackers(self, account_id: str) -> list[TrackerView]:
        """The account's trackers, the disabled ones too: by company, the oldest first."""
        with self._db.transaction() as session:
            return _views(session, TrackerRow.account_id == account_id)

    def create_tracker(
        self, new: NewTracker, at: datetime, actor: str = audit.OPERATOR
    ) -> TrackerView:
        """Make a tracker with active numbers. Safe to repeat under its `tracker_id`.

        Raises:
            Rejected: `account_not_found`; `validation_failed`, with the `field`: a number that is
                not E.164 or is in use, a company or call flow of somebody else, not one number for
                a source, none for a session, a destination that is a tracking number of the
                account, a swap target that is no phone number or one of the tracker's own.
        """
        with self._db.transaction() as session:
            lock_account(session, new.account_id)
            if session.get(TrackerRow, new.tracker_id) is None:
                _check(session, new)
                _insert(session, new, at)
                _audit(session, new.account_id, "tracker_created", new.tracker_id, at, actor)
            return _views(session, TrackerRow.id == new.tracker_id)[0]

    def disable_tracker(
        self, tracker_id: str, account_id: str, at: datetime, actor: str = audit.OPERATOR
    ) -> TrackerView:
        """Disable the tracker for good: its numbers go, its history stays. Safe to repeat.

        Raises:
            Rejected: `account_not_found`; `validation_failed` for a tracker of another account.
        """
        with self._db.transaction() as session:
            lock_account(session, account_id)
            row = session.get(TrackerRow, tracker_id)
            if row is None or row.account_id != account_id:
                raise invalid("tracker_id", f"Account {account_id} has no such tracker.")
            if row.disabled_at is None:
                row.disabled_at = at
                _release_numbers(session, tracker_id, at)
                _audit(session, account_id, "tracker_disabled", tracker_id, at, actor)
            return _views(session, TrackerRow.id == tracker_id)[0]


def _check(session: Session, new: NewTracker) -> None:
    # The messages name the field and not the number: they may end up in a log (R17).
    if not is_e164(new.destination_number):
        raise invalid("destination_number", "The destination number is not E.164.")
    if not all(map(is_e164, new.tracking_numbers)):
        raise invalid("tracking_numbers", "A tracking number is not E.164.")
    _check_count(new)
    company = session.get(CompanyRow, new.company_id)
    if company is None or company.account_id != new.account_id:
        raise invalid("company_id", f"Account {new.account_id} has no such company.")
    call_flow = session.get(CallFlowRow, new.call_flow_id)
    if call_flow is None or call_flow.account_id != new.account_id:
        raise invalid("call_flow_id", f"Account {new.account_id} has no such call flow.")
    if _held(session, new.tracking_numbers):
        raise _in_use()
    _check_destination(session, new)
    _check_targets(new)


def _check_count(new: NewTracker) -> None:
    count = len(set(new.tracking_numbers))
    if count != len(new.tracking_numbers):
        raise invalid("tracking_numbers", "A tracking number is named twice.")
    if new.type is TrackerType.SOURCE and count != 1:
        raise invalid("tracking_numbers", "A source tracker takes exactly one number.")
    if count == 0:
        raise invalid("tracking_numbers", "A session tracker takes at least one number.")


def _check_destination(session: Session, new: NewTracker) -> None:
    """No call goes round in a circle, from one tracking number to the next, at our cost."""
    if new.destination_number in new.tracking_numbers:
        raise invalid(
            "destination_number", "The destination number is one of the tracker's own numbers."
        )
    # A circle needs a last tracker, whose destination is held already: so this finds every one.
    if _held(session, [new.destination_number], NumberRow.account_id == new.account_id):
        raise invalid(
            "destination_number", "The destination number is a tracking number of the account."
        )


def _check_targets(new: NewTracker) -> None:
    home = read(new.tracking_numbers[0], None)
    targets = [read(text, region_of(home) if home else None) for text in new.swap_targets]
    if None in targets:
        raise invalid("swap_targets", "A swap target is no complete phone number.")
    if {as_e164(each) for each in targets if each} & set(new.tracking_numbers):
        raise invalid("swap_targets", "A swap target is one of the tracker's own numbers.")


def _held(session: Session, numbers: Iterable[str], *where: Any) -> bool:
    query = select(NumberRow.id).where(
        NumberRow.number.in_(numbers), NumberRow.state != NumberState.RELEASED, *where
    )
    return session.scalar(query.limit(1)) is not None


def _insert(session: Session, new: NewTracker, at: datetime) -> None:
    session.add(
        TrackerRow(
            id=new.tracker_id,
            account_id=new.account_id,
            company_id=new.company_id,
            name=new.name,
            type=new.type,
            source=new.source,
            destination_number=new.destination_number,
            call_flow_id=new.call_flow_id,
            swap_targets=list(new.swap_targets),
            created_at=at,
        )
    )
    session.flush()
    for number in new.tracking_numbers:
        session.add(
            NumberRow(
                id=make_id(Prefix.NUMBER, uuid5(NAMESPACE, f"{new.tracker_id}:{number}")),
                account_id=new.account_id,
                tracker_id=new.tracker_id,
                number=number,
            )
        )
    try:
        session.flush()
    except IntegrityError as error:
        # Another account, whose lock is another one, has taken the number since it was looked at.
        raise _in_use() from error


def _release_numbers(session: Session, tracker_id: str, at: datetime) -> None:
    rows = session.scalars(
        select(NumberRow).where(
            NumberRow.tracker_id == tracker_id, NumberRow.state != NumberState.RELEASED
        )
    )
    for row in rows:
        row.state = NumberState.RELEASED
        row.released_at = at


def _views(session: Session, *where: Any) -> list[TrackerView]:
    rows = session.execute(
        select(TrackerRow, CompanyRow.name, CallFlowRow.name)
        .join(CompanyRow, CompanyRow.id == TrackerRow.company_id)
        .join(CallFlowRow, CallFlowRow.id == TrackerRow.call_flow_id)
        .where(*where)
        .order_by(CompanyRow.name, TrackerRow.created_at, TrackerRow.name, TrackerRow.id)
    ).all()
    numbers = _numbers_of(session, [row.id for row, _, _ in rows])
    return [_view(row, company, call_flow, numbers) for row, company, call_flow in rows]


def _numbers_of(session: Session, tracker_ids: Iterable[str]) -> Mapping[str, list[str]]:
    numbers = defaultdict(list)
    rows = session.scalars(
        select(NumberRow).where(NumberRow.tracker_id.in_(tracker_ids)).order_by(NumberRow.number)
    )
    for row in rows:
        numbers[row.tracker_id].append(row.number)
    return numbers


def _view(
    row: TrackerRow, company: str, call_flow: str, numbers: Mapping[str, list[str]]
) -> TrackerView:
    is_active = row.disabled_at is None
    return TrackerView(
        tracker_id=row.id,
        company_id=row.company_id,
        company=company,
        name=row.name,
        type=row.type,
        status=TrackerStatus.ACTIVE if is_active else TrackerStatus.DISABLED,
        source=row.source,
        destination_number=row.destination_number,
        call_flow_id=row.call_flow_id,
        call_flow=call_flow,
        tracking_numbers=tuple(numbers.get(row.id, ())),
        swap_targets=tuple(row.swap_targets),
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def _audit(
    session: Session, account_id: str, what: str, tracker_id: str, at: datetime, actor: str
) -> None:
    audit.write(
        session, account_id=account_id, at=at, what=what, actor=actor, tracker_id=tracker_id
    )


def _in_use() -> Rejected:
    return invalid("tracking_numbers", "A tracking number belongs to another tracker.")
