"""What proves the money: the ledger, refunds, what the gateway told, and what does not agree."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from domain.differences import DifferenceKind
from domain.payments import PageState
from systems.tables.base import Base, enum_of


class LedgerKind(StrEnum):
    """What a ledger transaction is about. `stray`: money that belongs to no invoice came or went.

    `reversal` takes a refund back that failed after it had succeeded.
    """

    INVOICE = "invoice"
    CHARGE = "charge"
    REFUND = "refund"
    WRITE_OFF = "write_off"
    STRAY_CHARGE = "stray_charge"
    STRAY_REFUND = "stray_refund"
    REVERSAL = "reversal"


class LedgerAccount(StrEnum):
    """Where value is booked. `unallocated`: received, and belonging to no invoice."""

    RECEIVABLE = "receivable"
    PLAN_REVENUE = "plan_revenue"
    FEE_REVENUE = "fee_revenue"
    GATEWAY = "gateway"
    REFUNDS = "refunds"
    WRITE_OFFS = "write_offs"
    UNALLOCATED = "unallocated"


class LedgerRow(Base):
    """One transaction of the ledger: `amount_minor` goes from `credit` to `debit`.

    Both sides stand in one row, so a transaction sums to zero whoever writes it (M5). Triggers of
    the database refuse every change and every removal; a mistake is mended by another transaction.
    """

    __tablename__ = "ledger"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="ledger_amount_is_positive"),
        CheckConstraint("debit <> credit", name="ledger_has_two_sides"),
        CheckConstraint(
            "kind NOT IN ('charge', 'stray_charge') OR payment_id IS NOT NULL",
            name="ledger_charge_names_its_payment",
        ),
        CheckConstraint(
            "kind NOT IN ('refund', 'stray_refund', 'reversal') OR refund_id IS NOT NULL",
            name="ledger_refund_names_its_refund",
        ),
        Index("ledger_by_account", "account_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[LedgerKind] = mapped_column(enum_of(LedgerKind))
    debit: Mapped[LedgerAccount] = mapped_column(enum_of(LedgerAccount))
    credit: Mapped[LedgerAccount] = mapped_column(enum_of(LedgerAccount))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    at: Mapped[datetime]
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoices.id"), index=True)
    payment_id: Mapped[str | None] = mapped_column(index=True)
    refund_id: Mapped[str | None] = mapped_column(index=True)


class RefundRowState(StrEnum):
    """`reserved`: asked for, money may move. Then the gateway's answer; `failed` gave nothing."""

    RESERVED = "reserved"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class RefundRow(Base):
    """One refund of one payment. `key` is the gateway's idempotency key, for ever.

    `refund_id` is the gateway's, known once it has answered.
    """

    __tablename__ = "refunds"

    key: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    payment_id: Mapped[str] = mapped_column(index=True)
    # Null: the payment belongs to no invoice.
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoices.id"))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    gateway: Mapped[str]
    state: Mapped[RefundRowState] = mapped_column(enum_of(RefundRowState), index=True)
    refund_id: Mapped[str | None] = mapped_column(unique=True)
    actor: Mapped[str]
    began_at: Mapped[datetime]
    look_up_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]


class CustomerRow(Base):
    """The name under which a gateway knows an account."""

    __tablename__ = "gateway_customers"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    gateway: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(unique=True)


class CardEntryRow(Base):
    """A page of the gateway's on which somebody may be entering a card.

    `reopens`: on a closed account the card opens it again, at a price that was shown (R14).
    """

    __tablename__ = "card_entries"

    page_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    gateway: Mapped[str]
    requested_by: Mapped[str]
    reopens: Mapped[bool] = mapped_column(default=False)
    state: Mapped[PageState] = mapped_column(enum_of(PageState), index=True)
    began_at: Mapped[datetime]
    look_up_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class GatewayEventRow(Base):
    """Something that the gateway told by itself: a reason to look `object_id` up, nothing more."""

    __tablename__ = "gateway_events"

    event_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    object_id: Mapped[str]
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None] = mapped_column(index=True)


class DifferenceState(StrEnum):
    """`open`: waits for an operator. `settled`: mended here. `refunded`: given back.

    `acknowledged`: an operator has dealt with it. `vanished`: a later look found both agreeing.
    """

    OPEN = "open"
    SETTLED = "settled"
    REFUNDED = "refunded"
    ACKNOWLEDGED = "acknowledged"
    VANISHED = "vanished"


class DifferenceRow(Base):
    """One difference between our record and the gateway's; `open` ones are the operators' queue.

    `object_id` is the payment or refund at the gateway; with `kind` it makes the key, so a
    difference that is found again is the same one.
    """

    __tablename__ = "differences"

    key: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[DifferenceKind] = mapped_column(enum_of(DifferenceKind))
    # Null: the gateway's object names no account of ours.
    account_id: Mapped[str | None] = mapped_column(index=True)
    object_id: Mapped[str]
    detail: Mapped[dict[str, Any]]
    state: Mapped[DifferenceState] = mapped_column(enum_of(DifferenceState), index=True)
    found_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]


class ReconciliationRow(Base):
    """One run of the reconciliation over ``[since, until)``; `ended_at` null: it did not finish."""

    __tablename__ = "reconciliations"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    gateway: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime]
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    payments: Mapped[int] = mapped_column(default=0)
    refunds: Mapped[int] = mapped_column(default=0)
    found: Mapped[int] = mapped_column(default=0)
