"""A shop whose two records can be made to differ, and the reconciliation over both."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from domain.differences import DifferenceKind
from domain.messages import Reconciled
from domain.payments import Gateway, Payment, PaymentState, Refund
from domain.states import ChargeState
from systems.billing import SqlBilling
from systems.billing.ledger import LedgerEntry
from systems.billing.reconciling import DifferenceView, Reconciliation
from systems.billing.refunds import Refunds
from systems.db import Database
from systems.gateways.sandbox import SandboxGateway
from systems.gateways.sandbox.tables import PaymentRow
from systems.gateways.sandbox.tables import RefundRow as SandboxRefundRow
from systems.tables import (
    AttemptRow,
    AuditRow,
    CustomerRow,
    DifferenceState,
    InvoiceRow,
    LedgerKind,
    ReconciliationRow,
    RefundRow,
)
from tests.systems.billing_shop import JAN_15, Pause, SqlShop, add_account, local, new_pause

# The fee of 15 January falls due at 09:00 in New York; the run comes in the night that follows.
DUE = local("2026-01-15 09:00")
NIGHT = datetime(2026, 1, 16, 3, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class Clock:
    """What time it is at the gateway."""

    at: datetime = DUE

    def __call__(self) -> datetime:
        return self.at


class Counter(SqlShop):
    """The real billing beside the sandbox; each side can be edited behind the other's back."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.sandbox = SandboxGateway(database.engine, clock=self.clock)
        super().__init__(database, self.sandbox)
        self.reconciliation = reconciliation(database, self.gateway)

    # --- how it goes -----------------------------------------------------------------------------

    def paused(self, card_name: str = "visa", **account: Any) -> Pause:
        """A new account, paused five days before its first fee."""
        pause = new_pause(self, add_account(self, card_name=card_name, **account))
        pause.suspend(local("2026-01-10 14:00"))
        return pause

    def collected(self, card_name: str = "visa") -> "Fee":
        """The fee of 15 January, tried once on that card."""
        pause = self.paused(card_name)
        pause.collect(JAN_15)
        return Fee(self, pause)

    def reconcile(self, now: datetime = NIGHT, **window: Any) -> Reconciled:
        """One run."""
        return self.reconciliation.reconcile(now, **window)

    # --- the gateway's side ----------------------------------------------------------------------

    def edit_payment(self, payment_id: str, **changes: Any) -> None:
        """Somebody changes the gateway's record of a payment."""
        with self.database.transaction() as session:
            row = session.scalars(
                select(PaymentRow).where(PaymentRow.payment_id == payment_id)
            ).one()
            for name, value in changes.items():
                setattr(row, name, value)

    def forget_payment(self, payment_id: str) -> None:
        """The gateway's record has it no more."""
        with self.database.transaction() as session:
            session.delete(
                session.scalars(select(PaymentRow).where(PaymentRow.payment_id == payment_id)).one()
            )

    def stray(self, account_id: str = "", **changes: Any) -> str:
        """A payment that succeeded and that nothing here asked for; its id."""
        fields = {
            "payment_id": f"pay_{uuid4().hex}",
            "key": uuid4().hex,
            "account_id": account_id,
            "card_token": "card_visa",
            "amount_minor": 500,
            "currency": "USD",
            "state": PaymentState.SUCCEEDED,
            "billing_on": JAN_15,
            "created_at": self.clock.at,
            **changes,
        }
        with self.database.transaction() as session:
            session.add(PaymentRow(**fields))
        return str(fields["payment_id"])

    def refund_there(self, payment_id: str, amount_minor: int = 500) -> Refund:
        """Somebody gives money back at the gateway, by hand."""
        return self.sandbox.refund_payment(f"by hand {uuid4().hex}", payment_id, amount_minor)

    def edit_refund(self, refund_id: str, **changes: Any) -> None:
        """The gateway's record of a refund changes."""
        with self.database.transaction() as session:
            row = session.scalars(
                select(SandboxRefundRow).where(SandboxRefundRow.refund_id == refund_id)
            ).one()
            for name, value in changes.items():
                setattr(row, name, value)

    def forget_refund(self, refund_id: str) -> None:
        """The gateway's record has it no more."""
        with self.database.transaction() as session:
            query = select(SandboxRefundRow).where(SandboxRefundRow.refund_id == refund_id)
            session.delete(session.scalars(query).one())

    # --- our side --------------------------------------------------------------------------------

    def edit(self, row_type: type[Any], key: str, **changes: Any) -> None:
        """Somebody changes a row of ours."""
        with self.database.transaction() as session:
            row = session.get_one(row_type, key)
            for name, value in changes.items():
                setattr(row, name, value)

    def know_customer(self, account_id: str, customer_id: str) -> None:
        """The gateway knows the account by that name."""
        with self.database.transaction() as session:
            session.add(
                CustomerRow(account_id=account_id, gateway="sandbox", customer_id=customer_id)
            )

    def refund_rows(self, payment_id: str) -> list[RefundRow]:
        """Our refunds of a payment."""
        with self.database.transaction() as session:
            query = select(RefundRow).where(RefundRow.payment_id == payment_id)
            return list(session.scalars(query.order_by(RefundRow.key)))

    def booked(self, account_id: str, kind: LedgerKind) -> list[LedgerEntry]:
        """What the ledger shows of that kind."""
        return [entry for entry in self.sql.ledger(account_id) if entry.kind is kind]

    def audited(self, account_id: str) -> list[tuple[str, str]]:
        """Who did what to the account."""
        query = select(AuditRow).where(AuditRow.account_id == account_id).order_by(AuditRow.id)
        with self.database.transaction() as session:
            return [(row.actor, row.what) for row in session.scalars(query)]

    def runs(self) -> list[ReconciliationRow]:
        """The runs so far."""
        with self.database.transaction() as session:
            return list(session.scalars(select(ReconciliationRow).order_by(ReconciliationRow.id)))

    # --- what came of it -------------------------------------------------------------------------

    def all_found(self) -> list[tuple[DifferenceKind, DifferenceState]]:
        """Every difference that was ever found, and what became of it."""
        return [(each.kind, each.state) for each in self.every()]

    def every(self) -> list[DifferenceView]:
        """Every difference that was ever found."""
        return self.reconciliation.differences(only_open=False)

    def waiting(self) -> list[DifferenceView]:
        """What waits for an operator."""
        return self.reconciliation.differences()


@dataclass(frozen=True)
class Fee:
    """The one fee of a pause, on both sides."""

    counter: Counter
    pause: Pause

    @property
    def account_id(self) -> str:
        return self.pause.account_id

    @property
    def payment(self) -> Payment:
        [payment] = self.counter.record.payments(self.account_id)
        return payment

    @property
    def payment_id(self) -> str:
        return self.payment.payment_id

    @property
    def invoice(self) -> InvoiceRow:
        with self.counter.database.transaction() as session:
            query = select(InvoiceRow).where(InvoiceRow.account_id == self.account_id)
            return session.scalars(query.order_by(InvoiceRow.billing_on)).first() or InvoiceRow()

    @property
    def attempt(self) -> AttemptRow:
        """The first attempt."""
        with self.counter.database.transaction() as session:
            query = select(AttemptRow).where(AttemptRow.invoice_id == self.invoice.id)
            return session.scalars(query.order_by(AttemptRow.attempt)).first() or AttemptRow()

    def give_back(self) -> None:
        """An operator gives it back from here."""
        Refunds(self.counter.database, self.counter.gateway).refund(
            self.account_id, JAN_15, actor="operator", reason="asked for", at=DUE
        )

    def edit_attempt(self, **changes: Any) -> None:
        self.counter.edit(AttemptRow, self.attempt.key, **changes)

    def edit_invoice(self, **changes: Any) -> None:
        self.counter.edit(InvoiceRow, self.invoice.id, **changes)


def reconciliation(database: Database, gateway: Gateway) -> Reconciliation:
    """The reconciliation of `database` with `gateway`, as it is wired."""
    return Reconciliation(
        database, gateway, SqlBilling(database, gateway), Refunds(database, gateway)
    )


def unanswered(counter: Counter, card_name: str) -> Fee:
    """The gateway has charged, or declined, and its answer was lost."""
    pause = counter.paused(card_name)
    counter.gateway.fail_next("confirm_payment", "after")
    assert ChargeState.UNKNOWN is pause.collect(JAN_15).state
    return Fee(counter, pause)


def declined_here(counter: Counter) -> Fee:
    """Somebody has confirmed a declined payment at the gateway, and it went through."""
    fee = counter.collected("declined")
    counter.edit_payment(fee.payment_id, state=PaymentState.SUCCEEDED, decline_code=None)
    return fee
