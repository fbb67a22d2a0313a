"""The reconciliation while things go on: what is under way, crashes anywhere, two runs at once."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import pytest

from domain.messages import Reconciled
from domain.payments import Gateway, PaymentState
from domain.reconciling import Window
from systems.billing.reconciling.first_look import FirstLook
from systems.db import Database
from systems.tables import AttemptState, DifferenceState, InvoiceState, LedgerKind
from tests.fakes.gateway import Method, PassedOn, Result
from tests.systems.billing_shop import JAN_15
from tests.systems.reconciling_shop import (
    DAY,
    DUE,
    NIGHT,
    Counter,
    Fee,
    declined_here,
    reconciliation,
    unanswered,
)
from tests.systems.test_billing_crashes import Crash, CrashingDatabase, CrashingGateway, Fuse
from tests.together import together

WINDOW = Window(NIGHT - DAY, NIGHT)


class Meanwhile(PassedOn):
    """A gateway beside which something happens just after a call of `method`."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self.method: Method | None = None
        self.happens: Callable[[], object] = lambda: None
        self.times = 0

    def plan(self, method: Method, happens: Callable[[], object], times: int = 1) -> None:
        self.method, self.happens, self.times = method, happens, times

    def _called(self, method: Method, call: Callable[[], Result]) -> Result:
        result = call()
        if method == self.method and self.times > 0:
            self.times -= 1
            self.happens()
        return result


@pytest.fixture
def counter(database: Database) -> Counter:
    return Counter(database)


@pytest.fixture
def gateway(counter: Counter) -> Meanwhile:
    """What the reconciliation asks."""
    gateway = Meanwhile(counter.gateway)
    counter.reconciliation = reconciliation(counter.database, gateway)
    return gateway


# --- what is under way ---------------------------------------------------------------------------


@pytest.fixture
def fee(counter: Counter, gateway: Meanwhile) -> Fee:
    """A fee that is confirmed and settled when the gateway has just been listed."""
    # --[ list ]--[ charged and settled ]--[ our record ]--
    pause = counter.paused()
    counter.gateway.fail_next("confirm_payment", "before")
    pause.collect(JAN_15)
    gateway.plan("payments_between", lambda: pause.collect(JAN_15, DUE + DAY))
    return Fee(counter, pause)


def test_a_charge_that_is_under_way_is_not_reported(counter: Counter, fee: Fee) -> None:
    reconciled = counter.reconcile()

    assert (0, 0) == (reconciled.found, reconciled.waiting)
    assert [] == counter.every()
    assert InvoiceState.PAID is fee.invoice.state


def test_control_without_a_second_look_it_would_be_reported(
    counter: Counter, gateway: Meanwhile, fee: Fee
) -> None:
    look = FirstLook(counter.database, gateway, WINDOW, lambda _: None)

    seen = [sought.object_id for sought in look.candidates(NIGHT)]

    assert [fee.payment_id] == seen, "this check must be able to see it"


def test_a_charge_that_is_settled_during_the_second_look_is_not_reported(
    counter: Counter, gateway: Meanwhile
) -> None:
    fee = unanswered(counter, "visa")
    gateway.plan("get_payment", lambda: fee.pause.collect(JAN_15, DUE + DAY))

    reconciled = counter.reconcile()

    assert (0, 0, 0) == (reconciled.found, reconciled.settled, reconciled.waiting)
    assert InvoiceState.PAID is fee.invoice.state


def test_what_changes_at_every_look_is_left_to_the_next_run(
    counter: Counter, gateway: Meanwhile
) -> None:
    fee = counter.collected()
    counter.edit_payment(fee.payment_id, amount_minor=700)
    amounts = count(501)
    gateway.plan("get_payment", lambda: fee.edit_invoice(amount_minor=next(amounts)), times=99)

    restless = counter.reconcile()
    gateway.times = 0
    quiet = counter.reconcile(NIGHT + DAY)

    assert (0, 1) == (restless.found, quiet.found)


def test_what_is_found_under_our_key_gives_way_to_the_payment_on_record(
    counter: Counter, gateway: Meanwhile
) -> None:
    # The key was forgotten, so there are two; while one is found another worker notes the other.
    fee = unanswered(counter, "visa")
    on_record, key = fee.payment_id, fee.attempt.key
    counter.edit_payment(on_record, key="forgotten", state=PaymentState.CREATED)
    found = counter.stray(fee.account_id, key=key)
    fee.edit_attempt(state=AttemptState.RESERVED, payment_id=None)
    gateway.plan("find_payment", lambda: fee.edit_attempt(payment_id=on_record))

    counter.reconcile()

    assert on_record == fee.attempt.payment_id
    assert InvoiceState.UNKNOWN is fee.invoice.state, "what was found is not what is on record"
    assert f"missing_here:{found}" in {each.key for each in counter.waiting()}


# --- crashes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Night:
    """One difference of each kind that mends itself, and one that does not."""

    counter: Counter
    unanswered: Fee
    declined: Fee
    twice: Fee
    by_hand: Fee
    lost: Fee
    amount: Fee

    def check(self, where: str) -> None:
        """Each remedy was had once, and what waits for an operator waits once."""
        for fee in (self.unanswered, self.declined, self.twice, self.by_hand, self.lost):
            assert InvoiceState.PAID is fee.invoice.state, where
            assert 1 == self._booked(fee, LedgerKind.CHARGE), where
        assert 1 == self._booked(self.twice, LedgerKind.STRAY_REFUND), where
        for fee in (self.by_hand, self.lost):
            assert 1 == self._booked(fee, LedgerKind.REFUND), where
        for fee in (self.twice, self.by_hand, self.lost):
            assert 1 == len(self.counter.sandbox.refunds(fee.account_id)), where
        waiting = [each.account_id for each in self.counter.waiting()]
        assert [self.amount.account_id] == waiting, where

    def _booked(self, fee: Fee, kind: LedgerKind) -> int:
        return len(self.counter.booked(fee.account_id, kind))


def night(counter: Counter) -> Night:
    """Everything that can go wrong, once each."""
    amount, by_hand, twice, lost = (counter.collected() for _ in range(4))
    counter.edit_payment(amount.payment_id, amount_minor=700)
    counter.refund_there(by_hand.payment_id)
    counter.gateway.fail_next("refund_payment", "after")
    lost.give_back()
    found = Night(
        counter,
        unanswered(counter, "visa"),
        declined_here(counter),
        twice,
        by_hand,
        lost,
        amount,
    )
    counter.stray(twice.account_id)
    return found


class Crashing:
    """A reconciliation whose process dies at a point of its way, once."""

    def __init__(self, counter: Counter) -> None:
        self.fuse = Fuse()
        self._reconciliation = reconciliation(
            CrashingDatabase(counter.database, self.fuse),
            CrashingGateway(counter.gateway, self.fuse),
        )

    def dies_at(self, point: int) -> bool:
        """Whether it got as far as that."""
        self.fuse.arm(point)
        try:
            self._reconciliation.reconcile(NIGHT)
        except Crash:
            return True
        return False


def test_after_a_crash_anywhere_the_next_run_mends_everything_once(
    sqlite_database: Database,
) -> None:
    counter = Counter(sqlite_database)
    crashing = Crashing(counter)
    found = night(counter)

    # The next one begins from the start and gets one point further, until one gets to its end.
    points = 0
    while crashing.dies_at(points + 1):
        points += 1
        crashing.fuse.arm(0)
    reconciled = counter.reconcile(NIGHT + DAY)

    found.check("after crashes at every point")
    assert (0, 1) == (reconciled.settled + reconciled.refunded, reconciled.waiting)
    assert points > 40, "this check must have been everywhere"


@pytest.mark.parametrize("first", [20, 35, 50, 65, 80, 95, 110])
def test_after_one_crash_on_the_way_the_next_run_mends_the_rest(
    sqlite_database: Database, first: int
) -> None:
    counter = Counter(sqlite_database)
    crashing = Crashing(counter)
    found = night(counter)

    assert crashing.dies_at(first), "the run is shorter than this test believes"
    counter.reconcile(NIGHT + DAY)

    found.check(f"after a crash at point {first}")


# --- two at once ---------------------------------------------------------------------------------


def test_two_runs_at_once_mend_everything_once(counter: Counter) -> None:
    found = night(counter)
    counter.stray("ACC" + "9" * 32)
    other = reconciliation(counter.database, counter.gateway)

    answers = together(lambda: counter.reconcile(NIGHT), lambda: other.reconcile(NIGHT + DAY / 24))
    after = counter.reconcile(NIGHT + DAY)

    assert [Reconciled, Reconciled] == [type(answer) for answer in answers], answers
    assert (0, 0, 2) == (after.settled, after.refunded, after.waiting)
    [stranger] = [each for each in counter.waiting() if each.account_id is None]
    counter.reconciliation.acknowledge(stranger.key, "Ann", "another database's", NIGHT)
    found.check("after two runs at once")
    ended = {state for _, state in counter.all_found()}
    assert {
        DifferenceState.OPEN,
        DifferenceState.SETTLED,
        DifferenceState.REFUNDED,
        DifferenceState.ACKNOWLEDGED,
    } == ended
