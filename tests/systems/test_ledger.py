"""The ledger: only ever added to, and the same as invoices and gateway to the cent (M4, M5)."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Executable, event, insert, text
from sqlalchemy.exc import DBAPIError

from domain.calendar import billing_dates_from
from domain.errors import InvariantViolated, Rejected
from domain.payments import Payment
from domain.states import ChargeState, LadderEnd
from domain.terms import Offer
from systems.billing.ledger import balances, book_stray_charge
from systems.billing.refunds import Refunds
from systems.db import Database, lock_account, make_engine
from systems.tables import InvoiceState, LedgerAccount, LedgerKind, LedgerRow
from tests.fakes.gateway import FakeGateway
from tests.systems.billing_shop import (
    Pause,
    SqlShop,
    add_account,
    local,
    new_pause,
    succeeded,
    use_card,
)
from tests.systems.refund_shop import charged, stray_payment

# What would change or remove what was booked, by any tool that speaks SQL.
CHANGES = [
    "UPDATE ledger SET amount_minor = 1",
    "UPDATE ledger SET at = at WHERE kind = 'charge'",
    "DELETE FROM ledger",
    "DELETE FROM ledger WHERE kind = 'charge'",
    "INSERT INTO ledger SELECT * FROM ledger WHERE true"
    " ON CONFLICT (id) DO UPDATE SET amount_minor = 1",
]
CHANGES_ON_SQLITE = [
    "INSERT OR REPLACE INTO ledger SELECT * FROM ledger",
    "UPDATE OR IGNORE ledger SET amount_minor = 1",
]
CHANGES_ON_POSTGRESQL = ["TRUNCATE ledger", "TRUNCATE accounts CASCADE"]

ROW: dict[str, Any] = {
    "key": "a key",
    "kind": LedgerKind.CHARGE,
    "debit": LedgerAccount.GATEWAY,
    "credit": LedgerAccount.RECEIVABLE,
    "amount_minor": 500,
    "currency": "USD",
    "at": datetime(2026, 1, 15, 14, tzinfo=UTC),
    "payment_id": "pay_1",
}
NO_TRANSACTIONS: list[dict[str, Any]] = [
    {"amount_minor": 0},
    {"amount_minor": -500},
    {"credit": LedgerAccount.GATEWAY},
    {"payment_id": None},
    {"kind": LedgerKind.STRAY_CHARGE, "payment_id": None},
    {"kind": LedgerKind.REFUND},
    {"kind": LedgerKind.STRAY_REFUND},
    {"kind": LedgerKind.REVERSAL},
    {"account_id": "ACC" + "0" * 32},
]


# --- only ever added to --------------------------------------------------------------------------


def test_what_was_booked_is_neither_changed_nor_removed(database: Database) -> None:
    check_refused(database, CHANGES)


def test_nor_by_what_only_sqlite_knows(sqlite_database: Database) -> None:
    check_refused(sqlite_database, CHANGES_ON_SQLITE)


def test_nor_by_what_only_postgresql_knows(postgresql_database: Database) -> None:
    check_refused(postgresql_database, CHANGES_ON_POSTGRESQL)


def check_refused(database: Database, statements: Sequence[str]) -> None:
    charge = charged(database)
    before = charge.ledger()
    for statement in statements:
        assert "only ever added to" in answer(database, text(statement)), statement
        assert before == charge.ledger(), statement
    assert "done" == answer(database, text("UPDATE invoices SET held_at = NULL")), "a control"


def test_what_is_no_transaction_is_refused_by_the_database(database: Database) -> None:
    row = {**ROW, "account_id": add_account(SqlShop(database))}

    for change in NO_TRANSACTIONS:
        said = answer(database, insert(LedgerRow).values({**row, **change}))
        assert "IntegrityError" in said or "Violation" in said, f"{change}: {said}"
    assert "done" == answer(database, insert(LedgerRow).values(row))


def answer(database: Database, statement: Executable) -> str:
    """What the database says to `statement`."""
    try:
        with database.engine.begin() as connection:
            connection.execute(statement)
    except DBAPIError as error:
        return str(error)
    return "done"


def test_a_key_is_booked_once_and_never_with_other_figures(sqlite_database: Database) -> None:
    charge = charged(sqlite_database)
    stray = stray_payment(charge)

    def book(payment: Payment) -> None:
        with sqlite_database.transaction() as session:
            lock_account(session, charge.account_id)
            book_stray_charge(session, charge.account_id, payment, ROW["at"])

    book(stray)
    book(stray)
    with pytest.raises(InvariantViolated, match="other figures"):
        book(replace(stray, amount_minor=501))

    strays = [it for it in charge.ledger() if it.kind is LedgerKind.STRAY_CHARGE]
    assert [500] == [entry.amount_minor for entry in strays]


# --- the same as invoices and gateway ------------------------------------------------------------


class What(StrEnum):
    """Something that may happen to an account's money."""

    CARD = "card"
    JOBS = "jobs"
    PAUSE = "pause"
    COLLECT = "collect"
    RESUME = "resume"
    CLOSE = "close"
    REFUND = "refund"


@dataclass(frozen=True)
class Event:
    """It happens to one of the accounts, so many days after the event before; `pick` chooses."""

    what: What
    account: int
    days: int
    pick: int


CARDS_IN_USE = ["visa", "declined", "times_out", "times_out_declined", "processing"]
OFTEN = [*What, *[What.PAUSE, What.CARD, What.JOBS] * 2, *[What.COLLECT, What.REFUND] * 4]
EVENTS = st.builds(
    Event,
    what=st.sampled_from(OFTEN),
    account=st.integers(0, 1),
    days=st.sampled_from([0, 1, 5, 10, 31, 62]),
    pick=st.integers(0, 10_000),
)


class Life:
    """One account, driven as its workflow, the worker's jobs and an operator would drive it."""

    def __init__(self, shop: SqlShop) -> None:
        self.shop = shop
        self.account_id = add_account(shop)
        self.refunds = Refunds(shop.database, shop.gateway)
        self._pause: Pause | None = None
        self._fees: dict[date, tuple[int, ChargeState]] = {}
        self._is_closed = False

    def do(self, it: Event, now: datetime) -> None:
        match it.what:
            case What.CARD:
                name = CARDS_IN_USE[it.pick % len(CARDS_IN_USE)]
                use_card(self.shop, self.account_id, name, at=now)
            case What.JOBS:
                self.run_jobs(now)
            case What.PAUSE if self._pause is None and not self._is_closed:
                self._begin(now, LadderEnd.KEEP if it.pick % 2 else LadderEnd.CLOSE)
            case What.COLLECT if self._pause is not None:
                self._collect(self._pause, now)
            case What.RESUME if self._pause is not None:
                self._pause.restore(now)
                self._end(now)
            case What.CLOSE if not self._is_closed:
                self._close(now)
            case What.REFUND:
                self._refund(it.pick, now)

    def run_jobs(self, now: datetime) -> None:
        self.shop.sql.invoice_plans_due(now, 100)
        self.shop.sql.settle_unknown(now)
        self.refunds.settle_pending(now)

    def come_to_rest(self, now: datetime) -> None:
        """No pause is open any more; what is unknown is left to the jobs."""
        if self._pause is not None:
            self._pause.restore(now)
            self._end(now)

    def _begin(self, now: datetime, ladder_end: LadderEnd) -> None:
        pause = new_pause(self.shop, self.account_id, offer=Offer(ladder_end=ladder_end))
        self.shop.open_act(pause, now)
        self._first_on = pause.suspend(now).first_billing_on
        self.shop.change_act(pause, paused_at=now)
        self._pause, self._fees = pause, {}

    def _collect(self, pause: Pause, now: datetime) -> None:
        days = billing_dates_from(15, self._first_on)
        for day in takewhile(lambda day: day < now.date(), days):
            attempt, state = self._fees.get(day, (0, ChargeState.DECLINED))
            if state is ChargeState.DECLINED:
                attempt += 1
            if state in (ChargeState.DECLINED, ChargeState.UNKNOWN):
                answer = pause.collect(day, now, attempt, min(attempt - 1, 5))
                self._fees[day] = attempt, answer.state

    def _close(self, now: datetime) -> None:
        pause = self._pause or new_pause(self.shop, self.account_id)
        if self._pause is None:
            self.shop.open_act(pause, now)
        self._pause = pause
        pause.close(now)
        self._end(now)
        self._is_closed = True

    def _end(self, now: datetime) -> None:
        assert self._pause is not None
        self.shop.change_act(self._pause, ended_at=now)
        self._pause = None

    def _refund(self, pick: int, now: datetime) -> None:
        charges = [it for it in self.shop.sql.ledger(self.account_id) if it.kind in CHARGED]
        if not charges:
            return
        charge = charges[pick % len(charges)]
        amount_minor = 1 + pick % charge.amount_minor
        # Of a charge that was refunded another amount is refused; that moves no money either.
        with suppress(Rejected):
            self.refunds.refund(
                self.account_id,
                charge.payment_id or "",
                actor="operator",
                reason="a property",
                at=now,
                amount_minor=amount_minor,
            )


CHARGED = {LedgerKind.CHARGE}
UNPAID = {InvoiceState.OPEN, InvoiceState.UNKNOWN, InvoiceState.PAST_DUE}


@pytest.fixture
def renewed(sqlite_template: Path, tmp_path: Path) -> Iterator[Callable[[], SqlShop]]:
    """Makes shops whose database has no rows; what SQLAlchemy has compiled is used by all."""
    file = tmp_path / "ledger.db"
    engine = make_engine(f"sqlite:///{file}")
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))

    def shop() -> SqlShop:
        engine.dispose()
        for leftover in tmp_path.glob("ledger.db*"):
            leftover.unlink()
        shutil.copyfile(sqlite_template, file)
        return SqlShop(Database(engine), FakeGateway())

    yield shop
    engine.dispose()


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(events=st.lists(EVENTS, min_size=20, max_size=30))
@pytest.mark.thorough
def test_whatever_happens_the_ledger_is_what_invoices_and_gateway_say(
    events: list[Event], renewed: Callable[[], SqlShop]
) -> None:
    shop = renewed()
    lives, now = [Life(shop), Life(shop)], local("2026-01-01 12:00")
    for each in events:
        now += timedelta(days=each.days, minutes=each.pick % 600)
        lives[each.account].do(each, now)
        check_owed(lives[each.account])
    for life in lives:
        life.come_to_rest(now)
    for day in range(1, 6):
        lives[0].run_jobs(now + timedelta(days=day))
    for life in lives:
        check_owed(life)
        check_charged(life)


def check_owed(life: Life) -> None:
    """Receivable is what is unpaid; nothing is left over; all of it sums to zero."""
    held = Counter(balances(life.shop.sql.ledger(life.account_id)))
    invoices = life.shop.sql.invoices(life.account_id)
    unpaid = sum(it.amount_minor for it in invoices if it.state in UNPAID)
    waiting = sum(
        cents for kind, cents in life.shop.pending(life.account_id) if kind == "unpaid_fee"
    )
    assert unpaid + waiting == held[LedgerAccount.RECEIVABLE]
    assert 0 == held[LedgerAccount.UNALLOCATED]
    assert 0 == sum(held.values())


def check_charged(life: Life) -> None:
    """Payments and refunds that moved money at the gateway are those of the ledger, one by one."""
    ledger = life.shop.sql.ledger(life.account_id)
    booked = [(it.payment_id, it.amount_minor) for it in ledger if it.kind in CHARGED]
    given = [(it.refund_id, it.amount_minor) for it in ledger if it.kind is LedgerKind.REFUND]
    taken = [(it.payment_id, it.amount_minor) for it in succeeded(life.shop, life.account_id)]
    assert sorted(taken) == sorted(booked)
    record = life.shop.record
    assert isinstance(record, FakeGateway)
    refunds = record.refunds(life.account_id)
    assert sorted((it.refund_id, it.amount_minor) for it in refunds) == sorted(given)


@pytest.mark.parametrize("check", [check_owed, check_charged])
def test_control_a_transaction_too_many_is_noticed(
    check: Callable[[Life], None], renewed: Callable[[], SqlShop]
) -> None:
    life = Life(renewed())
    life.run_jobs(local("2026-01-20 12:00"))
    check(life)
    row = {**ROW, "account_id": life.account_id}
    with life.shop.database.engine.begin() as connection:
        connection.execute(insert(LedgerRow).values(row))

    with pytest.raises(AssertionError):
        check(life)
