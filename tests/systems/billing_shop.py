"""Billing set up for tests: the fake and the real one on both databases, behind one face."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from domain.calendar import due_instant
from domain.ids import Prefix, make_id
from domain.messages import CollectFee, FeeAnswer, PlanSuspended, Settled, Step, SuspendPlan
from domain.payments import Payment, PaymentState
from domain.ports import Billing
from domain.states import AccountStatus, ActKind, PauseState
from domain.terms import Offer, Terms
from systems.billing import SqlBilling
from systems.db import Database
from systems.gateways.sandbox import SandboxGateway, card
from systems.tables import (
    AccountRow,
    ActRow,
    InvoiceLineRow,
    InvoiceRow,
    NoticeRow,
    SuspensionRow,
)
from tests.fakes.billing import FakeBilling
from tests.fakes.gateway import FakeGateway, FaultyGateway

NEW_YORK = "America/New_York"
LONG_AGO = datetime(2025, 1, 1, 12, tzinfo=UTC)
JAN_15 = date(2026, 1, 15)
FEB_15 = date(2026, 2, 15)
MAR_15 = date(2026, 3, 15)

SHOPS = ["fake", "sqlite", "postgresql"]

# Who took a date, and for how much.
Taken = tuple[date, str, int]


def local(when: str, zone: str = NEW_YORK) -> datetime:
    """The instant at which clocks in `zone` show `when`, for example ``2026-01-10 14:00``."""
    return datetime.fromisoformat(when).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


class Record(Protocol):
    """What a gateway knows to have happened."""

    def payments(self, account_id: str | None = None) -> list[Payment]: ...


class Shop(Protocol):
    """Billing, its gateway, and what a test wants to know of both."""

    billing: Billing
    gateway: FaultyGateway

    @property
    def record(self) -> Record: ...

    def add_account(self, account_id: str) -> None: ...
    def setup(self) -> SqlBilling | FakeBilling: ...
    def notices(self, account_id: str) -> list[tuple[str, date]]: ...
    def taken(self, account_id: str) -> list[Taken]: ...
    def pending(self, account_id: str) -> list[tuple[str, int]]: ...


class FakeShop:
    """The fake, with its own books laid open."""

    def __init__(self) -> None:
        self.record = FakeGateway()
        self.gateway = FaultyGateway(self.record)
        self._billing = FakeBilling(self.gateway)
        self.billing: Billing = self._billing

    def add_account(self, account_id: str) -> None:
        pass

    def setup(self) -> FakeBilling:
        return self._billing

    def notices(self, account_id: str) -> list[tuple[str, date]]:
        return [(kind, on) for owner, kind, on in self._billing.notices if owner == account_id]

    def taken(self, account_id: str) -> list[Taken]:
        invoices = sorted(self._billing.accounts[account_id].invoices.items())
        return [(day, "fee" if it.act_id else "plan", it.amount_minor) for day, it in invoices]

    def pending(self, account_id: str) -> list[tuple[str, int]]:
        return sorted(self._billing.accounts[account_id].pending.values())


class SqlShop:
    """The real one; the gateway keeps tables of its own in the same database."""

    def __init__(
        self, database: Database, record: FakeGateway | SandboxGateway | None = None
    ) -> None:
        self.database = database
        self.record: FakeGateway | SandboxGateway = record or SandboxGateway(database.engine)
        self.gateway = FaultyGateway(self.record)
        self.sql = SqlBilling(database, self.gateway)
        self.billing: Billing = self.sql

    def add_account(self, account_id: str) -> None:
        with self.database.transaction() as session:
            session.add(
                AccountRow(
                    id=account_id,
                    name="A",
                    time_zone=NEW_YORK,
                    status=AccountStatus.ACTIVE,
                    created_at=LONG_AGO,
                )
            )

    def setup(self) -> SqlBilling:
        return self.sql

    def notices(self, account_id: str) -> list[tuple[str, date]]:
        return [
            (notice.kind, date.fromisoformat(notice.data["billing_on"]))
            for notice in self.notice_rows(account_id)
        ]

    def notice_rows(self, account_id: str) -> list[NoticeRow]:
        query = select(NoticeRow).where(NoticeRow.account_id == account_id).order_by(NoticeRow.at)
        with self.database.transaction() as session:
            return list(session.scalars(query))

    def taken(self, account_id: str) -> list[Taken]:
        query = select(InvoiceRow).where(InvoiceRow.account_id == account_id)
        with self.database.transaction() as session:
            rows = session.scalars(query.order_by(InvoiceRow.billing_on)).all()
        return [(row.billing_on, row.kind.value, row.amount_minor) for row in rows]

    def pending(self, account_id: str) -> list[tuple[str, int]]:
        query = select(InvoiceLineRow).where(
            InvoiceLineRow.account_id == account_id, InvoiceLineRow.invoice_id.is_(None)
        )
        with self.database.transaction() as session:
            return sorted((row.kind.value, row.amount_minor) for row in session.scalars(query))

    def suspension(self, act_id: str) -> SuspensionRow | None:
        with self.database.transaction() as session:
            return session.get(SuspensionRow, act_id)

    def open_act(self, pause: "Pause", began_at: datetime) -> None:
        """What the accounts system records when a pause, or a close, begins."""
        with self.database.transaction() as session:
            session.add(
                ActRow(
                    id=pause.act_id,
                    account_id=pause.account_id,
                    kind=ActKind.PAUSE,
                    state=PauseState.PAUSING,
                    requested_by=None,
                    began_at=began_at,
                )
            )

    def change_act(self, pause: "Pause", **changes: Any) -> None:
        """What the accounts system records as the act goes on: `paused_at`, `ended_at`."""
        with self.database.transaction() as session:
            row = session.get_one(ActRow, pause.act_id)
            for name, value in changes.items():
                setattr(row, name, value)


def open_shop(kind: str, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """The shop of that kind; a generator, for fixtures to yield from."""
    if kind == "fake":
        yield FakeShop()
    else:
        yield SqlShop(request.getfixturevalue(f"{kind}_database"))


def add_account(
    shop: Shop,
    *,
    zone: str = NEW_YORK,
    billing_day: int = 15,
    next_billing_on: date = JAN_15,
    amount_minor: int = 4500,
    add_ons: tuple[tuple[str, int], ...] = (),
    card_name: str | None = "visa",
) -> str:
    """A new account on a plan, with the test card of that name on file."""
    account_id = make_id(Prefix.ACCOUNT, uuid4())
    shop.add_account(account_id)
    shop.setup().create_subscription(
        account_id, "Call Tracking", amount_minor, zone, billing_day, next_billing_on, add_ons
    )
    if card_name is not None:
        use_card(shop, account_id, card_name)
    return account_id


def use_card(shop: Shop, account_id: str, name: str, at: datetime = LONG_AGO) -> None:
    """Put the test card of that name on file."""
    it = card(name)
    shop.setup().replace_card(
        account_id, it.token, it.brand, it.last4, it.expires_month, it.expires_year, at
    )


@dataclass(frozen=True)
class Pause:
    """One pause as its workflow would drive billing."""

    shop: Shop
    account_id: str
    act_id: str
    terms: Terms

    def suspend(self, at: datetime) -> PlanSuspended:
        step = SuspendPlan(**self._step(at), terms=self.terms)
        return self.shop.billing.suspend_plan(step)

    def collect(
        self,
        billing_on: date,
        at: datetime | None = None,
        attempt: int = 1,
        rung: int | None = 0,
    ) -> FeeAnswer:
        due_at = due_instant(billing_on, self.terms.time_zone)
        step = CollectFee(
            **self._step(at or due_at),
            billing_on=billing_on,
            due_at=due_at,
            attempt=attempt,
            rung=rung,
        )
        return self.shop.billing.collect_fee(step)

    def restore(self, at: datetime) -> Settled:
        return self.shop.billing.restore_plan(Step(**self._step(at)))

    def close(self, at: datetime) -> Settled:
        return self.shop.billing.close_billing(Step(**self._step(at)))

    def _step(self, at: datetime) -> dict[str, Any]:
        return {"act_id": self.act_id, "account_id": self.account_id, "at": at}


def new_pause(
    shop: Shop,
    account_id: str,
    *,
    zone: str = NEW_YORK,
    billing_day: int = 15,
    offer: Offer | None = None,
) -> Pause:
    """A pause that has not begun yet."""
    terms = (offer or Offer()).for_account(zone, billing_day)
    return Pause(shop, account_id, make_id(Prefix.PAUSE, uuid4()), terms)


def paused(
    shop: Shop, at: str = "2026-01-10 14:00", card_name: str = "visa", offer: Offer | None = None
) -> Pause:
    """A new account in New York, anchor 15, paused at that local time."""
    pause = new_pause(shop, add_account(shop, card_name=card_name), offer=offer)
    pause.suspend(local(at))
    return pause


def succeeded(shop: Shop, account_id: str) -> list[Payment]:
    """The payments that moved money, as the gateway knows it."""
    return [
        payment
        for payment in shop.record.payments(account_id)
        if payment.state is PaymentState.SUCCEEDED
    ]
