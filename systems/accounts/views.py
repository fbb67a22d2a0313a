"""Accounts as the product's own pages and commands read them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from domain.errors import Code, Rejected
from domain.ports import Act
from domain.states import AccountStatus, PauseState, Role
from domain.sweeping import OpenAct
from systems.accounts import clocks
from systems.accounts.act_rows import to_act
from systems.db import Database, account_row
from systems.tables import AccountRow, ActRow, AuditRow, UserRow


@dataclass(frozen=True)
class AccountView:
    """An account as a list shows it."""

    account_id: str
    name: str
    status: AccountStatus
    time_zone: str
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class UserView:
    """Somebody who logs in on an account."""

    user_id: str
    account_id: str
    name: str
    email: str
    role: Role


@dataclass(frozen=True)
class AuditEntry:
    """Who did what, when, and in their own words why. `actor`: a user id, `operator`, `system`."""

    at: datetime
    actor: str
    what: str
    act_id: str | None
    detail: Mapping[str, Any]
    reason: str | None
    entry_id: int


class AccountViews:
    """What can be read about accounts. Every method is one transaction and changes nothing else."""

    def __init__(self, db: Database) -> None:
        """Read from `db`."""
        self._db = db

    def accounts(self) -> list[AccountView]:
        """All accounts, by name."""
        with self._db.transaction() as session:
            rows = session.scalars(select(AccountRow).order_by(AccountRow.name, AccountRow.id))
            return [_account(row) for row in rows]

    def view(self, account_id: str) -> AccountView:
        """One account as a list shows it.

        Raises:
            Rejected: `account_not_found`.
        """
        with self._db.transaction() as session:
            return _account(account_row(session, account_id))

    def users(self, account_id: str) -> list[UserView]:
        """The account's users, by name; none for an unknown account."""
        with self._db.transaction() as session:
            rows = session.scalars(
                select(UserRow)
                .where(UserRow.account_id == account_id)
                .order_by(UserRow.name, UserRow.id)
            )
            return [_user(row) for row in rows]

    def acts(
        self,
        account_id: str | None = None,
        states: Collection[PauseState] | None = None,
        open_only: bool = False,
    ) -> list[Act]:
        """Pauses and closes, the oldest first; of one account, in some states, or all."""
        query = select(ActRow).order_by(ActRow.began_at, ActRow.id)
        if account_id is not None:
            query = query.where(ActRow.account_id == account_id)
        if states is not None:
            query = query.where(ActRow.state.in_(states))
        if open_only:
            query = query.where(ActRow.ended_at.is_(None))
        with self._db.transaction() as session:
            return [to_act(row) for row in session.scalars(query)]

    def open_acts(self) -> list[OpenAct]:
        """The acts that have not ended, in short: without reading anybody's terms and timeline."""
        query = select(ActRow.id, ActRow.account_id, ActRow.kind, ActRow.began_at)
        is_open = query.where(ActRow.ended_at.is_(None)).order_by(ActRow.began_at, ActRow.id)
        with self._db.transaction() as session:
            return [OpenAct(*row) for row in session.execute(is_open)]

    def audit(self, account_id: str) -> list[AuditEntry]:
        """What has happened to the account, in the order in which it was written down."""
        with self._db.transaction() as session:
            rows = session.scalars(
                select(AuditRow).where(AuditRow.account_id == account_id).order_by(AuditRow.id)
            )
            return [_entry(row) for row in rows]

    def set_clock_ahead(self, act_id: str, seconds: int) -> None:
        """The pause's virtual clock runs `seconds` ahead of real time (local stacks only).

        Raises:
            Rejected: `pause_not_found`.
        """
        with self._db.transaction() as session:
            row = session.get(ActRow, act_id, with_for_update=True)
            if row is None:
                raise Rejected(Code.PAUSE_NOT_FOUND, f"There is no pause {act_id}.")
            row.clock_ahead_seconds = seconds

    def clock_ahead(self, account_id: str) -> timedelta:
        """How far the clock of the open pause, else of the last one, runs ahead of real time."""
        with self._db.transaction() as session:
            return clocks.clock_ahead(session, account_id)


def _account(row: AccountRow) -> AccountView:
    return AccountView(
        account_id=row.id,
        name=row.name,
        status=row.status,
        time_zone=row.time_zone,
        created_at=row.created_at,
        closed_at=row.closed_at,
    )


def _user(row: UserRow) -> UserView:
    return UserView(
        user_id=row.id,
        account_id=row.account_id,
        name=row.name,
        email=row.email,
        role=row.role,
    )


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        at=row.at,
        actor=row.actor,
        what=row.what,
        act_id=row.act_id,
        detail=row.detail,
        reason=row.reason,
        entry_id=row.id,
    )
