"""What the job looks up when no pause does, and a plan that ends and begins again (R13, R14)."""

from datetime import date, datetime

import pytest

from domain.errors import Code, InvariantViolated, Rejected, Transient
from domain.payments import Payment
from systems.db import Database
from systems.tables import InvoiceState
from tests.fakes.gateway import PassedOn
from tests.systems.billing_shop import (
    FEB_15,
    JAN_15,
    Pause,
    SqlShop,
    add_account,
    local,
    new_pause,
    paused,
)


@pytest.fixture
def shop(database: Database) -> SqlShop:
    return SqlShop(database)


def run_job(shop: SqlShop, at: str, limit: int = 100) -> int:
    return shop.sql.invoice_plans_due(local(at), limit)


def states(shop: SqlShop, account_id: str) -> list[tuple[date, InvoiceState]]:
    return [(it.billing_on, it.state) for it in shop.sql.invoices(account_id)]


# --- what is unknown -----------------------------------------------------------------------------


def test_an_unknown_plan_invoice_is_settled_by_looking_it_up(shop: SqlShop) -> None:
    paid = add_account(shop, card_name="times_out")
    declined = add_account(shop, card_name="times_out_declined")
    away = add_account(shop, card_name="away")
    run_job(shop, "2026-01-15 09:00")

    assert 2 == shop.sql.settle_unknown(local("2026-01-15 09:05"))
    assert 0 == shop.sql.settle_unknown(local("2026-01-15 10:00"))

    assert [(JAN_15, InvoiceState.PAID)] == states(shop, paid)
    assert [(JAN_15, InvoiceState.PAST_DUE)] == states(shop, declined)
    assert [(JAN_15, InvoiceState.UNKNOWN)] == states(shop, away)


@pytest.mark.parametrize(
    ("card_name", "state", "pending"),
    [
        ("times_out", InvoiceState.PAID, []),
        ("times_out_declined", InvoiceState.MOVED, [("unpaid_fee", 500)]),
    ],
)
def test_an_unknown_fee_is_left_to_the_pause_until_that_has_ended(
    shop: SqlShop, card_name: str, state: InvoiceState, pending: list[tuple[str, int]]
) -> None:
    pause = ended_soon(shop, card_name)
    pause.collect(JAN_15)
    assert 0 == shop.sql.settle_unknown(local("2026-01-16 12:00"))
    pause.restore(local("2026-02-15 08:00"))
    assert 0 == shop.sql.settle_unknown(local("2026-02-15 08:00"))
    shop.change_act(pause, ended_at=local("2026-02-15 08:01"))

    assert 1 == shop.sql.settle_unknown(local("2026-02-15 08:02"))

    assert [(JAN_15, state)] == states(shop, pause.account_id)
    assert pending == shop.pending(pause.account_id)


def test_a_fee_that_nobody_ever_tried_is_collected_after_the_pause(shop: SqlShop) -> None:
    pause = ended_soon(shop, "visa")
    pause.restore(local("2026-02-15 08:00"))
    shop.change_act(pause, ended_at=local("2026-02-15 08:01"))

    assert 1 == shop.sql.settle_unknown(local("2026-02-15 08:02"))
    assert [(JAN_15, InvoiceState.PAID)] == states(shop, pause.account_id)


def test_one_invoice_that_needs_a_person_holds_up_no_others(
    shop: SqlShop, caplog: pytest.LogCaptureFixture
) -> None:
    lost = add_account(shop, card_name="times_out")
    good = add_account(shop, card_name="times_out")
    run_job(shop, "2026-01-15 09:00")
    shop.gateway.gateway = Missing(shop, lost)

    assert 1 == shop.sql.settle_unknown(local("2026-01-15 09:05"))
    assert [(JAN_15, InvoiceState.PAID)] == states(shop, good)
    assert "cannot be collected" in caplog.text


class Missing(PassedOn):
    """A gateway that has lost the payments of one account."""

    def __init__(self, shop: SqlShop, account_id: str) -> None:
        super().__init__(shop.record)
        self._lost = {payment.payment_id for payment in shop.record.payments(account_id)}

    def get_payment(self, payment_id: str) -> Payment:
        if payment_id in self._lost:
            raise InvariantViolated(f"the gateway knows no payment {payment_id}")
        return super().get_payment(payment_id)


# --- closed and open again -----------------------------------------------------------------------


def test_a_closed_plan_is_invoiced_no_more_but_what_it_took_before_is_collected(
    shop: SqlShop,
) -> None:
    close = new_pause(shop, add_account(shop))
    close.close(local("2026-01-20 12:00"))

    run_job(shop, "2026-06-20 12:00")

    assert [(JAN_15, InvoiceState.PAID)] == states(shop, close.account_id)


def test_reopening_puts_the_account_on_its_plan_from_that_day(shop: SqlShop) -> None:
    close = closed(shop, local("2026-01-20 12:00"))
    at = local("2026-03-31 22:30")

    quote = shop.sql.reopen(close.account_id, at)
    assert quote == shop.sql.reopen(close.account_id, at)
    run_job(shop, "2026-05-01 09:00")

    assert (31, date(2026, 3, 31)) == (quote.billing_day, quote.next_billing_on)
    days = [JAN_15, date(2026, 3, 31), date(2026, 4, 30)]
    assert days == [day for day, _ in states(shop, close.account_id)]


def test_reopening_costs_the_plan_s_month_whatever_a_resume_had_put_down(shop: SqlShop) -> None:
    pause = paused(shop, "2026-01-10 12:00", card_name="declined")
    pause.collect(JAN_15)
    pause.restore(local("2026-01-20 12:00"))
    new_pause(shop, pause.account_id).close(local("2026-01-20 12:30"))

    quote = shop.sql.reopen(pause.account_id, local("2026-01-21 12:00"))

    assert 4500 == quote.amount_minor
    [*_, last] = shop.sql.ledger(pause.account_id)
    assert ("write_off", 500) == (last.kind, last.amount_minor)


def test_a_late_repeat_of_a_reopening_does_not_undo_a_later_close(shop: SqlShop) -> None:
    close = closed(shop, local("2026-01-20 12:00"))
    shop.sql.reopen(close.account_id, local("2026-02-01 12:00"))
    closed_again = new_pause(shop, close.account_id)
    closed_again.close(local("2026-02-01 13:00"))

    shop.sql.reopen(close.account_id, local("2026-02-01 12:00"))

    assert 0 == run_job(shop, "2026-05-01 09:00")


@pytest.mark.parametrize(
    ("is_paused", "pending"), [(False, []), (True, [("remaining_days", 4500)])]
)
def test_closed_and_reopened_on_a_billing_date_the_date_is_not_invoiced_twice(
    shop: SqlShop, is_paused: bool, pending: list[tuple[str, int]]
) -> None:
    close = paused(shop, "2026-01-10 12:00") if is_paused else new_pause(shop, add_account(shop))
    close.close(local("2026-01-15 12:00"))

    quote = shop.sql.reopen(close.account_id, local("2026-01-15 13:00"))

    assert FEB_15 == quote.next_billing_on
    assert pending == shop.pending(close.account_id)
    assert 1 == run_job(shop, "2026-02-15 09:00"), "the plan is back"


def test_reopening_needs_a_card_and_waits_for_the_close(shop: SqlShop) -> None:
    close = new_pause(shop, add_account(shop, card_name=None))
    shop.open_act(close, local("2026-01-20 12:00"))
    close.close(local("2026-01-20 12:00"))

    with pytest.raises(Transient):
        shop.sql.reopen(close.account_id, local("2026-01-20 12:01"))
    shop.change_act(close, ended_at=local("2026-01-20 12:02"))
    with pytest.raises(Rejected) as refusal:
        shop.sql.reopen(close.account_id, local("2026-01-20 12:03"))

    assert Code.PAYMENT_METHOD_REQUIRED is refusal.value.code


def test_a_closed_account_cannot_be_paused(shop: SqlShop) -> None:
    close = closed(shop, local("2026-01-20 12:00"))

    with pytest.raises(Rejected) as refusal:
        new_pause(shop, close.account_id).suspend(local("2026-01-21 12:00"))

    assert Code.ACCOUNT_CLOSED is refusal.value.code


def closed(shop: SqlShop, at: datetime) -> Pause:
    close = new_pause(shop, add_account(shop))
    close.close(at)
    return close


def ended_soon(shop: SqlShop, card_name: str) -> Pause:
    pause = new_pause(shop, add_account(shop, card_name=card_name))
    shop.open_act(pause, local("2026-01-10 14:00"))
    pause.suspend(local("2026-01-10 14:00"))
    shop.change_act(pause, paused_at=local("2026-01-10 14:00"))
    return pause
