"""How both records of the money may differ: each difference by its one name, and none invented."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.differences import (
    AtGateway,
    Attempt,
    Difference,
    DifferenceKind,
    OnRecord,
    OurRefund,
    Remedy,
    Verdict,
)
from domain.errors import Code, Rejected
from domain.payments import Payment, PaymentState, Refund, RefundState
from domain.reconciling import (
    FIRST_GOES_BACK,
    OVERLAP,
    UNDER_WAY,
    UNKNOWN_FOR,
    Finished,
    Window,
    carries_our_names,
    is_made_by,
    payment_differences,
    refund_differences,
    window_of,
)
from domain.states import ChargeState

NOW = datetime(2026, 3, 10, 3, tzinfo=UTC)
DAY = timedelta(days=1)
JAN_15 = date(2026, 1, 15)

ATTEMPT = Attempt(
    key="PAU1:2026-01-15:1",
    invoice_id="INV1",
    account_id="ACC1",
    billing_on=JAN_15,
    amount_minor=500,
    currency="USD",
    verdict=Verdict.PAID,
    charge=ChargeState.PAID,
    gateway="sandbox",
    payment_id="pay_1",
    customer_id="cus_1",
)
PAYMENT = Payment(
    payment_id="pay_1",
    account_id="ACC1",
    amount_minor=500,
    currency="USD",
    state=PaymentState.SUCCEEDED,
    key="PAU1:2026-01-15:1",
    billing_on=JAN_15,
    customer_id="cus_1",
    created_at=NOW - DAY,
)
STRAY = replace(PAYMENT, payment_id="pay_2", key="PAU1:2026-01-15:1:again")
OURS = OurRefund("pay_1:refund:1", "ACC1", "pay_1", 500, "USD", RefundState.SUCCEEDED, "re_1")
THEIRS = Refund("re_1", "pay_1", 500, "USD", RefundState.SUCCEEDED, "pay_1:refund:1", NOW - DAY)

SETTLE, REFUND, REPORT = Remedy.SETTLE, Remedy.REFUND, Remedy.REPORT

Found = list[tuple[DifferenceKind, Remedy]]


def found(ours: OnRecord, theirs: AtGateway) -> Found:
    """What is found, in short."""
    return short(payment_differences(ours, theirs, NOW))


def short(differences: list[Difference]) -> Found:
    return [(each.kind, each.remedy) for each in differences]


def compared(attempt: Attempt | None, payment: Payment | None) -> Found:
    return found(OnRecord(attempt, "ACC1"), AtGateway(payment))


def attempt(verdict: Verdict, charge: ChargeState, **changes: Any) -> Attempt:
    return replace(ATTEMPT, verdict=verdict, charge=charge, **changes)


def payment(state: PaymentState, **changes: Any) -> Payment:
    return replace(PAYMENT, state=state, **changes)


# --- equal records -------------------------------------------------------------------------------

# What each verdict may find at the gateway without any difference.
EQUAL = {
    Verdict.UNANSWERED: {PaymentState.CREATED, PaymentState.PROCESSING},
    Verdict.PAID: {PaymentState.SUCCEEDED},
    Verdict.DECLINED: {PaymentState.DECLINED},
}

amounts = st.integers(min_value=1, max_value=10_000_000)
words = st.text("abcdefghij", min_size=1, max_size=8)
dates = st.dates(date(2024, 1, 1), date(2030, 12, 31))


@st.composite
def equal_records(draw: st.DrawFn) -> tuple[Attempt, Payment]:
    """One payment as both sides have it."""
    verdict = draw(st.sampled_from(list(Verdict)))
    state = draw(st.sampled_from(sorted(EQUAL[verdict])))
    key, account_id, customer_id = draw(words), draw(words), draw(st.none() | words)
    amount_minor, billing_on = draw(amounts), draw(dates)
    ours = replace(
        ATTEMPT,
        key=key,
        account_id=account_id,
        billing_on=billing_on,
        amount_minor=amount_minor,
        verdict=verdict,
        charge=draw(st.sampled_from(list(ChargeState))),
        payment_id=draw(words),
        customer_id=customer_id,
    )
    theirs = Payment(
        payment_id=ours.payment_id or "",
        account_id=account_id,
        amount_minor=amount_minor,
        currency="USD",
        state=state,
        key=key,
        # Payments of long ago carry no date.
        billing_on=draw(st.sampled_from([billing_on, None])),
        customer_id=customer_id,
    )
    return ours, theirs


@given(equal_records())
def test_between_equal_records_nothing_is_found(records: tuple[Attempt, Payment]) -> None:
    ours, theirs = records

    assert [] == compared(ours, theirs)


@given(equal_records(), st.integers(min_value=1, max_value=4))
def test_a_difference_that_is_planted_is_found_once_by_its_name(
    records: tuple[Attempt, Payment], more: int
) -> None:
    ours, theirs = records
    planted = {
        DifferenceKind.AMOUNT: replace(theirs, amount_minor=theirs.amount_minor + more),
        DifferenceKind.OWNER: replace(theirs, account_id=theirs.account_id + "x" * more),
        DifferenceKind.MISSING_THERE: None,
    }

    for kind, payment_there in planted.items():
        assert [(kind, REPORT)] == compared(ours, payment_there)


# --- outcomes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "charge", "state"),
    list(product(Verdict, ChargeState, PaymentState)),
    ids=lambda value: str(value),
)
def test_every_pair_of_outcomes_is_equal_or_named_once(
    verdict: Verdict, charge: ChargeState, state: PaymentState
) -> None:
    differences = compared(attempt(verdict, charge), payment(state))

    if state in EQUAL[verdict]:
        assert [] == differences
    else:
        [(kind, remedy)] = differences
        assert kind in {DifferenceKind.STATE, DifferenceKind.DUPLICATE_DATE}
        assert remedy in {SETTLE, REPORT}


@pytest.mark.parametrize("state", [PaymentState.SUCCEEDED, PaymentState.DECLINED])
@pytest.mark.parametrize("charge", [ChargeState.COLLECTING, ChargeState.UNKNOWN])
def test_what_is_unanswered_here_and_answered_there_is_settled(
    charge: ChargeState, state: PaymentState
) -> None:
    ours = attempt(Verdict.UNANSWERED, charge)

    assert [(DifferenceKind.STATE, SETTLE)] == compared(ours, payment(state))


def test_it_is_settled_too_while_only_our_key_leads_to_it() -> None:
    ours = attempt(Verdict.UNANSWERED, ChargeState.UNKNOWN, payment_id=None)

    assert [(DifferenceKind.STATE, SETTLE)] == compared(ours, PAYMENT)


def test_a_decline_that_was_paid_is_settled_while_its_invoice_is_unpaid() -> None:
    ours = attempt(Verdict.DECLINED, ChargeState.DECLINED)

    assert [(DifferenceKind.STATE, SETTLE)] == compared(ours, PAYMENT)


@pytest.mark.parametrize(
    "charge",
    [
        ChargeState.MOVED,
        ChargeState.WRITTEN_OFF,
        # Another attempt is under way.
        ChargeState.COLLECTING,
        ChargeState.UNKNOWN,
    ],
)
def test_a_decline_that_was_paid_is_reported_where_settling_it_could_do_harm(
    charge: ChargeState,
) -> None:
    ours = attempt(Verdict.DECLINED, charge)

    assert [(DifferenceKind.STATE, REPORT)] == compared(ours, PAYMENT)


def test_a_decline_that_was_paid_beside_another_attempt_has_paid_the_date_twice() -> None:
    ours = attempt(Verdict.DECLINED, ChargeState.PAID)

    assert [(DifferenceKind.DUPLICATE_DATE, REPORT)] == compared(ours, PAYMENT)


@pytest.mark.parametrize(
    "state", [PaymentState.CREATED, PaymentState.PROCESSING, PaymentState.DECLINED]
)
def test_what_is_paid_here_and_not_there_is_reported(state: PaymentState) -> None:
    assert [(DifferenceKind.STATE, REPORT)] == compared(ATTEMPT, payment(state))


def test_a_payment_left_over_from_a_card_that_was_removed_is_no_difference() -> None:
    ours = attempt(Verdict.DECLINED, ChargeState.DECLINED, payment_id=None)

    assert [] == compared(ours, payment(PaymentState.CREATED))


# --- amount and owner ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"amount_minor": 501}, DifferenceKind.AMOUNT),
        ({"currency": "EUR"}, DifferenceKind.AMOUNT),
        ({"account_id": "ACC2"}, DifferenceKind.OWNER),
        ({"account_id": ""}, DifferenceKind.OWNER),
        ({"key": None}, DifferenceKind.OWNER),
        ({"key": "another"}, DifferenceKind.OWNER),
        ({"customer_id": "cus_2"}, DifferenceKind.OWNER),
        ({"customer_id": None}, DifferenceKind.OWNER),
        ({"billing_on": date(2026, 2, 15)}, DifferenceKind.OWNER),
    ],
)
def test_another_amount_or_owner_is_reported(change: dict[str, Any], kind: DifferenceKind) -> None:
    assert [(kind, REPORT)] == compared(ATTEMPT, replace(PAYMENT, **change))


def test_a_side_that_does_not_say_contradicts_nobody() -> None:
    ours = replace(ATTEMPT, customer_id=None)

    assert [] == compared(ours, PAYMENT)
    assert [] == compared(ATTEMPT, replace(PAYMENT, billing_on=None))


def test_what_is_not_what_was_ordered_is_never_settled_by_itself() -> None:
    unanswered = attempt(Verdict.UNANSWERED, ChargeState.UNKNOWN)
    declined = attempt(Verdict.DECLINED, ChargeState.DECLINED)

    for ours in (unanswered, declined):
        for theirs in (replace(PAYMENT, amount_minor=1), replace(PAYMENT, account_id="ACC2")):
            assert {REPORT} == {remedy for _, remedy in compared(ours, theirs)}


# --- missing on one side -------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", Verdict)
def test_an_attempt_whose_payment_is_not_there_is_reported(verdict: Verdict) -> None:
    ours = attempt(verdict, ChargeState.UNKNOWN)

    assert [(DifferenceKind.MISSING_THERE, REPORT)] == compared(ours, None)


def test_an_attempt_that_never_got_as_far_as_a_payment_misses_none() -> None:
    ours = attempt(Verdict.UNANSWERED, ChargeState.COLLECTING, payment_id=None)

    assert [] == compared(ours, None)


def test_where_neither_side_has_anything_there_is_nothing() -> None:
    assert [] == compared(None, None)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (PaymentState.SUCCEEDED, [(DifferenceKind.MISSING_HERE, REPORT)]),
        # The money may be on its way.
        (PaymentState.PROCESSING, [(DifferenceKind.MISSING_HERE, REPORT)]),
        (PaymentState.CREATED, []),
        (PaymentState.DECLINED, []),
    ],
)
def test_a_payment_that_nobody_here_asked_for_counts_if_it_moves_money(
    state: PaymentState, expected: Found
) -> None:
    assert expected == compared(None, replace(STRAY, state=state))


# --- a date paid twice ---------------------------------------------------------------------------

TWICE = OnRecord(None, "ACC1", paid_by=ATTEMPT)
PROVEN = AtGateway(STRAY, other=PAYMENT)


def test_a_proven_duplicate_is_given_back() -> None:
    assert [(DifferenceKind.DUPLICATE_DATE, REFUND)] == found(TWICE, PROVEN)


@pytest.mark.parametrize(
    "change",
    [
        lambda ours, theirs: (ours, replace(theirs, other=None)),
        lambda ours, theirs: (ours, _with_payment(theirs, amount_minor=501)),
        lambda ours, theirs: (ours, _with_payment(theirs, currency="EUR")),
        lambda ours, theirs: (ours, _with_payment(theirs, account_id="ACC2")),
        lambda ours, theirs: (ours, _with_payment(theirs, billing_on=date(2026, 2, 15))),
        lambda ours, theirs: (ours, _with_payment(theirs, key=None)),
        lambda ours, theirs: (ours, _with_other(theirs, state=PaymentState.DECLINED)),
        lambda ours, theirs: (ours, _with_other(theirs, amount_minor=501)),
        lambda ours, theirs: (ours, _with_other(theirs, payment_id="pay_3")),
        lambda ours, theirs: (ours, replace(theirs, other=theirs.payment)),
        lambda ours, theirs: (ours, replace(theirs, refunds=(THEIRS,))),
        lambda ours, theirs: (ours, replace(theirs, refunds=(_pending(THEIRS),))),
        lambda ours, theirs: (replace(ours, refunds=(OURS,)), theirs),
        # Given back from here before, in vain: not every night again.
        lambda ours, theirs: (replace(ours, refunds=(_failed(OURS),)), theirs),
    ],
)
def test_a_duplicate_that_is_not_proven_in_full_is_reported(
    change: Callable[[OnRecord, AtGateway], tuple[OnRecord, AtGateway]],
) -> None:
    assert [(DifferenceKind.DUPLICATE_DATE, REPORT)] == found(*change(TWICE, PROVEN))


def test_a_refund_by_somebody_else_that_has_failed_disproves_nothing() -> None:
    failed = replace(THEIRS, state=RefundState.FAILED)

    assert [(DifferenceKind.DUPLICATE_DATE, REFUND)] == found(
        TWICE, replace(PROVEN, refunds=(failed,))
    )


def test_while_the_second_payment_is_on_its_way_it_is_only_missing_here() -> None:
    theirs = _with_payment(PROVEN, state=PaymentState.PROCESSING)

    assert [(DifferenceKind.MISSING_HERE, REPORT)] == found(TWICE, theirs)


@pytest.mark.parametrize("paid_by", [None, ATTEMPT])
def test_what_was_given_back_from_here_is_no_difference(paid_by: Attempt | None) -> None:
    given_back = replace(OURS, payment_id="pay_2")

    assert [] == found(OnRecord(None, "ACC1", paid_by, (given_back,)), PROVEN)


def test_what_was_given_back_in_part_still_is_one() -> None:
    part = replace(OURS, payment_id="pay_2", amount_minor=499)

    assert [(DifferenceKind.MISSING_HERE, REPORT)] == found(
        OnRecord(None, "ACC1", None, (part,)), AtGateway(STRAY)
    )


def _with_payment(theirs: AtGateway, **changes: Any) -> AtGateway:
    assert theirs.payment is not None
    return replace(theirs, payment=replace(theirs.payment, **changes))


def _with_other(theirs: AtGateway, **changes: Any) -> AtGateway:
    assert theirs.other is not None
    return replace(theirs, other=replace(theirs.other, **changes))


def _pending(refund: Refund) -> Refund:
    return replace(refund, state=RefundState.PENDING)


def _failed(refund: OurRefund) -> OurRefund:
    return replace(refund, payment_id="pay_2", state=RefundState.FAILED)


# --- unknown for days ----------------------------------------------------------------------------


@pytest.mark.parametrize("payment_id", ["pay_1", None])
@pytest.mark.parametrize(
    ("unknown_for", "expected"),
    [
        (UNKNOWN_FOR, []),
        (UNKNOWN_FOR + timedelta(seconds=1), [(DifferenceKind.UNKNOWN, REPORT)]),
    ],
)
def test_a_charge_that_nobody_knows_about_for_more_than_three_days_is_reported(
    unknown_for: timedelta, expected: Found, payment_id: str | None
) -> None:
    ours = attempt(
        Verdict.UNANSWERED,
        ChargeState.UNKNOWN,
        payment_id=payment_id,
        unknown_since=NOW - unknown_for,
    )

    assert expected == compared(ours, payment(PaymentState.PROCESSING) if payment_id else None)


@pytest.mark.parametrize("state", [PaymentState.SUCCEEDED, PaymentState.DECLINED])
def test_once_the_gateway_knows_it_is_unknown_no_more(state: PaymentState) -> None:
    ours = attempt(Verdict.UNANSWERED, ChargeState.UNKNOWN, unknown_since=NOW - 9 * DAY)

    assert [(DifferenceKind.STATE, SETTLE)] == compared(ours, payment(state))


def test_where_the_payment_is_gone_that_is_what_is_told() -> None:
    ours = attempt(Verdict.UNANSWERED, ChargeState.UNKNOWN, unknown_since=NOW - 9 * DAY)

    assert [(DifferenceKind.MISSING_THERE, REPORT)] == compared(ours, None)


# --- refunds -------------------------------------------------------------------------------------

# Ours is pending, or theirs failed: the gateway has news, and our way of taking it.
NEWS = {
    (RefundState.PENDING, RefundState.SUCCEEDED),
    (RefundState.PENDING, RefundState.FAILED),
    (RefundState.SUCCEEDED, RefundState.FAILED),
}


@pytest.mark.parametrize(("here", "there"), list(product(RefundState, RefundState)))
def test_every_pair_of_refund_states_is_equal_settled_or_reported(
    here: RefundState, there: RefundState
) -> None:
    ours, theirs = replace(OURS, state=here), replace(THEIRS, state=there)

    if here is there:
        expected: Found = []
    else:
        expected = [(DifferenceKind.STATE, SETTLE if (here, there) in NEWS else REPORT)]
    assert expected == short(refund_differences(ours, theirs, "ACC1"))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (RefundState.SUCCEEDED, [(DifferenceKind.MISSING_HERE, SETTLE)]),
        (RefundState.PENDING, []),
        (RefundState.FAILED, []),
    ],
)
def test_a_refund_made_elsewhere_is_recorded_once_it_has_succeeded(
    state: RefundState, expected: Found
) -> None:
    assert expected == short(refund_differences(None, replace(THEIRS, state=state), "ACC1"))


@pytest.mark.parametrize("state", RefundState)
def test_a_refund_that_is_not_there_is_reported(state: RefundState) -> None:
    ours = replace(OURS, state=state)

    assert [(DifferenceKind.MISSING_THERE, REPORT)] == short(refund_differences(ours, None, "ACC1"))


def test_a_refund_that_the_gateway_has_never_answered_misses_none() -> None:
    ours = replace(OURS, state=RefundState.PENDING, refund_id=None)

    assert [] == refund_differences(ours, None, "ACC1")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"amount_minor": 499}, DifferenceKind.AMOUNT),
        ({"currency": "EUR"}, DifferenceKind.AMOUNT),
        ({"payment_id": "pay_9"}, DifferenceKind.OWNER),
    ],
)
def test_another_amount_or_payment_of_a_refund_is_reported_and_nothing_settled(
    change: dict[str, Any], kind: DifferenceKind
) -> None:
    theirs = replace(THEIRS, **change)
    pending = replace(OURS, state=RefundState.PENDING)

    assert [(kind, REPORT)] == short(refund_differences(OURS, theirs, "ACC1"))
    assert [(kind, REPORT), (DifferenceKind.STATE, REPORT)] == short(
        refund_differences(pending, theirs, "ACC1")
    )


@pytest.mark.parametrize("key", [None, "of another product"])
def test_a_refund_made_elsewhere_has_no_key_of_ours(key: str | None) -> None:
    assert [] == refund_differences(OURS, replace(THEIRS, key=key), "ACC1")


# --- what a difference says ----------------------------------------------------------------------


def test_a_difference_leads_to_both_records() -> None:
    [difference] = payment_differences(
        OnRecord(ATTEMPT), AtGateway(replace(PAYMENT, amount_minor=700)), NOW
    )

    assert ("pay_1", "pay_1", ATTEMPT.key) == (
        difference.object_id,
        difference.payment_id,
        difference.key,
    )
    assert difference.account_id == "ACC1"
    assert difference.here is not None
    assert difference.there is not None
    assert (500, 700) == (difference.here.amount_minor, difference.there.amount_minor)


def test_what_has_no_payment_yet_goes_by_our_key() -> None:
    ours = attempt(
        Verdict.UNANSWERED, ChargeState.UNKNOWN, payment_id=None, unknown_since=NOW - 9 * DAY
    )

    [difference] = payment_differences(OnRecord(ours), AtGateway(None), NOW)

    assert ATTEMPT.key == difference.object_id
    assert difference.payment_id is None


def test_a_duplicate_names_the_payment_that_had_paid_the_date() -> None:
    [difference] = payment_differences(TWICE, PROVEN, NOW)

    assert ("pay_2", "pay_1") == (difference.object_id, difference.other_id)


# --- whose payment it is -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account_id", "key", "expected"),
    [("ACC1", "k", True), ("", "k", False), ("ACC1", None, False), ("", None, False)],
)
def test_a_payment_is_ours_by_both_names(account_id: str, key: str | None, expected: bool) -> None:
    assert carries_our_names(replace(PAYMENT, account_id=account_id, key=key)) is expected


def test_our_key_leads_to_a_payment_only_until_an_id_is_on_record() -> None:
    without_id = replace(ATTEMPT, payment_id=None)
    same_key = replace(PAYMENT, payment_id="pay_9")

    assert is_made_by(without_id, same_key)
    assert not is_made_by(ATTEMPT, same_key)


# --- windows -------------------------------------------------------------------------------------


def finished(since: datetime, until: datetime, began_at: datetime | None = None) -> Finished:
    return Finished(Window(since, until), began_at or until + UNDER_WAY)


def test_the_first_run_looks_back_further_than_any_billing_date() -> None:
    # --[================)-  until a quarter of an hour ago
    assert Window(NOW - FIRST_GOES_BACK, NOW - UNDER_WAY) == window_of([], NOW)
    assert FIRST_GOES_BACK > 31 * DAY


def test_a_run_goes_on_where_the_last_one_has_come_to_and_looks_back_a_little() -> None:
    # --[======)---------
    # -----[===|=======)-
    last = finished(NOW - 40 * DAY, NOW - DAY)

    assert Window(NOW - DAY - OVERLAP, NOW - UNDER_WAY) == window_of([last], NOW)


def test_after_an_outage_everything_since_is_looked_at() -> None:
    last = finished(NOW - 200 * DAY, NOW - 90 * DAY)

    assert NOW - 90 * DAY - OVERLAP == window_of([last], NOW).since


def test_an_operators_look_at_another_time_leaves_no_gap_behind() -> None:
    # --[====)-----------  daily
    # -----------[=)-----  an operator's
    # ----[==|=========)-  the next one
    daily = finished(NOW - 60 * DAY, NOW - 20 * DAY)
    later = finished(NOW - 10 * DAY, NOW - 9 * DAY, NOW - 2 * DAY)
    earlier = finished(NOW - 300 * DAY, NOW - 290 * DAY, NOW - DAY)

    assert NOW - 20 * DAY - OVERLAP == window_of([earlier, later, daily], NOW).since


def test_an_operators_run_that_goes_on_covers_its_time() -> None:
    daily = finished(NOW - 60 * DAY, NOW - 20 * DAY)
    by_hand = finished(NOW - 21 * DAY, NOW - 5 * DAY, NOW - 2 * DAY)

    assert NOW - 5 * DAY - OVERLAP == window_of([daily, by_hand], NOW).since


def test_an_old_month_looked_at_before_anything_else_does_not_make_the_next_run_long() -> None:
    by_hand = finished(NOW - 300 * DAY, NOW - 270 * DAY, NOW - DAY)

    assert NOW - DAY - FIRST_GOES_BACK - OVERLAP == window_of([by_hand], NOW).since


def test_what_lies_in_the_future_of_a_run_is_not_covered_by_it() -> None:
    until_tonight = finished(NOW - 40 * DAY, NOW + DAY, began_at=NOW - DAY)

    assert NOW - DAY - UNDER_WAY - OVERLAP == window_of([until_tonight], NOW).since


def test_an_operator_may_choose_both_ends() -> None:
    since, until = NOW - 9 * DAY, NOW - 8 * DAY

    assert Window(since, until) == window_of([finished(since, NOW)], NOW, since, until)


@pytest.mark.parametrize(
    ("since", "until"), [(NOW, None), (NOW - DAY, NOW - DAY), (NOW, NOW - DAY)]
)
def test_a_window_without_anything_in_it_is_refused(
    since: datetime, until: datetime | None
) -> None:
    with pytest.raises(Rejected) as refused:
        window_of([], NOW, since, until)

    assert Code.VALIDATION_FAILED == refused.value.code


@given(st.lists(st.integers(min_value=1, max_value=60), min_size=1, max_size=20))
def test_runs_without_a_wish_leave_no_gap_however_far_apart_they_are(days: list[int]) -> None:
    so_far: list[Finished] = []
    now = NOW
    for gap in days:
        now += gap * DAY
        window = window_of(so_far, now)
        assert not so_far or window.since <= so_far[-1].window.until
        so_far.append(Finished(window, now))
