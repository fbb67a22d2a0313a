"""One object once more, in full, so that nothing that is under way counts as a difference.

Our record is read, the gateway is asked, and our record is read again under the account's lock. If
it has not changed in between, both sides are of one moment, and what was found is kept in the same
transaction. The lock is not held while the gateway answers: it would stop the account that long.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.differences import AtGateway, Difference, OnRecord, OurRefund
from domain.errors import InvariantViolated
from domain.payments import Payment, PaymentGateway, PaymentState, Refund
from domain.reconciling import payment_differences, refund_differences
from systems.billing.reconciling.first_look import Sought
from systems.billing.reconciling.on_record import (
    attempt_of,
    owners_of,
    refund_of,
    stray_on_record,
)
from systems.billing.reconciling.rows import note
from systems.db import Database, lock_account
from systems.tables import AccountRow

# What changes again and again is being worked on: the next run looks at it.
LOOKS = 4

# The two clocks may differ, and a refund that was made a moment ago counts.
AHEAD = timedelta(days=1)

Ours = TypeVar("Ours")
Theirs = TypeVar("Theirs")


@dataclass(frozen=True)
class Seen(Generic[Ours, Theirs]):
    """Both records of one object at one moment, and how they differ."""

    ours: Ours
    theirs: Theirs
    found: list[Difference]


class Subject(Protocol[Ours, Theirs]):
    """One payment or refund, as both sides have it."""

    def ours(self, session: Session) -> Ours:
        """Our record, by what is known of the object so far."""
        ...

    def theirs(self, ours: Ours, now: datetime) -> Theirs:
        """The gateway's record, asked for anew."""
        ...

    def account_id(self, ours: Ours) -> str | None:
        """Whose it is."""
        ...

    def found(self, ours: Ours, theirs: Theirs, now: datetime) -> list[Difference]:
        """How the two differ."""
        ...

    def names(self, ours: Ours) -> set[str]:
        """Under which ids differences of it may be on record."""
        ...


def looked_at(
    db: Database, gateway: str, subject: Subject[Ours, Theirs], now: datetime
) -> Seen[Ours, Theirs] | None:
    """Both records of one moment, with their differences kept; None if ours keeps changing.

    Raises:
        Transient: the gateway or the database did not answer.
    """
    for _ in range(LOOKS):
        with db.transaction() as session:
            before = subject.ours(session)
        theirs = subject.theirs(before, now)
        try:
            with db.transaction() as session:
                _lock(session, subject.account_id(before))
                if subject.ours(session) != before:
                    continue
                found = subject.found(before, theirs, now)
                note(session, gateway, subject.names(before), found, now)
                return Seen(before, theirs, found)
        except IntegrityError:
            # Another run has noted it at this moment; where there is no account, nobody waits.
            continue
    return None


class PaymentSubject:
    """One payment."""

    def __init__(self, gateway: PaymentGateway, sought: Sought) -> None:
        """Ask `gateway` about what is `sought`."""
        self._gateway = gateway
        self._sought = sought
        self._payment = sought.payment

    def ours(self, session: Session) -> OnRecord:
        """See `Subject.ours`."""
        attempt = attempt_of(session, self._sought.object_id, self._key)
        if attempt is not None or self._payment is None:
            return OnRecord(attempt)
        return stray_on_record(session, self._payment)

    def theirs(self, ours: OnRecord, now: datetime) -> AtGateway:
        """See `Subject.theirs`. The proof of a duplicate is asked for where there may be one."""
        payment_id = ours.attempt.payment_id if ours.attempt else self._sought.object_id
        self._payment = payment = self._asked(payment_id or self._sought.object_id)
        other_id = ours.paid_by.payment_id if ours.paid_by and not ours.refunds else None
        if payment is None or payment.state is not PaymentState.SUCCEEDED or other_id is None:
            return AtGateway(payment)
        return self._beside(payment, other_id, now)

    def account_id(self, ours: OnRecord) -> str | None:
        """See `Subject.account_id`."""
        return ours.attempt.account_id if ours.attempt else ours.account_id

    def found(self, ours: OnRecord, theirs: AtGateway, now: datetime) -> list[Difference]:
        """See `Subject.found`."""
        if ours.attempt is not None and ours.attempt.gateway != self._gateway.name:
            return []
        return payment_differences(ours, theirs, now)

    def names(self, ours: OnRecord) -> set[str]:
        """See `Subject.names`."""
        attempt = ours.attempt
        sought = self._sought.object_id or self._sought.key
        names = {sought, *((attempt.payment_id, attempt.key) if attempt else ())}
        return {name for name in names if name}

    def _beside(self, payment: Payment, other_id: str, now: datetime) -> AtGateway:
        """The payment with the one that had paid its date, and whatever was given back of both."""
        other = self._asked(other_id)
        if other is None or payment.created_at is None or other.created_at is None:
            return AtGateway(payment)
        since = min(payment.created_at, other.created_at)
        ids = {payment.payment_id, other.payment_id}
        refunds = self._gateway.refunds_between(since, now + AHEAD)
        return AtGateway(payment, other, tuple(each for each in refunds if each.payment_id in ids))

    @property
    def _key(self) -> str | None:
        return self._payment.key if self._payment else self._sought.key

    def _asked(self, payment_id: str | None) -> Payment | None:
        """The payment as it stands; None if there is none, or no id to ask by."""
        if payment_id is None:
            return None
        try:
            return self._gateway.get_payment(payment_id)
        except InvariantViolated:
            return None


# Our row of a refund, and whose payment it is of.
RefundHere = tuple[OurRefund | None, str | None]


class RefundSubject:
    """One refund."""

    def __init__(self, gateway: PaymentGateway, sought: Sought) -> None:
        """Ask `gateway` about what is `sought`."""
        self._gateway = gateway
        self._sought = sought
        self._refund: Refund | None = None

    def ours(self, session: Session) -> RefundHere:
        """See `Subject.ours`."""
        key = self._refund.key if self._refund else self._sought.key
        row = refund_of(session, self._sought.object_id, key)
        if row is not None or self._refund is None:
            return row, row.account_id if row else None
        payment_id = self._refund.payment_id
        return None, owners_of(session, [payment_id]).get(payment_id)

    def theirs(self, ours: RefundHere, now: datetime) -> Refund | None:
        """See `Subject.theirs`."""
        refund_id = ours[0].refund_id if ours[0] else None
        self._refund = self._asked(refund_id or self._sought.object_id)
        return self._refund

    def account_id(self, ours: RefundHere) -> str | None:
        """See `Subject.account_id`."""
        return ours[1]

    def found(self, ours: RefundHere, theirs: Refund | None, now: datetime) -> list[Difference]:
        """See `Subject.found`."""
        row, account_id = ours
        return refund_differences(row, theirs, account_id) if row or account_id else []

    def names(self, ours: RefundHere) -> set[str]:
        """See `Subject.names`."""
        return {name for name in (self._sought.object_id,) if name}

    def _asked(self, refund_id: str | None) -> Refund | None:
        if refund_id is None:
            return None
        try:
            return self._gateway.get_refund(refund_id)
        except InvariantViolated:
            return None


def _lock(session: Session, account_id: str | None) -> None:
    if account_id is not None and session.get(AccountRow, account_id) is not None:
        lock_account(session, account_id)
