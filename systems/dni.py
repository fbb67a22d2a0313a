"""Dynamic number insertion: each company's script, behind the port `Dni`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from domain.messages import Count, Step
from domain.names import Activity
from domain.ports import Snapshot
from domain.states import AccountStatus, NumberState
from systems import audit
from systems.db import Database, lock_account
from systems.effects import is_recorded, once
from systems.tables import AccountRow, CompanyRow, NumberRow, TrackerRow


@dataclass(frozen=True)
class Swap:
    """One tracker as a web site needs it: whose visitors see which numbers in place of which.

    `tracking_numbers` are the active ones, at least one; `swap_targets` are as somebody wrote them.
    """

    source: str
    swap_targets: tuple[str, ...]
    tracking_numbers: tuple[str, ...]


@dataclass(frozen=True)
class WebScript:
    """What one company's script does on a web site, and nothing that a visitor must not read.

    `swaps` is in order: of two trackers for one source the older one counts.
    """

    script_key: str
    swap_settings: Mapping[str, Any]
    swaps: tuple[Swap, ...]


@dataclass(frozen=True)
class CompanyView:
    """A company as a list shows it."""

    company_id: str
    name: str
    script_key: str
    is_script_enabled: bool


class SqlDni:
    """The port `Dni` on the database, and what the product backend asks beside it."""

    def __init__(self, db: Database) -> None:
        """Work on `db`."""
        self._db = db

    def disable_script(self, step: Step) -> Count:
        """See the port."""
        with self._db.transaction() as session:
            return once(
                session,
                Activity.DISABLE_SCRIPT,
                step,
                Count,
                lambda: _disable(session, step),
                undone_by=Activity.ENABLE_SCRIPT,
                otherwise=Count(count=0),
            )

    def enable_script(self, step: Step) -> Count:
        """See the port. Returns how many companies' scripts were switched on again."""
        with self._db.transaction() as session:
            return once(
                session, Activity.ENABLE_SCRIPT, step, Count, lambda: _enable(session, step)
            )

    def snapshot(self, account_id: str) -> Snapshot:
        """See the port.

        A script that a pause has switched off, and not yet on again, counts as one that swaps: so
        snapshots from before, during and after a pause are equal, and a forgotten one shows.
        """
        with self._db.transaction() as session:
            return {
                row.id: {
                    "script_key": row.script_key,
                    "swaps": row.is_script_enabled or _is_suspended(session, row),
                    "swap_settings": row.swap_settings,
                }
                for row in _companies(session, account_id)
            }

    def web_script(self, script_key: str) -> WebScript | None:
        """What the script with this key swaps; None where every number is left alone (R5).

        That is the answer while the script is disabled or the account is not active, for a key that
        nobody has, and for a company that has no active number.
        """
        with self._db.transaction() as session:
            rows = _swapping(session, script_key)
            return _web_script(script_key, rows) if rows else None

    def companies(self, account_id: str) -> list[CompanyView]:
        """The account's companies, by name; none for an unknown account."""
        with self._db.transaction() as session:
            return [
                CompanyView(row.id, row.name, row.script_key, row.is_script_enabled)
                for row in _companies(session, account_id)
            ]

    def reopen(self, account_id: str, at: datetime) -> None:
        """After a reopening, the scripts that the close left off swap again (R14). Repeatable."""
        with self._db.transaction() as session:
            lock_account(session, account_id)
            rows = _companies(session, account_id)
            count = _switch_on([row for row in rows if row.script_disabled_by is not None])
            if count:
                audit.write(
                    session, account_id=account_id, at=at, what="scripts_reopened", count=count
                )


def _disable(session: Session, step: Step) -> Count:
    rows = _companies(session, step.account_id)
    for row in rows:
        if row.is_script_enabled:
            row.is_script_enabled = False
            row.script_disabled_by = step.act_id
    _audit(session, step, "scripts_disabled", len(rows))
    return Count(count=len(rows))


def _enable(session: Session, step: Step) -> Count:
    rows = _companies(session, step.account_id)
    count = _switch_on([row for row in rows if row.script_disabled_by == step.act_id])
    _audit(session, step, "scripts_enabled", count)
    return Count(count=count)


def _switch_on(rows: Sequence[CompanyRow]) -> int:
    for row in rows:
        row.is_script_enabled = True
        row.script_disabled_by = None
    return len(rows)


def _companies(session: Session, account_id: str) -> Sequence[CompanyRow]:
    return session.scalars(
        select(CompanyRow)
        .where(CompanyRow.account_id == account_id)
        .order_by(CompanyRow.name, CompanyRow.id)
    ).all()


def _swapping(session: Session, script_key: str) -> Sequence[Row[Any]]:
    """One row per number that may be shown, the trackers in their order."""
    # One statement, so that a pause which commits in between is either seen whole or not at all.
    return session.execute(
        select(
            CompanyRow.swap_settings,
            TrackerRow.id,
            TrackerRow.source,
            TrackerRow.swap_targets,
            NumberRow.number,
        )
        .join(AccountRow, AccountRow.id == CompanyRow.account_id)
        .join(TrackerRow, TrackerRow.company_id == CompanyRow.id)
        .join(NumberRow, NumberRow.tracker_id == TrackerRow.id)
        .where(
            CompanyRow.script_key == script_key,
            CompanyRow.is_script_enabled,
            AccountRow.status == AccountStatus.ACTIVE,
            TrackerRow.disabled_at.is_(None),
            NumberRow.state == NumberState.ACTIVE,
        )
        .order_by(TrackerRow.created_at, TrackerRow.name, TrackerRow.id, NumberRow.number)
    ).all()


def _web_script(script_key: str, rows: Sequence[Row[Any]]) -> WebScript:
    by_tracker = (list(same) for _, same in groupby(rows, key=lambda row: row.id))
    return WebScript(
        script_key=script_key,
        swap_settings=rows[0].swap_settings,
        swaps=tuple(
            Swap(
                source=same[0].source,
                swap_targets=tuple(map(str, same[0].swap_targets)),
                tracking_numbers=tuple(row.number for row in same),
            )
            for same in by_tracker
        ),
    )


def _is_suspended(session: Session, row: CompanyRow) -> bool:
    act_id = row.script_disabled_by
    return act_id is not None and not is_recorded(session, act_id, Activity.ENABLE_SCRIPT)


def _audit(session: Session, step: Step, what: str, count: int) -> None:
    audit.write(
        session,
        account_id=step.account_id,
        act_id=step.act_id,
        at=step.at,
        what=what,
        count=count,
    )
