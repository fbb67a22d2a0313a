"""The gateway's record against our books: each payment and refund that they name is looked up."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from domain.errors import InvariantViolated, Transient
from domain.money import display
from domain.payments import Payment, PaymentGateway, PaymentState, Refund, RefundState
from systems.billing.books import Books, summed
from systems.billing.ledger import CHARGES, REFUNDS
from systems.billing.proof import Agreement, Check, Compared, Finding, checked, compare
from systems.billing.refund_rows import REFUND_STATES, RefundView
from systems.tables import AttemptState, LedgerKind, RefundRowState

Found = TypeVar("Found")

# Where a payment may stand at the gateway while our attempt stands so.
PAYMENT_STATES = {
    AttemptState.RESERVED: {PaymentState.CREATED, PaymentState.PROCESSING},
    AttemptState.SENT: {PaymentState.CREATED, PaymentState.PROCESSING},
    AttemptState.PAID: {PaymentState.SUCCEEDED},
    AttemptState.DECLINED: {PaymentState.DECLINED},
}


@dataclass(frozen=True)
class NamedPayment:
    """A payment that our books name, and what they say of it.

    A stray one may have been made by other means, so that the gateway knows no owner of it.
    """

    payment_id: str
    amount_minor: int
    currency: str
    state: AttemptState
    gateway: str | None
    is_stray: bool = False


Payments = Sequence[tuple[NamedPayment, Payment | None]]
Refunds = Sequence[tuple[RefundView, Refund | None]]


def check_gateway(books: Books, gateway: PaymentGateway) -> Check:
    """State, amount, currency and owner, one by one; other gateways' payments cannot be asked for.

    Asks `gateway` outside of any transaction.
    """
    named = [*_of_attempts(books), *_strays(books)]
    ours = [each for each in named if each.gateway in (gateway.name, None)]
    given = [each for each in books.refunds if each.gateway == gateway.name and _may_exist(each)]
    try:
        payments = [(each, _known(gateway.get_payment, each.payment_id)) for each in ours]
        refunds = [(each, _looked_up(gateway, each)) for each in given]
    except Transient:
        return Check(Agreement.AWAY, note="the gateway does not answer; ask again later")
    findings = [
        *(each for pair in payments for each in _payment_differs(books, *pair)),
        *(each for pair in refunds for each in _refund_differs(*pair)),
    ]
    compared = [*_charged(books, payments), *_refunded(books, refunds)]
    elsewhere = len(named) - len(ours)
    if not elsewhere:
        return checked(compared, findings)
    note = f"{elsewhere} payments were made at another gateway than {gateway.name}; it is not asked"
    return checked(compared, findings, note, Agreement.AWAY)


def _of_attempts(books: Books) -> Iterator[NamedPayment]:
    for invoice in books.invoices:
        for attempt in invoice.attempts:
            if attempt.payment_id is not None:
                yield NamedPayment(
                    attempt.payment_id,
                    invoice.amount_minor,
                    invoice.currency,
                    attempt.state,
                    books.gateways.get(attempt.payment_id),
                )


def _strays(books: Books) -> Iterator[NamedPayment]:
    for entry in books.entries:
        if entry.kind is LedgerKind.STRAY_CHARGE and entry.payment_id is not None:
            yield NamedPayment(
                entry.payment_id,
                entry.amount_minor,
                entry.currency,
                AttemptState.PAID,
                gateway=None,
                is_stray=True,
            )


def _may_exist(refund: RefundView) -> bool:
    """Whether the gateway may know it: one that it would not even begin has no id there."""
    return refund.refund_id is not None or refund.state is RefundRowState.RESERVED


def _looked_up(gateway: PaymentGateway, refund: RefundView) -> Refund | None:
    if refund.refund_id is not None:
        return _known(gateway.get_refund, refund.refund_id)
    return gateway.find_refund(refund.key, refund.payment_id)


def _known(get: Callable[[str], Found], object_id: str) -> Found | None:
    try:
        return get(object_id)
    except InvariantViolated:
        return None


def _payment_differs(
    books: Books, named: NamedPayment, payment: Payment | None
) -> Iterator[Finding]:
    about = named.payment_id
    if payment is None:
        yield Finding(about, "the gateway knows no such payment")
        return
    if payment.state not in PAYMENT_STATES[named.state]:
        yield Finding(about, f"{payment.state} at the gateway, {named.state} in our books")
    yield from _amount_differs(about, named, payment)
    owners = {books.account_id, ""} if named.is_stray else {books.account_id}
    if payment.account_id not in owners:
        yield Finding(about, "the gateway has it as somebody else's")


def _refund_differs(ours: RefundView, refund: Refund | None) -> Iterator[Finding]:
    about = ours.refund_id or ours.key
    if refund is None:
        # What was asked for and never arrived is not there, and nothing went back.
        if ours.refund_id is not None:
            yield Finding(about, "the gateway knows no such refund")
        return
    if refund.state is not REFUND_STATES[ours.state]:
        yield Finding(about, f"{refund.state} at the gateway, {ours.state} in our books")
    yield from _amount_differs(about, ours, refund)
    if refund.payment_id != ours.payment_id:
        yield Finding(about, f"at the gateway it is of {refund.payment_id}")


def _amount_differs(
    about: str, ours: NamedPayment | RefundView, theirs: Payment | Refund
) -> Iterator[Finding]:
    if (theirs.amount_minor, theirs.currency) != (ours.amount_minor, ours.currency):
        there = display(theirs.amount_minor, theirs.currency)
        here = display(ours.amount_minor, ours.currency)
        yield Finding(about, f"{there} at the gateway, {here} in our books")


def _charged(books: Books, payments: Payments) -> list[Compared]:
    ids = {named.payment_id for named, _ in payments}
    taken = (it for _, it in payments if it is not None and it.state is PaymentState.SUCCEEDED)
    booked = (it for it in books.entries if it.kind in CHARGES and it.payment_id in ids)
    return compare(
        "charged",
        summed((each.currency, each.amount_minor) for each in taken),
        summed((each.currency, each.amount_minor) for each in booked),
    )


def _refunded(books: Books, refunds: Refunds) -> list[Compared]:
    ids = {ours.refund_id for ours, _ in refunds if ours.refund_id is not None}
    given = (it for _, it in refunds if it is not None and it.state is RefundState.SUCCEEDED)
    booked = (it for it in books.entries if it.kind in REFUNDS and it.refund_id in ids)
    came_back = (
        it for it in books.entries if it.kind is LedgerKind.REVERSAL and it.refund_id in ids
    )
    ours = summed((each.currency, each.amount_minor) for each in booked)
    ours.subtract(summed((each.currency, each.amount_minor) for each in came_back))
    return compare("refunded", summed((each.currency, each.amount_minor) for each in given), ours)
