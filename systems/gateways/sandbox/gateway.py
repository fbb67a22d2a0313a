"""The embedded payment gateway: payments, refunds and pages for test cards.

It keeps its own record in its own tables and its own transactions, as a provider does, so that a
crash between the charge and our record of it can really happen. Cards are offered by name and
behave as providers' test cards do.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.errors import Code, InvariantViolated, Rejected, Transient
from domain.payments import (
    CardPage,
    EnteredCard,
    Order,
    PageAnswer,
    PageState,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)
from systems.db import Database
from systems.gateways.sandbox.cards import LOOK_UPS_PROCESSING, Manner, card, card_of
from systems.gateways.sandbox.tables import (
    CardPageRow,
    PaymentRow,
    RefundRow,
    order_of,
    page_of,
    payment_of,
    prepare_tables,
    refund_of,
)

# Whose record it is, as our own record names it.
NAME = "sandbox"
# As long as a page of Stripe's.
PAGE_LASTS = timedelta(hours=24)


def _now() -> datetime:
    return datetime.now(UTC)


class SandboxGateway:
    """A `Gateway` that keeps its record in tables of its own, named ``sandbox_*``."""

    name = NAME

    def __init__(
        self,
        engine: Engine,
        pages_url: str = "http://127.0.0.1:8000",
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """Keep the record in the database behind `engine`; tables that are missing are made.

        Card pages are served under `pages_url` by whoever plays the gateway's web server.
        """
        self._db = Database(engine)
        self._pages_url = pages_url.rstrip("/")
        self._clock = clock
        prepare_tables(engine)

    def check(self) -> None:
        """See `Gateway.check`. The sandbox has no keys."""

    # --- payments --------------------------------------------------------------------------------

    def create_payment(self, key: str, order: Order) -> Payment:
        """See `PaymentGateway.create_payment`."""
        _check_is_there(order)
        try:
            row = self._created(key, order)
        except IntegrityError:
            # Somebody created it at the same moment; now it is there to be found.
            row = self._created(key, order)
        if order_of(row) != order:
            raise InvariantViolated(f"the payment key {key} was used for another order")
        return payment_of(row)

    def find_payment(self, key: str, order: Order) -> Payment | None:
        """See `PaymentGateway.find_payment`."""
        _check_is_there(order)
        with self._db.transaction() as session:
            row = session.scalar(select(PaymentRow).where(PaymentRow.key == key))
        return payment_of(row) if row else None

    def confirm_payment(self, payment_id: str) -> Payment:
        """See `PaymentGateway.confirm_payment`."""
        with self._db.transaction() as session:
            row = _locked_payment(session, payment_id)
            card = card_of(row.card_token)
            if row.state == PaymentState.CREATED:
                row.state = card.confirmed
                row.decline_code = card.decline_code
        if card.manner is Manner.LOST:
            raise Transient(f"the answer about payment {payment_id} was lost")
        return payment_of(row)

    def get_payment(self, payment_id: str) -> Payment:
        """See `PaymentGateway.get_payment`."""
        with self._db.transaction() as session:
            row = _locked_payment(session, payment_id)
            if row.state == PaymentState.PROCESSING:
                row.look_ups += 1
                if row.look_ups > LOOK_UPS_PROCESSING:
                    row.state = PaymentState.SUCCEEDED
        return payment_of(row)

    def payments_between(self, since: datetime, until: datetime) -> Iterator[Payment]:
        """See `PaymentGateway.payments_between`."""
        at = PaymentRow.created_at
        query = select(PaymentRow).where(at >= since, at < until).order_by(PaymentRow.id)
        with self._db.transaction() as session:
            rows = session.scalars(query).all()
        yield from map(payment_of, rows)

    # --- refunds ---------------------------------------------------------------------------------

    def refund_payment(self, key: str, payment_id: str, amount_minor: int) -> Refund:
        """See `PaymentGateway.refund_payment`."""
        with self._db.transaction() as session:
            paid = _locked_payment(session, payment_id)
            row = session.scalar(select(RefundRow).where(RefundRow.key == key))
            if row is None:
                _check_is_left(session, paid, amount_minor)
                row = _new_refund(key, paid, amount_minor, self._clock())
                session.add(row)
        if (row.payment_id, row.amount_minor) != (payment_id, amount_minor):
            raise InvariantViolated(f"the refund key {key} was used for another refund")
        if card_of(paid.card_token).manner is Manner.LOST:
            raise Transient(f"the answer about a refund of payment {payment_id} was lost")
        return refund_of(row)

    def find_refund(self, key: str, payment_id: str) -> Refund | None:
        """See `PaymentGateway.find_refund`."""
        query = select(RefundRow).where(RefundRow.key == key, RefundRow.payment_id == payment_id)
        with self._db.transaction() as session:
            row = session.scalar(query)
        return refund_of(row) if row else None

    def get_refund(self, refund_id: str) -> Refund:
        """See `PaymentGateway.get_refund`."""
        query = select(RefundRow).where(RefundRow.refund_id == refund_id).with_for_update()
        with self._db.transaction() as session:
            row = session.scalar(query)
            if row is None:
                raise InvariantViolated(f"the gateway knows no refund {refund_id}")
            if row.state == RefundState.PENDING:
                row.look_ups += 1
                if row.look_ups > LOOK_UPS_PROCESSING:
                    row.state = RefundState.SUCCEEDED
        return refund_of(row)

    def refunds_between(self, since: datetime, until: datetime) -> Iterator[Refund]:
        """See `PaymentGateway.refunds_between`."""
        at = RefundRow.created_at
        query = select(RefundRow).where(at >= since, at < until).order_by(RefundRow.id)
        with self._db.transaction() as session:
            rows = session.scalars(query).all()
        yield from map(refund_of, rows)

    # --- card pages ------------------------------------------------------------------------------

    def open_page(
        self, key: str, account_id: str, customer_id: str | None, return_url: str
    ) -> CardPage:
        """See `CardPages.open_page`. An account without a customer gets one named after it."""
        asked = (account_id, customer_id or f"cus_{account_id}", return_url)
        try:
            row = self._opened(key, *asked)
        except IntegrityError:
            # Somebody opened it at the same moment; now it is there to be found.
            row = self._opened(key, *asked)
        if (row.account_id, row.customer_id, row.return_url) != asked:
            raise InvariantViolated(f"the page key {key} was used for another page")
        return page_of(row, self._pages_url)

    def look_up_page(self, page_id: str) -> PageAnswer:
        """See `CardPages.look_up_page`."""
        with self._db.transaction() as session:
            row = _locked_page(session, page_id)
        return self._answer(row)

    def enter_card(self, page_id: str, card_name: str) -> EnteredCard:
        """Play the person who enters the test card `card_name` on the page.

        Raises:
            Rejected: `validation_failed`: there is no such card, the page has expired, or a card
                was entered on it before.
            InvariantViolated: there is no such page.
        """
        entered = card(card_name)
        with self._db.transaction() as session:
            row = _locked_page(session, page_id)
            state = self._answer(row).state
            if state is not PageState.OPEN:
                raise Rejected(Code.VALIDATION_FAILED, f"The page {page_id} is {state}.")
            row.card_name = card_name
        return entered.entered(row.customer_id)

    def return_url(self, page_id: str) -> str:
        """Where the page sends the browser afterwards.

        Raises:
            InvariantViolated: there is no such page.
        """
        with self._db.transaction() as session:
            return _locked_page(session, page_id).return_url

    # --- the record laid open --------------------------------------------------------------------

    def payments(self, account_id: str | None = None) -> list[Payment]:
        """All payments, oldest first: the truth about money."""
        query = select(PaymentRow).order_by(PaymentRow.id)
        if account_id is not None:
            query = query.where(PaymentRow.account_id == account_id)
        with self._db.transaction() as session:
            return [payment_of(row) for row in session.scalars(query)]

    def refunds(self, account_id: str | None = None) -> list[Refund]:
        """All refunds, oldest first."""
        query = select(RefundRow).order_by(RefundRow.id)
        if account_id is not None:
            paid = select(PaymentRow.payment_id).where(PaymentRow.account_id == account_id)
            query = query.where(RefundRow.payment_id.in_(paid))
        with self._db.transaction() as session:
            return [refund_of(row) for row in session.scalars(query)]

    def _created(self, key: str, order: Order) -> PaymentRow:
        with self._db.transaction() as session:
            row = session.scalar(select(PaymentRow).where(PaymentRow.key == key))
            if row is None:
                row = _new_payment(key, order, self._clock())
                session.add(row)
        return row

    def _opened(self, key: str, account_id: str, customer_id: str, return_url: str) -> CardPageRow:
        with self._db.transaction() as session:
            row = session.scalar(select(CardPageRow).where(CardPageRow.key == key))
            if row is None:
                row = CardPageRow(
                    page_id=f"page_{uuid4().hex}",
                    key=key,
                    account_id=account_id,
                    customer_id=customer_id,
                    return_url=return_url,
                    expires_at=self._clock() + PAGE_LASTS,
                )
                session.add(row)
        return row

    def _answer(self, row: CardPageRow) -> PageAnswer:
        if row.card_name is not None:
            return PageAnswer(PageState.ENTERED, card(row.card_name).entered(row.customer_id))
        is_over = row.expires_at <= self._clock()
        return PageAnswer(PageState.EXPIRED if is_over else PageState.OPEN)


def _check_is_there(order: Order) -> None:
    if card_of(order.card_token).manner is Manner.AWAY:
        raise Transient("the payment gateway did not answer")


def _new_payment(key: str, order: Order, at: datetime) -> PaymentRow:
    return PaymentRow(
        payment_id=f"pay_{uuid4().hex}",
        key=key,
        account_id=order.account_id,
        card_token=order.card_token,
        amount_minor=order.amount_minor,
        currency=order.currency,
        state=PaymentState.CREATED,
        customer_id=order.customer_id,
        billing_on=order.billing_on,
        created_at=at,
    )


def _new_refund(key: str, paid: PaymentRow, amount_minor: int, at: datetime) -> RefundRow:
    is_slow = card_of(paid.card_token).manner is Manner.LATER
    return RefundRow(
        refund_id=f"ref_{uuid4().hex}",
        key=key,
        payment_id=paid.payment_id,
        amount_minor=amount_minor,
        currency=paid.currency,
        state=RefundState.PENDING if is_slow else RefundState.SUCCEEDED,
        created_at=at,
    )


def _check_is_left(session: Session, paid: PaymentRow, amount_minor: int) -> None:
    given_back = select(func.coalesce(func.sum(RefundRow.amount_minor), 0)).where(
        RefundRow.payment_id == paid.payment_id, RefundRow.state != RefundState.FAILED
    )
    received = paid.amount_minor if paid.state == PaymentState.SUCCEEDED else 0
    left = received - session.scalars(given_back).one()
    if not 0 < amount_minor <= left:
        raise Rejected(
            Code.VALIDATION_FAILED,
            f"Of payment {paid.payment_id} {left} cents are left to be given back,"
            f" not {amount_minor}.",
        )


def _locked_payment(session: Session, payment_id: str) -> PaymentRow:
    row = session.scalar(
        select(PaymentRow).where(PaymentRow.payment_id == payment_id).with_for_update()
    )
    if row is None:
        raise InvariantViolated(f"the gateway knows no payment {payment_id}")
    return row


def _locked_page(session: Session, page_id: str) -> CardPageRow:
    row = session.scalar(
        select(CardPageRow).where(CardPageRow.page_id == page_id).with_for_update()
    )
    if row is None:
        raise InvariantViolated(f"the gateway knows no card page {page_id}")
    return row
