"""Both records of a payment or a refund as values, and a difference as people read it."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from domain.payments import Payment, Refund, RefundState
from domain.states import ChargeState


class DifferenceKind(StrEnum):
    """How our record and the gateway's can differ.

    `unknown`: a charge whose outcome nobody could find out for days.
    """

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    AMOUNT = "amount"
    STATE = "state"
    OWNER = "owner"
    DUPLICATE_DATE = "duplicate_date"
    UNKNOWN = "unknown"


class Remedy(StrEnum):
    """What is done about a difference. `report`: nothing, it waits for an operator."""

    SETTLE = "settle"
    REFUND = "refund"
    REPORT = "report"


class Verdict(StrEnum):
    """What an attempt has come to by our record. `unanswered`: nothing yet."""

    UNANSWERED = "unanswered"
    PAID = "paid"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt as we have it on record. `charge` is where its invoice stands.

    `payment_id` is None until a payment is on record; `unknown_since` is the first doubt.
    """

    key: str
    invoice_id: str
    account_id: str
    billing_on: date
    amount_minor: int
    currency: str
    verdict: Verdict
    charge: ChargeState
    gateway: str | None
    payment_id: str | None = None
    customer_id: str | None = None
    unknown_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class OurRefund:
    """One refund as we have it on record; `pending` while it is unanswered."""

    key: str
    account_id: str
    payment_id: str
    amount_minor: int
    currency: str
    state: RefundState
    refund_id: str | None = None


@dataclass(frozen=True, slots=True)
class OnRecord:
    """What we know of one payment.

    `attempt` is the one that made it. Where none did: `account_id` is whose it is, `paid_by` the
    attempt that has paid the same date, `refunds` those that were made from here, of either.
    """

    attempt: Attempt | None = None
    account_id: str | None = None
    paid_by: Attempt | None = None
    refunds: tuple[OurRefund, ...] = ()


@dataclass(frozen=True, slots=True)
class AtGateway:
    """What the gateway knows of it: the payment, None if there is none.

    `other` is the payment of `OnRecord.paid_by`, `refunds` those of both; without them there is no
    proof of a duplicate.
    """

    payment: Payment | None
    other: Payment | None = None
    refunds: tuple[Refund, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """One record's view of the object: what people compare."""

    state: str
    amount_minor: int
    currency: str
    account_id: str | None = None
    customer_id: str | None = None
    billing_on: date | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `here` or `there` is None for the side that has nothing.

    `payment_id` and `key` lead to both records; `other_id` is the payment that had paid the date.
    """

    kind: DifferenceKind
    object_id: str
    remedy: Remedy
    account_id: str | None
    here: Side | None
    there: Side | None
    key: str | None = None
    payment_id: str | None = None
    other_id: str | None = None
    is_refund: bool = False


def of_payment(
    kind: DifferenceKind, remedy: Remedy, ours: OnRecord, payment: Payment | None
) -> Difference:
    """A difference of the two records of a payment; one without an id goes by our key."""
    attempt, paid_by = ours.attempt, ours.paid_by
    payment_id = payment.payment_id if payment else attempt.payment_id if attempt else None
    key = attempt.key if attempt else payment.key if payment else None
    account_id = attempt.account_id if attempt else ours.account_id
    return Difference(
        kind=kind,
        object_id=payment_id or key or "",
        remedy=remedy,
        account_id=account_id,
        here=_here(attempt) if attempt else None,
        there=_there(payment) if payment else None,
        key=key,
        payment_id=payment_id,
        other_id=paid_by.payment_id if paid_by else None,
    )


def of_refund(
    kind: DifferenceKind,
    remedy: Remedy,
    ours: OurRefund | None,
    theirs: Refund | None,
    account_id: str | None,
) -> Difference:
    """A difference of the two records of a refund."""
    one = theirs or ours
    assert one is not None, "one of the two records has it"
    return Difference(
        kind=kind,
        object_id=one.refund_id or "",
        remedy=remedy,
        account_id=account_id,
        here=Side(ours.state, ours.amount_minor, ours.currency) if ours else None,
        there=Side(theirs.state, theirs.amount_minor, theirs.currency) if theirs else None,
        key=ours.key if ours else one.key,
        payment_id=one.payment_id,
        is_refund=True,
    )


def _here(attempt: Attempt) -> Side:
    return Side(
        attempt.verdict,
        attempt.amount_minor,
        attempt.currency,
        attempt.account_id,
        attempt.customer_id,
        attempt.billing_on,
    )


def _there(payment: Payment) -> Side:
    return Side(
        payment.state,
        payment.amount_minor,
        payment.currency,
        payment.account_id or None,
        payment.customer_id,
        payment.billing_on,
    )
