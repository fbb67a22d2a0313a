"""The contract of `Billing` around the fee: suspend, restore, close and what can be asked."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from domain.errors import Code, Rejected
from domain.messages import PlanSuspended, Settled
from domain.states import ChargeState
from tests.systems.billing_shop import (
    FEB_15,
    JAN_15,
    MAR_15,
    SHOPS,
    Shop,
    add_account,
    local,
    new_pause,
    open_shop,
    paused,
    succeeded,
    use_card,
)

NOTHING = Settled()


@pytest.fixture(params=SHOPS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    yield from open_shop(request.param, request)


# --- suspend -------------------------------------------------------------------------------------


# --15 Jan---15 Feb---[==   the plan takes what fell due before the pause, late or not; 09:00 itself
#                           is the pause's
@pytest.mark.parametrize(
    ("at", "first", "plans"),
    [
        ("2026-01-10 14:00", JAN_15, []),
        ("2026-01-15 09:00", JAN_15, []),
        ("2026-01-15 09:01", FEB_15, [JAN_15]),
        ("2026-02-20 12:00", MAR_15, [JAN_15, FEB_15]),
    ],
)
def test_the_plan_takes_what_fell_due_before_the_pause(
    shop: Shop, at: str, first: date, plans: list[date]
) -> None:
    pause = new_pause(shop, add_account(shop))

    suspended = pause.suspend(local(at))

    assert PlanSuspended(first_billing_on=first, paused_at=suspended.paused_at) == suspended
    assert [(day, "plan", 4500) for day in plans] == shop.taken(pause.account_id)


def test_suspending_twice_answers_as_the_first_time(shop: Shop) -> None:
    pause = new_pause(shop, add_account(shop))

    first = pause.suspend(local("2026-01-10 14:00"))
    pause.collect(JAN_15)
    again = pause.suspend(local("2026-02-20 14:00"))

    assert first == again
    assert [(JAN_15, "fee", 500)] == shop.taken(pause.account_id)


def test_suspending_by_many_at_once_takes_each_date_once(shop: Shop) -> None:
    pause = new_pause(shop, add_account(shop))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: pause.suspend(local("2026-02-20 12:00")), range(4)))

    assert [MAR_15] * 4 == [answer.first_billing_on for answer in answers]
    assert [JAN_15, FEB_15] == [day for day, _, _ in shop.taken(pause.account_id)]


def test_a_suspension_that_arrives_after_its_undo_does_nothing(shop: Shop) -> None:
    pause = new_pause(shop, add_account(shop))
    pause.restore(local("2026-01-10 14:00"))

    assert JAN_15 == pause.suspend(local("2026-01-10 14:00")).first_billing_on
    assert ChargeState.NOT_OWED is pause.collect(JAN_15).state
    assert [] == shop.taken(pause.account_id)


def test_an_account_that_is_not_there_is_refused(shop: Shop) -> None:
    pause = new_pause(shop, "ACC_nobody")

    with pytest.raises(Rejected) as refusal:
        pause.suspend(local("2026-01-10 14:00"))

    assert Code.ACCOUNT_NOT_FOUND is refusal.value.code
    assert not shop.billing.has_card("ACC_nobody")


# --- restore -------------------------------------------------------------------------------------


def test_a_restore_of_what_was_never_suspended_does_nothing(shop: Shop) -> None:
    pause = new_pause(shop, add_account(shop))

    assert NOTHING == pause.restore(local("2026-03-01 12:00"))
    assert [] == shop.taken(pause.account_id)


def test_a_pause_that_never_took_effect_leaves_the_dates_to_the_plan(shop: Shop) -> None:
    pause = paused(shop, "2026-01-10 14:00")

    assert NOTHING == pause.restore(local("2026-01-10 14:00"))
    assert ChargeState.NOT_OWED is pause.collect(JAN_15).state
    assert JAN_15 == shop.billing.quote(pause.account_id).next_billing_on
    assert [] == shop.pending(pause.account_id)


def test_dates_that_fell_due_in_the_pause_and_were_not_collected_are_the_fee_s(
    shop: Shop,
) -> None:
    pause = paused(shop)

    pause.restore(local("2026-02-20 12:00"))

    assert [(JAN_15, "fee", 500), (FEB_15, "fee", 500)] == shop.taken(pause.account_id)
    assert [] == shop.record.payments(pause.account_id), "nothing is charged at the resume"
    assert ChargeState.PAID is pause.collect(FEB_15, local("2026-02-20 12:01")).state


def test_unpaid_fees_move_once_to_the_plan_s_next_invoice(shop: Shop) -> None:
    # Resumed on the 15th before 09:00: the last period is over, so that no days are left of it.
    pause = paused(shop, card_name="declined")
    pause.collect(JAN_15)
    pause.collect(FEB_15)

    settled = pause.restore(local("2026-03-15 08:00"))

    assert Settled(billing_on=[JAN_15, FEB_15]) == settled
    assert settled == pause.restore(local("2026-04-01 08:00"))
    assert [("unpaid_fee", 500), ("unpaid_fee", 500)] == shop.pending(pause.account_id)
    quote = shop.billing.quote(pause.account_id)
    assert (4500 + 1000, [500, 500]) == (quote.amount_minor, [cents for _, cents in quote.pending])
    assert ChargeState.MOVED is pause.collect(JAN_15, attempt=2, rung=1).state


@pytest.mark.parametrize(
    ("card_name", "state", "pending"),
    [
        ("times_out", ChargeState.PAID, []),
        ("times_out_declined", ChargeState.MOVED, [("unpaid_fee", 500)]),
    ],
)
def test_an_answer_that_comes_after_the_resume_is_settled_then(
    shop: Shop, card_name: str, state: ChargeState, pending: list[tuple[str, int]]
) -> None:
    pause = paused(shop, card_name=card_name)
    pause.collect(JAN_15)

    assert NOTHING == pause.restore(local("2026-02-15 08:00"))
    assert [] == shop.pending(pause.account_id)
    assert state is pause.collect(JAN_15, local("2026-02-15 08:05")).state
    assert state is pause.collect(JAN_15, local("2026-02-15 08:06")).state
    assert pending == shop.pending(pause.account_id)
    assert 1 == len(shop.record.payments(pause.account_id))


def test_a_decline_after_the_resume_sends_no_mail_and_climbs_no_ladder(shop: Shop) -> None:
    pause = paused(shop, card_name="times_out_declined")
    pause.collect(JAN_15, rung=1)
    pause.restore(local("2026-02-15 08:00"))

    answer = pause.collect(JAN_15, local("2026-02-15 08:05"), rung=1)

    assert (ChargeState.MOVED, None) == (answer.state, answer.rung_at)
    assert [] == shop.notices(pause.account_id)


# --15 Jan==$==[resume)~~~~~~15 Feb--   ~ the plan's share of the days that the fee had taken
@pytest.mark.parametrize(
    ("resumed_at", "share"),
    [
        ("2026-01-15 09:01", 6000),  # 31 of 31 days
        ("2026-01-20 23:59", 5032),  # 26 of 31 days: 5032.26
        ("2026-02-14 12:00", 194),  # 1 of 31 days: 193.55
        ("2026-02-15 08:59", None),  # the period is over, the next date is the plan's
        ("2026-02-15 09:01", 6000),  # 28 of 28 days
    ],
)
def test_the_rest_of_a_period_that_the_fee_took_is_a_line(
    shop: Shop, resumed_at: str, share: int | None
) -> None:
    account_id = add_account(shop, add_ons=(("Recording", 1000), ("Extra", 500)))
    pause = new_pause(shop, account_id)
    pause.suspend(local("2026-01-10 14:00"))

    pause.restore(local(resumed_at))

    expected = [] if share is None else [("remaining_days", share)]
    assert expected == shop.pending(account_id)


def test_a_pause_within_one_period_of_the_plan_costs_and_returns_nothing(shop: Shop) -> None:
    pause = paused(shop, "2026-01-16 12:00")

    pause.restore(local("2026-02-14 12:00"))

    assert [(JAN_15, "plan", 4500)] == shop.taken(pause.account_id)
    assert [] == shop.pending(pause.account_id)


def test_a_second_pause_in_the_period_of_the_first_one_s_fee_adds_no_second_line(
    shop: Shop,
) -> None:
    first = paused(shop, "2026-01-10 14:00")
    first.restore(local("2026-01-20 12:00"))
    second = new_pause(shop, first.account_id)
    second.suspend(local("2026-01-22 12:00"))

    second.restore(local("2026-01-25 12:00"))

    assert [("remaining_days", 3774)] == shop.pending(first.account_id)


@pytest.mark.parametrize(
    ("zone", "billing_day", "paused_on", "resumed_on", "dates"),
    [
        ("Europe/Berlin", 31, "2026-01-20", "2026-05-01", ["01-31", "02-28", "03-31", "04-30"]),
        ("Australia/Lord_Howe", 30, "2026-01-20", "2026-04-01", ["01-30", "02-28", "03-30"]),
        ("Pacific/Kiritimati", 29, "2026-01-20", "2026-03-30", ["01-29", "02-28", "03-29"]),
    ],
)
def test_dates_are_computed_from_the_anchor_in_the_account_s_zone(
    shop: Shop, zone: str, billing_day: int, paused_on: str, resumed_on: str, dates: list[str]
) -> None:
    first = date.fromisoformat(f"2026-{dates[0]}")
    account_id = add_account(shop, zone=zone, billing_day=billing_day, next_billing_on=first)
    pause = new_pause(shop, account_id, zone=zone, billing_day=billing_day)
    pause.suspend(local(f"{paused_on} 12:00", zone))

    pause.restore(local(f"{resumed_on} 00:00", zone))

    taken = [day.strftime("%m-%d") for day, kind, _ in shop.taken(account_id) if kind == "fee"]
    assert dates == taken


# --- close ---------------------------------------------------------------------------------------


def test_a_close_writes_off_what_is_unpaid_and_takes_nothing_more(shop: Shop) -> None:
    pause = paused(shop, card_name="declined")
    pause.collect(JAN_15)

    settled = pause.close(local("2026-02-20 12:00"))

    assert Settled(billing_on=[JAN_15]) == settled == pause.close(local("2026-03-20 12:00"))
    assert [(JAN_15, "fee", 500), (FEB_15, "fee", 500)] == shop.taken(pause.account_id)
    assert ChargeState.NOT_OWED is pause.collect(MAR_15).state
    assert [] == shop.pending(pause.account_id)


def test_a_fee_due_before_the_close_is_tried_and_then_written_off(shop: Shop) -> None:
    pause = paused(shop, card_name="declined")
    pause.close(local("2026-01-20 12:00"))

    assert ChargeState.WRITTEN_OFF is pause.collect(JAN_15, local("2026-01-20 12:01")).state
    assert 1 == len(shop.record.payments(pause.account_id))
    assert [] == shop.notices(pause.account_id)


@pytest.mark.parametrize(
    ("card_name", "state"),
    [("times_out", ChargeState.PAID), ("times_out_declined", ChargeState.WRITTEN_OFF)],
)
def test_an_answer_that_comes_after_the_close_is_settled_then(
    shop: Shop, card_name: str, state: ChargeState
) -> None:
    pause = paused(shop, card_name=card_name)
    pause.collect(JAN_15)

    assert NOTHING == pause.close(local("2026-01-20 12:00"))
    assert state is pause.collect(JAN_15, local("2026-01-20 13:00")).state


def test_closing_an_active_account_leaves_the_dates_before_it_to_the_plan(shop: Shop) -> None:
    close = new_pause(shop, add_account(shop))

    assert NOTHING == close.close(local("2026-02-15 09:00"))
    assert [(JAN_15, "plan", 4500)] == shop.taken(close.account_id)


def test_a_close_gives_up_what_waits_for_an_invoice_of_the_plan(shop: Shop) -> None:
    pause = paused(shop, card_name="declined")
    pause.collect(JAN_15)
    pause.restore(local("2026-01-20 12:00"))
    waiting = shop.pending(pause.account_id)

    new_pause(shop, pause.account_id).close(local("2026-01-20 12:30"))

    assert [("remaining_days", 3774), ("unpaid_fee", 500)] == waiting
    assert [] == shop.pending(pause.account_id)
    assert ChargeState.WRITTEN_OFF is pause.collect(JAN_15, attempt=2, rung=1).state


def test_a_fee_declined_after_a_resume_and_a_close_has_no_invoice_to_move_to(
    shop: Shop,
) -> None:
    pause = paused(shop, card_name="times_out_declined")
    pause.collect(JAN_15)
    pause.restore(local("2026-02-15 08:00"))
    new_pause(shop, pause.account_id).close(local("2026-02-15 08:30"))

    answer = pause.collect(JAN_15, local("2026-02-15 10:00"))

    assert ChargeState.WRITTEN_OFF is answer.state


# --- what can be asked ---------------------------------------------------------------------------


def test_a_quote_says_what_comes_next_and_who_pays(shop: Shop) -> None:
    account_id = add_account(shop, add_ons=(("Recording", 1000),), card_name=None)

    without_card = shop.billing.quote(account_id)
    use_card(shop, account_id, "mastercard")
    quote = shop.billing.quote(account_id)

    assert (None, "4444") == (without_card.card_last4, quote.card_last4)
    assert (5500, "USD") == (quote.amount_minor, quote.currency)
    assert (JAN_15, 15) == (quote.next_billing_on, quote.billing_day)
    assert shop.billing.has_card(account_id)


def test_the_snapshot_is_the_same_before_in_and_after_a_pause(shop: Shop) -> None:
    account_id = add_account(shop, add_ons=(("Recording", 1000),))
    pause = new_pause(shop, account_id)
    before = shop.billing.snapshot(account_id)

    pause.suspend(local("2026-01-10 14:00"))
    pause.collect(JAN_15)
    during = shop.billing.snapshot(account_id)
    pause.restore(local("2026-01-20 14:00"))

    assert before == during == shop.billing.snapshot(account_id)
    assert 1 == len(succeeded(shop, account_id))
