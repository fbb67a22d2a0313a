"""Refunds under crashes: whatever dies when, a charge is given back at most once.

A crash is put before and after each commit and each call of the gateway. Afterwards the operator
asks again, or nobody does and the worker's job finds what was begun.
"""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.payments import Gateway
from systems.billing.refunds import Refunds
from systems.db import Database
from systems.tables import LedgerKind, RefundRowState
from tests.systems.refund_shop import REFUNDED_AT, Charge, Forgetful, charged
from tests.systems.test_billing_crashes import Crash, CrashingDatabase, CrashingGateway, Fuse

# Two transactions and a call of the gateway, each with a point before and one after.
POINTS = range(1, 7)
# Nothing is on record before the first commit.
FIRST_ON_RECORD = 2
PART = 100
BOOKED = [(LedgerKind.REFUND, PART)]
NEXT_DAY = REFUNDED_AT + timedelta(days=1)


@pytest.fixture
def charge(sqlite_database: Database) -> Charge:
    return charged(sqlite_database)


def with_fuse(charge: Charge, gateway: Gateway | None = None) -> tuple[Charge, Fuse]:
    """The same charge, whose refunds may die at any point."""
    fuse = Fuse()
    database = CrashingDatabase(charge.shop.database, fuse)
    crashing = CrashingGateway(gateway or charge.gateway, fuse)
    return replace(charge, refunds=Refunds(database, crashing)), fuse


def crash(charge: Charge, fuse: Fuse, point: int) -> None:
    fuse.arm(point)
    with pytest.raises(Crash):
        charge.refund(PART)


def test_the_points_below_are_all_there_are(charge: Charge) -> None:
    dying, fuse = with_fuse(charge)

    dying.refund(PART)

    assert len(POINTS) == fuse.passed


@pytest.mark.parametrize("point", POINTS)
def test_after_a_crash_anywhere_a_repeat_gives_back_once(charge: Charge, point: int) -> None:
    crash(*with_fuse(charge), point)

    answer = charge.refund(PART)

    assert RefundRowState.SUCCEEDED is answer.state
    assert [PART] == charge.given_back()
    assert BOOKED == charge.booked()


@pytest.mark.parametrize("point", POINTS)
def test_after_a_crash_anywhere_the_job_finishes_what_is_on_record(
    charge: Charge, point: int
) -> None:
    crash(*with_fuse(charge), point)

    charge.refunds.settle_pending(NEXT_DAY)

    assert ([PART] if point >= FIRST_ON_RECORD else []) == charge.given_back()
    assert (BOOKED if point >= FIRST_ON_RECORD else []) == charge.booked()


def test_after_two_crashes_anywhere_it_is_given_back_once(sqlite_database: Database) -> None:
    for first in POINTS:
        charge = charged(sqlite_database)
        dying, fuse = with_fuse(charge)
        crash(dying, fuse, first)
        for second in POINTS:
            fuse.arm(second)
            try:
                dying.refund(PART)
            except Crash:
                continue

        charge.refund(PART)

        assert [PART] == charge.given_back(), f"the first crash was at point {first}"
        assert BOOKED == charge.booked(), f"the first crash was at point {first}"


@pytest.mark.parametrize("point", POINTS)
def test_a_gateway_that_has_forgotten_the_key_does_not_give_back_twice(
    charge: Charge, point: int
) -> None:
    forgetful = Forgetful(charge.gateway)
    crash(*with_fuse(charge, forgetful), point)
    months_later = charge.at(forgetful)

    months_later.refund(PART, at=REFUNDED_AT + timedelta(days=90))

    assert [PART] == charge.given_back()
    assert BOOKED == charge.booked()


def test_control_who_does_not_look_for_it_first_gives_back_twice(charge: Charge) -> None:
    """The same forgetful gateway against a caller that trusts its key alone."""
    forgetful = Forgetful(charge.gateway)

    for _ in range(2):
        forgetful.refund_payment("the same key", charge.payment_id, PART)

    assert [PART, PART] == charge.given_back(), "this check must be able to see a double refund"


def test_control_with_a_key_per_attempt_a_crash_gives_back_twice(
    sqlite_database: Database,
) -> None:
    """The same crashes against the obvious way to do it: refund, then write it down."""
    given_back = set()
    for point in POINTS:
        charge = charged(sqlite_database)
        naive = NaiveRefunds(charge)
        for armed in (point, 0):
            naive.fuse.arm(armed)
            try:
                naive.refund()
            except Crash:
                continue
        given_back.add(len(charge.given_back()))

    assert {1, 2} == given_back, "this check must be able to see a double refund"


class NaiveRefunds:
    """Refunds under a key of its own making, and notes afterwards that it has."""

    def __init__(self, charge: Charge) -> None:
        self.fuse = Fuse()
        self._gateway = CrashingGateway(charge.gateway, self.fuse)
        self._payment_id = charge.payment_id
        self._is_done = False

    def refund(self) -> None:
        if self._is_done:
            return
        self._gateway.refund_payment(uuid4().hex, self._payment_id, PART)
        self.fuse.point()
        self._is_done = True
