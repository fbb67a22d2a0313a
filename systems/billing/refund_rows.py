"""Refunds in our record: what was asked for, and what became of it.

All functions here expect the account's lock to be held.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.calendar import local_date
from domain.errors import Code, InvariantViolated, Rejected
from domain.ladder import next_look_up_at
from domain.money import display
from domain.payments import Refund, RefundState
from systems import audit
from systems.accounts.clocks import clock_ahead
from systems.billing.charged import Charged, charge_by
from systems.billing.ledger import book_refund, book_reversal
from systems.billing.refund_notices import tell
from systems.notices import NoticeKind
from systems.tables import AccountRow, InvoiceRow, RefundRow, RefundRowState

# Where a refund stands at the gateway while our row stands so.
REFUND_STATES = {
    RefundRowState.RESERVED: RefundState.PENDING,
    RefundRowState.SUCCEEDED: RefundState.SUCCEEDED,
    RefundRowState.FAILED: RefundState.FAILED,
}

# Who made a refund that nobody asked for here.
AT_THE_GATEWAY = "gateway"


@dataclass(frozen=True)
class Wanted:
    """What somebody wants given back; `amount_minor` None: the whole charge."""

    amount_minor: int | None
    actor: str
    reason: str | None
    at: datetime


@dataclass(frozen=True)
class Pending:
    """A refund to be asked for, or looked up once the gateway has named it by `refund_id`.

    `is_fresh`: nobody has asked the gateway about it yet.
    """

    key: str
    account_id: str
    payment_id: str
    amount_minor: int
    currency: str
    gateway: str
    state: RefundRowState
    refund_id: str | None
    is_fresh: bool


@dataclass(frozen=True)
class RefundView:
    """One refund; `key` and `refund_id` lead to the gateway's record.

    `actor` is who asked for it, `gateway` for one that was made there by other means. While it is
    `reserved` it is looked up at `look_up_at`; None then: it is held for an operator.
    """

    key: str
    payment_id: str
    invoice_id: str | None
    amount_minor: int
    currency: str
    gateway: str
    state: RefundRowState
    refund_id: str | None
    actor: str
    began_at: datetime
    look_up_at: datetime | None
    answered_at: datetime | None


def reserve(
    session: Session, charged: Charged, wanted: Wanted, gateway: str
) -> Pending | RefundView:
    """The refund to carry out, or as it stands if it was answered before.

    Raises:
        Rejected: `validation_failed`: the charge has no such amount, or another one was given back.
        InvariantViolated: the charge was made at another gateway than `gateway`.
    """
    amount_minor = charged.amount_minor if wanted.amount_minor is None else wanted.amount_minor
    known = standing(session, charged, amount_minor)
    if known is not None:
        return _pending(known) if known.state is RefundRowState.RESERVED else view_of(known)
    check_gateway(charged.account_id, charged.gateway or gateway, gateway)
    row = RefundRow(
        key=f"{charged.payment_id}:refund:{len(_of_payment(session, charged.payment_id)) + 1}",
        account_id=charged.account_id,
        payment_id=charged.payment_id,
        invoice_id=charged.invoice_id,
        amount_minor=amount_minor,
        currency=charged.currency,
        gateway=gateway,
        state=RefundRowState.RESERVED,
        actor=wanted.actor,
        began_at=wanted.at,
        # Whoever dies before the answer leaves the rest to the job.
        look_up_at=next_look_up_at(wanted.at, wanted.at),
    )
    session.add(row)
    _audit(session, row, "refund_requested", wanted.at, wanted.reason)
    return _pending(row, is_fresh=True)


def standing(session: Session, charged: Charged, amount_minor: int) -> RefundRow | None:
    """The refund of that much which has not failed; None: there is room for one.

    Raises:
        Rejected: `validation_failed`: the charge has no such amount, or another one was given back.
    """
    rows = _not_failed(session, charged.payment_id)
    for row in rows:
        if row.amount_minor == amount_minor:
            return row
    if rows:
        raise _given_back(session, rows[0])
    if not 0 < amount_minor <= charged.amount_minor:
        raise _not_in(charged, amount_minor)
    return None


def given_back(session: Session, payment_id: str) -> int | None:
    """How much of the payment was given back, or is being; None: nothing, and the next one may."""
    return next((row.amount_minor for row in _not_failed(session, payment_id)), None)


def record(session: Session, account_id: str, refund: Refund, gateway: str, at: datetime) -> None:
    """The gateway has made this refund, whoever asked for it: it stands in our record from now.

    Raises:
        InvariantViolated: the ledger shows no charge of its payment; or it is one of ours and not
            what was asked for.
    """
    row = _row_of(session, refund) or _made_elsewhere(session, account_id, refund, gateway, at)
    if row.account_id != account_id:
        raise InvariantViolated(
            f"refund {refund.refund_id} belongs to account {row.account_id}, not to {account_id}"
        )
    if row.state is RefundRowState.RESERVED:
        check_is_ours(_pending(row), refund)
        settle(session, row, refund, at)


def settle(
    session: Session, row: RefundRow, said: Refund | Rejected | None, at: datetime
) -> RefundView:
    """Record what asking the gateway came to; None where it gave no clear answer.

    A refund that somebody else has settled meanwhile keeps its answer, unless it has failed since.
    """
    if row.state is RefundRowState.RESERVED:
        _settle_reserved(session, row, said, at)
    elif row.state is RefundRowState.SUCCEEDED and isinstance(said, Refund):
        row.look_up_at = None
        if said.state is RefundState.FAILED:
            take_back(session, row, at)
    return view_of(row)


def _settle_reserved(
    session: Session, row: RefundRow, said: Refund | Rejected | None, at: datetime
) -> None:
    match said:
        case None:
            row.look_up_at = next_look_up_at(row.began_at, at)
        case Refund(state=RefundState.PENDING):
            row.refund_id, row.look_up_at = said.refund_id, next_look_up_at(row.began_at, at)
        case Refund(state=RefundState.SUCCEEDED):
            _answer(row, RefundRowState.SUCCEEDED, said.refund_id, at)
            book_refund(session, row, at)
            tell(session, row, NoticeKind.REFUNDED, at)
            _audit(session, row, "refunded", at)
        case Refund(state=RefundState.FAILED):
            _answer(row, RefundRowState.FAILED, said.refund_id, at)
            _audit(session, row, "refund_failed", at)
        case Rejected():
            _answer(row, RefundRowState.FAILED, None, at)
            _audit(session, row, "refund_failed", at)


def take_back(session: Session, row: RefundRow, at: datetime) -> None:
    """The refund had succeeded and has failed since: the money is at the gateway again. Once."""
    if row.state is RefundRowState.FAILED:
        return
    if row.state is RefundRowState.SUCCEEDED:
        book_reversal(session, row, at)
        tell(session, row, NoticeKind.REFUND_RETURNED, at)
    _answer(row, RefundRowState.FAILED, row.refund_id, at)
    _audit(session, row, "refund_reversed", at)


def hold(session: Session, row: RefundRow, said: Refund | Rejected | None, at: datetime) -> None:
    """The gateway's record contradicts ours: no job looks it up until an operator has asked.

    Whoever asks again looks at the refund that the gateway has made, and has none made beside it.
    """
    if isinstance(said, Refund) and _row_of(session, said) in (None, row):
        row.refund_id = row.refund_id or said.refund_id
    if row.look_up_at is not None:
        row.look_up_at = None
        _audit(session, row, "refund_held", at)


def due(session: Session, gateway: str, now: datetime) -> Iterator[tuple[Pending, datetime]]:
    """The refunds at `gateway` that are to be looked up at `now`, each with its account's time.

    One that has succeeded is among them when the gateway has news of it. The time of an account
    whose pause was moved ahead (local stacks only) is as much ahead.
    """
    query = select(RefundRow).where(
        RefundRow.state != RefundRowState.FAILED,
        RefundRow.gateway == gateway,
        RefundRow.look_up_at.is_not(None),
    )
    for row in session.scalars(query.order_by(RefundRow.look_up_at, RefundRow.key)):
        at = now + clock_ahead(session, row.account_id)
        if row.look_up_at is not None and row.look_up_at <= at:
            yield _pending(row), at


def check_gateway(account_id: str, charged_at: str, gateway: str) -> None:
    """Let a refund through whose payment is one of `gateway`.

    Raises:
        InvariantViolated: it is one of another.
    """
    if charged_at != gateway:
        raise InvariantViolated(
            f"account {account_id}: the charge was made at gateway {charged_at} and refunds are"
            f" asked for at {gateway} here; nothing was asked of either. Use the key of"
            f" {charged_at}"
        )


def check_is_ours(pending: Pending, said: Refund | Rejected | None) -> None:
    """Let an answer through, unless it is a refund that is not what was asked for.

    Raises:
        InvariantViolated: it has another payment, amount or currency.
    """
    asked = (pending.payment_id, pending.amount_minor, pending.currency)
    if not isinstance(said, Refund):
        return
    if (said.payment_id, said.amount_minor, said.currency) != asked:
        raise InvariantViolated(
            f"account {pending.account_id}: refund {said.refund_id} at the gateway is not what"
            f" was asked for under {pending.key} (payment, amount or currency); nothing was booked,"
            " compare both records"
        )


def views(session: Session, account_id: str) -> list[RefundView]:
    """The account's refunds, the oldest first."""
    query = select(RefundRow).where(RefundRow.account_id == account_id)
    return [
        view_of(row) for row in session.scalars(query.order_by(RefundRow.began_at, RefundRow.key))
    ]


def view_of(row: RefundRow) -> RefundView:
    """The refund as others see it."""
    return RefundView(
        key=row.key,
        payment_id=row.payment_id,
        invoice_id=row.invoice_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        gateway=row.gateway,
        state=row.state,
        refund_id=row.refund_id,
        actor=row.actor,
        began_at=row.began_at,
        look_up_at=row.look_up_at,
        answered_at=row.answered_at,
    )


def _not_in(charged: Charged, amount_minor: int) -> Rejected:
    asked = display(amount_minor, charged.currency)
    whole = display(charged.amount_minor, charged.currency)
    return Rejected(
        Code.VALIDATION_FAILED,
        f"Account {charged.account_id}: {asked} cannot be given back of a charge of {whole}.",
        amount_minor=charged.amount_minor,
        currency=charged.currency,
    )


def _given_back(session: Session, row: RefundRow) -> Rejected:
    zone = session.get_one(AccountRow, row.account_id).time_zone
    on = local_date(row.answered_at or row.began_at, zone)
    amount = display(row.amount_minor, row.currency)
    is_done = row.state is RefundRowState.SUCCEEDED
    what = f"was refunded on {on}" if is_done else f"was asked for on {on} and is not answered yet"
    return Rejected(
        Code.VALIDATION_FAILED,
        f"Account {row.account_id}: a charge is refunded once, and of this one {amount} {what}.",
        amount_minor=row.amount_minor,
        currency=row.currency,
        refunded_on=on.isoformat(),
    )


def _of_payment(session: Session, payment_id: str) -> list[RefundRow]:
    query = select(RefundRow).where(RefundRow.payment_id == payment_id)
    return list(session.scalars(query.order_by(RefundRow.began_at, RefundRow.key)))


def _not_failed(session: Session, payment_id: str) -> list[RefundRow]:
    rows = _of_payment(session, payment_id)
    return [row for row in rows if row.state is not RefundRowState.FAILED]


def _row_of(session: Session, refund: Refund) -> RefundRow | None:
    """Our row of the gateway's refund: by its id, or by our key if its answer was lost."""
    row = session.scalar(select(RefundRow).where(RefundRow.refund_id == refund.refund_id))
    return row or (session.get(RefundRow, refund.key) if refund.key else None)


def _made_elsewhere(
    session: Session, account_id: str, refund: Refund, gateway: str, at: datetime
) -> RefundRow:
    charged = charge_by(session, account_id, refund.payment_id)
    if charged is None:
        raise InvariantViolated(
            f"account {account_id}: refund {refund.refund_id} is of payment {refund.payment_id},"
            " which the ledger does not show as charged; settle the payment first"
        )
    row = RefundRow(
        key=f"{refund.payment_id}:refund:{refund.refund_id}",
        account_id=account_id,
        payment_id=refund.payment_id,
        invoice_id=charged.invoice_id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        gateway=gateway,
        state=RefundRowState.RESERVED,
        actor=AT_THE_GATEWAY,
        began_at=refund.created_at or at,
    )
    session.add(row)
    return row


def _answer(row: RefundRow, state: RefundRowState, refund_id: str | None, at: datetime) -> None:
    row.state, row.refund_id, row.look_up_at, row.answered_at = state, refund_id, None, at


def _pending(row: RefundRow, *, is_fresh: bool = False) -> Pending:
    return Pending(
        key=row.key,
        account_id=row.account_id,
        payment_id=row.payment_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        gateway=row.gateway,
        state=row.state,
        refund_id=row.refund_id,
        is_fresh=is_fresh,
    )


def _audit(
    session: Session, row: RefundRow, what: str, at: datetime, reason: str | None = None
) -> None:
    # The reason stands in this line's column for it and nowhere else (R17).
    invoice = session.get_one(InvoiceRow, row.invoice_id) if row.invoice_id else None
    audit.write(
        session,
        account_id=row.account_id,
        act_id=invoice.act_id if invoice else None,
        at=at,
        what=what,
        actor=audit.SYSTEM if row.actor == AT_THE_GATEWAY else row.actor,
        reason=reason,
        billing_on=invoice.billing_on.isoformat() if invoice else None,
        payment_id=row.payment_id,
        refund_id=row.refund_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
    )
