"""Our record against the gateway's: each kind of difference, what mends itself, what waits."""

from datetime import timedelta

import pytest

from domain.differences import DifferenceKind
from domain.errors import Code, Rejected, Transient
from domain.payments import PaymentState, RefundState
from domain.reconciling import OVERLAP, UNDER_WAY
from domain.states import ChargeState
from systems.db import Database
from systems.tables import (
    AttemptState,
    CardRow,
    DifferenceState,
    InvoiceState,
    LedgerKind,
    RefundRowState,
)
from tests.systems.billing_shop import JAN_15, local, succeeded
from tests.systems.reconciling_shop import (
    DAY,
    DUE,
    NIGHT,
    Counter,
    Fee,
    declined_here,
    unanswered,
)

OPEN, SETTLED, REFUNDED = DifferenceState.OPEN, DifferenceState.SETTLED, DifferenceState.REFUNDED
VANISHED, ACKNOWLEDGED = DifferenceState.VANISHED, DifferenceState.ACKNOWLEDGED


@pytest.fixture
def counter(database: Database) -> Counter:
    return Counter(database)


# --- both agree ----------------------------------------------------------------------------------


@pytest.mark.parametrize("card_name", ["visa", "declined", "processing"])
def test_between_equal_records_nothing_is_found(counter: Counter, card_name: str) -> None:
    counter.collected(card_name)

    reconciled = counter.reconcile()

    assert (1, 0, 0, 0) == (
        reconciled.payments,
        reconciled.refunds,
        reconciled.found,
        reconciled.waiting,
    )
    assert [] == counter.every()


def test_an_account_without_a_card_and_a_fee_not_tried_yet_differ_in_nothing(
    counter: Counter,
) -> None:
    pause = counter.paused()
    counter.collected("visa")
    counter.edit(CardRow, pause.account_id, token="card_away")
    pause.collect(JAN_15)

    assert 0 == counter.reconcile().found


# --- unanswered here -----------------------------------------------------------------------------


def test_what_was_paid_there_is_settled_by_the_same_attempt(counter: Counter) -> None:
    fee = unanswered(counter, "visa")

    reconciled = counter.reconcile()

    assert (1, 0, 0) == (reconciled.settled, reconciled.refunded, reconciled.waiting)
    assert InvoiceState.PAID is fee.invoice.state
    assert fee.payment_id == fee.attempt.payment_id
    assert [("receipt", JAN_15)] == counter.notices(fee.account_id)
    assert 1 == len(counter.booked(fee.account_id, LedgerKind.CHARGE))
    assert [(DifferenceKind.STATE, SETTLED)] == counter.all_found()


def test_what_was_declined_there_goes_on_up_its_ladder(counter: Counter) -> None:
    fee = unanswered(counter, "declined")

    reconciled = counter.reconcile()

    assert 1 == reconciled.settled
    assert InvoiceState.PAST_DUE is fee.invoice.state
    assert local("2026-01-16 09:00") == fee.attempt.rung_at


def test_a_payment_to_which_only_our_key_leads_is_found_by_it(counter: Counter) -> None:
    # As after a restore of an older database: the payment's id is not on record any more.
    fee = unanswered(counter, "visa")
    fee.edit_attempt(state=AttemptState.RESERVED, payment_id=None, payment_created_at=None)

    reconciled = counter.reconcile()

    assert (1, 0) == (reconciled.settled, reconciled.waiting)
    assert (fee.payment_id, AttemptState.PAID) == (fee.attempt.payment_id, fee.attempt.state)
    assert DUE == fee.attempt.payment_created_at
    assert 1 == len(succeeded(counter, fee.account_id))


def test_it_is_settled_once_however_often_it_is_run(counter: Counter) -> None:
    fee = unanswered(counter, "visa")

    runs = [counter.reconcile(NIGHT + n * DAY) for n in range(3)]

    assert [1, 0, 0] == [run.settled for run in runs]
    assert [1, 0, 0] == [run.found for run in runs]
    assert 1 == len(counter.booked(fee.account_id, LedgerKind.CHARGE))


# --- declined here, paid there -------------------------------------------------------------------


def test_a_decline_that_was_paid_is_settled_booked_and_audited(counter: Counter) -> None:
    fee = declined_here(counter)

    reconciled = counter.reconcile()

    assert (1, 0) == (reconciled.settled, reconciled.waiting)
    assert (AttemptState.PAID, None) == (fee.attempt.state, fee.attempt.decline_code)
    assert InvoiceState.PAID is fee.invoice.state
    assert [fee.payment_id] == [
        entry.payment_id for entry in counter.booked(fee.account_id, LedgerKind.CHARGE)
    ]
    assert ("system", "decline_was_paid") in counter.audited(fee.account_id)
    assert ChargeState.PAID is fee.pause.collect(JAN_15, NIGHT + DAY, attempt=2, rung=1).state
    assert 1 == len(succeeded(counter, fee.account_id))


def test_where_the_fee_was_moved_to_the_plan_a_person_decides(counter: Counter) -> None:
    fee = declined_here(counter)
    fee.pause.restore(DUE + timedelta(hours=1))

    reconciled = counter.reconcile()

    assert (0, 1) == (reconciled.settled, reconciled.waiting)
    assert InvoiceState.MOVED is fee.invoice.state
    assert [] == counter.booked(fee.account_id, LedgerKind.CHARGE)
    assert [(DifferenceKind.STATE, OPEN)] == counter.all_found()


def test_where_the_fee_was_written_off_a_person_decides(counter: Counter) -> None:
    fee = declined_here(counter)
    fee.pause.close(DUE + timedelta(hours=1))

    assert (0, 1) == (counter.reconcile().settled, counter.reconcile(NIGHT + DAY).waiting)
    assert InvoiceState.WRITTEN_OFF is fee.invoice.state


def test_while_another_attempt_is_under_way_nothing_is_settled_and_afterwards_it_is(
    counter: Counter,
) -> None:
    fee = declined_here(counter)
    counter.gateway.fail_next("confirm_payment", "before")
    second = fee.pause.collect(JAN_15, DUE + DAY, attempt=2, rung=1)
    assert ChargeState.UNKNOWN is second.state

    meanwhile = counter.reconcile(NIGHT + DAY)
    declined = fee.pause.collect(JAN_15, DUE + 2 * DAY, attempt=2, rung=1)
    afterwards = counter.reconcile(NIGHT + 2 * DAY)

    assert (0, 1) == (meanwhile.settled, meanwhile.waiting)
    assert ChargeState.DECLINED is declined.state
    assert (1, 0) == (afterwards.settled, afterwards.waiting)
    assert InvoiceState.PAID is fee.invoice.state


def test_beside_another_attempt_that_was_paid_the_date_was_paid_twice(counter: Counter) -> None:
    fee = counter.collected("declined")
    first_id = fee.payment_id
    counter.edit(CardRow, fee.account_id, token="card_visa")
    assert ChargeState.PAID is fee.pause.collect(JAN_15, DUE + DAY, attempt=2, rung=1).state
    counter.edit_payment(first_id, state=PaymentState.SUCCEEDED)

    reconciled = counter.reconcile(NIGHT + DAY)

    assert (0, 0, 1) == (reconciled.settled, reconciled.refunded, reconciled.waiting)
    assert [(DifferenceKind.DUPLICATE_DATE, OPEN)] == counter.all_found()
    assert [] == counter.sandbox.refunds()


# --- reported ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [PaymentState.DECLINED, PaymentState.CREATED])
def test_what_is_paid_here_and_not_there_waits_for_an_operator(
    counter: Counter, state: PaymentState
) -> None:
    fee = counter.collected()
    counter.edit_payment(fee.payment_id, state=state)

    assert 1 == counter.reconcile().waiting
    [difference] = counter.waiting()
    assert difference.here is not None
    assert difference.there is not None
    assert ("paid", state) == (difference.here.state, difference.there.state)
    assert fee.account_id == difference.account_id
    assert InvoiceState.PAID is fee.invoice.state


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"amount_minor": 700}, DifferenceKind.AMOUNT),
        ({"currency": "EUR"}, DifferenceKind.AMOUNT),
        ({"account_id": "ACC" + "2" * 32}, DifferenceKind.OWNER),
        ({"account_id": ""}, DifferenceKind.OWNER),
    ],
)
def test_another_amount_or_owner_waits_for_an_operator(
    counter: Counter, change: dict[str, object], kind: DifferenceKind
) -> None:
    fee = counter.collected()
    counter.edit_payment(fee.payment_id, **change)

    assert 1 == counter.reconcile().waiting
    assert [(kind, OPEN)] == counter.all_found()


def test_a_payment_that_is_not_what_was_ordered_is_not_settled(counter: Counter) -> None:
    fee = unanswered(counter, "visa")
    counter.edit_payment(fee.payment_id, amount_minor=700)

    reconciled = counter.reconcile()

    assert (0, 2) == (reconciled.settled, reconciled.waiting)
    assert InvoiceState.UNKNOWN is fee.invoice.state
    assert {DifferenceKind.AMOUNT, DifferenceKind.STATE} == {each.kind for each in counter.every()}


def test_a_payment_that_the_gateway_does_not_have_waits_for_an_operator(counter: Counter) -> None:
    fee = counter.collected()
    payment_id = fee.payment_id
    counter.forget_payment(payment_id)

    assert 1 == counter.reconcile().waiting
    assert [f"missing_there:{payment_id}"] == [each.key for each in counter.waiting()]


def test_a_payment_that_a_list_leaves_out_is_asked_for_before_it_counts_as_missing(
    counter: Counter,
) -> None:
    fee = counter.collected()
    # The two clocks disagree about the window.
    counter.edit_payment(fee.payment_id, created_at=DUE - 99 * DAY)

    reconciled = counter.reconcile()

    assert (0, 0, 0) == (reconciled.payments, reconciled.found, reconciled.waiting)


# --- missing here --------------------------------------------------------------------------------


def test_payments_of_other_products_are_counted_and_never_reported(counter: Counter) -> None:
    counter.stray(billing_on=None)
    counter.stray(billing_on=None, customer_id="cus_of_somebody")

    reconciled = counter.reconcile()

    assert (2, 2, 0) == (reconciled.payments, reconciled.foreign, reconciled.found)


def test_a_payment_that_carries_our_names_is_ours(counter: Counter) -> None:
    account_id = counter.paused().account_id
    payment_id = counter.stray(account_id)

    assert (0, 1) == (counter.reconcile().foreign, len(counter.waiting()))
    [difference] = counter.waiting()
    assert (DifferenceKind.MISSING_HERE, payment_id, account_id) == (
        difference.kind,
        difference.object_id,
        difference.account_id,
    )


@pytest.mark.parametrize("known_by", ["customer", "card", "attempt"])
def test_a_payment_of_a_customer_of_ours_is_ours(counter: Counter, known_by: str) -> None:
    fee = counter.collected()
    match known_by:
        case "customer":
            counter.know_customer(fee.account_id, "cus_1")
        case "card":
            counter.edit(CardRow, fee.account_id, customer_id="cus_1")
        case _:
            counter.edit_payment(fee.payment_id, customer_id="cus_1")
            fee.edit_attempt(customer_id="cus_1")
    counter.stray(customer_id="cus_1", billing_on=None)

    assert (0, 1) == (counter.reconcile().foreign, len(counter.waiting()))
    assert [fee.account_id] == [each.account_id for each in counter.waiting()]


def test_a_payment_for_an_account_of_another_database_belongs_to_no_account(
    counter: Counter,
) -> None:
    counter.stray("ACC" + "9" * 32)

    assert 1 == counter.reconcile().waiting
    assert [None] == [each.account_id for each in counter.waiting()]


@pytest.mark.parametrize("state", [PaymentState.CREATED, PaymentState.DECLINED])
def test_a_payment_that_moves_no_money_is_missed_nowhere(
    counter: Counter, state: PaymentState
) -> None:
    counter.stray(counter.paused().account_id, state=state)

    assert 0 == counter.reconcile().found


# --- a date paid twice ---------------------------------------------------------------------------


def test_a_proven_duplicate_is_given_back_once(counter: Counter) -> None:
    fee = counter.collected()
    first_id = fee.payment_id
    second_id = counter.stray(fee.account_id)

    runs = [counter.reconcile(NIGHT + n * DAY) for n in range(3)]

    assert [1, 0, 0] == [run.refunded for run in runs]
    assert [1, 0, 0] == [run.found for run in runs]
    assert [(second_id, 500)] == [
        (refund.payment_id, refund.amount_minor) for refund in counter.sandbox.refunds()
    ]
    assert [(DifferenceKind.DUPLICATE_DATE, REFUNDED)] == counter.all_found()
    assert [second_id] == [
        entry.payment_id for entry in counter.booked(fee.account_id, LedgerKind.STRAY_REFUND)
    ]
    assert [first_id] == [
        entry.payment_id for entry in counter.booked(fee.account_id, LedgerKind.CHARGE)
    ]


def test_a_second_payment_under_the_key_of_an_attempt_is_a_duplicate_too(counter: Counter) -> None:
    # The sandbox keeps its keys unique, a gateway that has forgotten one does not.
    fee = counter.collected()
    counter.stray(fee.account_id, key=f"{fee.attempt.key}:again")

    assert 1 == counter.reconcile().refunded


def test_a_duplicate_of_another_amount_waits_for_an_operator(counter: Counter) -> None:
    fee = counter.collected()
    counter.stray(fee.account_id, amount_minor=900)

    reconciled = counter.reconcile()

    assert (0, 1) == (reconciled.refunded, reconciled.waiting)
    assert [] == counter.sandbox.refunds()


@pytest.mark.parametrize("which", ["first", "second"])
def test_a_duplicate_of_which_somebody_has_just_given_one_back_waits_for_an_operator(
    counter: Counter, which: str
) -> None:
    fee = counter.collected()
    first_id = fee.payment_id
    second_id = counter.stray(fee.account_id)
    counter.clock.at = NIGHT - timedelta(seconds=1)
    counter.refund_there(first_id if which == "first" else second_id)

    reconciled = counter.reconcile()

    assert 0 == reconciled.refunded
    assert DifferenceKind.DUPLICATE_DATE in {each.kind for each in counter.waiting()}
    assert 1 == len(counter.sandbox.refunds())


def test_while_a_refund_of_ours_is_on_its_way_no_second_one_is_made(counter: Counter) -> None:
    fee = counter.collected()
    counter.stray(fee.account_id)
    counter.gateway.fail_next("refund_payment", "after")

    first = counter.reconcile()
    again = counter.reconcile(NIGHT + DAY)

    # The answer was lost: it is asked for again, under the same key.
    assert (1, 0) == (first.refunded, first.waiting)
    assert 0 == again.waiting
    assert 1 == len(counter.sandbox.refunds())


def test_a_refund_of_a_duplicate_that_fails_is_not_tried_every_night(counter: Counter) -> None:
    fee = counter.collected()
    counter.stray(fee.account_id)
    counter.reconcile()
    [refund] = counter.sandbox.refunds()
    counter.edit_refund(refund.refund_id, state=RefundState.FAILED)

    runs = [counter.reconcile(NIGHT + n * DAY) for n in (1, 2, 3)]

    assert [0, 0, 0] == [run.refunded for run in runs]
    assert 1 == runs[-1].waiting
    assert 1 == len(counter.sandbox.refunds())


# --- refunds -------------------------------------------------------------------------------------


def test_a_refund_made_by_hand_is_recorded_once(counter: Counter) -> None:
    fee = counter.collected()
    refund = counter.refund_there(fee.payment_id)

    runs = [counter.reconcile(NIGHT + n * DAY) for n in range(2)]

    assert [1, 0] == [run.settled for run in runs]
    assert [0, 0] == [run.waiting for run in runs]
    assert [refund.refund_id] == [
        entry.refund_id for entry in counter.booked(fee.account_id, LedgerKind.REFUND)
    ]


def test_a_refund_of_somebody_elses_payment_is_foreign(counter: Counter) -> None:
    counter.refund_there(counter.stray(billing_on=None))

    reconciled = counter.reconcile()

    assert (1, 2, 0) == (reconciled.refunds, reconciled.foreign, reconciled.found)


def given_back(counter: Counter, card_name: str = "visa") -> Fee:
    """A fee that was paid and given back from here."""
    fee = counter.collected(card_name)
    fee.give_back()
    return fee


def test_a_refund_whose_answer_was_lost_is_settled(counter: Counter) -> None:
    fee = counter.collected()
    counter.gateway.fail_next("refund_payment", "after")
    fee.give_back()
    [row] = counter.refund_rows(fee.payment_id)
    assert RefundRowState.RESERVED is row.state

    reconciled = counter.reconcile()

    [row] = counter.refund_rows(fee.payment_id)
    assert (1, 0) == (reconciled.settled, reconciled.waiting)
    assert RefundRowState.SUCCEEDED is row.state
    assert 1 == len(counter.sandbox.refunds())


def test_a_refund_that_failed_at_the_bank_is_taken_back_even_weeks_later(counter: Counter) -> None:
    fee = given_back(counter)
    [refund] = counter.sandbox.refunds()
    counter.reconcile()
    counter.edit_refund(refund.refund_id, state=RefundState.FAILED)

    reconciled = counter.reconcile(NIGHT + 25 * DAY)

    [row] = counter.refund_rows(fee.payment_id)
    assert (1, 0) == (reconciled.settled, reconciled.waiting)
    assert RefundRowState.FAILED is row.state
    assert 1 == len(counter.booked(fee.account_id, LedgerKind.REVERSAL))


def test_a_refund_that_the_gateway_does_not_have_waits_for_an_operator(counter: Counter) -> None:
    given_back(counter)
    [refund] = counter.sandbox.refunds()
    counter.forget_refund(refund.refund_id)

    assert 1 == counter.reconcile().waiting
    assert [f"missing_there:{refund.refund_id}"] == [each.key for each in counter.waiting()]


def test_a_refund_of_another_amount_waits_for_an_operator(counter: Counter) -> None:
    given_back(counter)
    [refund] = counter.sandbox.refunds()
    counter.edit_refund(refund.refund_id, amount_minor=300)

    assert 1 == counter.reconcile().waiting
    [difference] = counter.waiting()
    assert (DifferenceKind.AMOUNT, True) == (difference.kind, difference.is_refund)


# --- unknown for days ----------------------------------------------------------------------------


def test_a_charge_that_stays_unknown_for_days_is_reported_until_somebody_knows(
    counter: Counter,
) -> None:
    pause = counter.paused("visa")
    counter.gateway.fail_next("confirm_payment", "before")
    pause.collect(JAN_15)
    fee = Fee(counter, pause)

    soon = counter.reconcile(NIGHT)
    later = counter.reconcile(NIGHT + 4 * DAY)
    again = counter.reconcile(NIGHT + 5 * DAY)
    pause.collect(JAN_15, NIGHT + 5 * DAY)
    known = counter.reconcile(NIGHT + 6 * DAY)

    assert (0, 1, 1, 0) == (soon.waiting, later.waiting, again.waiting, known.waiting)
    assert (1, 0) == (later.new, again.new)
    assert [(DifferenceKind.UNKNOWN, VANISHED)] == counter.all_found()
    assert InvoiceState.PAID is fee.invoice.state


def test_one_without_a_payment_is_reported_under_its_key(counter: Counter) -> None:
    pause = counter.paused("away")
    pause.collect(JAN_15)

    assert 1 == counter.reconcile(NIGHT + 4 * DAY).waiting
    assert [f"unknown:{pause.act_id}:2026-01-15:1"] == [each.key for each in counter.waiting()]


# --- how differences are kept --------------------------------------------------------------------


def test_a_difference_that_is_found_again_is_the_same_one(counter: Counter) -> None:
    fee = counter.collected()
    counter.edit_payment(fee.payment_id, amount_minor=700)

    first, second = counter.reconcile(), counter.reconcile(NIGHT + DAY)

    assert [(1, 1), (0, 1)] == [(run.new, run.waiting) for run in (first, second)]
    [difference] = counter.every()
    assert (NIGHT, NIGHT + DAY) == (difference.found_at, difference.seen_at)


def test_one_that_is_mended_by_hand_vanishes_though_its_time_is_out_of_the_window(
    counter: Counter,
) -> None:
    fee = counter.collected()
    counter.edit_payment(fee.payment_id, amount_minor=700)
    counter.reconcile()
    counter.edit_payment(fee.payment_id, amount_minor=500)

    much_later = NIGHT + 30 * DAY
    reconciled = counter.reconcile(much_later, since=much_later - DAY)

    assert (0, 1, 0) == (reconciled.payments, reconciled.vanished, reconciled.waiting)
    assert [(DifferenceKind.AMOUNT, VANISHED)] == counter.all_found()


def test_one_that_comes_back_is_the_same_one_again(counter: Counter) -> None:
    fee = counter.collected()
    for amount_minor in (700, 500, 700):
        counter.edit_payment(fee.payment_id, amount_minor=amount_minor)
        counter.reconcile(counter.clock.at + DAY)
        counter.clock.at += timedelta(hours=1)

    assert [(DifferenceKind.AMOUNT, OPEN)] == counter.all_found()


def test_one_that_an_operator_has_dealt_with_waits_no_more_unless_it_changes(
    counter: Counter,
) -> None:
    fee = counter.collected()
    counter.edit_payment(fee.payment_id, amount_minor=700)
    counter.reconcile()
    [difference] = counter.waiting()

    counter.reconciliation.acknowledge(difference.key, "Ann", "corrected by hand", NIGHT)
    same = counter.reconcile(NIGHT + DAY)
    counter.edit_payment(fee.payment_id, amount_minor=900)
    changed = counter.reconcile(NIGHT + 2 * DAY)

    assert (1, 0) == (same.found, same.waiting)
    assert (1, 1) == (changed.found, changed.waiting)
    assert ("Ann", "difference_acknowledged") in counter.audited(fee.account_id)


def test_differences_at_another_gateway_are_left_alone(counter: Counter) -> None:
    fee = counter.collected()
    counter.edit_payment(fee.payment_id, amount_minor=700)
    counter.reconcile()
    fee.edit_attempt(gateway="stripe-test")
    elsewhere = Counter(counter.database)
    elsewhere.sandbox.name = "stripe-test"

    reconciled = elsewhere.reconcile(NIGHT + DAY, since=NIGHT)

    assert (0, 1) == (reconciled.vanished, reconciled.waiting)


# --- acknowledging -------------------------------------------------------------------------------


def test_acknowledging_twice_changes_nothing_more(counter: Counter) -> None:
    fee = declined_here(counter)
    fee.pause.close(DUE + timedelta(hours=1))
    counter.reconcile()
    [difference] = counter.waiting()

    once = counter.reconciliation.acknowledge(difference.key, "Ann", "given back", NIGHT)
    twice = counter.reconciliation.acknowledge(difference.key, "Bob", "again", NIGHT + DAY)

    assert once == twice
    assert (ACKNOWLEDGED, "Ann") == (twice.state, twice.ended_by)
    assert 1 == counter.audited(fee.account_id).count(("Ann", "difference_acknowledged"))


def test_one_that_belongs_to_no_account_can_be_acknowledged(counter: Counter) -> None:
    counter.stray("ACC" + "9" * 32)
    counter.reconcile()
    [difference] = counter.waiting()

    counter.reconciliation.acknowledge(difference.key, "Ann", "the other database's", NIGHT)

    assert [] == counter.waiting()


def test_what_is_mended_already_needs_nobody(counter: Counter) -> None:
    fee = unanswered(counter, "visa")
    counter.reconcile()

    with pytest.raises(Rejected) as refused:
        counter.reconciliation.acknowledge(f"state:{fee.payment_id}", "Ann", "dealt with", NIGHT)

    assert Code.VALIDATION_FAILED == refused.value.code
    assert "settled" in refused.value.message


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001, "card 4242 4242 4242 4242"])
def test_a_reason_that_cannot_be_kept_is_refused_and_not_repeated(
    counter: Counter, reason: str
) -> None:
    fee = counter.collected()
    counter.edit_payment(fee.payment_id, amount_minor=700)
    counter.reconcile()

    with pytest.raises(Rejected) as refused:
        counter.reconciliation.acknowledge(f"amount:{fee.payment_id}", "Ann", reason, NIGHT)

    assert "4242" not in refused.value.message
    assert 1 == len(counter.waiting())


def test_a_name_that_cannot_be_kept_is_refused(counter: Counter) -> None:
    fee = counter.collected()
    counter.edit_payment(fee.payment_id, amount_minor=700)
    counter.reconcile()

    with pytest.raises(Rejected) as refused:
        counter.reconciliation.acknowledge(f"amount:{fee.payment_id}", "A" * 256, "done", NIGHT)

    assert {"field": "actor"} == refused.value.figures


def test_there_is_nothing_to_acknowledge_under_a_name_that_is_none(counter: Counter) -> None:
    with pytest.raises(Rejected):
        counter.reconciliation.acknowledge("amount:pay_9", "Ann", "dealt with", NIGHT)


# --- runs ----------------------------------------------------------------------------------------


def test_a_run_is_kept_with_its_window_and_counts(counter: Counter) -> None:
    fee = counter.collected()
    counter.edit_payment(fee.payment_id, amount_minor=700)

    counter.reconcile()
    counter.reconcile(NIGHT + DAY)

    first, second = counter.runs()
    assert (NIGHT - UNDER_WAY, NIGHT, 1, 1) == (
        first.until,
        first.ended_at,
        first.payments,
        first.found,
    )
    assert (first.until - OVERLAP, NIGHT + DAY - UNDER_WAY) == (second.since, second.until)


def test_what_happened_within_the_last_quarter_of_an_hour_is_left_to_the_next_run(
    counter: Counter,
) -> None:
    unanswered(counter, "visa")

    assert 0 == counter.reconcile(DUE + UNDER_WAY).payments
    assert 1 == counter.reconcile(DUE + UNDER_WAY + timedelta(seconds=1)).settled


def test_a_gateway_that_is_away_ends_the_run_and_the_next_one_looks_at_the_same(
    counter: Counter,
) -> None:
    unanswered(counter, "visa")
    counter.gateway.fail_next("payments_between", "before")

    with pytest.raises(Transient):
        counter.reconcile()
    reconciled = counter.reconcile(NIGHT + DAY)

    assert [None, NIGHT + DAY] == [run.ended_at for run in counter.runs()]
    assert 1 == reconciled.settled


def test_it_is_told_how_far_it_is(counter: Counter) -> None:
    unanswered(counter, "visa")
    counter.collected()
    told: list[int] = []

    counter.reconcile(progress=told.append)

    assert [2, 3] == told
