"""What the gateway tells by itself: kept once, a reason to look up, handled after its effect."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from domain.errors import Transient
from domain.messages import FeeAnswer
from domain.payments import PageState
from domain.states import ChargeState, PauseState
from systems.billing.events import KEPT, About, GatewayEvents, about
from systems.db import Database
from systems.tables import (
    CardEntryRow,
    GatewayEventRow,
    InvoiceRow,
    InvoiceState,
    RefundRow,
    RefundRowState,
)
from tests.systems.billing_shop import (
    JAN_15,
    Pause,
    SqlShop,
    add_account,
    local,
    new_pause,
    succeeded,
)
from tests.systems.test_billing_crashes import Crash, CrashingDatabase, CrashingShop, Fuse
from tests.together import together

DUE = local("2026-01-15 09:00")
SOON = DUE + timedelta(seconds=20)
LOOKED_UP = DUE + timedelta(minutes=5)
SUCCEEDED = "payment_intent.succeeded"


@dataclass
class Runs:
    """The runs of pauses, as far as they can be woken."""

    woken: list[str] = field(default_factory=list)
    is_away: bool = False

    def wake(self, account_id: str) -> bool:
        if self.is_away:
            raise Transient("Temporal did not answer")
        self.woken.append(account_id)
        return True


class Counter(SqlShop):
    """Billing with the events in front of it, as the worker's jobs run them."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.events = GatewayEvents(database)
        self.runs = Runs()

    def told(self, kind: str, object_id: str, at: datetime = SOON) -> str:
        """The gateway has told something; the event's id."""
        event_id = f"evt_{kind}_{object_id}"
        self.events.receive(event_id, kind, object_id, at)
        return event_id

    def round(self, now: datetime) -> int:
        """One round of the jobs that matter here; how many unknown charges were settled."""
        self.events.handle(now, self.runs.wake)
        return self.sql.settle_unknown(now)

    def unknown_plan(self, card_name: str = "times_out") -> str:
        """An account whose plan's invoice of 15 January is unknown since it fell due."""
        account_id = add_account(self, card_name=card_name)
        self.sql.invoice_plans_due(DUE, limit=10)
        return account_id

    def unknown_fee(self) -> Pause:
        """A pause that is running, its fee of 15 January unknown since it fell due."""
        pause = new_pause(self, add_account(self, card_name="times_out"))
        self.open_act(pause, local("2026-01-10 14:00"))
        pause.suspend(local("2026-01-10 14:00"))
        pause.collect(JAN_15)
        return pause

    def payment_of(self, account_id: str) -> str:
        (payment,) = self.record.payments(account_id)
        return payment.payment_id

    def unhandled(self) -> list[str]:
        query = select(GatewayEventRow.event_id).where(GatewayEventRow.handled_at.is_(None))
        with self.database.transaction() as session:
            return list(session.scalars(query))

    def invoice(self, account_id: str) -> InvoiceRow:
        with self.database.transaction() as session:
            return session.scalars(
                select(InvoiceRow).where(InvoiceRow.account_id == account_id)
            ).one()


@pytest.fixture
def shop(database: Database) -> Counter:
    return Counter(database)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("payment_intent.succeeded", About.PAYMENT),
        ("payment_intent.payment_failed", About.PAYMENT),
        ("payment_intent.processing", About.PAYMENT),
        ("payment_intent.canceled", About.PAYMENT),
        ("charge.refunded", About.REFUND),
        ("charge.refund.updated", About.REFUND),
        ("refund.created", About.REFUND),
        ("refund.failed", About.REFUND),
        ("checkout.session.completed", About.CARD_PAGE),
        ("checkout.session.expired", About.CARD_PAGE),
        ("charge.succeeded", None),
        ("balance.available", None),
        ("customer.created", None),
        ("payment_intents.succeeded", None),
    ],
)
def test_what_an_event_is_about_shows_in_its_kind(kind: str, what: About | None) -> None:
    assert what is about(kind)


# --- received ------------------------------------------------------------------------------------


def test_an_event_is_kept_once_however_often_it_comes(shop: Counter) -> None:
    first = shop.events.receive("evt_1", SUCCEEDED, "pi_1", SOON)
    again = shop.events.receive("evt_1", SUCCEEDED, "pi_1", SOON + timedelta(days=1))
    at_once = together(*[lambda: shop.events.receive("evt_2", SUCCEEDED, "pi_1", SOON)] * 6)

    assert (True, False) == (first, again)
    assert [False] * 5 + [True] == sorted(at_once, key=str)
    assert ["evt_1", "evt_2"] == sorted(shop.unhandled())


def test_a_repeat_of_an_event_that_was_handled_has_no_effect(shop: Counter) -> None:
    account_id = shop.unknown_fee().account_id
    event_id = shop.told(SUCCEEDED, shop.payment_of(account_id))
    shop.round(SOON)

    is_new = shop.events.receive(event_id, SUCCEEDED, shop.payment_of(account_id), SOON)
    handled = shop.events.handle(SOON, shop.runs.wake)

    assert (False, 0) == (is_new, handled)
    assert [account_id] == shop.runs.woken


# --- what is looked up ---------------------------------------------------------------------------


def test_an_unknown_charge_is_settled_in_the_round_after_its_event(shop: Counter) -> None:
    account_id = shop.unknown_plan()
    shop.told(SUCCEEDED, shop.payment_of(account_id))

    settled = shop.round(SOON)

    assert 1 == settled
    assert InvoiceState.PAID is shop.invoice(account_id).state
    assert [] == shop.unhandled()
    assert [] == shop.runs.woken


def test_without_any_event_look_ups_alone_settle_it(shop: Counter) -> None:
    account_id = shop.unknown_plan()

    early, in_time = shop.round(SOON), shop.round(LOOKED_UP)

    assert (0, 1) == (early, in_time)
    assert InvoiceState.PAID is shop.invoice(account_id).state


def test_an_event_is_no_verdict_the_gateway_is_asked(shop: Counter) -> None:
    account_id = shop.unknown_plan("times_out_declined")
    shop.told(SUCCEEDED, shop.payment_of(account_id))

    shop.round(SOON)

    assert InvoiceState.PAST_DUE is shop.invoice(account_id).state
    assert [] == succeeded(shop, account_id)


def test_a_charge_of_a_pause_that_is_running_is_its_runs_to_look_up(shop: Counter) -> None:
    pause = shop.unknown_fee()
    shop.told(SUCCEEDED, shop.payment_of(pause.account_id))

    settled = shop.round(SOON)

    assert 0 == settled
    assert [pause.account_id] == shop.runs.woken
    assert [] == shop.unhandled()
    assert InvoiceState.UNKNOWN is shop.invoice(pause.account_id).state


def test_several_events_about_one_pause_wake_its_run_once(shop: Counter) -> None:
    pause = shop.unknown_fee()
    for kind in ("payment_intent.processing", SUCCEEDED, "payment_intent.amount_changed"):
        shop.told(kind, shop.payment_of(pause.account_id))

    shop.round(SOON)

    assert [pause.account_id] == shop.runs.woken


def test_a_charge_of_a_pause_that_is_over_is_settled_by_the_round(shop: Counter) -> None:
    pause = shop.unknown_fee()
    pause.restore(DUE + timedelta(seconds=10))
    shop.change_act(pause, ended_at=DUE + timedelta(seconds=10), state=PauseState.RESUMED)
    shop.told(SUCCEEDED, shop.payment_of(pause.account_id))

    settled = shop.round(SOON)

    assert 1 == settled
    assert [] == shop.runs.woken


@pytest.mark.parametrize("kind", [SUCCEEDED, "charge.refunded", "checkout.session.completed"])
def test_an_event_about_what_is_not_ours_is_handled_and_changes_nothing(
    shop: Counter, kind: str
) -> None:
    account_id = shop.unknown_plan()
    before = shop.invoice(account_id).look_up_at
    shop.told(kind, "pi_of_somebody_else")

    assert 1 == shop.events.handle(SOON, shop.runs.wake)
    assert [] == shop.unhandled()
    assert before == shop.invoice(account_id).look_up_at


def test_while_an_attempt_is_being_made_its_event_waits_for_its_answer(
    sqlite_database: Database,
) -> None:
    # The worker dies between the charge and its record: 8 is the point after `confirm`.
    shop = CrashingShop(sqlite_database)
    pause = shop.paused()
    shop.open_act(pause, local("2026-01-10 14:00"))
    shop.collect_crashing_at(pause, 8, "2026-01-15 09:00")
    events, runs = GatewayEvents(sqlite_database), Runs()
    (payment,) = shop.record.payments(pause.account_id)
    events.receive("evt_1", SUCCEEDED, payment.payment_id, SOON)

    meanwhile = events.handle(SOON, runs.wake)
    answer = pause.collect(JAN_15, SOON)
    afterwards = events.handle(SOON, runs.wake)

    assert (0, 1) == (meanwhile, afterwards)
    assert FeeAnswer(state=ChargeState.PAID) == answer
    assert [] == runs.woken


def test_it_does_not_wait_for_ever(sqlite_database: Database) -> None:
    shop = CrashingShop(sqlite_database)
    pause = shop.paused()
    shop.open_act(pause, local("2026-01-10 14:00"))
    shop.collect_crashing_at(pause, 8, "2026-01-15 09:00")
    events, runs = GatewayEvents(sqlite_database), Runs()
    (payment,) = shop.record.payments(pause.account_id)
    events.receive("evt_1", SUCCEEDED, payment.payment_id, SOON)

    handled = events.handle(SOON + timedelta(minutes=10), runs.wake)

    assert (1, [pause.account_id]) == (handled, runs.woken)


# --- refunds and card pages ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "look_up_at", "expected"),
    [
        (RefundRowState.RESERVED, LOOKED_UP, SOON),
        # It may fail after it has succeeded.
        (RefundRowState.SUCCEEDED, None, SOON),
        # Held: an operator has to look first.
        (RefundRowState.RESERVED, None, None),
        (RefundRowState.FAILED, None, None),
    ],
)
def test_news_of_a_refund_have_it_looked_up(
    shop: Counter,
    state: RefundRowState,
    look_up_at: datetime | None,
    expected: datetime | None,
) -> None:
    account_id = add_account(shop)
    with shop.database.transaction() as session:
        session.add(
            RefundRow(
                key="refund",
                account_id=account_id,
                payment_id="pi_1",
                amount_minor=500,
                currency="USD",
                gateway="sandbox",
                state=state,
                actor="operator",
                began_at=DUE,
                look_up_at=look_up_at,
            )
        )
    shop.told("refund.failed", "pi_1")

    shop.events.handle(SOON, shop.runs.wake)

    with shop.database.transaction() as session:
        assert expected == session.get_one(RefundRow, "refund").look_up_at


@pytest.mark.parametrize(("ended_at", "expected"), [(None, SOON), (DUE, LOOKED_UP)])
def test_news_of_a_card_page_have_it_looked_up_unless_it_is_over(
    shop: Counter, ended_at: datetime | None, expected: datetime
) -> None:
    account_id = add_account(shop)
    with shop.database.transaction() as session:
        session.add(
            CardEntryRow(
                page_id="cs_1",
                account_id=account_id,
                gateway="sandbox",
                requested_by="USR1",
                state=PageState.OPEN,
                began_at=DUE,
                look_up_at=LOOKED_UP,
                ended_at=ended_at,
            )
        )
    shop.told("checkout.session.completed", "cs_1")

    shop.events.handle(SOON, shop.runs.wake)

    with shop.database.transaction() as session:
        assert expected == session.get_one(CardEntryRow, "cs_1").look_up_at


# --- faults --------------------------------------------------------------------------------------


def test_while_temporal_is_away_its_events_stay_and_all_others_are_handled(shop: Counter) -> None:
    pause, plan = shop.unknown_fee(), shop.unknown_plan()
    kept = shop.told(SUCCEEDED, shop.payment_of(pause.account_id))
    shop.told(SUCCEEDED, shop.payment_of(plan))
    shop.runs.is_away = True

    with pytest.raises(Transient):
        shop.events.handle(SOON, shop.runs.wake)
    left = shop.unhandled()
    shop.runs.is_away = False
    shop.events.handle(SOON, shop.runs.wake)

    assert [kept] == left
    assert [pause.account_id] == shop.runs.woken
    assert 1 == shop.sql.settle_unknown(SOON)


def test_after_a_crash_anywhere_the_effect_comes_all_the_same(sqlite_database: Database) -> None:
    points = 0
    while True:
        points += 1
        shop = Counter(sqlite_database)
        pause, plan = shop.unknown_fee(), shop.unknown_plan()
        shop.told(SUCCEEDED, shop.payment_of(pause.account_id))
        shop.told(SUCCEEDED, shop.payment_of(plan))
        fuse = Fuse(crash_at=points)
        events = GatewayEvents(CrashingDatabase(sqlite_database, fuse))

        has_crashed = False
        try:
            events.handle(SOON, shop.runs.wake)
        except Crash:
            has_crashed = True
        shop.events.handle(SOON, shop.runs.wake)

        assert pause.account_id in shop.runs.woken, f"crash at point {points}"
        assert 1 == shop.sql.settle_unknown(SOON), f"crash at point {points}"
        assert [] == shop.unhandled()
        if not has_crashed:
            break

    assert points > 6, "reading, one look-up and one mark have two points each"


def test_several_workers_at_once_handle_each_event(shop: Counter) -> None:
    plans = [shop.unknown_plan() for _ in range(6)]
    pause = shop.unknown_fee()
    for account_id in (*plans, pause.account_id):
        shop.told(SUCCEEDED, shop.payment_of(account_id))

    came_to = together(*[lambda: shop.events.handle(SOON, shop.runs.wake)] * 4)

    assert all(isinstance(each, int) for each in came_to), came_to
    assert {pause.account_id} == set(shop.runs.woken)
    assert [] == shop.unhandled()
    assert len(plans) == shop.sql.settle_unknown(SOON)


def test_a_round_is_short_and_the_next_one_goes_on(sqlite_database: Database) -> None:
    shop = Counter(sqlite_database)
    for number in range(12):
        shop.told("refund.updated", f"pi_{number}")

    rounds = [shop.events.handle(SOON, shop.runs.wake, limit=10) for _ in range(3)]

    assert [10, 2, 0] == rounds


def test_what_was_handled_is_forgotten_after_thirty_days(shop: Counter) -> None:
    shop.told(SUCCEEDED, "pi_1")
    shop.events.handle(SOON, shop.runs.wake)
    shop.told(SUCCEEDED, "pi_2")

    too_early = shop.events.purge(SOON + KEPT - timedelta(seconds=1))
    in_time = shop.events.purge(SOON + KEPT)

    assert (0, 1) == (too_early, in_time)
    assert 1 == len(shop.unhandled()), "what was not handled is never forgotten"
