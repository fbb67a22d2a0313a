"""The sandbox's own record: its tables, and its rows as the port shows them."""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, String, inspect
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateColumn

from domain.payments import (
    CardPage,
    Order,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)
from systems.tables.base import UtcDateTime


class _Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime, str: String(255)}


class PaymentRow(_Base):
    """One payment. The last three columns are empty for those of releases that had none."""

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
    customer_id: Mapped[str | None]
    billing_on: Mapped[date | None]
    created_at: Mapped[datetime | None]


class RefundRow(_Base):
    """One refund of one payment."""

    __tablename__ = "sandbox_refunds"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    refund_id: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str] = mapped_column(unique=True)
    payment_id: Mapped[str] = mapped_column(index=True)
    amount_minor: Mapped[int]
    currency: Mapped[str]
    state: Mapped[str]
    look_ups: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]


class CardPageRow(_Base):
    """One page for entering a card; `card_name` is the test card that somebody entered."""

    __tablename__ = "sandbox_card_pages"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    page_id: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str]
    customer_id: Mapped[str]
    return_url: Mapped[str] = mapped_column(String(2000))
    expires_at: Mapped[datetime]
    card_name: Mapped[str | None]


def prepare_tables(engine: Engine) -> None:
    """Make what is missing: tables, and columns of a file that an older release has made."""
    try:
        _prepare(engine)
    except (IntegrityError, OperationalError, ProgrammingError):
        # Another process did it between our look and our attempt.
        _prepare(engine)


def _prepare(engine: Engine) -> None:
    _Base.metadata.create_all(engine)
    with engine.begin() as connection:
        _add_columns(connection)


def _add_columns(connection: Connection) -> None:
    table = _Base.metadata.tables[PaymentRow.__tablename__]
    there = {column["name"] for column in inspect(connection).get_columns(table.name)}
    for column in table.columns:
        if column.name not in there:
            definition = CreateColumn(column).compile(connection)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")


def order_of(row: PaymentRow) -> Order:
    """What the payment was created for."""
    return Order(
        row.account_id,
        row.card_token,
        row.amount_minor,
        row.currency,
        row.customer_id,
        row.billing_on,
    )


def payment_of(row: PaymentRow) -> Payment:
    """The payment as the port shows it."""
    return Payment(
        payment_id=row.payment_id,
        account_id=row.account_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        state=PaymentState(row.state),
        decline_code=row.decline_code,
        key=row.key,
        billing_on=row.billing_on,
        customer_id=row.customer_id,
        created_at=row.created_at,
    )


def refund_of(row: RefundRow) -> Refund:
    """The refund as the port shows it."""
    return Refund(
        refund_id=row.refund_id,
        payment_id=row.payment_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        state=RefundState(row.state),
        key=row.key,
        created_at=row.created_at,
    )


def page_of(row: CardPageRow, pages_url: str) -> CardPage:
    """The page as the port shows it, under the sandbox's own address."""
    url = f"{pages_url}/sandbox/cards/{row.page_id}"
    return CardPage(row.page_id, url, row.customer_id, row.expires_at)
