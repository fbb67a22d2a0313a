"""Our record of the money against the gateway's: how the two differ, and what mends itself (M4).

    ours           the gateway's        is called        and what is done
    unanswered     paid or declined     state            asked again, by the same attempt
    declined       paid                 state            settled as paid, if its invoice is unpaid
    otherwise another outcome           state            reported
    another amount, another owner       amount, owner    reported
    an attempt     no such payment      missing_there    reported
    nothing        paid                 missing_here     reported
    the date paid  paid once more       duplicate_date   given back where that is proven
    unanswered     no answer for days   unknown          reported, and looked up all the same

What moved no money and will move none is no difference, however it came about. The gateway's record
is the truth about money; a person decides wherever ours cannot be brought to it without harm.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.differences import (
    AtGateway,
    Attempt,
    Difference,
    DifferenceKind,
    OnRecord,
    OurRefund,
    Remedy,
    Verdict,
    of_payment,
    of_refund,
)
from domain.errors import Code, Rejected
from domain.payments import Payment, PaymentState, Refund, RefundState
from domain.states import ChargeState

# What is younger is left alone: an attempt that was cut off is begun again when its time is over,
# looked up five minutes after the first doubt, and all of that twice.
UNDER_WAY = timedelta(minutes=15)

# Each run looks once more at what the last one saw: outcomes change for a day or two (a bank that
# answers late, a card that was charged when the last run had just passed), and lists of a gateway
# lag behind its objects.
OVERLAP = timedelta(days=3)

# The first run looks at more than a month, so that every account has had a billing date in it.
FIRST_GOES_BACK = timedelta(days=35)

# Refunds are looked at for longer: banks send one back up to thirty days after it had succeeded.
REFUNDS_GO_BACK = timedelta(days=35)

# A bank may be away for a weekend. Longer than that, somebody should ask the gateway.
UNKNOWN_FOR = timedelta(days=3)

# What was found, and what is done about it.
Found = tuple[DifferenceKind, Remedy]


# --- which payments are ours ---------------------------------------------------------------------


def carries_our_names(payment: Payment) -> bool:
    """Whether the payment was made by this product, for an account here or in another database."""
    return bool(payment.account_id and payment.key)


def is_made_by(attempt: Attempt, payment: Payment) -> bool:
    """Whether the attempt made the payment: by its id, or by our key until an id is on record."""
    if attempt.payment_id is not None:
        return attempt.payment_id == payment.payment_id
    return attempt.key == payment.key


# --- payments ------------------------------------------------------------------------------------


def payment_differences(ours: OnRecord, theirs: AtGateway, now: datetime) -> list[Difference]:
    """How the two records of one payment differ at `now`; each kind at most once."""
    attempt, payment = ours.attempt, theirs.payment
    if attempt is not None and payment is not None:
        found = _compared(attempt, payment, now)
    elif payment is not None:
        found = _missing_here(ours, theirs, payment)
    elif attempt is not None:
        found = _missing_there(attempt, now)
    else:
        found = []
    return [of_payment(kind, remedy, ours, payment) for kind, remedy in found]


def _compared(attempt: Attempt, payment: Payment, now: datetime) -> list[Found]:
    contradictions = [
        kind
        for kind, agrees in (
            (DifferenceKind.OWNER, _have_the_same_owner(attempt, payment)),
            (DifferenceKind.AMOUNT, _have_the_same_amount(attempt, payment)),
        )
        if not agrees
    ]
    found = [(kind, Remedy.REPORT) for kind in contradictions]
    if not _have_the_same_outcome(attempt, payment):
        found.append(_of_outcome(attempt, payment, is_ours=not contradictions))
    elif _is_unknown_for_long(attempt, now):
        found.append((DifferenceKind.UNKNOWN, Remedy.REPORT))
    return found


def _have_the_same_owner(attempt: Attempt, payment: Payment) -> bool:
    """Made for the same account, under the same key, for the same date, by the same customer.

    A side that does not say (a date before payments carried one, no customer) contradicts nobody.
    """
    return (
        (payment.account_id, payment.key) == (attempt.account_id, attempt.key)
        and payment.billing_on in (None, attempt.billing_on)
        and attempt.customer_id in (None, payment.customer_id)
    )


def _have_the_same_amount(attempt: Attempt, payment: Payment) -> bool:
    return (attempt.amount_minor, attempt.currency) == (payment.amount_minor, payment.currency)


def _have_the_same_outcome(attempt: Attempt, payment: Payment) -> bool:
    match attempt.verdict:
        case Verdict.UNANSWERED:
            return payment.state in (PaymentState.CREATED, PaymentState.PROCESSING)
        case Verdict.PAID:
            return payment.state is PaymentState.SUCCEEDED
        case Verdict.DECLINED:
            # Declined before a payment was on record (the card was removed), while one had been
            # prepared: nobody will ever confirm it.
            is_left_over = attempt.payment_id is None and payment.state is PaymentState.CREATED
            return is_left_over or payment.state is PaymentState.DECLINED


def _of_outcome(attempt: Attempt, payment: Payment, *, is_ours: bool) -> Found:
    is_paid_there = payment.state is PaymentState.SUCCEEDED
    if attempt.verdict is Verdict.DECLINED and is_paid_there and attempt.charge is ChargeState.PAID:
        # Not the state of this attempt is what matters: somebody has paid this date twice.
        return DifferenceKind.DUPLICATE_DATE, Remedy.REPORT
    if attempt.verdict is Verdict.UNANSWERED and is_ours:
        return DifferenceKind.STATE, Remedy.SETTLE
    # A fee that was moved is paid with the plan, one that was written off is given up; and while
    # another attempt is under way nobody knows what that one comes to.
    is_unpaid = attempt.verdict is Verdict.DECLINED and attempt.charge is ChargeState.DECLINED
    if is_paid_there and is_unpaid and is_ours:
        return DifferenceKind.STATE, Remedy.SETTLE
    return DifferenceKind.STATE, Remedy.REPORT


def _missing_here(ours: OnRecord, theirs: AtGateway, payment: Payment) -> list[Found]:
    is_paid = payment.state is PaymentState.SUCCEEDED
    if not (is_paid or payment.state is PaymentState.PROCESSING):
        return []
    if _given_back(ours, payment) >= payment.amount_minor:
        return []
    if not is_paid or ours.paid_by is None:
        return [(DifferenceKind.MISSING_HERE, Remedy.REPORT)]
    is_proven = is_proven_duplicate(ours, theirs)
    return [(DifferenceKind.DUPLICATE_DATE, Remedy.REFUND if is_proven else Remedy.REPORT)]


def _given_back(ours: OnRecord, payment: Payment) -> int:
    return sum(
        refund.amount_minor
        for refund in ours.refunds
        if refund.payment_id == payment.payment_id and refund.state is not RefundState.FAILED
    )


def is_proven_duplicate(ours: OnRecord, theirs: AtGateway) -> bool:
    """Whether the payment took the money for a date once more that another has paid (M1).

    Only if both payments succeeded for the same account, date and amount, and nothing of either
    was given back: else somebody may have dealt with it already. What was tried from here before
    and has failed is for a person to look at, not to be tried every night.
    """
    paid_by, payment, other = ours.paid_by, theirs.payment, theirs.other
    if paid_by is None or payment is None or other is None:
        return False
    return (
        carries_our_names(payment)
        and paid_by.verdict is Verdict.PAID
        and paid_by.payment_id == other.payment_id != payment.payment_id
        and all(_paid_for(paid_by, each) for each in (payment, other))
        and not ours.refunds
        and all(refund.state is RefundState.FAILED for refund in theirs.refunds)
    )


def _paid_for(attempt: Attempt, payment: Payment) -> bool:
    return payment.state is PaymentState.SUCCEEDED and (
        payment.account_id,
        payment.billing_on,
        payment.amount_minor,
        payment.currency,
    ) == (attempt.account_id, attempt.billing_on, attempt.amount_minor, attempt.currency)


def _missing_there(attempt: Attempt, now: datetime) -> list[Found]:
    if attempt.payment_id is not None:
        return [(DifferenceKind.MISSING_THERE, Remedy.REPORT)]
    if _is_unknown_for_long(attempt, now):
        return [(DifferenceKind.UNKNOWN, Remedy.REPORT)]
    return []


def _is_unknown_for_long(attempt: Attempt, now: datetime) -> bool:
    return (
        attempt.verdict is Verdict.UNANSWERED
        and attempt.unknown_since is not None
        and now - attempt.unknown_since > UNKNOWN_FOR
    )


# --- refunds -------------------------------------------------------------------------------------


def refund_differences(
    ours: OurRefund | None, theirs: Refund | None, account_id: str | None
) -> list[Difference]:
    """How the two records of one refund differ; `account_id` is whose payment it is of."""
    found: Iterable[Found] = ()
    if ours is not None and theirs is not None:
        found = _compared_refunds(ours, theirs)
    elif theirs is not None and theirs.state is RefundState.SUCCEEDED:
        found = [(DifferenceKind.MISSING_HERE, Remedy.SETTLE)]
    elif ours is not None and ours.refund_id is not None:
        found = [(DifferenceKind.MISSING_THERE, Remedy.REPORT)]
    return [of_refund(kind, remedy, ours, theirs, account_id) for kind, remedy in found]


def _compared_refunds(ours: OurRefund, theirs: Refund) -> Iterable[Found]:
    # Not by key: one that somebody has made elsewhere stands here under a key of our own making.
    has_same_owner = ours.payment_id == theirs.payment_id
    has_same_amount = (ours.amount_minor, ours.currency) == (theirs.amount_minor, theirs.currency)
    if not has_same_owner:
        yield DifferenceKind.OWNER, Remedy.REPORT
    if not has_same_amount:
        yield DifferenceKind.AMOUNT, Remedy.REPORT
    if ours.state is theirs.state:
        return
    # What is on record as failed may have been given back in another way since.
    has_news = ours.state is RefundState.PENDING or theirs.state is RefundState.FAILED
    may_settle = has_news and has_same_owner and has_same_amount
    yield DifferenceKind.STATE, Remedy.SETTLE if may_settle else Remedy.REPORT


# --- windows -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """What one run compares: what the gateway created in ``[since, until)``, by its own clock."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that has come to its end."""

    window: Window
    began_at: datetime


def window_of(
    finished: Iterable[Finished],
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Window:
    """What a run compares that begins at `now`; `since` and `until` are an operator's wish.

    Without a wish it goes on where the runs so far have come to, whatever else was looked at in
    between::

        --[=========)------------------------  all before covered
        ------[=OVERLAP=|==================)-  this run, until UNDER_WAY before now

    Raises:
        Rejected: `validation_failed`: the window is empty.
    """
    window = Window(since or _next_since(finished, now), until or now - UNDER_WAY)
    if window.since >= window.until:
        raise Rejected(
            Code.VALIDATION_FAILED,
            f"There is nothing to compare from {window.since} until {window.until}.",
        )
    return window


def _next_since(finished: Iterable[Finished], now: datetime) -> datetime:
    covered_until: datetime | None = None
    for run in sorted(finished, key=lambda run: run.began_at):
        reach = covered_until or run.began_at - FIRST_GOES_BACK
        # A look at some other time leaves a gap, and what lies in it was never compared.
        if run.window.since <= reach:
            # An operator's run may end in the future, of which nobody has seen anything.
            ended = min(run.window.until, run.began_at - UNDER_WAY)
            covered_until = max(reach, ended)
    return covered_until - OVERLAP if covered_until else now - FIRST_GOES_BACK
