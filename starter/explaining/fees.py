"""The fees of a pause, explained: each date that was taken, each attempt, and what it came to."""

from collections.abc import Iterator
from datetime import timedelta

from domain.declines import explained as explained_decline
from domain.ladder import rung_day
from domain.money import display
from domain.names import Activity
from domain.states import ActKind
from starter.explaining.facts import Evidence, EvidenceKind, Facts, Line
from starter.explaining.rules import Rule
from systems.audit import SYSTEM
from systems.billing.invoices import AttemptView, InvoiceView
from systems.tables import AttemptState, InvoiceKind, InvoiceState, LedgerKind

# An attempt within an hour of its due instant is nothing to explain.
ON_TIME = timedelta(hours=1)


def fee_lines(facts: Facts) -> list[Line]:
    """All lines of all fees that this pause has taken."""
    return [line for invoice in fees(facts) for line in lines_of(invoice, facts)]


def fees(facts: Facts) -> list[InvoiceView]:
    """The invoices of this pause's fees, by billing date."""
    return [
        invoice
        for invoice in facts.books.invoices
        if invoice.kind is InvoiceKind.FEE and invoice.act_id == facts.act_id
    ]


def lines_of(invoice: InvoiceView, facts: Facts) -> Iterator[Line]:
    """One fee from its due instant to its end."""
    amount = display(invoice.amount_minor, invoice.currency)
    yield Line(
        invoice.due_at,
        "fee_taken",
        f"The fee of {invoice.billing_on}, {amount}, falls due: its billing date lies in the pause",
        Rule.R7,
        SYSTEM,
        (_invoice(invoice), *booked(invoice, facts, LedgerKind.INVOICE)),
    )
    for attempt in invoice.attempts:
        yield attempt_line(attempt, invoice, facts)
    if invoice.state is InvoiceState.MOVED and invoice.answered_at:
        yield Line(
            invoice.answered_at,
            "fee_moved",
            f"The fee of {invoice.billing_on} is unpaid at the resume: {_moved_to(invoice, facts)}",
            Rule.R13,
            SYSTEM,
            (_invoice(invoice),),
        )
    if invoice.state is InvoiceState.WRITTEN_OFF and invoice.answered_at:
        yield Line(
            invoice.answered_at,
            "fee_written_off",
            f"The fee of {invoice.billing_on} is written off: {_given_up(invoice, facts)}",
            Rule.R14 if given_up_by_close(invoice, facts) else Rule.R13,
            SYSTEM,
            (_invoice(invoice), *booked(invoice, facts, LedgerKind.WRITE_OFF)),
        )


def attempt_line(attempt: AttemptView, invoice: InvoiceView, facts: Facts) -> Line:
    """One attempt to have the fee paid, and why it was made when it was."""
    is_paid = attempt.state is AttemptState.PAID
    is_first = attempt.attempt == 1
    which = "fee" if invoice.kind is InvoiceKind.FEE else "plan's invoice"
    words = f"{_outcome(attempt, invoice)}{_why_then(attempt, invoice, facts)}"
    return Line(
        attempt.answered_at or attempt.began_at,
        f"{invoice.kind}_{attempt.state}",
        f"The {which} of {invoice.billing_on} {words}",
        Rule.R8 if is_paid and is_first else Rule.R13,
        SYSTEM,
        tuple(_attempt_evidence(attempt, invoice, facts)),
    )


def booked(invoice: InvoiceView, facts: Facts, kind: LedgerKind) -> Iterator[Evidence]:
    """The ledger's transactions of that kind on this invoice."""
    for entry in facts.books.entries:
        if entry.invoice_id == invoice.invoice_id and entry.kind is kind:
            yield Evidence(EvidenceKind.LEDGER, str(entry.entry_id))


def _attempt_evidence(
    attempt: AttemptView, invoice: InvoiceView, facts: Facts
) -> Iterator[Evidence]:
    yield _invoice(invoice)
    if attempt.payment_id is not None:
        yield Evidence(EvidenceKind.PAYMENT, attempt.payment_id)
    if attempt.state is AttemptState.PAID:
        yield from booked(invoice, facts, LedgerKind.CHARGE)
    # What equals its default is left out of a message: the first attempt has no number there.
    for fact in facts.steps(Activity.COLLECT_FEE, billing_on=invoice.billing_on.isoformat()):
        if fact.detail.get("attempt", 1) == attempt.attempt:
            yield fact.evidence


def _outcome(attempt: AttemptView, invoice: InvoiceView) -> str:
    amount = display(invoice.amount_minor, invoice.currency)
    card = f"the card ending {attempt.card_last4}" if attempt.card_last4 else "no card on file"
    match attempt.state:
        case AttemptState.PAID:
            return f"is paid: {amount} from {card}, the one on file at that moment"
        case AttemptState.DECLINED:
            return f"is declined: {explained_decline(attempt.decline_code).operator} ({card})"
        case AttemptState.SENT:
            return f"has no clear answer from the gateway ({card}); it is looked up until known"
        case AttemptState.RESERVED:
            return f"is about to be charged ({card}); nothing was sent yet"


def _why_then(attempt: AttemptView, invoice: InvoiceView, facts: Facts) -> str:
    if attempt.attempt > 1:
        return f"; attempt {attempt.attempt}, {_rung(attempt, facts)}"
    late = attempt.began_at - invoice.due_at
    return "; later than due, since nobody could collect it before" if late > ON_TIME else ""


def _rung(attempt: AttemptView, facts: Facts) -> str:
    terms = facts.act.terms if facts.act else None
    if attempt.rung is None or terms is None:
        return "at once on a new card, or the last one before a close"
    return f"day {rung_day(terms, attempt.rung)} of its ladder"


def _moved_to(invoice: InvoiceView, facts: Facts) -> str:
    on = facts.books.moved_to.get(invoice.invoice_id)
    return f"a line of the plan's invoice of {on}" if on else "a line of the plan's next invoice"


def given_up_by_close(invoice: InvoiceView, facts: Facts) -> bool:
    """Whether a close has given the fee up: the pause's own, or a later one of the account."""
    act = facts.act
    if act is None or act.kind is not ActKind.PAUSE or facts.is_closed:
        return True
    if act.ended_at is None or invoice.answered_at is None:
        return False
    return act.ended_at <= invoice.answered_at


def _given_up(invoice: InvoiceView, facts: Facts) -> str:
    if given_up_by_close(invoice, facts):
        return "the account was closed, and nobody will collect it"
    return "its ladder has ended, and the terms let the pause go on"


def _invoice(invoice: InvoiceView) -> Evidence:
    return Evidence(EvidenceKind.INVOICE, invoice.invoice_id)
