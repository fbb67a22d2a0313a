"""“Why was I charged on that day?”, and why not: the answer for one date.

before: the plan's      [paused_at =========== fee =========== end)      after: the plan's
"""

from collections.abc import Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from domain.calendar import billing_date, due_instant, local_date
from domain.money import display
from domain.states import ActKind
from starter.explaining.facts import Evidence, EvidenceKind, Facts, Line
from starter.explaining.fees import attempt_line, booked, given_up_by_close
from starter.explaining.lines import REFUSALS
from starter.explaining.rules import Rule
from systems.audit import SYSTEM
from systems.billing.invoices import InvoiceView
from systems.billing.ledger import REFUNDS, LedgerEntry
from systems.billing.settling import ANSWERED
from systems.tables import InvoiceKind, InvoiceState, LedgerKind, LineKind

CHARGED, NOT_CHARGED = "charged", "not_charged"


def answers(facts: Facts, on: date) -> list[Line]:
    """Why there was a charge on `on`, or none: first the billing date, then what was paid that day.

    A payment may belong to an earlier billing date: a ladder or an outage moved it there.
    """
    invoice = next((each for each in facts.books.invoices if each.billing_on == on), None)
    moved = list(_paid_that_day(facts, on))
    if invoice is not None:
        return [_of_invoice(invoice, facts), *moved]
    return moved or [_without_invoice(on, facts)]


def _of_invoice(invoice: InvoiceView, facts: Facts) -> Line:
    if invoice.kind is InvoiceKind.PLAN:
        return _of_plan(invoice, facts)
    if invoice.act_id != facts.act_id:
        text = f"This date is the fee of another pause: {invoice.act_id} explains it"
        return _answer(invoice, CHARGED, text, Rule.R7, facts)
    return _of_fee(invoice, facts)


def _of_fee(invoice: InvoiceView, facts: Facts) -> Line:
    what = CHARGED if invoice.state is InvoiceState.PAID else NOT_CHARGED
    rule = Rule.R7 if what is CHARGED else Rule.R13
    if invoice.state is InvoiceState.WRITTEN_OFF and given_up_by_close(invoice, facts):
        rule = Rule.R14
    return _answer(invoice, what, _fee_words(invoice, facts), rule, facts)


def _fee_words(invoice: InvoiceView, facts: Facts) -> str:
    amount = display(invoice.amount_minor, invoice.currency)
    why = f"{invoice.billing_on} is a regular billing date, due inside the pause ({_inside(facts)})"
    match invoice.state:
        case InvoiceState.PAID:
            return f"Charged {amount}, the fee: {why}"
        case InvoiceState.PAST_DUE:
            return f"Not charged so far: the card was declined, and its ladder goes on; {why}"
        case InvoiceState.UNKNOWN:
            return f"Nobody knows yet whether {amount} was charged: it is looked up; {why}"
        case InvoiceState.OPEN:
            return f"Being charged: {why}"
        case InvoiceState.MOVED:
            on = facts.books.moved_to.get(invoice.invoice_id)
            where = f"the plan's invoice of {on}" if on else "the plan's next invoice"
            return f"Not charged that day: declined until the resume, then moved to {where}"
        case InvoiceState.WRITTEN_OFF:
            is_closed = given_up_by_close(invoice, facts)
            end = "the account was closed" if is_closed else "its ladder ended"
            return f"Not charged: the fee was declined, and written off when {end}"


def _of_plan(invoice: InvoiceView, facts: Facts) -> Line:
    amount = display(invoice.amount_minor, invoice.currency)
    text = f"{amount} by the plan and no fee: {_why_the_plans(invoice.due_at, facts)}"
    extra = [line for line in invoice.lines if line.kind in PLAINLY]
    for line in extra:
        text += f"; {display(line.amount_minor, invoice.currency)} of it: {line.description}"
    what = CHARGED if invoice.state is InvoiceState.PAID else NOT_CHARGED
    if invoice.state is not InvoiceState.PAID:
        text = f"{text}; the plan's invoice is {invoice.state.replace('_', ' ')}"
    return _answer(invoice, what, text, Rule.R9 if extra else Rule.R7, facts)


# Lines that a pause has put on the plan's invoice.
PLAINLY = frozenset({LineKind.REMAINING_DAYS, LineKind.UNPAID_FEE})


def _without_invoice(on: date, facts: Facts) -> Line:
    act = facts.act
    due_at = due_instant(on, facts.zone)
    if act is None or act.paused_at is None or act.terms is None or act.kind is ActKind.CLOSE:
        rule, text = _never_in_effect(facts)
    elif on != billing_date(on.year, on.month, act.terms.billing_day):
        rule, text = Rule.R7, _not_regular(on, act.terms.billing_day)
    elif due_at < act.paused_at:
        rule, text = Rule.R7, f"Not charged as a fee: {_why_the_plans(due_at, facts)}"
    elif facts.ends_at is not None and due_at >= facts.ends_at:
        rule, text = _after_the_end(due_at, facts)
    elif act.timeline is not None and due_at >= act.timeline.resume_at:
        end = local_date(act.timeline.resume_at, facts.zone)
        rule, text = Rule.R11, f"Not charged: the account comes back by itself before, on {end}"
    elif due_at > facts.now:
        fee = display(act.terms.fee_minor, act.terms.currency)
        rule, text = Rule.R19, f"Not charged yet: {fee} fall due, unless the pause ends before"
    else:
        rule, text = Rule.R16, "Due and not charged yet: it is collected when a worker runs again"
    return Line(due_at, NOT_CHARGED, text, rule, SYSTEM, tuple(_end_evidence(facts)))


def _never_in_effect(facts: Facts) -> tuple[Rule, str]:
    if facts.act is not None and facts.act.kind is ActKind.CLOSE:
        return Rule.R14, "Not charged: the account was closed, which takes no fee"
    if facts.act is not None and facts.act.ended_at is None:
        return Rule.R3, "Not charged: the pause is not in effect yet"
    code = _refusal_code(facts)
    rule, why = REFUSALS.get(code, (Rule.R3, "it was undone"))
    return rule, f"Not charged: this pause never took effect, since {why}"


def _refusal_code(facts: Facts) -> str:
    if facts.refusal is not None:
        return facts.refusal[1]
    refused = [each for each in facts.audit if each.what == "pause_refused"]
    of_act = [each for each in refused if each.act_id == facts.act_id]
    return str(of_act[-1].detail.get("code")) if of_act else ""


def _not_regular(on: date, billing_day: int) -> str:
    regular = billing_date(on.year, on.month, billing_day)
    return f"Not charged: it is no billing date; that month's is {regular}"


def _after_the_end(due_at: datetime, facts: Facts) -> tuple[Rule, str]:
    assert facts.ends_at is not None
    end = local_date(facts.ends_at, facts.zone)
    if facts.is_closed:
        return Rule.R14, f"Not charged: the account was closed on {end}, and no fee comes after"
    return Rule.R10, f"Not charged as a fee: {_why_the_plans(due_at, facts)}"


def _why_the_plans(due_at: datetime, facts: Facts) -> str:
    act = facts.act
    if act is None or act.paused_at is None:
        return "no pause was in effect, so the date is the plan's"
    if due_at < act.paused_at:
        paused = _at(act.paused_at, facts)
        return f"it was due {_at(due_at, facts)}, before the pause took effect {paused}"
    if facts.ends_at is not None and due_at >= facts.ends_at:
        end = _at(facts.ends_at, facts)
        due = _at(due_at, facts)
        return f"the account was back as of {end}, so the date, due {due}, is the plan's"
    return "the plan had taken the date before"


def _inside(facts: Facts) -> str:
    assert facts.act is not None
    since = _at(facts.act.paused_at, facts) if facts.act.paused_at else "its beginning"
    return f"from {since} to {_at(facts.ends_at, facts)}" if facts.ends_at else f"since {since}"


def _at(at: datetime, facts: Facts) -> str:
    return f"{at.astimezone(ZoneInfo(facts.zone)):%Y-%m-%d %H:%M}"


def _answer(invoice: InvoiceView, what: str, text: str, rule: Rule, facts: Facts) -> Line:
    evidence = [Evidence(EvidenceKind.INVOICE, invoice.invoice_id)]
    for kind in (LedgerKind.INVOICE, LedgerKind.CHARGE, LedgerKind.WRITE_OFF):
        evidence += booked(invoice, facts, kind)
    evidence += [
        Evidence(EvidenceKind.PAYMENT, each.payment_id)
        for each in invoice.attempts
        if each.payment_id is not None
    ]
    return Line(invoice.due_at, what, text, rule, SYSTEM, tuple(evidence))


def _paid_that_day(facts: Facts, on: date) -> Iterator[Line]:
    """The attempts and refunds of that day; of its own billing date only if there were several."""
    for invoice in facts.books.invoices:
        if invoice.billing_on == on:
            continue
        for attempt in invoice.attempts:
            is_answered = attempt.state in ANSWERED
            if is_answered and attempt.answered_at and _is_on(attempt.answered_at, on, facts):
                yield attempt_line(attempt, invoice, facts)
    for entry in facts.books.entries:
        if entry.kind in REFUNDS and _is_on(entry.at, on, facts):
            yield _refund(entry)


def _refund(entry: LedgerEntry) -> Line:
    references = {
        EvidenceKind.LEDGER: str(entry.entry_id),
        EvidenceKind.PAYMENT: entry.payment_id,
        EvidenceKind.REFUND: entry.refund_id,
    }
    evidence = [Evidence(kind, reference) for kind, reference in references.items() if reference]
    text = f"Given back: {display(entry.amount_minor, entry.currency)}"
    return Line(entry.at, "refunded", text, Rule.R15, SYSTEM, tuple(evidence))


def _is_on(at: datetime, on: date, facts: Facts) -> bool:
    return local_date(at, facts.zone) == on


def _end_evidence(facts: Facts) -> Iterator[Evidence]:
    """What proves where the pause began and ended."""
    for entry in facts.audit:
        if entry.act_id == facts.act_id and entry.what in BOUNDS:
            yield Evidence(EvidenceKind.AUDIT, str(entry.entry_id))


BOUNDS = frozenset({"paused", "pause_refused", "resume_begun", "close_begun"})
