"""What the gateway tells by itself: a reason to look something up, and never a verdict (M7).

    receive    the web process keeps the event, once however often it comes; nothing else
    handle     a job of the worker lets whoever is concerned look it up at the gateway

An event is marked handled after its effect. A crash in between repeats the effect, which is a
look-up ahead of its time: harmless, as are events that come late, twice or in another order.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from systems.billing.settling import ANSWERED
from systems.db import Database
from systems.tables import (
    ActRow,
    AttemptRow,
    CardEntryRow,
    GatewayEventRow,
    InvoiceKind,
    InvoiceRow,
    InvoiceState,
    RefundRow,
    RefundRowState,
)

# How many events one round handles: a round stays short, and the next one follows at once.
EVENTS_PER_ROUND = 200

# While an attempt is being made its own answer comes first. The longest that a gateway takes to
# answer, or a killed worker's step to be begun again, is well below this.
ANSWER_COMES_WITHIN = timedelta(minutes=10)

# Gateways repeat an event for three days; what is older is told to nobody again.
KEPT = timedelta(days=30)

# Lets the run of an account's pause look unknown charges up; False if there is no run.
Wake = Callable[[str], bool]


class About(StrEnum):
    """What an event is a reason to look up; its object is named by the gateway's id of that."""

    PAYMENT = "payment"
    # Of a refund the payment is named: its own id may be unknown here, the answer being lost.
    REFUND = "refund"
    CARD_PAGE = "card_page"


def about(kind: str) -> About | None:
    """What an event of this kind is about, by Stripe's names; None: nothing that concerns us."""
    if kind.startswith("payment_intent."):
        return About.PAYMENT
    if kind.startswith(("refund.", "charge.refund")):
        return About.REFUND
    if kind.startswith("checkout.session."):
        return About.CARD_PAGE
    return None


class GatewayEvents:
    """The events, over one database. Neither the gateway nor Temporal is asked here."""

    def __init__(self, db: Database) -> None:
        """Keep events in `db`."""
        self._db = db

    def receive(self, event_id: str, kind: str, object_id: str, at: datetime) -> bool:
        """Keep the event for the next round of `handle`; False if it was there before.

        Raises:
            Transient: the database is away; the gateway sends the event again.
        """
        try:
            with self._db.transaction() as session:
                if session.get(GatewayEventRow, event_id) is not None:
                    return False
                session.add(
                    GatewayEventRow(
                        event_id=event_id, kind=kind, object_id=object_id, received_at=at
                    )
                )
        except IntegrityError:
            # It came twice at the same moment, and the other one is kept.
            return False
        return True

    def handle(self, now: datetime, wake: Wake, limit: int = EVENTS_PER_ROUND) -> int:
        """Have looked up what new events are about; returns how many of them were handled.

        At most `limit`, the oldest first. Charges of a pause that is running are its run's to look
        up, which `wake` tells. All else is due now and looked up by the jobs whose work it is. Safe
        in several workers.

        Raises:
            Transient: from `wake`; those events stay for the next round, all others are handled.
        """
        with self._db.transaction() as session:
            events = _unhandled(session, now, limit)
            runs = {event.event_id: _account_to_wake(session, event) for event in events}
        to_wake: defaultdict[str, list[GatewayEventRow]] = defaultdict(list)
        for event in events:
            account_id = runs[event.event_id]
            if account_id is None:
                self._look_up_now(event, now)
            else:
                to_wake[account_id].append(event)
        for account_id, of_account in to_wake.items():
            wake(account_id)
            self._mark_handled(of_account, now)
        return len(events)

    def purge(self, now: datetime) -> int:
        """Forget events that were handled 30 days ago or longer; returns how many."""
        is_old = GatewayEventRow.handled_at <= now - KEPT
        with self._db.transaction() as session:
            old = session.scalars(
                delete(GatewayEventRow).where(is_old).returning(GatewayEventRow.event_id)
            )
            return len(old.all())

    def _look_up_now(self, event: GatewayEventRow, now: datetime) -> None:
        with self._db.transaction() as session:
            match about(event.kind):
                case About.PAYMENT:
                    _look_up_payment(session, event.object_id, now)
                case About.REFUND:
                    _look_up_refunds(session, event.object_id, now)
                case About.CARD_PAGE:
                    look_up_page(session, event.object_id, now)
                case None:
                    pass
            _mark(session, [event], now)

    def _mark_handled(self, events: Sequence[GatewayEventRow], now: datetime) -> None:
        with self._db.transaction() as session:
            _mark(session, events, now)


def look_up_page(session: Session, page_id: str, now: datetime) -> None:
    """Something became of the card page: it is looked up at `now`, if it is one of ours."""
    session.execute(
        update(CardEntryRow)
        .where(CardEntryRow.page_id == page_id, CardEntryRow.ended_at.is_(None))
        .values(look_up_at=now)
    )


def _unhandled(session: Session, now: datetime, limit: int) -> list[GatewayEventRow]:
    """The oldest events that can be handled now."""
    query = select(GatewayEventRow).where(
        GatewayEventRow.handled_at.is_(None),
        or_(
            GatewayEventRow.received_at <= now - ANSWER_COMES_WITHIN,
            ~_is_about_an_attempt_being_made(),
        ),
    )
    order = (GatewayEventRow.received_at, GatewayEventRow.event_id)
    return list(session.scalars(query.order_by(*order).limit(limit)))


def _is_about_an_attempt_being_made() -> ColumnElement[bool]:
    """Looked up now, it would be asked a second time and its event be gone when it is unknown."""
    return exists().where(
        AttemptRow.payment_id == GatewayEventRow.object_id,
        AttemptRow.state.not_in(ANSWERED),
        AttemptRow.invoice_id == InvoiceRow.id,
        InvoiceRow.state == InvoiceState.OPEN,
        InvoiceRow.held_at.is_(None),
    )


def _account_to_wake(session: Session, event: GatewayEventRow) -> str | None:
    """The account whose run looks the event's payment up; None if no run does."""
    if about(event.kind) is not About.PAYMENT:
        return None
    return session.scalar(
        select(InvoiceRow.account_id)
        .join(AttemptRow, AttemptRow.invoice_id == InvoiceRow.id)
        .join(ActRow, ActRow.id == InvoiceRow.act_id)
        .where(
            AttemptRow.payment_id == event.object_id,
            AttemptRow.state.not_in(ANSWERED),
            InvoiceRow.kind == InvoiceKind.FEE,
            ActRow.ended_at.is_(None),
        )
    )


def _look_up_payment(session: Session, payment_id: str, now: datetime) -> None:
    attempts = select(AttemptRow.invoice_id).where(
        AttemptRow.payment_id == payment_id, AttemptRow.state.not_in(ANSWERED)
    )
    session.execute(
        update(InvoiceRow)
        .where(InvoiceRow.id.in_(attempts), InvoiceRow.look_up_at > now)
        .values(look_up_at=now)
    )


def _look_up_refunds(session: Session, payment_id: str, now: datetime) -> None:
    """Also of refunds that have succeeded: they may fail yet. One that is held stays held."""
    is_to_be_asked = or_(
        RefundRow.state == RefundRowState.SUCCEEDED, RefundRow.look_up_at.is_not(None)
    )
    session.execute(
        update(RefundRow)
        .where(RefundRow.payment_id == payment_id, is_to_be_asked)
        .values(look_up_at=now)
    )


def _mark(session: Session, events: Sequence[GatewayEventRow], now: datetime) -> None:
    ids = [event.event_id for event in events]
    session.execute(
        update(GatewayEventRow).where(GatewayEventRow.event_id.in_(ids)).values(handled_at=now)
    )
