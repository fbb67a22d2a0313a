"""What people see of an account's money: the statement with its proof, and single refunds."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from domain.calendar import local_date
from domain.declines import explained
from domain.money import display
from starter.cli.views import day, facts, grid, moment, under
from systems.billing.invoices import AttemptView
from systems.billing.ledger import LedgerEntry
from systems.billing.proof import Agreement, Check, Proof
from systems.billing.refund_rows import AT_THE_GATEWAY, RefundView
from systems.billing.statement import InvoiceBlock, Statement, StrayBlock, Totals
from systems.tables import AttemptState, InvoiceKind, InvoiceState, RefundRowState

Row = tuple[str, RenderableType | None]

AGREEMENTS = {
    Agreement.AGREES: Text("agrees", style="green"),
    Agreement.DIFFERS: Text("does not agree", style="bold red"),
    Agreement.LEFT_OUT: Text("left out", style="dim"),
    Agreement.AWAY: Text("could not be asked", style="magenta"),
}


def statement_views(statement: Statement, name: str) -> list[RenderableType]:
    """The statement from top to bottom: invoices, stray charges, totals, proof."""
    zone = statement.time_zone
    views: list[RenderableType] = [
        Text(f"Statement of {name}, {moment(statement.at, zone)}", style="bold")
    ]
    for block in statement.invoices:
        views += ["", _invoice(block, zone)]
    if not statement.invoices:
        views += ["", "Nothing was invoiced so far."]
    for stray in statement.stray_charges:
        views += ["", _stray(stray, zone)]
    for totals in statement.totals:
        views += ["", _totals(totals)]
    return [*views, "", *_proof(statement.proof)]


def refund_view(refund: RefundView, zone: str) -> RenderableType:
    """One refund and where it stands."""
    rows: list[Row] = [
        ("Refund", refund.refund_id),
        ("Amount", display(refund.amount_minor, refund.currency)),
        ("State", _refund_state(refund, zone)),
        ("Of payment", refund.payment_id),
        ("Asked for", f"{moment(refund.began_at, zone)}, by {_who(refund)}"),
    ]
    return facts("", rows)


def _invoice(block: InvoiceBlock, zone: str) -> Table:
    invoice = block.invoice
    return facts(
        f"{day(invoice.billing_on)}  {display(invoice.amount_minor, invoice.currency)}",
        [
            ("Due", moment(invoice.due_at, zone)),
            *under("For", _what_for(block, zone)),
            ("State", _invoice_state(block)),
            *under("Attempts", [_attempt(each, zone) for each in invoice.attempts]),
            *_evidence(block.booked, block.refunds, zone),
        ],
    )


def _stray(stray: StrayBlock, zone: str) -> Table:
    on = local_date(stray.charged_at, zone)
    return facts(
        f"{day(on)}  {display(stray.amount_minor, stray.currency)}",
        [
            ("For", Text("no invoice: a stray charge", style="bold red")),
            ("Payment", stray.payment_id),
            *_evidence(stray.booked, stray.refunds, zone),
        ],
    )


def _evidence(
    booked: Sequence[LedgerEntry], refunds: Sequence[RefundView], zone: str
) -> Iterator[Row]:
    yield from under("Refund", [_refund(each, zone) for each in refunds])
    yield from under("Ledger", [_entry(each, zone) for each in booked])


def _what_for(block: InvoiceBlock, zone: str) -> Iterator[str]:
    invoice = block.invoice
    if invoice.kind is InvoiceKind.PLAN:
        yield "the plan, which has this billing date (R7)"
    else:
        since = f" since {moment(block.paused_at, zone)}" if block.paused_at else ""
        yield f"the fee of a billing date inside a pause (R7): {invoice.act_id}, paused{since}"
    for line in invoice.lines:
        yield f"{display(line.amount_minor, invoice.currency)}  {line.description}"


def _invoice_state(block: InvoiceBlock) -> Text:
    words, style = _state_words(block)
    held = "; held until an operator has looked" if block.is_held else ""
    return Text(f"{words}{held}", style=style)


def _state_words(block: InvoiceBlock) -> tuple[str, str]:
    invoice = block.invoice
    match invoice.state:
        case InvoiceState.PAID:
            return ("paid" if invoice.amount_minor else "nothing to pay"), "green"
        case InvoiceState.PAST_DUE:
            return "declined, still owed", "bold red"
        case InvoiceState.UNKNOWN:
            return "unclear whether it was paid; looked up until known", "magenta"
        case InvoiceState.OPEN:
            return "being collected", ""
        case InvoiceState.WRITTEN_OFF:
            return "written off: nobody will collect it", ""
        case InvoiceState.MOVED if block.moved_to:
            return f"unpaid, moved to the plan's invoice of {day(block.moved_to)}", ""
        case InvoiceState.MOVED:
            return "unpaid, waits for the plan's next invoice; still owed", ""


def _attempt(attempt: AttemptView, zone: str) -> Text:
    at = moment(attempt.answered_at or attempt.began_at, zone)
    card = f"card ending {attempt.card_last4}" if attempt.card_last4 else "no card"
    return Text.assemble(
        f"{at}  {card}  ", _outcome(attempt), (f"  {attempt.payment_id or ''}", "dim")
    )


def _outcome(attempt: AttemptView) -> tuple[str, str]:
    match attempt.state:
        case AttemptState.PAID:
            return "paid", "green"
        case AttemptState.DECLINED:
            return f"declined: {explained(attempt.decline_code).operator}", "red"
        case AttemptState.SENT:
            return "no clear answer yet", "magenta"
        case AttemptState.RESERVED:
            return "not sent yet", ""


def _refund(refund: RefundView, zone: str) -> Text:
    amount = display(refund.amount_minor, refund.currency)
    state = _refund_state(refund, zone)
    return Text.assemble(
        f"{amount} by {_who(refund)}  ", state, (f"  {refund.refund_id or refund.key}", "dim")
    )


def _refund_state(refund: RefundView, zone: str) -> Text:
    at = moment(refund.answered_at, zone) if refund.answered_at else ""
    match refund.state:
        case RefundRowState.SUCCEEDED:
            return Text(f"given back {at}", style="green")
        case RefundRowState.FAILED:
            return Text(f"failed {at}: nothing went back; it may be asked for again", style="red")
        case RefundRowState.RESERVED if refund.look_up_at is None:
            return Text("held until an operator has looked", style="bold red")
        case RefundRowState.RESERVED:
            return Text("not answered yet; looked up until known", style="magenta")


def _who(refund: RefundView) -> str:
    return "somebody at the gateway" if refund.actor == AT_THE_GATEWAY else refund.actor


def _entry(entry: LedgerEntry, zone: str) -> Text:
    amount = display(entry.amount_minor, entry.currency)
    sides = f"{entry.credit} to {entry.debit}".replace("_", " ")
    return Text(f"{moment(entry.at, zone)}  {entry.kind.replace('_', ' ')}, {amount} from {sides}")


def _totals(totals: Totals) -> Table:
    amounts = {
        "Invoiced": totals.invoiced_minor,
        "Charged": totals.charged_minor,
        "Written off": totals.written_off_minor,
        "Still owed": totals.owed_minor,
        "Moved": totals.moved_minor,
        "Stray charges": totals.stray_minor,
        "Refunded": totals.refunded_minor,
    }
    shown = {what: display(amount_minor, totals.currency) for what, amount_minor in amounts.items()}
    width = max(map(len, shown.values()))
    return facts(
        f"Totals in {totals.currency}",
        [(what, amount.rjust(width)) for what, amount in shown.items()],
    )


def _proof(proof: Proof) -> list[RenderableType]:
    records = {"ledger": proof.ledger, "gateway": proof.gateway, "workflow": proof.workflow}
    table = grid("Proof", "Record", "", "What", "There", "In our books")
    for name, check in records.items():
        for row in _check_rows(name, check):
            table.add_row(*row)
    findings = [
        Text.assemble((f"{name}: ", "bold red"), f"{each.about}: {each.said}")
        for name, check in records.items()
        for each in check.findings
    ]
    notes = [
        Text(f"{name}: {check.note}", style="dim") for name, check in records.items() if check.note
    ]
    return [table, *findings, *notes]


def _check_rows(name: str, check: Check) -> Iterator[Sequence[RenderableType]]:
    heading: tuple[RenderableType, RenderableType] = (name, AGREEMENTS[check.agreement])
    if not check.compared:
        yield heading
    for position, each in enumerate(check.compared):
        style = "" if each.record_minor == each.books_minor else "bold red"
        yield (
            *(("", "") if position else heading),
            each.what,
            Text(display(each.record_minor, each.currency), style=style),
            Text(display(each.books_minor, each.currency), style=style),
        )
