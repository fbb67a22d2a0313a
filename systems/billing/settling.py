"""What an attempt came to: paid, declined or unknown, and what follows from it (R13).

All functions here expect the account's lock to be held.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from domain.calendar import local_date
from domain.ladder import (
    final_notice_rung,
    last_rung,
    next_look_up_at,
    next_rung_at,
    rung_day,
)
from domain.messages import FeeAnswer
from domain.payments import Payment, PaymentState
from domain.states import ChargeState, LadderEnd
from domain.terms import Terms
from systems import audit, notices
from systems.billing.ledger import book_charge, book_write_off
from systems.billing.plan import Line, put_down, subscription_of, terms_of
from systems.notices import NoticeKind
from systems.tables import (
    AttemptRow,
    AttemptState,
    InvoiceKind,
    InvoiceRow,
    InvoiceState,
    LineKind,
    Outcome,
    SuspensionRow,
)

# An invoice as others see it. `open` means that an attempt is being made, or is about to be.
CHARGE_STATES = {
    InvoiceState.OPEN: ChargeState.COLLECTING,
    InvoiceState.UNKNOWN: ChargeState.UNKNOWN,
    InvoiceState.PAST_DUE: ChargeState.DECLINED,
    InvoiceState.PAID: ChargeState.PAID,
    InvoiceState.MOVED: ChargeState.MOVED,
    InvoiceState.WRITTEN_OFF: ChargeState.WRITTEN_OFF,
}
FINAL = frozenset({InvoiceState.PAID, InvoiceState.MOVED, InvoiceState.WRITTEN_OFF})
UNSETTLED = tuple(state for state in InvoiceState if state not in FINAL)
ANSWERED = frozenset({AttemptState.PAID, AttemptState.DECLINED})
# A decline for which the gateway gave no reason.
DECLINED = "declined"


# What asking the gateway came to: its record, None where it gave no clear answer, or the reason for
# which it would not even prepare a payment.
GatewayAnswer = Payment | str | None


def settle(session: Session, attempt: AttemptRow, said: GatewayAnswer, at: datetime) -> FeeAnswer:
    """Record what asking the gateway came to.

    An attempt that somebody else has settled meanwhile keeps its answer.
    """
    invoice = session.get_one(InvoiceRow, attempt.invoice_id)
    if attempt.state in ANSWERED:
        return recorded_answer(invoice, attempt)
    match said:
        case Payment(state=PaymentState.SUCCEEDED):
            _settle_paid(session, invoice, attempt, at)
        case Payment(state=PaymentState.DECLINED, decline_code=code):
            settle_declined(session, invoice, attempt, code or DECLINED, at)
        case str():
            settle_declined(session, invoice, attempt, said, at)
        case _:
            return _unknown(invoice, at)
    return recorded_answer(invoice, attempt)


def settle_after_all(session: Session, attempt: AttemptRow, payment: Payment, at: datetime) -> bool:
    """A decline on record turns out to have been paid: the gateway's record is the truth (M4).

    Only while the invoice is past due. One that was moved is paid with the plan, one that was
    written off is given up, and another attempt that is under way may take the money once more:
    there a person decides, and False is returned.
    """
    invoice = session.get_one(InvoiceRow, attempt.invoice_id)
    is_declined = attempt.state is AttemptState.DECLINED
    is_unpaid = is_declined and invoice.state is InvoiceState.PAST_DUE
    if not is_unpaid or payment.state is not PaymentState.SUCCEEDED:
        return False
    audit.write(
        session,
        account_id=invoice.account_id,
        act_id=invoice.act_id,
        at=at,
        what="decline_was_paid",
        billing_on=invoice.billing_on.isoformat(),
        payment_id=payment.payment_id,
        decline_code=attempt.decline_code,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
    )
    note_payment(attempt, payment)
    attempt.decline_code = attempt.rung_at = None
    _settle_paid(session, invoice, attempt, at)
    return True


def note_payment(attempt: AttemptRow, payment: Payment) -> None:
    """Which payment the attempt has made; the first one on record stays the one."""
    if attempt.payment_id is None:
        attempt.payment_id = payment.payment_id
        attempt.payment_created_at = payment.created_at


def settle_declined(
    session: Session, invoice: InvoiceRow, attempt: AttemptRow, decline_code: str, at: datetime
) -> None:
    """The attempt moved no money and never will: the invoice is past due, or as R13 says."""
    attempt.state, attempt.decline_code, attempt.answered_at = (
        AttemptState.DECLINED,
        decline_code,
        at,
    )
    invoice.state = InvoiceState.PAST_DUE
    invoice.first_unknown_at = invoice.held_at = None
    if invoice.kind is InvoiceKind.FEE:
        _go_on_after_decline(session, invoice, attempt, at)


def move(session: Session, invoice: InvoiceRow, at: datetime) -> None:
    """The unpaid fee becomes a line of the plan's next invoice, once."""
    invoice.state, invoice.answered_at = InvoiceState.MOVED, at
    put_down(session, invoice.account_id, moved_key(invoice), unpaid_fee(invoice))


def moved_key(invoice: InvoiceRow) -> str:
    """The key of the line as which an unpaid fee moves."""
    return f"{invoice.act_id}:{invoice.billing_on}:{LineKind.UNPAID_FEE}"


def unpaid_fee(invoice: InvoiceRow) -> Line:
    """The line as which an unpaid fee moves."""
    words = f"Paused account, {invoice.billing_on}, unpaid until now"
    return Line(LineKind.UNPAID_FEE, words, invoice.amount_minor)


def write_off(session: Session, invoice: InvoiceRow, at: datetime) -> None:
    """The unpaid fee is given up."""
    invoice.state, invoice.answered_at = InvoiceState.WRITTEN_OFF, at
    book_write_off(session, invoice, at)


def recorded_answer(invoice: InvoiceRow, attempt: AttemptRow) -> FeeAnswer:
    """What an answered attempt came to; what became of the invoice, once that is final."""
    if invoice.state in FINAL:
        return final_answer(invoice)
    return FeeAnswer(
        state=ChargeState.DECLINED,
        rung=attempt.rung,
        rung_at=attempt.rung_at,
        decline_code=attempt.decline_code,
    )


def final_answer(invoice: InvoiceRow) -> FeeAnswer:
    """What became of an invoice that is final."""
    return FeeAnswer(state=CHARGE_STATES[invoice.state])


def _settle_paid(session: Session, invoice: InvoiceRow, attempt: AttemptRow, at: datetime) -> None:
    attempt.state, attempt.answered_at = AttemptState.PAID, at
    invoice.state, invoice.answered_at = InvoiceState.PAID, at
    invoice.first_unknown_at = invoice.held_at = None
    book_charge(session, invoice, attempt, at)
    if invoice.kind is InvoiceKind.FEE:
        notices.enqueue(
            session,
            key=f"{attempt.key}:receipt",
            account_id=invoice.account_id,
            kind=NoticeKind.RECEIPT,
            data=_facts(invoice, attempt),
            at=at,
        )


def _unknown(invoice: InvoiceRow, at: datetime) -> FeeAnswer:
    invoice.state = InvoiceState.UNKNOWN
    invoice.first_unknown_at = invoice.first_unknown_at or at
    invoice.look_up_at = next_look_up_at(invoice.first_unknown_at, at)
    return FeeAnswer(state=ChargeState.UNKNOWN, look_up_at=invoice.look_up_at)


def _go_on_after_decline(
    session: Session, invoice: InvoiceRow, attempt: AttemptRow, at: datetime
) -> None:
    suspension = session.get_one(SuspensionRow, invoice.act_id)
    terms = terms_of(suspension)
    has_plan = subscription_of(session, invoice.account_id).ended_at is None
    if suspension.outcome is Outcome.RESUMED and has_plan:
        move(session, invoice, at)
    elif suspension.outcome is not None:
        # Closed; or resumed and then closed, so that there is no next invoice to move to.
        write_off(session, invoice, at)
    elif attempt.rung == last_rung(terms) and terms.ladder_end is LadderEnd.KEEP:
        write_off(session, invoice, at)
    elif attempt.rung is not None:
        attempt.rung_at = next_rung_at(terms, attempt.rung, at)
        _announce(session, invoice, attempt, attempt.rung, terms, at)


def _announce(
    session: Session,
    invoice: InvoiceRow,
    attempt: AttemptRow,
    rung: int,
    terms: Terms,
    at: datetime,
) -> None:
    # The first decline is followed by a mail a day later; the last one by the mail about the close.
    if not 1 <= rung <= final_notice_rung(terms):
        return
    is_final = rung == final_notice_rung(terms)
    notices.enqueue(
        session,
        key=f"{invoice.act_id}:{invoice.billing_on}:declined:{rung}",
        account_id=invoice.account_id,
        kind=NoticeKind.FINAL_NOTICE if is_final else NoticeKind.DECLINED,
        data={
            **_facts(invoice, attempt),
            "rung": rung,
            "day": rung_day(terms, rung),
            "decline_code": attempt.decline_code,
            "next_on": _on(attempt.rung_at, terms),
            "closes_on": _on(_closes_at(terms, rung, at), terms),
        },
        at=at,
    )


def _closes_at(terms: Terms, rung: int, taken_at: datetime) -> datetime | None:
    """When the last rung is due as things stand, if an account is closed by it."""
    if terms.ladder_end is not LadderEnd.CLOSE:
        return None
    while (next_at := next_rung_at(terms, rung, taken_at)) is not None:
        rung, taken_at = rung + 1, next_at
    return taken_at


def _on(at: datetime | None, terms: Terms) -> str | None:
    return local_date(at, terms.time_zone).isoformat() if at else None


def _facts(invoice: InvoiceRow, attempt: AttemptRow) -> dict[str, object]:
    return {
        "billing_on": invoice.billing_on.isoformat(),
        "amount_minor": invoice.amount_minor,
        "currency": invoice.currency,
        "last4": attempt.card_last4,
    }
