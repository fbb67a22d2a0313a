"""The tables of all systems, in the order of the house: shared, accounts, numbers, DNI, billing.

Instants are stored in UTC and come back aware; enums are stored as their values.
"""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy import Enum as SqlEnum
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from domain.states import (
    AccountStatus,
    ActKind,
    NumberState,
    PauseState,
    Role,
    TrackerType,
)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on both databases; SQLite alone would drop the zone."""

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive datetimes, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _enum(kind: type[StrEnum]) -> SqlEnum:
    return SqlEnum(
        kind,
        native_enum=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """The metadata that Alembic compares the database with."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        str: String(255),
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
        **{
            kind: _enum(kind)
            for kind in (AccountStatus, ActKind, NumberState, PauseState, Role, TrackerType)
        },
    }


# --- shared --------------------------------------------------------------------------------------


class EffectRow(Base):
    """What a step did, under its idempotency key."""

    __tablename__ = "effects"

    key: Mapped[str] = mapped_column(primary_key=True)
    act_id: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]
    request: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None]


class NoticeRow(Base):
    """A mail to the administrators, queued by the transaction that causes it.

    `data` holds what the mail says: dates, amounts, the card's last four digits. Whom it goes to is
    decided when it is sent. `delivered_to` names users who have it, for a relay that is cut off.
    """

    __tablename__ = "notices"

    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    delivered_to: Mapped[list[Any]] = mapped_column(default=list)
    failures: Mapped[int] = mapped_column(default=0)
    try_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None] = mapped_column(index=True)


# --- accounts ------------------------------------------------------------------------------------


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
    """Who did what, when, why. `actor` is a user id, `operator` or `system`."""

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


# --- numbers and DNI -----------------------------------------------------------------------------


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


# --- billing -------------------------------------------------------------------------------------


class InvoiceKind(StrEnum):
    """Who took the billing date: the plan or a pause's fee."""

    PLAN = "plan"
    FEE = "fee"


class InvoiceState(StrEnum):
    """`open`: not answered yet. `past_due`: declined. The last four are final."""

    OPEN = "open"
    UNKNOWN = "unknown"
    PAST_DUE = "past_due"
    PAID = "paid"
    MOVED = "moved"
    WRITTEN_OFF = "written_off"


class AttemptState(StrEnum):
    """`reserved`: nothing sent. `sent`: money may have moved. Then the gateway's answer."""

    RESERVED = "reserved"
    SENT = "sent"
    PAID = "paid"
    DECLINED = "declined"


class LineKind(StrEnum):
    """What a line of a plan's or a fee's invoice is for.

    `unpaid_fee`: a pause's fee that was moved here. `remaining_days`: the plan's share of a period
    that a fee had taken (R9).
    """

    PLAN = "plan"
    ADD_ON = "add_on"
    FEE = "fee"
    UNPAID_FEE = "unpaid_fee"
    REMAINING_DAYS = "remaining_days"


class Outcome(StrEnum):
    """How a suspension of the plan ended."""

    RESUMED = "resumed"
    CLOSED = "closed"


class SubscriptionRow(Base):
    """The account's plan. `next_billing_on` is the first date that nobody has taken yet."""

    __tablename__ = "subscriptions"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    plan: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    time_zone: Mapped[str]
    billing_day: Mapped[int]
    next_billing_on: Mapped[date] = mapped_column(index=True)
    # The pause that has suspended it; the plan takes no date meanwhile.
    suspended_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]


class AddOnRow(Base):
    """Something booked beside the plan, per month."""

    __tablename__ = "add_ons"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str]
    amount_minor: Mapped[int]


class CardRow(Base):
    """The card on file: the gateway's token and what a person recognises it by (R8)."""

    __tablename__ = "cards"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    token: Mapped[str]
    brand: Mapped[str]
    last4: Mapped[str] = mapped_column(String(4))
    expires_month: Mapped[int]
    expires_year: Mapped[int]
    entered_at: Mapped[datetime]


class SuspensionRow(Base):
    """One pause as billing sees it: ``[paused_at, ended_at)`` is the fee's, the rest the plan's."""

    __tablename__ = "suspensions"

    act_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    paused_at: Mapped[datetime]
    terms: Mapped[dict[str, Any]]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[Outcome | None] = mapped_column(_enum(Outcome))


class InvoiceRow(Base):
    """One invoice; each regular billing date of an account has at most one (R7)."""

    __tablename__ = "invoices"
    __table_args__ = (UniqueConstraint("account_id", "billing_on", name="one_invoice_per_date"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    billing_on: Mapped[date]
    due_at: Mapped[datetime]
    kind: Mapped[InvoiceKind] = mapped_column(_enum(InvoiceKind))
    act_id: Mapped[str | None] = mapped_column(index=True)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[InvoiceState] = mapped_column(_enum(InvoiceState), index=True)
    first_unknown_at: Mapped[datetime | None]
    # When to look up next what became of the unknown attempt.
    look_up_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]


class InvoiceLineRow(Base):
    """One line of an invoice, or (invoice null) of the plan's next one.

    `key` keeps a line from being put down twice.
    """

    __tablename__ = "invoice_lines"

    key: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoices.id"), index=True)
    kind: Mapped[LineKind] = mapped_column(_enum(LineKind))
    description: Mapped[str]
    amount_minor: Mapped[int]


class AttemptRow(Base):
    """One attempt to have an invoice paid. `key` is the gateway's idempotency key, for ever.

    `rung_at` is the ladder's next instant after a decline, as it was answered.
    """

    __tablename__ = "payment_attempts"

    key: Mapped[str] = mapped_column(primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.id"), index=True)
    attempt: Mapped[int]
    rung: Mapped[int | None]
    state: Mapped[AttemptState] = mapped_column(_enum(AttemptState))
    card_token: Mapped[str | None]
    card_last4: Mapped[str | None] = mapped_column(String(4))
    payment_id: Mapped[str | None] = mapped_column(unique=True)
    decline_code: Mapped[str | None]
    rung_at: Mapped[datetime | None]
    began_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
