"""Whether three records agree, cent by cent: the ledger, the gateway's, and the workflow's (M4).

    ledger     what it shows as invoiced, charged, given back and owed, against the invoices
    gateway    each payment and refund that our books name, as the gateway has it
    workflow   the fees that each pause's timeline promised, and what a run says that is open

The first is told here, the others next door in `proof_gateway.py` and `proof_workflow.py`. What the
gateway has and our books do not name is for the reconciliation to find.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.money import display
from systems.billing.books import Books, Sums, summed
from systems.billing.invoices import InvoiceView
from systems.billing.ledger import REFUNDS, balances
from systems.billing.refund_rows import RefundView
from systems.tables import InvoiceState, LedgerAccount, LedgerKind, RefundRowState


class Agreement(StrEnum):
    """How a comparison came out. `left_out`: nobody asked. `away`: not all of it could be asked."""

    AGREES = "agrees"
    DIFFERS = "differs"
    LEFT_OUT = "left_out"
    AWAY = "away"


@dataclass(frozen=True)
class Compared:
    """One sum in cents, as the record has it and as our books have it."""

    what: str
    record_minor: int
    books_minor: int
    currency: str


@dataclass(frozen=True)
class Finding:
    """Something that does not agree; `about` is a billing date or an id of the gateway's."""

    about: str
    said: str


@dataclass(frozen=True)
class Check:
    """One record against the books. `note` says what was left out, and why."""

    agreement: Agreement
    compared: tuple[Compared, ...] = ()
    findings: tuple[Finding, ...] = ()
    note: str | None = None


@dataclass(frozen=True)
class Proof:
    """All three records; `agreement` is what they come to together."""

    agreement: Agreement
    ledger: Check
    gateway: Check
    workflow: Check


def proved(ledger: Check, gateway: Check, workflow: Check) -> Proof:
    """The proof: a record that differs decides it, else one that could not be asked."""
    agreements = {each.agreement for each in (ledger, gateway, workflow)}
    worst = (each for each in (Agreement.DIFFERS, Agreement.AWAY) if each in agreements)
    return Proof(next(worst, Agreement.AGREES), ledger, gateway, workflow)


def checked(
    compared: Sequence[Compared],
    findings: Sequence[Finding],
    note: str | None = None,
    otherwise: Agreement = Agreement.AGREES,
) -> Check:
    """The check of a record; `otherwise` is its agreement where nothing differs."""
    is_equal = all(each.record_minor == each.books_minor for each in compared)
    agreement = otherwise if is_equal and not findings else Agreement.DIFFERS
    return Check(agreement, tuple(compared), tuple(findings), note)


def compare(what: str, record: Sums, books: Sums) -> list[Compared]:
    """Two sums side by side, one line per currency."""
    currencies = sorted({*record, *books})
    return [Compared(what, record[each], books[each], each) for each in currencies]


def check_ledger(books: Books) -> Check:
    """The ledger against invoices and refunds: all together, then one by one."""
    compared = [
        *compare("invoiced", books.booked(LedgerKind.INVOICE), books.invoiced()),
        *compare("charged", books.booked(LedgerKind.CHARGE), books.in_state(InvoiceState.PAID)),
        *compare("written off", books.booked(LedgerKind.WRITE_OFF), _written_off(books)),
        *compare("refunded", books.refunded(), _refunded(books)),
        *compare("still owed", _held_by(books, LedgerAccount.RECEIVABLE), books.owed()),
        *compare("all accounts together", _held_by(books, *LedgerAccount), summed([])),
    ]
    findings = [
        *(each for invoice in books.invoices for each in _charges_of(books, invoice)),
        *(each for refund in books.refunds for each in _bookings_of(books, refund)),
    ]
    return checked(compared, findings)


def _written_off(books: Books) -> Sums:
    return books.in_state(InvoiceState.WRITTEN_OFF)


def _refunded(books: Books) -> Sums:
    done = (each for each in books.refunds if each.state is RefundRowState.SUCCEEDED)
    return summed((each.currency, each.amount_minor) for each in done)


def _held_by(books: Books, *accounts: LedgerAccount) -> Sums:
    """What these accounts of the ledger hold together, debits less credits."""
    held: Sums = summed([])
    for currency in books.currencies():
        booked = [entry for entry in books.entries if entry.currency == currency]
        holds = balances(booked)
        held[currency] = sum(holds.get(account, 0) for account in accounts)
    return held


def _charges_of(books: Books, invoice: InvoiceView) -> Iterator[Finding]:
    shown = [
        entry.amount_minor
        for entry in books.entries
        if entry.kind is LedgerKind.CHARGE and entry.invoice_id == invoice.invoice_id
    ]
    is_charged = invoice.state is InvoiceState.PAID and invoice.amount_minor > 0
    if shown != ([invoice.amount_minor] if is_charged else []):
        amounts = ", ".join(display(each, invoice.currency) for each in shown) or "nothing"
        state = invoice.state.replace("_", " ")
        said = f"the invoice is {state}, and the ledger shows {amounts} charged on it"
        yield Finding(str(invoice.billing_on), said)


def _bookings_of(books: Books, refund: RefundView) -> Iterator[Finding]:
    signs = {**dict.fromkeys(REFUNDS, 1), LedgerKind.REVERSAL: -1}
    shown = sum(
        signs.get(entry.kind, 0) * entry.amount_minor
        for entry in books.entries
        if entry.refund_id is not None and entry.refund_id == refund.refund_id
    )
    if shown != (refund.amount_minor if refund.state is RefundRowState.SUCCEEDED else 0):
        amount = display(shown, refund.currency)
        said = f"the refund is {refund.state}, and the ledger shows {amount} given back by it"
        yield Finding(refund.refund_id or refund.key, said)
