"""Companies, trackers, tracking numbers and calls."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.states import NumberState, TrackerType
from systems.tables.base import Base


class CompanyRow(Base):
    """One business of the account, with the script on its web site."""

    __tablename__ = "companies"

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str]
    script_key: Mapped[str] = mapped_column(unique=True)
    is_script_enabled: Mapped[bool] = mapped_column(default=True)
    # The pause that switched the script off; a script that was off before stays off afterwards.
    script_disabled_by: Mapped[str | None]
    swap_settings: Mapped[dict[str, Any]] = mapped_column(default=dict)


class CallFlowRow(Base):
    """What a caller goes through: `steps` is a list of ``{"kind": "greeting", ...}``."""

    __tablename__ = "call_flows"

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str]
    steps: Mapped[list[Any]]


class TrackerRow(Base):
    """One tracked source, or a pool of numbers for sessions."""

    __tablename__ = "trackers"

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    company_id: Mapped[str] = mapped_column(ForeignKey("companies.id"))
    name: Mapped[str]
    type: Mapped[TrackerType]
    source: Mapped[str]
    destination_number: Mapped[str]
    call_flow_id: Mapped[str] = mapped_column(ForeignKey("call_flows.id"))
    swap_targets: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime]
    # Null: the tracker's status is `active`. Disabling is for good.
    disabled_at: Mapped[datetime | None]


class NumberRow(Base):
    """One tracking phone number in E.164."""

    __tablename__ = "tracking_numbers"
    __table_args__ = (
        # A released number may be rented again, by anybody; until then it belongs to one tracker.
        Index(
            "one_holder_per_number",
            "number",
            unique=True,
            sqlite_where=text("state <> 'released'"),
            postgresql_where=text("state <> 'released'"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    tracker_id: Mapped[str] = mapped_column(ForeignKey("trackers.id"), index=True)
    number: Mapped[str]
    state: Mapped[NumberState] = mapped_column(default=NumberState.ACTIVE)
    # The pause that retains it, or was the last one to.
    retained_by: Mapped[str | None]
    # Calls that heard the intercept while the number was retained (R4).
    retained_calls: Mapped[int] = mapped_column(default=0)
    released_at: Mapped[datetime | None]


class CallRow(Base):
    """One call in the activity log."""

    __tablename__ = "calls"
    __table_args__ = (Index("calls_by_account", "account_id", "at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    company_id: Mapped[str]
    tracker_id: Mapped[str] = mapped_column(ForeignKey("trackers.id"))
    number_id: Mapped[str] = mapped_column(ForeignKey("tracking_numbers.id"))
    carrier_call_id: Mapped[str] = mapped_column(unique=True)
    caller: Mapped[str]
    source: Mapped[str]
    at: Mapped[datetime]
    duration_seconds: Mapped[int]
    is_answered: Mapped[bool]
