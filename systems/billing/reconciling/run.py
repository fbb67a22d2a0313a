"""The reconciliation: what both records of a window differ in, mended or kept for an operator (M4).

    begin        our row of the run, and the window it looks at
    first look   both records stream past; what does not look the same is remembered
    second look  each of those, and whatever is still open, once more by itself (`second_look`)
    mend         what mends itself, in the way in which it is always done (`remedies`)
    third look   what was mended agrees now, or waits for an operator
    finish       the run counts: the next one goes on from here

A run that dies anywhere is begun again from its start; so are two at once safe. Each object is
looked at by itself, and a difference is one row, whoever finds it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import chain

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.messages import Reconciled
from domain.payments import Gateway
from domain.reconciling import Finished, Window, window_of
from systems.billing.reconciling import rows
from systems.billing.reconciling.first_look import FirstLook, Progress, Sought
from systems.billing.reconciling.remedies import Remedies
from systems.billing.reconciling.rows import DifferenceView
from systems.billing.reconciling.second_look import (
    Ours,
    PaymentSubject,
    RefundSubject,
    Seen,
    Subject,
    Theirs,
    looked_at,
)
from systems.billing.refunds import Refunds
from systems.billing.system import SqlBilling
from systems.db import Database
from systems.tables import DifferenceRow, DifferenceState, ReconciliationRow


def nobody(_: int) -> None:
    """Nobody wants to know how far it is."""


class Reconciliation:
    """Compares our record with the gateway's, on behalf of the schedule and of operators."""

    def __init__(
        self, db: Database, gateway: Gateway, billing: SqlBilling, refunds: Refunds
    ) -> None:
        """Compare `db` with `gateway`, mend through `billing` and `refunds`."""
        self._db = db
        self._gateway = gateway
        self._remedies = Remedies(db, billing, refunds)

    def reconcile(
        self,
        now: datetime,
        since: datetime | None = None,
        until: datetime | None = None,
        progress: Progress = nobody,
    ) -> Reconciled:
        """See `Reconciler.reconcile`."""
        run_id, window = self._begin(now, since, until)
        first = FirstLook(self._db, self._gateway, window, progress)
        candidates = list(first.candidates(now))
        found: set[str] = set()
        count = first.payments + first.refunds
        for sought in chain(candidates, self._still_open(found)):
            found |= self._look_again(sought, now)
            count += 1
            progress(count)
        return self._finish(run_id, window, first, found, now)

    def differences(self, *, only_open: bool = True) -> list[DifferenceView]:
        """What waits for an operator, or all that was ever found; the oldest first."""
        with self._db.transaction() as session:
            return rows.views(session, only_open=only_open)

    def acknowledge(self, key: str, actor: str, reason: str, at: datetime) -> DifferenceView:
        """An operator has dealt with the difference: it is reported again only if it changes.

        Safe to repeat. `reason` goes into the audit only.

        Raises:
            Rejected: `validation_failed`: there is no such difference, it is no longer open, or the
                reason cannot be kept.
        """
        with self._db.transaction() as session:
            return rows.acknowledge(session, key, actor, reason, at)

    def _begin(
        self, now: datetime, since: datetime | None, until: datetime | None
    ) -> tuple[int, Window]:
        with self._db.transaction() as session:
            window = window_of(_finished(session, self._gateway.name), now, since, until)
            row = ReconciliationRow(
                gateway=self._gateway.name,
                since=window.since,
                until=window.until,
                began_at=now,
            )
            session.add(row)
            session.flush()
            return row.id, window

    def _still_open(self, found: set[str]) -> Iterator[Sought]:
        """What waits and was not met by this run: it may have gone since, in its window or not.

        It is read when it is asked for, so after whatever else there is to look at.
        """
        with self._db.transaction() as session:
            waiting = rows.views(session, only_open=True)
        sought = {
            Sought(
                each.object_id if each.is_refund else each.payment_id,
                each.our_key,
                is_refund=each.is_refund,
            ): None
            for each in waiting
            if each.key not in found and each.gateway == self._gateway.name
        }
        yield from sought

    def _look_again(self, sought: Sought, now: datetime) -> set[str]:
        if sought.is_refund:
            return self._done(
                lambda: RefundSubject(self._gateway, sought), self._remedies.mend_refund, now
            )
        return self._done(
            lambda: PaymentSubject(self._gateway, sought), self._remedies.mend_payment, now
        )

    def _done(
        self,
        subject: Callable[[], Subject[Ours, Theirs]],
        mend: Callable[[Seen[Ours, Theirs], datetime], bool],
        now: datetime,
    ) -> set[str]:
        """Look, mend, look once more; returns the keys of the differences that there were."""
        seen = looked_at(self._db, self._gateway.name, subject(), now)
        if seen is None:
            return set()
        if mend(seen, now):
            looked_at(self._db, self._gateway.name, subject(), now)
        return {rows.key_of(each) for each in seen.found}

    def _finish(
        self, run_id: int, window: Window, first: FirstLook, found: set[str], now: datetime
    ) -> Reconciled:
        with self._db.transaction() as session:
            row = session.get_one(ReconciliationRow, run_id)
            row.payments, row.refunds, row.found = first.payments, first.refunds, len(found)
            row.ended_at = now
            ended = Counter(
                session.scalars(select(DifferenceRow.state).where(DifferenceRow.ended_at == now))
            )
            waiting = session.scalars(
                select(DifferenceRow.found_at).where(DifferenceRow.state == DifferenceState.OPEN)
            ).all()
            return Reconciled(
                since=window.since,
                until=window.until,
                payments=first.payments,
                refunds=first.refunds,
                foreign=first.foreign,
                found=len(found),
                settled=ended[DifferenceState.SETTLED],
                refunded=ended[DifferenceState.REFUNDED],
                vanished=ended[DifferenceState.VANISHED],
                new=sum(found_at == now for found_at in waiting),
                waiting=len(waiting),
            )


def _finished(session: Session, gateway: str) -> list[Finished]:
    query = select(ReconciliationRow).where(
        ReconciliationRow.gateway == gateway, ReconciliationRow.ended_at.is_not(None)
    )
    return [Finished(Window(row.since, row.until), row.began_at) for row in session.scalars(query)]
