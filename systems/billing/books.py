"""What our database holds of one account's money, read at one moment: what a statement tells."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.ports import Act
from domain.states import ActKind
from systems.accounts.act_rows import to_act
from systems.billing.invoices import InvoiceView, invoice_views
from systems.billing.ledger import REFUNDS, LedgerEntry, entries
from systems.billing.refund_rows import RefundView, views
from systems.billing.settling import UNSETTLED, moved_key
from systems.db import lock_account
from systems.tables import (
    ActRow,
    AttemptRow,
    InvoiceLineRow,
    InvoiceRow,
    InvoiceState,
    LedgerKind,
    LineKind,
)

# Cents by currency.
Sums = Counter[str]


@dataclass(frozen=True)
class Books:
    """One account's invoices, ledger, refunds and pauses.

    `moved_to` says of each fee that was moved on which billing date the plan has invoiced it, None
    while it waits. `held` are invoices that an operator has to look at, `gateways` says where each
    payment was made, both by id.
    """

    account_id: str
    time_zone: str
    invoices: tuple[InvoiceView, ...]
    entries: tuple[LedgerEntry, ...]
    refunds: tuple[RefundView, ...]
    pauses: tuple[Act, ...]
    moved_to: Mapping[str, date | None]
    held: frozenset[str]
    gateways: Mapping[str, str]

    def booked(self, *kinds: LedgerKind) -> Sums:
        """What the ledger's transactions of these kinds come to."""
        chosen = (entry for entry in self.entries if entry.kind in kinds)
        return summed((entry.currency, entry.amount_minor) for entry in chosen)

    def refunded(self) -> Sums:
        """What was given back, less what came back because a refund has failed after all."""
        given = self.booked(*REFUNDS)
        given.subtract(self.booked(LedgerKind.REVERSAL))
        return given

    def owed(self) -> Sums:
        """What somebody still has to pay: unpaid invoices, and moved fees that are on none yet."""
        chosen = (each for each in self.invoices if each.state in UNSETTLED or self._waits(each))
        return summed((each.currency, each.amount_minor) for each in chosen)

    def invoiced(self) -> Sums:
        """What the invoices come to, each fee once, wherever it went."""
        return summed(
            (each.currency, each.amount_minor - _moved_here(each)) for each in self.invoices
        )

    def in_state(self, state: InvoiceState) -> Sums:
        """What the invoices in that state come to."""
        chosen = (each for each in self.invoices if each.state is state)
        return summed((each.currency, each.amount_minor) for each in chosen)

    def currencies(self) -> list[str]:
        """All currencies there are, by name."""
        invoiced = {each.currency for each in self.invoices}
        return sorted(invoiced | {each.currency for each in self.entries})

    def _waits(self, invoice: InvoiceView) -> bool:
        is_moved = invoice.state is InvoiceState.MOVED
        return is_moved and self.moved_to[invoice.invoice_id] is None


def summed(amounts: Iterable[tuple[str, int]]) -> Sums:
    """The cents of each currency together."""
    sums: Sums = Counter()
    for currency, amount_minor in amounts:
        sums[currency] += amount_minor
    return sums


def read_books(session: Session, account_id: str) -> Books:
    """The account's books, read under its lock so that nobody changes them meanwhile.

    Raises:
        Rejected: `account_not_found`.
    """
    account = lock_account(session, account_id)
    return Books(
        account_id=account_id,
        time_zone=account.time_zone,
        invoices=tuple(invoice_views(session, account_id)),
        entries=tuple(entries(session, account_id)),
        refunds=tuple(views(session, account_id)),
        pauses=tuple(_pauses(session, account_id)),
        moved_to=_moved_to(session, account_id),
        held=_held(session, account_id),
        gateways=_gateways(session, account_id),
    )


def _moved_here(invoice: InvoiceView) -> int:
    return sum(line.amount_minor for line in invoice.lines if line.kind is LineKind.UNPAID_FEE)


def _pauses(session: Session, account_id: str) -> list[Act]:
    query = select(ActRow).where(
        ActRow.account_id == account_id,
        ActRow.kind == ActKind.PAUSE,
        ActRow.paused_at.is_not(None),
    )
    return [to_act(row) for row in session.scalars(query.order_by(ActRow.began_at, ActRow.id))]


def _moved_to(session: Session, account_id: str) -> dict[str, date | None]:
    moved = select(InvoiceRow).where(
        InvoiceRow.account_id == account_id, InvoiceRow.state == InvoiceState.MOVED
    )
    lines = select(InvoiceLineRow.key, InvoiceRow.billing_on).join(
        InvoiceRow, InvoiceRow.id == InvoiceLineRow.invoice_id
    )
    unpaid_fees = lines.where(
        InvoiceLineRow.account_id == account_id, InvoiceLineRow.kind == LineKind.UNPAID_FEE
    )
    taken = {row.key: row.billing_on for row in session.execute(unpaid_fees)}
    return {invoice.id: taken.get(moved_key(invoice)) for invoice in session.scalars(moved)}


def _held(session: Session, account_id: str) -> frozenset[str]:
    query = select(InvoiceRow.id).where(
        InvoiceRow.account_id == account_id, InvoiceRow.held_at.is_not(None)
    )
    return frozenset(session.scalars(query))


def _gateways(session: Session, account_id: str) -> dict[str, str]:
    query = (
        select(AttemptRow.payment_id, AttemptRow.gateway)
        .join(InvoiceRow, InvoiceRow.id == AttemptRow.invoice_id)
        .where(InvoiceRow.account_id == account_id)
    )
    return {
        payment_id: gateway
        for payment_id, gateway in session.execute(query)
        if payment_id is not None and gateway is not None
    }
