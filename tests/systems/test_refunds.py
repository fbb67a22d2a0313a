"""A charge is given back once at most; gateway, ledger and audit say the same (M4, M5)."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from domain.errors import Code, InvariantViolated, Rejected
from domain.payments import Refund, RefundState
from systems.audit import SYSTEM
from systems.db import Database
from systems.tables import AttemptRow, Base, LedgerAccount, LedgerKind, RefundRowState
from tests.fakes.gateway import When
from tests.systems.billing_shop import FEB_15, JAN_15, MAR_15, local, paused, use_card
from tests.systems.refund_shop import (
    OPERATOR,
    REASON,
    REFUNDED_AT,
    Answering,
    Charge,
    Failing,
    charged,
    stray_payment,
)

ROOT = Path(__file__).parents[2]
LOOKED_UP_AT = REFUNDED_AT + timedelta(minutes=5)
WRONG = [
    lambda refund: replace(refund, amount_minor=refund.amount_minor + 1),
    lambda refund: replace(refund, currency="EUR"),
    lambda refund: replace(refund, payment_id="pay_of_somebody_else"),
]


@pytest.fixture
def charge(sqlite_database: Database) -> Charge:
    return charged(sqlite_database)


# --- giving back ---------------------------------------------------------------------------------


def test_a_whole_charge_is_given_back_booked_and_audited(database: Database) -> None:
    charge = charged(database)

    refund = charge.refund()

    assert f"{charge.payment_id}:refund:1" == refund.key
    assert (RefundRowState.SUCCEEDED, 500) == (refund.state, refund.amount_minor)
    assert REFUNDED_AT == refund.answered_at
    assert [500] == charge.given_back()
    assert [(LedgerKind.REFUND, 500)] == charge.booked()
    assert 0 == charge.balance(LedgerAccount.GATEWAY)
    assert [("refund_requested", OPERATOR, REASON), ("refunded", OPERATOR, None)] == [
        (entry.what, entry.actor, entry.reason) for entry in charge.audited()
    ]
    assert [refund] == charge.refunds.views(charge.account_id)


def test_a_part_is_given_back_of_the_payment_that_is_named(charge: Charge) -> None:
    refund = charge.refund(199, charge=charge.payment_id, actor="dana")

    assert ("dana", 199) == (refund.actor, refund.amount_minor)
    assert [199] == charge.given_back()
    assert 301 == charge.balance(LedgerAccount.GATEWAY)


def test_the_reason_stands_in_the_audit_and_nowhere_else(charge: Charge) -> None:
    charge.refund()

    with charge.shop.database.transaction() as session:
        holding = {
            table.name
            for table in Base.metadata.tables.values()
            if REASON in str(session.execute(select(table)).all())
        }
    assert {"audit"} == holding


def test_a_repeat_answers_with_the_refund_as_it_stands(charge: Charge) -> None:
    first = charge.refund()

    again = charge.refund(at=REFUNDED_AT + timedelta(days=200), actor="dana", reason="again")

    assert first == again
    assert ["refund_payment"] == charge.calls
    assert 2 == len(charge.audited())


def test_five_at_once_give_back_once(database: Database) -> None:
    charge = charged(database)

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: charge.refund(), range(5)))

    assert 1 == len({answer.refund_id for answer in answers} - {None})
    assert [500] == charge.given_back()
    assert [(LedgerKind.REFUND, 500)] == charge.booked()


@pytest.mark.thorough
def test_five_processes_at_once_give_back_once(database: Database) -> None:
    charge = charged(database)

    url = charge.shop.database.engine.url.render_as_string(hide_password=False)
    about = [url, charge.account_id, JAN_15.isoformat(), REFUNDED_AT.isoformat()]

    done = subprocess.run(
        [sys.executable, "-m", "tests.systems.refund_processes", *about],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert 0 == done.returncode, done.stderr
    assert 5 == len(done.stdout.split())
    assert 1 == len(set(done.stdout.split()))
    assert [500] == charge.given_back()
    assert [(LedgerKind.REFUND, 500)] == charge.booked()


# --- refused -------------------------------------------------------------------------------------


def test_another_amount_is_refused_saying_what_was_refunded_when(charge: Charge) -> None:
    charge.refund(200)

    with pytest.raises(Rejected, match=r"\$2\.00 was refunded on 2026-01-20") as refusal:
        charge.refund()

    assert Code.VALIDATION_FAILED is refusal.value.code
    assert {"amount_minor": 200, "currency": "USD", "refunded_on": "2026-01-20"} == dict(
        refusal.value.figures
    )
    assert [200] == charge.given_back()


def test_another_amount_is_refused_while_the_first_is_not_answered(charge: Charge) -> None:
    charge.gateway.fail_next("refund_payment", "before")
    charge.refund(200)

    with pytest.raises(Rejected, match="asked for on 2026-01-20 and is not answered yet"):
        charge.refund(300)


@pytest.mark.parametrize("amount_minor", [501, 0, -1])
def test_no_more_than_the_charge_is_given_back_and_no_less_than_a_cent(
    charge: Charge, amount_minor: int
) -> None:
    with pytest.raises(Rejected, match=r"cannot be given back of a charge of \$5\.00"):
        charge.refund(amount_minor)

    assert [] == charge.calls
    assert [] == charge.refunds.views(charge.account_id)


def test_nothing_is_given_back_for_a_date_on_which_nothing_was_charged(charge: Charge) -> None:
    pause = paused(charge.shop, card_name="declined")
    pause.collect(JAN_15)
    use_card(charge.shop, pause.account_id, "times_out", at=local("2026-02-01 09:00"))
    pause.collect(FEB_15)
    here = replace(charge, account_id=pause.account_id)

    assert "it was declined" in refused(here, JAN_15)
    assert "nobody knows yet" in refused(here, FEB_15)
    assert "on no invoice" in refused(here, MAR_15)
    pause.restore(local("2026-03-01 09:00"))
    assert "moved to the plan's next invoice" in refused(here, JAN_15)


def test_a_payment_of_another_account_is_none_of_this_one(charge: Charge) -> None:
    other = charged(charge.shop.database)

    assert "no charge by such a payment" in refused(charge, other.payment_id)
    assert other.payment_id not in refused(charge, other.payment_id)


@pytest.mark.parametrize(
    ("actor", "reason", "said"),
    [
        (OPERATOR, "  ", "1 to 1000 characters"),
        (OPERATOR, "x" * 1001, "1 to 1000 characters"),
        (OPERATOR, "the card was 4242 4242 4242 4242", "looks like a card number"),
        ("", REASON, "1 to 255 characters"),
        ("4242-4242-4242-4242", REASON, "looks like a card number"),
    ],
)
def test_words_that_the_audit_cannot_keep_are_refused(
    charge: Charge, actor: str, reason: str, said: str
) -> None:
    with pytest.raises(Rejected, match=said) as refusal:
        charge.refund(actor=actor, reason=reason)

    assert "4242" not in refusal.value.message
    assert [] == charge.audited()


def test_an_unknown_account_has_no_charges(charge: Charge) -> None:
    nobody = replace(charge, account_id="ACC" + "0" * 32)

    with pytest.raises(Rejected) as refusal:
        nobody.refund()

    assert Code.ACCOUNT_NOT_FOUND is refusal.value.code


# --- no clear answer -----------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_without_an_answer_it_stays_reserved_and_the_job_looks_it_up(
    charge: Charge, when: When
) -> None:
    charge.gateway.fail_next("refund_payment", when)

    asked = charge.refund(200)
    too_early = charge.refunds.settle_pending(LOOKED_UP_AT - timedelta(seconds=1))
    settled = charge.refunds.settle_pending(LOOKED_UP_AT)

    assert (RefundRowState.RESERVED, LOOKED_UP_AT) == (asked.state, asked.look_up_at)
    assert (0, 1) == (too_early, settled)
    assert [200] == charge.given_back()
    assert [(LedgerKind.REFUND, 200)] == charge.booked()
    assert ["refund_payment", "find_refund"] == charge.calls[:2]
    assert 0 == charge.refunds.settle_pending(LOOKED_UP_AT + timedelta(days=9))


def test_a_repeat_after_a_lost_answer_finds_the_refund(database: Database) -> None:
    charge = charged(database)

    charge.gateway.fail_next("refund_payment", "after")
    charge.refund()

    answer = charge.refund()

    assert RefundRowState.SUCCEEDED is answer.state
    assert ["refund_payment", "find_refund"] == charge.calls
    assert [500] == charge.given_back()


def test_a_gateway_that_stays_away_is_asked_ever_more_seldom(charge: Charge) -> None:
    charge.gateway.fail_next("refund_payment", "before")
    charge.gateway.fail_next("find_refund", "before", times=3)
    charge.refund()

    look_ups = []
    for _ in range(3):
        [view] = charge.refunds.views(charge.account_id)
        assert view.look_up_at is not None
        look_ups.append(view.look_up_at - REFUNDED_AT)
        assert 0 == charge.refunds.settle_pending(view.look_up_at)

    assert [timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)] == look_ups


def test_a_refund_that_takes_days_is_looked_up_by_its_own_id(sqlite_database: Database) -> None:
    charge = charged(sqlite_database, "processing")

    asked = charge.refund()
    settled = [
        charge.refunds.settle_pending(REFUNDED_AT + timedelta(days=day)) for day in range(1, 5)
    ]

    assert RefundRowState.RESERVED is asked.state
    assert asked.refund_id is not None
    assert [0, 0, 1, 0] == settled
    assert ["refund_payment", "get_refund", "get_refund", "get_refund"] == charge.calls
    assert [(LedgerKind.REFUND, 500)] == charge.booked()


def test_the_job_goes_by_the_clock_of_an_account_whose_pause_was_moved_ahead(
    charge: Charge,
) -> None:
    charge.shop.change_act(charge.pause, clock_ahead_seconds=30 * 24 * 3600)
    charge.gateway.fail_next("refund_payment", "before")
    charge.refund(at=REFUNDED_AT + timedelta(days=30))

    settled = charge.refunds.settle_pending(LOOKED_UP_AT)

    assert 1 == settled
    assert REFUNDED_AT + timedelta(days=30, minutes=5) == charge.ledger()[-1].at


# --- failed --------------------------------------------------------------------------------------


def test_a_refund_that_failed_gave_nothing_and_may_be_asked_for_again(charge: Charge) -> None:
    failing = Failing(charge.gateway)
    there = charge.at(failing)

    failed = there.refund()
    failing.is_failing = False
    again = there.refund(200)

    assert (RefundRowState.FAILED, None) == (failed.state, failed.look_up_at)
    assert [f"{charge.payment_id}:refund:{number}" for number in (1, 2)] == [failed.key, again.key]
    assert RefundRowState.SUCCEEDED is again.state
    assert [(LedgerKind.REFUND, 200)] == charge.booked()
    assert ["refund_requested", "refund_failed", "refund_requested", "refunded"] == [
        entry.what for entry in charge.audited()
    ]


def test_what_the_gateway_refuses_has_failed(charge: Charge) -> None:
    charge.record.refund_payment("by hand", charge.payment_id, 400)

    refused = charge.refund(200)

    assert RefundRowState.FAILED is refused.state
    assert [400] == charge.given_back()
    assert [] == charge.booked()


def test_a_booked_refund_that_fails_later_is_reversed_once(database: Database) -> None:
    charge = charged(database)

    refund = charge.refund()
    assert refund.refund_id is not None

    for day in (1, 2):
        charge.refunds.reverse(refund.refund_id, REFUNDED_AT + timedelta(days=day))

    assert [(LedgerKind.REFUND, 500), (LedgerKind.REVERSAL, 500)] == charge.booked()
    assert 500 == charge.balance(LedgerAccount.GATEWAY)
    assert RefundRowState.FAILED is charge.refunds.views(charge.account_id)[0].state
    assert ["refund_requested", "refunded", "refund_reversed"] == [
        entry.what for entry in charge.audited()
    ]


def test_after_a_reversal_there_is_room_for_another(charge: Charge) -> None:
    first = charge.refund(200)
    assert first.refund_id is not None
    charge.refunds.reverse(first.refund_id, REFUNDED_AT)

    second = charge.refund(300)

    assert f"{charge.payment_id}:refund:2" == second.key
    assert 200 == charge.balance(LedgerAccount.GATEWAY)


def test_what_was_never_refunded_cannot_be_reversed(charge: Charge) -> None:
    with pytest.raises(InvariantViolated, match="ref_never"):
        charge.refunds.reverse("ref_never", REFUNDED_AT)


@pytest.mark.parametrize("has_failed", [True, False])
def test_news_of_a_booked_refund_is_looked_up_by_the_job(charge: Charge, has_failed: bool) -> None:
    charge.refund()
    state = RefundState.FAILED if has_failed else RefundState.SUCCEEDED
    there = charge.at(Answering(charge.gateway, lambda refund: replace(refund, state=state)))
    charge.change_refund(look_up_at=LOOKED_UP_AT)

    told = [there.refunds.settle_pending(LOOKED_UP_AT) for _ in range(2)]

    assert [int(has_failed), 0] == told
    assert (500 if has_failed else 0) == charge.balance(LedgerAccount.GATEWAY)
    assert ["refund_payment", "get_refund"] == charge.calls


# --- what is not ours ----------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", WRONG, ids=["amount", "currency", "payment"])
def test_a_refund_that_is_not_what_was_asked_for_is_held_until_an_operator_has_looked(
    charge: Charge, wrong: Callable[[Refund], Refund]
) -> None:
    answering = Answering(charge.gateway, wrong)
    there = charge.at(answering)

    with pytest.raises(InvariantViolated, match="compare both records"):
        there.refund()
    asked = list(charge.calls)
    looked_up = there.refunds.settle_pending(REFUNDED_AT + timedelta(days=9))

    [held] = charge.refunds.views(charge.account_id)
    assert (RefundRowState.RESERVED, None) == (held.state, held.look_up_at)
    assert (0, asked) == (looked_up, charge.calls)
    assert [] == charge.booked()
    assert "refund_held" == charge.audited()[-1].what

    answering.change = lambda refund: refund
    assert RefundRowState.SUCCEEDED is there.refund().state
    assert ["refund_payment", "get_refund"] == charge.calls, "no other is made beside it"


def test_one_that_is_held_holds_up_no_others(charge: Charge) -> None:
    other = charged(charge.shop.database)
    for each in (charge, other):
        gateway = each.gateway
        gateway.fail_next("refund_payment", "after")
        each.refund()
    mine = charge.payment_id
    there = charge.at(
        Answering(
            charge.gateway,
            lambda refund: WRONG[0](refund) if refund.payment_id == mine else refund,
        )
    )

    settled = there.refunds.settle_pending(LOOKED_UP_AT)

    assert 1 == settled
    assert [(LedgerKind.REFUND, 500)] == other.booked()
    assert [] == charge.booked()


def test_a_charge_of_another_gateway_is_not_refunded_at_this_one(charge: Charge) -> None:
    with charge.shop.database.transaction() as session:
        session.execute(update(AttemptRow).values(gateway="stripe-test"))

    with pytest.raises(InvariantViolated, match="stripe-test"):
        charge.refund()

    assert [] == charge.calls
    assert [] == charge.refunds.views(charge.account_id)


def test_a_refund_of_another_gateway_is_left_to_who_has_its_key(charge: Charge) -> None:
    charge.gateway.fail_next("refund_payment", "before")
    charge.refund()
    charge.change_refund(gateway="stripe-test")
    asked = list(charge.calls)

    with pytest.raises(InvariantViolated, match="stripe-test"):
        charge.refund()
    settled = charge.refunds.settle_pending(LOOKED_UP_AT)

    [view] = charge.refunds.views(charge.account_id)
    assert (0, asked) == (settled, charge.calls)
    assert LOOKED_UP_AT == view.look_up_at, "the worker with the right key still looks it up"


# --- what the reconciliation finds ---------------------------------------------------------------


def test_a_stray_payment_is_booked_and_given_back_once(database: Database) -> None:
    charge = charged(database)

    stray = stray_payment(charge)

    first, again = (
        charge.refunds.refund_stray(charge.account_id, stray, REFUNDED_AT) for _ in range(2)
    )

    assert first == again
    assert (SYSTEM, None, 500) == (first.actor, first.invoice_id, first.amount_minor)
    assert [500] == charge.given_back()
    assert [LedgerKind.STRAY_CHARGE, LedgerKind.STRAY_REFUND] == [
        entry.kind for entry in charge.ledger() if entry.payment_id == stray.payment_id
    ]
    assert 0 == charge.balance(LedgerAccount.UNALLOCATED)


def test_a_stray_payment_may_be_given_back_in_part_by_an_operator(charge: Charge) -> None:
    stray = stray_payment(charge)
    there = charge.at(Failing(charge.gateway))
    there.refunds.refund_stray(charge.account_id, stray, REFUNDED_AT)

    part = charge.refund(200, charge=stray.payment_id)
    by_the_system = charge.refunds.refund_stray(charge.account_id, stray, REFUNDED_AT)

    assert part == by_the_system
    assert [200] == charge.given_back()
    assert -300 == charge.balance(LedgerAccount.UNALLOCATED)


def test_a_payment_of_ours_is_never_a_stray_one(charge: Charge) -> None:
    ours = charge.record.get_payment(charge.payment_id)

    with pytest.raises(InvariantViolated, match="belongs to no invoice"):
        charge.refunds.refund_stray(charge.account_id, ours, REFUNDED_AT)

    assert [] == charge.given_back()


def test_a_payment_that_moved_no_money_is_not_given_back(charge: Charge) -> None:
    declined = stray_payment(charge, card_name="declined")

    with pytest.raises(InvariantViolated, match="declined"):
        charge.refunds.refund_stray(charge.account_id, declined, REFUNDED_AT)


def test_a_refund_that_somebody_made_at_the_gateway_is_booked_once(database: Database) -> None:
    charge = charged(database)

    by_hand = charge.record.refund_payment("by hand", charge.payment_id, 150)

    for _ in range(2):
        charge.refunds.record_foreign(charge.account_id, by_hand, REFUNDED_AT)

    [view] = charge.refunds.views(charge.account_id)
    assert ("gateway", RefundRowState.SUCCEEDED, 150) == (view.actor, view.state, view.amount_minor)
    assert [(LedgerKind.REFUND, 150)] == charge.booked()
    assert [("refunded", SYSTEM)] == [(it.what, it.actor) for it in charge.audited()]
    assert view == charge.refund(150), "an operator who asks for the same is told of it"
    with pytest.raises(Rejected, match=r"\$1\.50 was refunded"):
        charge.refund()


def test_a_refund_of_ours_whose_answer_was_lost_is_settled_not_booked_beside(
    charge: Charge,
) -> None:
    charge.gateway.fail_next("refund_payment", "after")
    charge.refund(200)
    [made] = charge.record.refunds(charge.account_id)

    charge.refunds.record_foreign(charge.account_id, made, REFUNDED_AT)

    [view] = charge.refunds.views(charge.account_id)
    assert (OPERATOR, made.refund_id) == (view.actor, view.refund_id)
    assert [(LedgerKind.REFUND, 200)] == charge.booked()
    assert 0 == charge.refunds.settle_pending(LOOKED_UP_AT)


def test_a_foreign_refund_is_booked_only_of_a_charge_that_the_ledger_shows(
    charge: Charge,
) -> None:
    stray = stray_payment(charge)
    by_hand = charge.record.refund_payment("by hand", stray.payment_id, 100)

    with pytest.raises(InvariantViolated, match="settle the payment first"):
        charge.refunds.record_foreign(charge.account_id, by_hand, REFUNDED_AT)


@pytest.mark.parametrize("state", [RefundState.PENDING, RefundState.FAILED])
def test_a_foreign_refund_that_gave_nothing_is_not_booked(
    charge: Charge, state: RefundState
) -> None:
    made = charge.record.refund_payment("by hand", charge.payment_id, 100)

    with pytest.raises(InvariantViolated, match=state):
        charge.refunds.record_foreign(charge.account_id, replace(made, state=state), REFUNDED_AT)


def test_a_refund_of_ours_is_nobody_elses(charge: Charge) -> None:
    charge.refund()
    other = charged(charge.shop.database)
    [ours] = charge.record.refunds(charge.account_id)

    with pytest.raises(InvariantViolated, match="belongs to account"):
        other.refunds.record_foreign(other.account_id, ours, REFUNDED_AT)


def refused(charge: Charge, which: date | str) -> str:
    """Why that charge is not given back."""
    with pytest.raises(Rejected) as refusal:
        charge.refund(charge=which)
    assert Code.VALIDATION_FAILED is refusal.value.code
    return refusal.value.message
