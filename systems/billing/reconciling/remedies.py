"""What mends itself: each difference in the way in which the same thing is always done here.

Nothing is booked from a list: what was unanswered is asked again, by the attempt or the refund that
is on record. A remedy that is refused leaves its difference to an operator.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import update

from domain.differences import AtGateway, Attempt, Difference, OnRecord, OurRefund, Remedy, Verdict
from domain.errors import InvariantViolated, Rejected
from domain.payments import Payment, Refund, RefundState
from systems.accounts.clocks import clock_ahead
from systems.billing.reconciling.on_record import attempt_of
from systems.billing.reconciling.second_look import RefundHere, Seen
from systems.billing.refunds import Refunds
from systems.billing.settling import settle_after_all
from systems.billing.system import SqlBilling
from systems.db import Database, lock_account
from systems.tables import AttemptRow, RefundRow

logger = logging.getLogger(__name__)


class Remedies:
    """Mends differences; asked again it does nothing twice."""

    def __init__(self, db: Database, billing: SqlBilling, refunds: Refunds) -> None:
        """Attempts are settled by `billing`, money goes back by `refunds`."""
        self._db = db
        self._billing = billing
        self._refunds = refunds

    def mend_payment(self, seen: Seen[OnRecord, AtGateway], now: datetime) -> bool:
        """Do what is to be done about a payment; False if there is nothing, or it was refused.

        Raises:
            Transient: the gateway or the database did not answer.
        """
        remedy, payment = _remedy(seen.found), seen.theirs.payment
        if remedy is Remedy.SETTLE and seen.ours.attempt is not None:
            attempt = seen.ours.attempt
            return self._tried(seen.found, lambda: self._settle(attempt, payment, now))
        if remedy is Remedy.REFUND and seen.ours.account_id is not None:
            account_id = seen.ours.account_id
            return self._tried(seen.found, lambda: self._give_back(account_id, payment, now))
        return False

    def mend_refund(self, seen: Seen[RefundHere, Refund | None], now: datetime) -> bool:
        """Do what is to be done about a refund; see `mend_payment`."""
        if _remedy(seen.found) is not Remedy.SETTLE:
            return False
        return self._tried(seen.found, lambda: self._settle_refund(seen.ours, seen.theirs, now))

    def _settle(self, attempt: Attempt, payment: Payment | None, now: datetime) -> None:
        at = self._time_of(attempt.account_id, now)
        if attempt.verdict is Verdict.UNANSWERED:
            self._billing.look_up(attempt.account_id, attempt.invoice_id, at)
        elif payment is not None:
            self._settle_after_all(attempt, payment, at)

    def _settle_after_all(self, attempt: Attempt, payment: Payment, at: datetime) -> None:
        with self._db.transaction() as session:
            lock_account(session, attempt.account_id)
            # Whatever has changed since we looked, another look decides.
            if attempt_of(session, payment.payment_id, attempt.key) == attempt:
                settle_after_all(session, session.get_one(AttemptRow, attempt.key), payment, at)

    def _give_back(self, account_id: str, payment: Payment | None, now: datetime) -> None:
        if payment is not None:
            self._refunds.refund_stray(account_id, payment, self._time_of(account_id, now))

    def _settle_refund(self, ours: RefundHere, theirs: Refund | None, now: datetime) -> None:
        row, account_id = ours
        if account_id is None or theirs is None:
            return
        at = self._time_of(account_id, now)
        if row is None:
            self._refunds.record_foreign(account_id, theirs, at)
        elif row.state is RefundState.PENDING:
            self._ask_again(row, at)
            self._refunds.settle_pending(now)
        else:
            self._refunds.reverse(theirs.refund_id, at)

    def _ask_again(self, row: OurRefund, at: datetime) -> None:
        with self._db.transaction() as session:
            session.execute(update(RefundRow).where(RefundRow.key == row.key).values(look_up_at=at))

    def _time_of(self, account_id: str, now: datetime) -> datetime:
        """What the account's clock shows: ahead of `now` where its pause was moved (local only)."""
        with self._db.transaction() as session:
            return now + clock_ahead(session, account_id)

    def _tried(self, found: Sequence[Difference], mend: Callable[[], object]) -> bool:
        try:
            mend()
        except (Rejected, InvariantViolated):
            logger.exception("%s cannot be mended, an operator has to look", found[0].object_id)
            return False
        return True


def _remedy(found: Sequence[Difference]) -> Remedy:
    """What is to be done; of the differences of one object at most one mends itself."""
    remedies = (each.remedy for each in found if each.remedy is not Remedy.REPORT)
    return next(remedies, Remedy.REPORT)
