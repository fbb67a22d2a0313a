"""Giving a charge back, so that money goes back once at most, whatever crashes when (M4, M5).

    reserve   our row: how much, by whom, under which key     one transaction
    ask       the gateway gives it back                       after a lost answer the refund is
                                                              looked for by its key first
    settle    our row, the ledger, the audit                  one transaction

A charge is refunded once, the whole or a part of it, and only what the ledger shows as charged. Run
again after a crash at any line it goes on with the same key; a gateway that has forgotten the key
is asked for the refund before it is asked for another. Only a refund that has definitely failed
makes room for the next. One that is not what was asked for is held until an operator has looked.
"""

import logging
from collections.abc import Callable
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import InvariantViolated, Rejected, Transient, invalid
from domain.payments import Gateway, Payment, PaymentState, Refund, RefundState
from systems import audit
from systems.billing.cards import refuse_card_numbers
from systems.billing.charged import Charged, charge_by, charge_of
from systems.billing.ledger import book_stray_charge
from systems.billing.refund_rows import (
    Pending,
    RefundView,
    Wanted,
    check_gateway,
    check_is_ours,
    due,
    given_back,
    hold,
    record,
    reserve,
    settle,
    standing,
    take_back,
    views,
)
from systems.db import Database, lock_account
from systems.tables import AttemptRow, RefundRow

logger = logging.getLogger(__name__)


class Refunds:
    """Gives charges back at the gateway and books what went back."""

    def __init__(self, db: Database, gateway: Gateway) -> None:
        """Record in `db`, ask `gateway`; never both at once."""
        self._db = db
        self._gateway = gateway

    def charged(
        self, account_id: str, charge: date | str, amount_minor: int | None = None
    ) -> Charged:
        """What a refund of that much would give back of; see `refund`. Changes nothing.

        Raises:
            Rejected: as `refund` would.
        """
        with self._db.transaction() as session:
            lock_account(session, account_id)
            charged = charge_of(session, account_id, charge)
            if amount_minor is not None:
                standing(session, charged, amount_minor)
            return charged

    def refund(
        self,
        account_id: str,
        charge: date | str,
        *,
        actor: str,
        reason: str,
        at: datetime,
        amount_minor: int | None = None,
    ) -> RefundView:
        """Give back a charge, named by its billing date or payment id: the whole, or that much.

        Safe to repeat: a charge is refunded once, and a repeat answers with the refund as it
        stands. While the gateway has not answered clearly it is `reserved`; the worker's job looks
        it up. A `failed` one gave nothing, and may be asked for again. `reason` goes into the audit
        only, `actor` is who asks.

        Raises:
            Rejected: `account_not_found`; `validation_failed`: nothing was charged there, another
                amount was given back, the charge is smaller, or the reason cannot be kept.
            Transient: the database did not answer; ask again.
            InvariantViolated: the charge was made at another gateway, or the gateway's refund is
                not what was asked for.
        """
        _check_words(account_id, actor, reason)
        wanted = Wanted(amount_minor, actor, reason.strip(), at)

        def begin(session: Session) -> Pending | RefundView:
            charged = charge_of(session, account_id, charge)
            return reserve(session, charged, wanted, self._gateway.name)

        return self._refunded(account_id, begin, at)

    def refund_stray(self, account_id: str, payment: Payment, at: datetime) -> RefundView:
        """Give back a payment that belongs to no invoice; its charge is booked first, as a stray.

        Safe to repeat, as `refund` is; a part that an operator has given back stays the only one.

        Raises:
            InvariantViolated: the payment did not succeed, or an attempt of ours has made it.
        """

        def begin(session: Session) -> Pending | RefundView:
            charged = _stray(session, account_id, payment, at)
            amount_minor = given_back(session, payment.payment_id)
            wanted = Wanted(amount_minor, audit.SYSTEM, None, at)
            return reserve(session, charged, wanted, self._gateway.name)

        return self._refunded(account_id, begin, at)

    def record_foreign(self, account_id: str, refund: Refund, at: datetime) -> None:
        """Book a refund that somebody has made at the gateway by other means; once per refund.

        One that was asked for here, and whose answer was lost, is settled by it instead.

        Raises:
            InvariantViolated: it has not succeeded; the ledger shows no charge of its payment; it
                is another account's, or not what was asked for here.
        """
        if refund.state is not RefundState.SUCCEEDED:
            raise InvariantViolated(
                f"account {account_id}: refund {refund.refund_id} is {refund.state}, so nothing is"
                " to be booked"
            )
        with self._db.transaction() as session:
            lock_account(session, account_id)
            record(session, account_id, refund, self._gateway.name, at)

    def reverse(self, refund_id: str, at: datetime) -> None:
        """A refund that had succeeded has failed at the gateway: take it back in the books. Once.

        Raises:
            InvariantViolated: there is no such refund in our record.
        """
        which = RefundRow.refund_id == refund_id
        with self._db.transaction() as session:
            account_id = session.scalar(select(RefundRow.account_id).where(which))
            if account_id is None:
                raise InvariantViolated(f"there is no refund {refund_id} to be reversed")
            lock_account(session, account_id)
            take_back(session, session.scalars(select(RefundRow).where(which)).one(), at)

    def settle_pending(self, now: datetime) -> int:
        """Look up the refunds that are due for it; returns of how many there was something to tell.

        The others stay reserved until the gateway knows. One that had succeeded and has failed
        since is reversed. Safe to run side by side.
        """
        with self._db.transaction() as session:
            pending = list(due(session, self._gateway.name, now))
        return sum(self._settled_now(each, at) for each, at in pending)

    def views(self, account_id: str) -> list[RefundView]:
        """The account's refunds, the oldest first."""
        with self._db.transaction() as session:
            return views(session, account_id)

    def _settled_now(self, pending: Pending, at: datetime) -> bool:
        try:
            return self._carried_out(pending, at).state is not pending.state
        except InvariantViolated:
            # One refund that a person has to look at holds up no others.
            logger.exception("refund %s cannot be settled", pending.key)
            return False

    def _refunded(
        self, account_id: str, begin: Callable[[Session], Pending | RefundView], at: datetime
    ) -> RefundView:
        with self._db.transaction() as session:
            lock_account(session, account_id)
            begun = begin(session)
        return begun if isinstance(begun, RefundView) else self._carried_out(begun, at)

    def _carried_out(self, pending: Pending, at: datetime) -> RefundView:
        check_gateway(pending.account_id, pending.gateway, self._gateway.name)
        said: Refund | Rejected | None = None
        try:
            said = self._asked(pending)
            check_is_ours(pending, said)
        except InvariantViolated:
            self._hold(pending, said, at)
            raise
        with self._db.transaction() as session:
            lock_account(session, pending.account_id)
            return settle(session, session.get_one(RefundRow, pending.key), said, at)

    def _asked(self, pending: Pending) -> Refund | Rejected | None:
        try:
            return self._found_or_made(pending)
        except Transient:
            return None
        except Rejected as refusal:
            return refusal

    def _found_or_made(self, pending: Pending) -> Refund:
        if pending.refund_id is not None:
            return self._gateway.get_refund(pending.refund_id)
        # The answer to an earlier call may have been lost, and the key forgotten since.
        key, payment_id = pending.key, pending.payment_id
        found = None if pending.is_fresh else self._gateway.find_refund(key, payment_id)
        return found or self._gateway.refund_payment(key, payment_id, pending.amount_minor)

    def _hold(self, pending: Pending, said: Refund | Rejected | None, at: datetime) -> None:
        with self._db.transaction() as session:
            lock_account(session, pending.account_id)
            hold(session, session.get_one(RefundRow, pending.key), said, at)


def _check_words(account_id: str, actor: str, reason: str) -> None:
    refuse_card_numbers(account_id, reason=reason, actor=actor)
    for name, words in {"reason": reason, "actor": actor}.items():
        longest = audit.LONGEST[name]
        if not 0 < len(words.strip()) <= longest:
            raise invalid(
                name,
                f"Account {account_id}: the {name} of a refund takes 1 to {longest} characters.",
            )


def _stray(session: Session, account_id: str, payment: Payment, at: datetime) -> Charged:
    ours = select(AttemptRow.key).where(AttemptRow.payment_id == payment.payment_id)
    if payment.state is not PaymentState.SUCCEEDED or session.scalar(ours) is not None:
        raise InvariantViolated(
            f"account {account_id}: payment {payment.payment_id} ({payment.state}) is not one that"
            " was received and belongs to no invoice"
        )
    book_stray_charge(session, account_id, payment, at)
    charged = charge_by(session, account_id, payment.payment_id)
    if charged is None:
        raise InvariantViolated(
            f"account {account_id}: payment {payment.payment_id} is about nothing"
        )
    return charged
