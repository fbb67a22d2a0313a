"""The workflow's record against our books: what pauses promised, and what an open run says (R19).

A pause's timeline promises a fee for each billing date that falls due in ``[paused_at, end)``; its
invoices have to be these and no others (M2, M3).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.messages import ChargeStatus
from domain.money import display
from domain.ports import Act
from domain.states import ChargeState
from domain.timeline import Fee
from systems.billing.books import Books, summed
from systems.billing.invoices import InvoiceView
from systems.billing.proof import Check, Finding, checked, compare
from systems.billing.settling import CHARGE_STATES
from systems.tables import InvoiceKind

# Where run and books may be a moment apart: an attempt is being made, or waits for its answer.
IN_FLIGHT = frozenset({ChargeState.COLLECTING, ChargeState.UNKNOWN})
# Where a run has a date that is on no invoice: not yet, or never.
NOT_INVOICED = frozenset({ChargeState.SCHEDULED, ChargeState.NOT_OWED, ChargeState.COLLECTING})


@dataclass(frozen=True)
class RunSays:
    """What the run of the open pause answers: its charges; None: it was not asked, and `note` why.

    Where no pause is open there is no run to ask.
    """

    charges: Sequence[ChargeStatus] | None = None
    note: str | None = None


NO_RUN = RunSays()


@dataclass(frozen=True)
class Promised:
    """A fee that a pause has promised, and for how much."""

    act_id: str
    fee: Fee
    amount_minor: int
    currency: str


def check_workflow(books: Books, run: RunSays, now: datetime) -> Check:
    """Each promised fee against its invoice and the other way round; then the run, date by date.

    `now` is the account's time: what falls due later is not owed yet.
    """
    fees = [each for each in books.invoices if each.kind is InvoiceKind.FEE]
    promised = [each for pause in books.pauses for each in _promised(pause, fees, now)]
    compared = compare(
        "fees",
        summed((each.currency, each.amount_minor) for each in promised),
        summed((each.currency, each.amount_minor) for each in fees),
    )
    findings = [
        *(each for owed in promised for each in _invoice_differs(books, owed)),
        *_not_promised(fees, promised),
        *(each for charge in run.charges or () for each in _run_differs(books, charge)),
    ]
    return checked(compared, findings, run.note)


def _promised(pause: Act, fees: Sequence[InvoiceView], now: datetime) -> Iterator[Promised]:
    if pause.timeline is None or pause.terms is None:
        return
    end = pause.ends_at or pause.ended_at
    # The run's clock may be a moment ahead: what it has taken was due by then.
    taken = {each.billing_on for each in fees if each.act_id == pause.act_id}
    for fee in pause.timeline.fees:
        is_due = fee.due_at < end if end else fee.due_at <= now or fee.billing_on in taken
        if is_due and fee.due_at >= pause.timeline.paused_at:
            yield Promised(pause.act_id, fee, pause.terms.fee_minor, pause.terms.currency)


def _invoice_differs(books: Books, owed: Promised) -> Iterator[Finding]:
    about = str(owed.fee.billing_on)
    invoice = next((it for it in books.invoices if it.billing_on == owed.fee.billing_on), None)
    if invoice is None:
        yield Finding(about, f"owed by pause {owed.act_id}, and on no invoice")
    elif invoice.act_id != owed.act_id:
        whose = invoice.act_id or "the plan"
        yield Finding(about, f"owed by pause {owed.act_id}, and invoiced for {whose}")
    elif (invoice.amount_minor, invoice.currency) != (owed.amount_minor, owed.currency):
        promised = display(owed.amount_minor, owed.currency)
        invoiced = display(invoice.amount_minor, invoice.currency)
        yield Finding(about, f"promised for {promised}, and invoiced for {invoiced}")
    elif invoice.due_at != owed.fee.due_at:
        yield Finding(about, "promised for another instant than it was invoiced for")


def _not_promised(fees: Sequence[InvoiceView], promised: Sequence[Promised]) -> Iterator[Finding]:
    known = {(each.act_id, each.fee.billing_on) for each in promised}
    for invoice in fees:
        if (invoice.act_id, invoice.billing_on) not in known:
            said = f"invoiced for pause {invoice.act_id}, which did not promise it"
            yield Finding(str(invoice.billing_on), said)


def _run_differs(books: Books, charge: ChargeStatus) -> Iterator[Finding]:
    open_pauses = {pause.act_id for pause in books.pauses if pause.ended_at is None}
    invoice = next(
        (
            it
            for it in books.invoices
            if it.billing_on == charge.billing_on and it.act_id in open_pauses
        ),
        None,
    )
    about = str(charge.billing_on)
    if invoice is None:
        if charge.state not in NOT_INVOICED:
            yield Finding(about, f"{charge.state} for the run, and on no invoice")
        return
    state = CHARGE_STATES[invoice.state]
    if state is not charge.state and not {state, charge.state} <= IN_FLIGHT:
        yield Finding(about, f"{charge.state} for the run, {state} in our books")
    if (charge.amount_minor, charge.currency) != (invoice.amount_minor, invoice.currency):
        run = display(charge.amount_minor, charge.currency)
        ours = display(invoice.amount_minor, invoice.currency)
        yield Finding(about, f"{run} for the run, {ours} in our books")
