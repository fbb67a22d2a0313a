"""The embedded payment gateway: a payment provider in small, for local runs and tests.

It keeps its own record in its own tables and its own transactions, as a provider does, so that a
crash between the charge and our record of it can really happen. Cards are offered by name and
behave as providers' test cards do.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar
from uuid import uuid4

from sqlalchemy import Engine, String, select
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from domain.errors import Code, InvariantViolated, Rejected, Transient
from domain.ports import Order, Payment, PaymentState
from systems.db import Database

# How many look-ups of a payment on the card `processing` say so before it has succeeded.
LOOK_UPS_PROCESSING = 2


class Manner(StrEnum):
    """How the gateway answers: at once; with the answer lost; later; or not at all."""

    AT_ONCE = "at_once"
    LOST = "lost"
    LATER = "later"
    AWAY = "away"


@dataclass(frozen=True)
class SandboxCard:
    """A test card: what a person recognises it by, and what comes of charging it."""

    token: str
    brand: str
    last4: str
    decline_code: str | None = None
    manner: Manner = Manner.AT_ONCE
    expires_month: int = 12
    expires_year: int = 2034

    @property
    def confirmed(self) -> PaymentState:
        """Where a payment stands once it has been confirmed."""
        if self.manner is Manner.LATER:
            return PaymentState.PROCESSING
        return PaymentState.DECLINED if self.decline_code else PaymentState.SUCCEEDED


CARDS: dict[str, SandboxCard] = {
    "visa": SandboxCard("card_visa", "visa", "4242"),
    "mastercard": SandboxCard("card_mastercard", "mastercard", "4444"),
    "declined": SandboxCard("card_declined", "visa", "0002", "card_declined"),
    "insufficient_funds": SandboxCard(
        "card_insufficient_funds", "visa", "9995", "insufficient_funds"
    ),
    "expired_card": SandboxCard(
        "card_expired", "visa", "0069", "expired_card", expires_month=1, expires_year=2024
    ),
    "lost_card": SandboxCard("card_lost", "visa", "9987", "lost_card"),
    "authentication_required": SandboxCard(
        "card_authentication_required", "visa", "3184", "authentication_required"
    ),
    "times_out": SandboxCard("card_times_out", "visa", "0101", manner=Manner.LOST),
    "times_out_declined": SandboxCard(
        "card_times_out_declined", "visa", "0119", "card_declined", Manner.LOST
    ),
    "processing": SandboxCard("card_processing", "visa", "0127", manner=Manner.LATER),
    "away": SandboxCard("card_away", "visa", "0135", manner=Manner.AWAY),
}
_UNKNOWN_CARD = SandboxCard("card_unknown", "unknown", "0000", "unknown_card")
_BY_TOKEN = {card.token: card for card in CARDS.values()}


def card(name: str) -> SandboxCard:
    """The test card of that name, as it would be entered on the gateway's page.

    Raises:
        Rejected: `validation_failed`, naming the choices. The name itself is not repeated: somebody
            may have typed a card number.
    """
    if name not in CARDS:
        raise Rejected(
            Code.VALIDATION_FAILED, f"There is no such test card; choose from {', '.join(CARDS)}."
        )
    return CARDS[name]


def card_of(token: str) -> SandboxCard:
    """The test card behind a token; a token of no card is declined when it is charged."""
    return _BY_TOKEN.get(token, _UNKNOWN_CARD)


@dataclass(frozen=True)
class SandboxPayment(Payment):
    """A payment with the key under which it was created, for whoever compares both records."""

    key: str = ""


class _Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {str: String(255)}


class _PaymentRow(_Base):
    __tablename__ = "sandbox_payments"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    payment_id: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str] = mapped_column(index=True)
    card_token: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str]
    state: Mapped[str]
    decline_code: Mapped[str | None]
    look_ups: Mapped[int] = mapped_column(default=0)


class SandboxGateway:
    """A `PaymentGateway` that keeps payments in tables of its own, named ``sandbox_*``."""

    def __init__(self, engine: Engine) -> None:
        """Keep payments in the database behind `engine`; tables that are missing are made."""
        self._db = Database(engine)
        _create_tables(engine)

    def create_payment(self, key: str, order: Order) -> Payment:
        """See `PaymentGateway.create_payment`."""
        if card_of(order.card_token).manner is Manner.AWAY:
            raise Transient("the payment gateway did not answer")
        try:
            row = self._created(key, order)
        except IntegrityError:
            # Somebody created it at the same moment; now it is there to be found.
            row = self._created(key, order)
        if _order_of(row) != order:
            raise InvariantViolated(f"the payment key {key} was used for another order")
        return _payment(row)

    def confirm_payment(self, payment_id: str) -> Payment:
        """See `PaymentGateway.confirm_payment`."""
        with self._db.transaction() as session:
            row = _locked(session, payment_id)
            card = card_of(row.card_token)
            if row.state == PaymentState.CREATED:
                row.state = card.confirmed
                row.decline_code = card.decline_code
        if card.manner is Manner.LOST:
            raise Transient(f"the answer about payment {payment_id} was lost")
        return _payment(row)

    def get_payment(self, payment_id: str) -> Payment:
        """See `PaymentGateway.get_payment`."""
        with self._db.transaction() as session:
            row = _locked(session, payment_id)
            if row.state == PaymentState.PROCESSING:
                row.look_ups += 1
                if row.look_ups > LOOK_UPS_PROCESSING:
                    row.state = PaymentState.SUCCEEDED
        return _payment(row)

    def payments(self, account_id: str | None = None) -> list[SandboxPayment]:
        """The gateway's own record, oldest first: the truth about money."""
        query = select(_PaymentRow).order_by(_PaymentRow.id)
        if account_id is not None:
            query = query.where(_PaymentRow.account_id == account_id)
        with self._db.transaction() as session:
            return [_payment(row) for row in session.scalars(query)]

    def _created(self, key: str, order: Order) -> _PaymentRow:
        with self._db.transaction() as session:
            row = session.scalar(select(_PaymentRow).where(_PaymentRow.key == key))
            if row is None:
                row = _PaymentRow(
                    payment_id=f"pay_{uuid4().hex}",
                    key=key,
                    account_id=order.account_id,
                    card_token=order.card_token,
                    amount_minor=order.amount_minor,
                    currency=order.currency,
                    state=PaymentState.CREATED,
                )
                session.add(row)
        return row


def _create_tables(engine: Engine) -> None:
    try:
        _Base.metadata.create_all(engine)
    except (IntegrityError, OperationalError, ProgrammingError):
        # Another process made them between our look and our attempt.
        _Base.metadata.create_all(engine)


def _locked(session: Session, payment_id: str) -> _PaymentRow:
    row = session.scalar(
        select(_PaymentRow).where(_PaymentRow.payment_id == payment_id).with_for_update()
    )
    if row is None:
        raise InvariantViolated(f"the gateway knows no payment {payment_id}")
    return row


def _order_of(row: _PaymentRow) -> Order:
    return Order(row.account_id, row.card_token, row.amount_minor, row.currency)


def _payment(row: _PaymentRow) -> SandboxPayment:
    return SandboxPayment(
        payment_id=row.payment_id,
        account_id=row.account_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        state=PaymentState(row.state),
        decline_code=row.decline_code,
        key=row.key,
    )
