"""M1 under crashes: whatever dies when, each date is charged at most once.

A crash is put at every point at which the outside world can see a difference: before and after each
call of the gateway, and before and after each commit. Afterwards the same step is asked for again,
as a restarted worker does.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from domain.errors import Transient
from domain.messages import FeeAnswer
from domain.payments import Gateway, Order, Payment
from domain.ports import Billing
from domain.states import ChargeState
from systems.billing import SqlBilling
from systems.db import Database
from systems.gateways.sandbox import CARDS
from tests.fakes.gateway import Method, PassedOn, Result
from tests.systems.billing_shop import (
    JAN_15,
    Pause,
    SqlShop,
    add_account,
    local,
    new_pause,
    succeeded,
)

# Three transactions and two calls of the gateway, each with a point before and one after.
POINTS = 10


class Crash(Exception):
    """The process dies here."""


@dataclass
class Fuse:
    """Counts the points that are passed and crashes at the one that was asked for, once."""

    crash_at: int | None = None
    passed: int = 0
    error: type[Exception] = Crash

    def arm(self, crash_at: int) -> None:
        self.crash_at, self.passed = crash_at, 0

    def point(self) -> None:
        self.passed += 1
        if self.passed == self.crash_at:
            self.crash_at = None
            raise self.error


class CrashingDatabase(Database):
    """A database whose process may die just before or just after a commit."""

    def __init__(self, database: Database, fuse: Fuse) -> None:
        super().__init__(database.engine)
        self._fuse = fuse

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with super().transaction() as session:
            yield session
            self._fuse.point()
        self._fuse.point()


class CrashingGateway(PassedOn):
    """A gateway whose caller may die just before or just after a call."""

    def __init__(self, gateway: Gateway, fuse: Fuse) -> None:
        super().__init__(gateway)
        self._fuse = fuse

    def _called(self, method: Method, call: Callable[[], Result]) -> Result:
        self._fuse.point()
        result = super()._called(method, call)
        self._fuse.point()
        return result


class CrashingShop(SqlShop):
    """The real billing, with a fuse in its database and its gateway."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.fuse = Fuse()
        crashing = CrashingGateway(self.gateway, self.fuse)
        self.billing: Billing = SqlBilling(CrashingDatabase(database, self.fuse), crashing)

    def paused(self, card_name: str = "visa") -> Pause:
        pause = new_pause(self, add_account(self, card_name=card_name))
        pause.suspend(local("2026-01-10 14:00"))
        return pause

    def collect_crashing_at(self, pause: Pause, crash_at: int, at: str) -> FeeAnswer | None:
        self.fuse.arm(crash_at)
        try:
            return pause.collect(JAN_15, local(at))
        except Crash:
            return None
        finally:
            # Where fewer points were passed, the fuse must not burn in a later call.
            self.fuse.arm(0)


@pytest.fixture
def shop(sqlite_database: Database) -> CrashingShop:
    return CrashingShop(sqlite_database)


def test_the_points_below_are_all_there_are(shop: CrashingShop) -> None:
    pause = shop.paused()
    shop.fuse.arm(crash_at=0)

    pause.collect(JAN_15)

    assert POINTS == shop.fuse.passed


@pytest.mark.parametrize("card_name", ["visa", "times_out", "processing"])
def test_after_a_crash_anywhere_the_date_is_charged_exactly_once(
    shop: CrashingShop, card_name: str
) -> None:
    for crash_at in range(1, POINTS + 1):
        pause = shop.paused(card_name)

        shop.collect_crashing_at(pause, crash_at, "2026-01-15 09:00")
        answers = [pause.collect(JAN_15, local(f"2026-01-{16 + n} 09:00")) for n in range(5)]

        assert ChargeState.PAID is answers[-1].state, f"crash at point {crash_at}"
        assert 1 == len(succeeded(shop, pause.account_id)), f"crash at point {crash_at}"
        assert 1 == len(shop.record.payments(pause.account_id)), f"crash at point {crash_at}"
        assert [("receipt", JAN_15)] == shop.notices(pause.account_id)


def test_after_two_crashes_anywhere_the_date_is_charged_exactly_once(shop: CrashingShop) -> None:
    for first in range(1, POINTS + 1):
        for second in range(1, POINTS + 1):
            pause = shop.paused()

            shop.collect_crashing_at(pause, first, "2026-01-15 09:00")
            shop.collect_crashing_at(pause, second, "2026-01-15 09:01")
            answer = pause.collect(JAN_15, local("2026-01-15 09:05"))

            where = f"crashes at points {first} and {second}"
            assert ChargeState.PAID is answer.state, where
            assert 1 == len(succeeded(shop, pause.account_id)), where


def test_after_a_crash_anywhere_a_decline_is_one_decline(shop: CrashingShop) -> None:
    for crash_at in range(1, POINTS + 1):
        pause = shop.paused("declined")

        shop.collect_crashing_at(pause, crash_at, "2026-01-15 09:00")
        answer = pause.collect(JAN_15, local("2026-01-15 09:00"))

        assert local("2026-01-16 09:00") == answer.rung_at, f"crash at point {crash_at}"
        assert 1 == len(shop.record.payments(pause.account_id)), f"crash at point {crash_at}"


def test_after_a_crash_between_a_decline_and_the_next_attempt_the_next_is_made_once(
    shop: CrashingShop,
) -> None:
    for crash_at in range(1, POINTS + 1):
        pause = shop.paused("declined")
        pause.collect(JAN_15)
        shop.fuse.arm(crash_at)

        try:
            pause.collect(JAN_15, local("2026-01-16 09:00"), attempt=2, rung=1)
        except Crash:
            pause.collect(JAN_15, local("2026-01-16 09:00"), attempt=2, rung=1)

        assert 2 == len(shop.record.payments(pause.account_id)), f"crash at point {crash_at}"
        assert [("declined", JAN_15)] == shop.notices(pause.account_id)


@pytest.mark.parametrize("point", [1, 2, 5, 6, 9, 10])
def test_a_database_that_does_not_answer_is_transient(shop: CrashingShop, point: int) -> None:
    pause = shop.paused()
    shop.fuse.error = Transient

    with pytest.raises(Transient):
        shop.collect_crashing_at(pause, point, "2026-01-15 09:00")

    assert ChargeState.PAID is pause.collect(JAN_15).state
    assert 1 == len(succeeded(shop, pause.account_id))


@pytest.mark.parametrize("point", [3, 4, 7, 8])
def test_a_gateway_that_does_not_answer_is_unknown(shop: CrashingShop, point: int) -> None:
    pause = shop.paused()
    shop.fuse.error = Transient

    answer = shop.collect_crashing_at(pause, point, "2026-01-15 09:00")

    assert answer is not None
    assert ChargeState.UNKNOWN is answer.state


def test_a_gateway_that_forgets_our_keys_does_not_charge_twice(shop: CrashingShop) -> None:
    for crash_at in range(1, POINTS + 1):
        pause = shop.paused()
        shop.collect_crashing_at(pause, crash_at, "2026-01-15 09:00")
        forgetful = SqlBilling(shop.database, Forgetful(shop.record))
        weeks_later = Pause(shop, pause.account_id, pause.act_id, pause.terms)
        shop.billing, crashing = forgetful, shop.billing

        weeks_later.collect(JAN_15, local("2026-02-10 09:00"))

        assert 1 == len(succeeded(shop, pause.account_id)), f"crash at point {crash_at}"
        shop.billing = crashing


def test_of_two_payments_for_one_attempt_only_the_one_on_record_is_charged(
    shop: CrashingShop,
) -> None:
    """A worker's order is slow on its way; another one does it all, and the key expires."""
    pause = shop.paused()
    forgetful = Forgetful(shop.record, lambda: pause.collect(JAN_15))
    shop.billing = SqlBilling(shop.database, forgetful)

    answer = pause.collect(JAN_15)

    assert ChargeState.PAID is answer.state
    assert 2 == len(shop.record.payments(pause.account_id))
    assert 1 == len(succeeded(shop, pause.account_id))


class Forgetful(PassedOn):
    """The gateway after its idempotency keys have expired: the same key is a new payment."""

    def __init__(self, gateway: Gateway, meanwhile: Callable[[], object] | None = None) -> None:
        super().__init__(gateway)
        self._meanwhile = [meanwhile] if meanwhile else []

    def create_payment(self, key: str, order: Order) -> Payment:
        if self._meanwhile:
            self._meanwhile.pop()()
        return super().create_payment(f"{key}:{uuid4().hex}", order)


def test_control_with_a_fresh_key_per_call_a_crash_charges_twice(shop: CrashingShop) -> None:
    """The same crashes against the obvious way to do it: charge, then write it down."""
    charged = set()
    for crash_at in range(1, POINTS + 1):
        account_id = add_account(shop)
        naive = NaiveBilling(shop, account_id)

        for armed in (crash_at, 0):
            shop.fuse.arm(armed)
            try:
                naive.collect()
            except Crash:
                continue

        charged.add(len(succeeded(shop, account_id)))

    assert {1, 2} == charged, "this check must be able to see a double charge"


class NaiveBilling:
    """Charges under a key of its own making, and notes afterwards that it has."""

    def __init__(self, shop: CrashingShop, account_id: str) -> None:
        self._gateway = CrashingGateway(shop.gateway, shop.fuse)
        self._fuse = shop.fuse
        self._account_id = account_id
        self._is_paid = False

    def collect(self) -> None:
        if self._is_paid:
            return
        order = Order(self._account_id, CARDS["visa"].token, 500, "USD")
        payment = self._gateway.create_payment(uuid4().hex, order)
        self._gateway.confirm_payment(payment.payment_id)
        self._fuse.point()
        self._is_paid = True
