"""The statement of an account: what was charged when, what for, with which evidence, and the proof.

One block per invoice, by billing date, with its attempts, its transactions and what was given back;
then what belongs to no invoice, the totals, and whether ledger, gateway and workflow agree.
"""

from dataclasses import dataclass
from datetime import date, datetime

from domain.payments import PaymentGateway
from systems.billing.books import Books, read_books
from systems.billing.invoices import InvoiceView
from systems.billing.ledger import LedgerEntry
from systems.billing.proof import Agreement, Check, Proof, check_ledger, proved
from systems.billing.proof_gateway import check_gateway
from systems.billing.proof_workflow import NO_RUN, RunSays, check_workflow
from systems.billing.refund_rows import RefundView
from systems.db import Database
from systems.tables import InvoiceState, LedgerKind


@dataclass(frozen=True)
class InvoiceBlock:
    """One invoice and all that is on record about it.

    `paused_at` tells when the pause began whose fee it is, `moved_to` on which billing date the
    plan has invoiced a moved fee, `is_held` that an operator has to look at it.
    """

    invoice: InvoiceView
    paused_at: datetime | None
    moved_to: date | None
    is_held: bool
    booked: tuple[LedgerEntry, ...]
    refunds: tuple[RefundView, ...]


@dataclass(frozen=True)
class StrayBlock:
    """A payment that the gateway has received and that belongs to no invoice."""

    payment_id: str
    amount_minor: int
    currency: str
    charged_at: datetime
    booked: tuple[LedgerEntry, ...]
    refunds: tuple[RefundView, ...]


@dataclass(frozen=True)
class Totals:
    """What it comes to in one currency, in cents.

    What is owed is what was invoiced, less what was charged and written off. A moved fee counts as
    invoiced once, and is owed until the plan's invoice that has taken it is paid.
    """

    currency: str
    invoiced_minor: int
    charged_minor: int
    stray_minor: int
    refunded_minor: int
    written_off_minor: int
    moved_minor: int
    owed_minor: int


@dataclass(frozen=True)
class Statement:
    """All that one account was ever charged, as of the account's time `at`."""

    account_id: str
    time_zone: str
    at: datetime
    invoices: tuple[InvoiceBlock, ...]
    stray_charges: tuple[StrayBlock, ...]
    totals: tuple[Totals, ...]
    proof: Proof


class Statements:
    """Tells statements; changes nothing."""

    def __init__(self, db: Database, gateway: PaymentGateway) -> None:
        """Read from `db`, compare with `gateway`."""
        self._db = db
        self._gateway = gateway

    def statement(
        self,
        account_id: str,
        at: datetime,
        *,
        run: RunSays = NO_RUN,
        asks_gateway: bool = True,
    ) -> Statement:
        """The account's statement; `at` is its time now, `run` what its open pause's run says.

        A gateway that is away is told as such, never guessed.

        Raises:
            Rejected: `account_not_found`.
        """
        with self._db.transaction() as session:
            books = read_books(session, account_id)
        gateway = check_gateway(books, self._gateway) if asks_gateway else Check(Agreement.LEFT_OUT)
        return Statement(
            account_id=account_id,
            time_zone=books.time_zone,
            at=at,
            invoices=tuple(_block(books, invoice) for invoice in books.invoices),
            stray_charges=tuple(_strays(books)),
            totals=tuple(_totals(books, currency) for currency in books.currencies()),
            proof=proved(check_ledger(books), gateway, check_workflow(books, run, at)),
        )


def _block(books: Books, invoice: InvoiceView) -> InvoiceBlock:
    pauses = {pause.act_id: pause.paused_at for pause in books.pauses}
    invoice_id = invoice.invoice_id
    return InvoiceBlock(
        invoice=invoice,
        paused_at=pauses.get(invoice.act_id) if invoice.act_id else None,
        moved_to=books.moved_to.get(invoice_id),
        is_held=invoice_id in books.held,
        booked=tuple(each for each in books.entries if each.invoice_id == invoice_id),
        refunds=tuple(each for each in books.refunds if each.invoice_id == invoice_id),
    )


def _strays(books: Books) -> list[StrayBlock]:
    return [
        StrayBlock(
            payment_id=charge.payment_id,
            amount_minor=charge.amount_minor,
            currency=charge.currency,
            charged_at=charge.at,
            booked=tuple(it for it in books.entries if it.payment_id == charge.payment_id),
            refunds=tuple(it for it in books.refunds if it.payment_id == charge.payment_id),
        )
        for charge in books.entries
        if charge.kind is LedgerKind.STRAY_CHARGE and charge.payment_id is not None
    ]


def _totals(books: Books, currency: str) -> Totals:
    return Totals(
        currency=currency,
        invoiced_minor=books.booked(LedgerKind.INVOICE)[currency],
        charged_minor=books.booked(LedgerKind.CHARGE)[currency],
        stray_minor=books.booked(LedgerKind.STRAY_CHARGE)[currency],
        refunded_minor=books.refunded()[currency],
        written_off_minor=books.booked(LedgerKind.WRITE_OFF)[currency],
        moved_minor=books.in_state(InvoiceState.MOVED)[currency],
        owed_minor=books.owed()[currency],
    )
