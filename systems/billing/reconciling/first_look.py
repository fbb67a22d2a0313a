"""A first look at both records of one window, as they stream past: who is worth a second one.

Lists are minutes old by the time they have been read, so nothing is concluded from them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import TypeVar

from domain.differences import AtGateway, OnRecord
from domain.payments import Payment, PaymentGateway, Refund
from domain.reconciling import (
    REFUNDS_GO_BACK,
    UNKNOWN_FOR,
    Window,
    carries_our_names,
    payment_differences,
    refund_differences,
)
from systems.billing.reconciling.on_record import (
    Names,
    attempts_of,
    customers_of,
    owners_of,
    payments_made,
    refunds_made,
    refunds_of,
    unknown_since,
)
from systems.db import Database

# How many objects of the gateway's are looked for in our record at once.
BATCH = 500

Thing = TypeVar("Thing")

# Told how many objects have been looked at so far.
Progress = Callable[[int], object]


@dataclass(frozen=True)
class Sought:
    """A payment or refund to look at: its id at the gateway, our key while it has none.

    `payment` is the gateway's record as a list had it, to know whom to ask about.
    """

    object_id: str | None
    key: str | None = None
    payment: Payment | None = None
    is_refund: bool = False


class FirstLook:
    """One pass over both records. The counts are complete once `candidates` has ended.

    `foreign` are payments and refunds of another product on the same account of the gateway.
    """

    def __init__(
        self, db: Database, gateway: PaymentGateway, window: Window, progress: Progress
    ) -> None:
        """Compare what `db` and `gateway` have in the `window`."""
        self._db = db
        self._gateway = gateway
        self._window = window
        self._progress = progress
        self.payments = self.refunds = self.foreign = 0

    def candidates(self, now: datetime) -> Iterator[Sought]:
        """Whatever does not look the same on both sides at `now`."""
        return chain(self._payments(now), self._refunds(), self._unknown(now))

    def _payments(self, now: datetime) -> Iterator[Sought]:
        window = self._window
        seen: set[str] = set()
        for batch in _batches(self._gateway.payments_between(window.since, window.until)):
            self.payments += len(batch)
            seen.update(payment.payment_id for payment in batch)
            yield from self._payments_of(batch, now)
            self._progress(self.payments)
        with self._db.transaction() as session:
            made = list(payments_made(session, self._gateway.name, window))
        yield from (_sought(names) for names in made if names[0] not in seen)

    def _payments_of(self, batch: Sequence[Payment], now: datetime) -> Iterator[Sought]:
        with self._db.transaction() as session:
            attempts = attempts_of(session, batch)
            customers = customers_of(session, batch)
        for payment in batch:
            attempt = attempts.get(payment.payment_id)
            is_ours = carries_our_names(payment) or payment.customer_id in customers
            if attempt is None and not is_ours:
                self.foreign += 1
            elif payment_differences(OnRecord(attempt), AtGateway(payment), now):
                yield Sought(payment.payment_id, payment.key, payment)

    def _refunds(self) -> Iterator[Sought]:
        window = _longer(self._window)
        seen: set[str] = set()
        for batch in _batches(self._gateway.refunds_between(window.since, window.until)):
            self.refunds += len(batch)
            seen.update(refund.refund_id for refund in batch)
            yield from self._refunds_of(batch)
            self._progress(self.payments + self.refunds)
        with self._db.transaction() as session:
            made = list(refunds_made(session, self._gateway.name, window))
        yield from (_sought(names, is_refund=True) for names in made if names[0] not in seen)

    def _refunds_of(self, batch: Sequence[Refund]) -> Iterator[Sought]:
        with self._db.transaction() as session:
            ours = refunds_of(session, batch)
            owners = owners_of(session, {refund.payment_id for refund in batch})
        for refund in batch:
            mine, account_id = ours.get(refund.refund_id), owners.get(refund.payment_id)
            if mine is None and account_id is None:
                # Somebody else's; or of a payment that is missing here, which tells of both.
                self.foreign += 1
            elif refund_differences(mine, refund, account_id):
                yield Sought(refund.refund_id, refund.key, is_refund=True)

    def _unknown(self, now: datetime) -> Iterator[Sought]:
        with self._db.transaction() as session:
            names = list(unknown_since(session, self._gateway.name, now - UNKNOWN_FOR))
        return (_sought(each) for each in names)


def _longer(window: Window) -> Window:
    return Window(min(window.since, window.until - REFUNDS_GO_BACK), window.until)


def _sought(names: Names, *, is_refund: bool = False) -> Sought:
    return Sought(names[0], names[1], is_refund=is_refund)


def _batches(things: Iterable[Thing]) -> Iterator[list[Thing]]:
    iterator = iter(things)
    while batch := list(islice(iterator, BATCH)):
        yield batch
