"""What the administrators are told of a refund, queued in the transaction that books it."""

from datetime import datetime

from sqlalchemy.orm import Session

from systems.notices import NoticeKind, enqueue
from systems.tables import InvoiceRow, RefundRow


def tell(session: Session, row: RefundRow, kind: NoticeKind, at: datetime) -> None:
    """Queue the mail of that kind about the refund, once."""
    invoice = session.get_one(InvoiceRow, row.invoice_id) if row.invoice_id else None
    enqueue(
        session,
        key=f"{row.key}:{kind.value}",
        account_id=row.account_id,
        kind=kind,
        data={
            "billing_on": invoice.billing_on.isoformat() if invoice else None,
            "amount_minor": row.amount_minor,
            "currency": row.currency,
        },
        at=at,
    )
