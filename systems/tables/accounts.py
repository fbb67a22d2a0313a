"""Accounts, users, acts, access and the audit."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.states import AccountStatus, ActKind, PauseState, Role
from systems.tables.base import Base


class AccountRow(Base):
    """An account. Its row is the lock under which every system changes something of it."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    time_zone: Mapped[str]
    status: Mapped[AccountStatus] = mapped_column(default=AccountStatus.ACTIVE)
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class UserRow(Base):
    """Somebody who logs in on one account."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)
    role: Mapped[Role]
    # Null: nobody logs in as this user.
    password_hash: Mapped[str | None]


class ActRow(Base):
    """A pause, or the close of an active account. `ended_at` null: it is open."""

    __tablename__ = "acts"
    __table_args__ = (
        # At most one open act per account, whoever asks at the same moment (S1).
        Index(
            "one_open_act_per_account",
            "account_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("acts_by_account", "account_id", "began_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[ActKind]
    state: Mapped[PauseState]
    requested_by: Mapped[str | None]
    began_at: Mapped[datetime]
    terms: Mapped[dict[str, Any] | None]
    resume_on: Mapped[date | None]
    timeline: Mapped[dict[str, Any] | None]
    paused_at: Mapped[datetime | None]
    # As of when the resume or close takes effect that has begun.
    ends_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    retained_numbers: Mapped[int] = mapped_column(default=0)
    snapshot: Mapped[dict[str, Any] | None]
    refusal: Mapped[str | None]
    # How far the pause's virtual clock runs ahead of real time: local stacks only.
    clock_ahead_seconds: Mapped[int] = mapped_column(default=0)


class AuditRow(Base):
    """Who did what, when, why. `actor` is a user id, `operator` or an operator's name, `system`."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_by_account", "account_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    account_id: Mapped[str]
    act_id: Mapped[str | None] = mapped_column(index=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    what: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Free text from a person; it never leaves the database (R17).
    reason: Mapped[str | None] = mapped_column(String(1000))


class AccessRow(Base):
    """What the account's users may do: the status that the access rules are asked with."""

    __tablename__ = "access"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    status: Mapped[AccountStatus] = mapped_column(default=AccountStatus.ACTIVE)
