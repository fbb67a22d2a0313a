"""Plans, cards, invoices and the attempts to have them paid."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from systems.tables.base import Base, enum_of


class InvoiceKind(StrEnum):
    """Who took the billing date: the plan or a pause's fee."""

    PLAN = "plan"
    FEE = "fee"


class InvoiceState(StrEnum):
    """`open`: not answered yet. `past_due`: declined. The last three are final."""

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
    # Whose token it is; another gateway does not know it. The release before knew the sandbox only.
    gateway: Mapped[str] = mapped_column(server_default="sandbox")
    customer_id: Mapped[str | None]
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
    outcome: Mapped[Outcome | None] = mapped_column(enum_of(Outcome))


class InvoiceRow(Base):
    """One invoice; each regular billing date of an account has at most one (R7)."""

    __tablename__ = "invoices"
    __table_args__ = (UniqueConstraint("account_id", "billing_on", name="one_invoice_per_date"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    billing_on: Mapped[date]
    due_at: Mapped[datetime]
    kind: Mapped[InvoiceKind] = mapped_column(enum_of(InvoiceKind))
    act_id: Mapped[str | None] = mapped_column(index=True)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[InvoiceState] = mapped_column(enum_of(InvoiceState), index=True)
    first_unknown_at: Mapped[datetime | None]
    # When to look up next what became of the unknown attempt.
    look_up_at: Mapped[datetime | None]
    # Set while the gateway's record contradicts the order: billing's jobs leave it to an operator.
    held_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]


class InvoiceLineRow(Base):
    """One line of an invoice, or (invoice null) of the plan's next one.

    `key` keeps a line from being put down twice.
    """

    __tablename__ = "invoice_lines"

    key: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoices.id"), index=True)
    kind: Mapped[LineKind] = mapped_column(enum_of(LineKind))
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
    state: Mapped[AttemptState] = mapped_column(enum_of(AttemptState))
    # Where the attempt is made. Null: there was no card, and nobody was asked.
    gateway: Mapped[str | None]
    customer_id: Mapped[str | None]
    card_token: Mapped[str | None]
    card_last4: Mapped[str | None] = mapped_column(String(4))
    payment_id: Mapped[str | None] = mapped_column(unique=True)
    # By the gateway's clock, which the reconciliation's windows go by.
    payment_created_at: Mapped[datetime | None] = mapped_column(index=True)
    decline_code: Mapped[str | None]
    rung_at: Mapped[datetime | None]
    began_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
