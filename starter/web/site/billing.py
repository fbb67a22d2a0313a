"""The Billing page of Account Settings: the plan, the next invoice, the card, all invoices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Response

from domain.policy import Action
from starter.backend import Backend
from starter.web.site import paths
from starter.web.site.guard import Guard, Visitor
from starter.web.site.writer import Writer
from systems.billing.invoices import InvoiceView
from systems.billing.refund_rows import RefundView
from systems.tables import AttemptState, InvoiceState, RefundRowState


@dataclass(frozen=True)
class Billed:
    """An invoice, why it is unpaid if its last attempt was declined, and what was given back."""

    invoice: InvoiceView
    decline_code: str | None
    refunded_minor: int


def add_billing(router: APIRouter, guard: Guard, writer: Writer, backend: Backend) -> None:
    """`/settings/billing`."""
    billing, refunds = backend.systems.billing, backend.systems.refunds

    @router.get(paths.BILLING)
    def show(visitor: Annotated[Visitor, guard.of(Action.INVOICES)]) -> Response:
        account_id = visitor.account_id
        given_back = refunds.views(account_id)
        return writer.page(
            "billing",
            visitor,
            section=paths.BILLING,
            plan=billing.snapshot(account_id),
            quote=billing.quote(account_id),
            lines=billing.next_lines(account_id),
            card=billing.card(account_id) if billing.has_card(account_id) else None,
            invoices=[billed(each, given_back) for each in reversed(billing.invoices(account_id))],
        )


def billed(invoice: InvoiceView, refunds: Sequence[RefundView]) -> Billed:
    """The invoice with what stands in the way of its being paid, and what came back of it."""
    declined = [
        each.decline_code for each in invoice.attempts if each.state is AttemptState.DECLINED
    ]
    is_unpaid = invoice.state is InvoiceState.PAST_DUE and declined
    refunded = sum(
        each.amount_minor
        for each in refunds
        if each.invoice_id == invoice.invoice_id and each.state is RefundRowState.SUCCEEDED
    )
    return Billed(invoice, (declined[-1] or "declined") if is_unpaid else None, refunded)
