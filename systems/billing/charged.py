"""What has been charged, as the ledger shows it: the one thing that can be given back."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from domain.errors import Code, Rejected
from systems.billing.ledger import CHARGES
from systems.billing.plan import invoice_of
from systems.tables import AttemptRow, InvoiceRow, InvoiceState, LedgerRow

# Why there is nothing to give back for a billing date.
NOT_CHARGED = {
    InvoiceState.OPEN: "it is being collected",
    InvoiceState.UNKNOWN: "nobody knows yet whether its attempt was paid",
    InvoiceState.PAST_DUE: "it was declined",
    InvoiceState.PAID: "there was nothing to pay",
    InvoiceState.MOVED: "the unpaid fee moved to the plan's next invoice",
    InvoiceState.WRITTEN_OFF: "it was written off",
}


@dataclass(frozen=True)
class Charged:
    """A charge that the ledger shows. `invoice_id` None: it belongs to no invoice.

    `gateway` is whose payment it is, None where our record does not say.
    """

    account_id: str
    payment_id: str
    amount_minor: int
    currency: str
    charged_at: datetime
    invoice_id: str | None
    billing_on: date | None
    gateway: str | None


def charge_of(session: Session, account_id: str, charge: date | str) -> Charged:
    """What was charged for that billing date, or by that payment.

    Raises:
        Rejected: `validation_failed`: nothing was, and why.
    """
    if isinstance(charge, str):
        charged = charge_by(session, account_id, charge)
        # What was given is not repeated: people paste anything (R17).
        why = "the ledger shows no charge by such a payment"
    else:
        charged, why = _charge_for(session, account_id, charge)
    if charged is None:
        raise Rejected(Code.VALIDATION_FAILED, f"Account {account_id}: {why}.")
    return charged


def charge_by(session: Session, account_id: str, payment_id: str) -> Charged | None:
    """What the payment has charged, if the ledger shows it."""
    return _charge(session, account_id, LedgerRow.payment_id == payment_id)


def _charge_for(session: Session, account_id: str, billing_on: date) -> tuple[Charged | None, str]:
    nothing = f"nothing was charged for {billing_on}"
    invoice = invoice_of(session, account_id, billing_on)
    if invoice is None:
        return None, f"{nothing}, which is on no invoice"
    charged = _charge(session, account_id, LedgerRow.invoice_id == invoice.id)
    return charged, f"{nothing}: {NOT_CHARGED[invoice.state]}"


def _charge(session: Session, account_id: str, which: ColumnElement[bool]) -> Charged | None:
    row = session.scalar(
        select(LedgerRow).where(
            LedgerRow.account_id == account_id, LedgerRow.kind.in_(CHARGES), which
        )
    )
    if row is None or row.payment_id is None:
        return None
    invoice = session.get_one(InvoiceRow, row.invoice_id) if row.invoice_id else None
    gateway = select(AttemptRow.gateway).where(AttemptRow.payment_id == row.payment_id)
    return Charged(
        account_id=account_id,
        payment_id=row.payment_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        charged_at=row.at,
        invoice_id=row.invoice_id,
        billing_on=invoice.billing_on if invoice else None,
        gateway=session.scalar(gateway),
    )
