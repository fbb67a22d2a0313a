"""What billing does by itself: the plan's invoices, and what a pause left for them (R7, R9)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date

import pytest
from sqlalchemy.orm import Session

from domain.payments import Gateway, Order, Payment
from domain.states import ChargeState
from systems.billing import SqlBilling
from systems.db import Database
from systems.tables import InvoiceState, LineKind
from tests.fakes.gateway import PassedOn
from tests.systems.billing_shop import (
    FEB_15,
    JAN_15,
    MAR_15,
    SqlShop,
    add_account,
    local,
    new_pause,
    paused,
    succeeded,
    use_card,
)


@pytest.fixture
def shop(database: Database) -> SqlShop:
    return SqlShop(database)


def run_job(shop: SqlShop, at: str, limit: int = 100) -> int:
    return shop.sql.invoice_plans_due(local(at), limit)


def states(shop: SqlShop, account_id: str) -> list[tuple[date, InvoiceState]]:
    return [(it.billing_on, it.state) for it in shop.sql.invoices(account_id)]


def lines(shop: SqlShop, account_id: str, billing_on: date) -> list[tuple[LineKind, int]]:
    [invoice] = [it for it in shop.sql.invoices(account_id) if it.billing_on == billing_on]
    assert invoice.amount_minor == sum(line.amount_minor for line in invoice.lines)
    return [(line.kind, line.amount_minor) for line in invoice.lines]


class Noting(PassedOn):
    """A gateway that notes for whom it was asked, in order."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self.accounts: list[str] = []

    def create_payment(self, key: str, order: Order) -> Payment:
        self.accounts.append(order.account_id)
        return super().create_payment(key, order)


# --- the plan's dates ----------------------------------------------------------------------------


def test_the_plan_is_invoiced_and_paid_from_its_due_instant_on(shop: SqlShop) -> None:
    account_id = add_account(shop, add_ons=(("Recording", 1000),))

    assert 0 == run_job(shop, "2026-01-15 08:59")
    assert 1 == run_job(shop, "2026-01-15 09:00")
    assert 0 == run_job(shop, "2026-01-15 09:00")

    assert [(JAN_15, InvoiceState.PAID)] == states(shop, account_id)
    assert [(LineKind.PLAN, 4500), (LineKind.ADD_ON, 1000)] == lines(shop, account_id, JAN_15)
    assert [5500] == [payment.amount_minor for payment in succeeded(shop, account_id)]


def test_late_dates_are_invoiced_each_by_itself(shop: SqlShop) -> None:
    account_id = add_account(shop)

    assert 3 == run_job(shop, "2026-03-20 12:00")
    assert [JAN_15, FEB_15, MAR_15] == [day for day, _ in states(shop, account_id)]
    assert 3 == len(succeeded(shop, account_id))


def test_a_declined_plan_invoice_stays_past_due_and_is_not_tried_again(shop: SqlShop) -> None:
    account_id = add_account(shop, card_name="declined")

    run_job(shop, "2026-01-15 09:00")
    run_job(shop, "2026-01-16 09:00")

    assert [(JAN_15, InvoiceState.PAST_DUE)] == states(shop, account_id)
    assert 1 == len(shop.record.payments(account_id))
    assert [] == shop.notice_rows(account_id)


def test_a_plan_that_costs_nothing_is_paid_without_the_gateway(shop: SqlShop) -> None:
    account_id = add_account(shop, amount_minor=0)

    run_job(shop, "2026-01-15 09:00")

    assert [(JAN_15, InvoiceState.PAID)] == states(shop, account_id)
    assert [] == shop.gateway.calls


def test_many_jobs_at_once_take_and_charge_each_date_once(shop: SqlShop) -> None:
    accounts = [add_account(shop) for _ in range(3)]

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: run_job(shop, "2026-02-20 12:00"), range(4)))

    assert 6 == sum(taken)
    for account_id in accounts:
        paid = [(JAN_15, InvoiceState.PAID), (FEB_15, InvoiceState.PAID)]
        assert paid == states(shop, account_id)
        assert 2 == len(succeeded(shop, account_id))


def test_each_job_has_an_order_of_its_own_so_that_workers_share_the_work(shop: SqlShop) -> None:
    accounts = [add_account(shop) for _ in range(12)]
    noting = Noting(shop.gateway)

    SqlBilling(shop.database, noting).invoice_plans_due(local("2026-01-15 09:00"), 100)

    # The order in which the database gives them; by chance the same once in half a billion runs.
    as_stored = sorted(accounts, key=lambda each: shop.sql.invoices(each)[0].invoice_id)
    assert set(as_stored) == set(noting.accounts)
    assert as_stored != noting.accounts


def test_a_job_looks_after_no_more_accounts_than_it_was_told_the_longest_due_first(
    shop: SqlShop,
) -> None:
    late = add_account(shop)
    later = add_account(shop, next_billing_on=FEB_15)

    assert 2 == run_job(shop, "2026-02-15 09:00", limit=1)
    assert [JAN_15, FEB_15] == [day for day, _ in states(shop, late)]
    assert [] == states(shop, later)


def test_dates_that_are_due_elsewhere_on_earth_are_not_kept_waiting(shop: SqlShop) -> None:
    add_account(shop, zone="America/Los_Angeles")
    auckland = add_account(shop, zone="Pacific/Auckland")

    taken = shop.sql.invoice_plans_due(local("2026-01-15 09:00", "Pacific/Auckland"), limit=1)

    assert 1 == taken
    assert [(JAN_15, InvoiceState.PAID)] == states(shop, auckland)


# --[act opens====suspended=====]   while an act is open the plan takes nothing by itself
def test_from_the_opening_of_an_act_to_its_end_the_plan_takes_nothing_by_itself(
    shop: SqlShop,
) -> None:
    pause = new_pause(shop, add_account(shop))
    shop.open_act(pause, local("2026-01-15 08:00"))

    assert 0 == run_job(shop, "2026-01-15 09:30")
    assert FEB_15 == pause.suspend(local("2026-01-15 10:00")).first_billing_on
    assert 0 == run_job(shop, "2026-02-15 10:00")
    shop.change_act(pause, paused_at=local("2026-01-15 10:00"))
    pause.restore(local("2026-03-15 08:00"))
    assert 0 == run_job(shop, "2026-03-15 10:00")
    shop.change_act(pause, ended_at=local("2026-03-15 10:01"))
    assert 1 == run_job(shop, "2026-03-15 10:02")

    taken = [(day, kind) for day, kind, _ in shop.taken(pause.account_id)]
    assert [(JAN_15, "plan"), (FEB_15, "fee"), (MAR_15, "plan")] == taken


class Interrupted(Database):
    """A database in which something else happens just after the first transaction."""

    def __init__(self, database: Database, happens: Callable[[], object]) -> None:
        super().__init__(database.engine)
        self._happens: list[Callable[[], object]] = [happens]

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with super().transaction() as session:
            yield session
        while self._happens:
            self._happens.pop()()


def test_a_pause_that_begins_while_the_job_runs_keeps_its_date(shop: SqlShop) -> None:
    pause = new_pause(shop, add_account(shop))
    database = Interrupted(shop.database, lambda: shop.open_act(pause, local("2026-01-15 09:00")))
    billing = SqlBilling(database, shop.gateway)

    assert 0 == billing.invoice_plans_due(local("2026-01-15 09:00"), 100)
    assert JAN_15 == pause.suspend(local("2026-01-15 09:00")).first_billing_on


def test_accounts_with_an_open_act_take_nobody_s_place_in_the_job(shop: SqlShop) -> None:
    pause = new_pause(shop, add_account(shop))
    shop.open_act(pause, local("2026-01-10 12:00"))
    add_account(shop, next_billing_on=FEB_15)

    assert 1 == run_job(shop, "2026-02-15 09:00", limit=1)


def test_the_job_pays_what_the_pause_left_to_the_plan(shop: SqlShop) -> None:
    pause = paused(shop, "2026-01-20 12:00")
    assert [(JAN_15, InvoiceState.OPEN)] == states(shop, pause.account_id)

    assert 0 == run_job(shop, "2026-01-20 12:05")
    assert [(JAN_15, InvoiceState.PAID)] == states(shop, pause.account_id)


def test_what_a_pause_left_is_named_on_the_plan_s_next_invoice_and_only_there(
    shop: SqlShop,
) -> None:
    pause = paused(shop, card_name="declined")
    pause.collect(JAN_15)
    preview = shop.sql.resume_lines(pause.account_id, local("2026-01-20 12:00"))
    pause.restore(local("2026-01-20 12:00"))
    use_card(shop, pause.account_id, "visa", at=local("2026-01-21 12:00"))

    run_job(shop, "2026-03-15 12:00")

    moved = [(LineKind.UNPAID_FEE, 500), (LineKind.REMAINING_DAYS, 3774)]
    assert moved == [(line.kind, line.amount_minor) for line in preview]
    in_february = lines(shop, pause.account_id, FEB_15)
    assert sorted([(LineKind.PLAN, 4500), *moved]) == sorted(in_february)
    assert [(LineKind.PLAN, 4500)] == lines(shop, pause.account_id, MAR_15)
    assert [] == shop.pending(pause.account_id)


# --- the preview of a resume ---------------------------------------------------------------------


def test_the_preview_changes_nothing_and_is_empty_unless_paused(shop: SqlShop) -> None:
    pause = new_pause(shop, add_account(shop))
    assert [] == shop.sql.resume_lines(pause.account_id, local("2026-01-20 12:00"))
    pause.suspend(local("2026-01-10 14:00"))

    for _ in range(2):
        [line] = shop.sql.resume_lines(pause.account_id, local("2026-01-20 12:00"))
        assert (LineKind.REMAINING_DAYS, 3774) == (line.kind, line.amount_minor)
        assert "2026-01-20 until 2026-02-15, 26 of 31 days" in line.description

    assert [] == shop.taken(pause.account_id)
    assert [] == shop.sql.resume_lines(pause.account_id, local("2026-01-14 12:00"))


@pytest.mark.parametrize("when", ["2026-01-15 09:01", "2026-04-02 00:00", "2026-07-10 00:00"])
def test_the_preview_is_what_the_resume_does(shop: SqlShop, when: str) -> None:
    pause = paused(shop, card_name="declined")
    pause.collect(JAN_15)
    preview = shop.sql.resume_lines(pause.account_id, local(when))

    pause.restore(local(when))

    shown = sorted((line.kind.value, line.amount_minor) for line in preview)
    assert shown == shop.pending(pause.account_id)


# --- a pause that never took effect --------------------------------------------------------------


def test_a_pause_undone_late_before_it_took_effect_leaves_its_dates_to_the_plan(
    shop: SqlShop,
) -> None:
    pause = new_pause(shop, add_account(shop))
    shop.open_act(pause, local("2026-01-15 08:00"))
    pause.suspend(local("2026-01-15 08:00"))

    pause.restore(local("2026-01-16 12:00"))
    shop.change_act(pause, ended_at=local("2026-01-16 12:00"))
    run_job(shop, "2026-01-16 12:01")

    assert [(JAN_15, "plan", 4500)] == shop.taken(pause.account_id)
    assert ChargeState.NOT_OWED is pause.collect(JAN_15).state
