"""Who may do what: the article's limits, and every refusal with its code and figures."""

from dataclasses import replace
from datetime import date

import pytest

from domain.errors import Code, Rejected
from domain.policy import (
    Action,
    PauseFacts,
    check_access,
    check_administrator,
    check_confirmed,
    check_may_pause,
    check_resume_on,
)
from domain.states import AccountStatus, Role
from domain.terms import Offer

OFFER = Offer()
ACCOUNT_ID = "ACC" + "0" * 32
MAY_PAUSE = PauseFacts(
    account_id=ACCOUNT_ID,
    status=AccountStatus.ACTIVE,
    has_open_act=False,
    has_card=True,
    active_numbers=12,
)

# --- may it pause (R2) ---------------------------------------------------------------------------


@pytest.mark.parametrize("active_numbers", [0, 1, 49, 50])
def test_an_account_with_up_to_fifty_numbers_may_pause_also_with_none(active_numbers: int) -> None:
    check_may_pause(replace(MAY_PAUSE, active_numbers=active_numbers), OFFER)


@pytest.mark.parametrize(("active", "excess"), [(51, 1), (53, 3), (500, 450)])
def test_too_many_numbers_are_refused_with_the_figures_needed_to_act(
    active: int, excess: int
) -> None:
    with pytest.raises(Rejected) as refused:
        check_may_pause(replace(MAY_PAUSE, active_numbers=active), OFFER)

    assert Code.TOO_MANY_TRACKING_NUMBERS is refused.value.code
    assert {"active": active, "limit": 50, "excess": excess} == refused.value.figures
    assert f"{active} active tracking numbers" in refused.value.message
    assert f"disable at least {excess}" in refused.value.message


def test_the_limit_is_the_offers() -> None:
    offer = Offer(max_numbers=10)

    check_may_pause(replace(MAY_PAUSE, active_numbers=10), offer)
    with pytest.raises(Rejected) as refused:
        check_may_pause(replace(MAY_PAUSE, active_numbers=11), offer)

    assert {"active": 11, "limit": 10, "excess": 1} == refused.value.figures


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(MAY_PAUSE, status=AccountStatus.CLOSED), "account_closed"),
        (replace(MAY_PAUSE, status=AccountStatus.PAUSED), "account_already_paused"),
        (replace(MAY_PAUSE, has_open_act=True), "account_already_paused"),
        (replace(MAY_PAUSE, has_card=False), "payment_method_required"),
        (replace(MAY_PAUSE, active_numbers=51), "too_many_tracking_numbers"),
        # What the administrator cannot mend is said first.
        (replace(MAY_PAUSE, has_open_act=True, has_card=False), "account_already_paused"),
        (replace(MAY_PAUSE, has_card=False, active_numbers=51), "payment_method_required"),
    ],
)
def test_a_pause_that_may_not_be_is_refused_with_its_code(facts: PauseFacts, expected: str) -> None:
    with pytest.raises(Rejected) as refused:
        check_may_pause(facts, OFFER)

    assert expected == refused.value.code
    assert ACCOUNT_ID in refused.value.message


# --- who (R1) ------------------------------------------------------------------------------------


def test_an_administrator_may() -> None:
    check_administrator(ACCOUNT_ID, Role.ADMIN)


@pytest.mark.parametrize("role", [Role.MANAGER, Role.REPORTING, None])
def test_nobody_but_an_administrator_may(role: Role | None) -> None:
    with pytest.raises(Rejected) as refused:
        check_administrator(ACCOUNT_ID, role)

    assert Code.NOT_AN_ADMINISTRATOR is refused.value.code


# --- access (R6, R14) ----------------------------------------------------------------------------

YES, PAUSED, CLOSED = None, "account_paused", "account_closed"

ACCESS_MATRIX = {
    # action                      active  paused  closed
    Action.LOG_IN: (YES, YES, YES),
    Action.PAUSE_STATUS: (YES, YES, YES),
    Action.PREVIEW: (YES, YES, CLOSED),
    Action.RESUME: (YES, YES, CLOSED),
    Action.CHANGE_RESUME_DATE: (YES, YES, CLOSED),
    Action.CLOSE: (YES, YES, CLOSED),
    Action.PAYMENT_METHOD: (YES, YES, YES),
    Action.INVOICES: (YES, YES, CLOSED),
    Action.LIST_TRACKERS: (YES, YES, CLOSED),
    Action.CHANGE_TRACKERS: (YES, PAUSED, CLOSED),
    Action.DASHBOARD: (YES, PAUSED, CLOSED),
    Action.REPORTS: (YES, PAUSED, CLOSED),
    # Let through to be answered with `account_already_paused`.
    Action.PAUSE: (YES, YES, CLOSED),
}
STATUSES = (AccountStatus.ACTIVE, AccountStatus.PAUSED, AccountStatus.CLOSED)


def refusal_of(status: AccountStatus, action: Action) -> str | None:
    try:
        check_access(ACCOUNT_ID, status, action)
    except Rejected as refused:
        return str(refused.code)
    return None


def test_each_status_allows_exactly_what_the_matrix_says() -> None:
    found = {action: tuple(refusal_of(status, action) for status in STATUSES) for action in Action}

    assert found == ACCESS_MATRIX


def test_the_matrix_knows_every_status() -> None:
    assert set(AccountStatus) == set(STATUSES)


# --- the resume date (R11) -----------------------------------------------------------------------
#
#   today  tomorrow            latest
#   x------[===================]x---

TODAY = date(2027, 1, 10)
LATEST = date(2027, 7, 10)


@pytest.mark.parametrize("resume_on", [date(2027, 1, 11), date(2027, 4, 1), LATEST])
def test_a_resume_date_from_tomorrow_to_six_months_is_accepted(resume_on: date) -> None:
    check_resume_on(resume_on, TODAY, LATEST)


@pytest.mark.parametrize("resume_on", [date(2026, 7, 1), date(2027, 1, 9), date(2027, 7, 11)])
def test_a_resume_date_outside_is_refused_with_both_ends(resume_on: date) -> None:
    with pytest.raises(Rejected) as refused:
        check_resume_on(resume_on, TODAY, LATEST)

    assert Code.INVALID_RESUME_DATE is refused.value.code
    assert {"earliest": "2027-01-11", "latest": "2027-07-10"} == refused.value.figures
    assert "resume now" not in refused.value.message


def test_today_is_refused_with_the_advice_to_resume_now() -> None:
    with pytest.raises(Rejected, match="resume now") as refused:
        check_resume_on(TODAY, TODAY, LATEST)

    assert Code.INVALID_RESUME_DATE is refused.value.code


# --- the typed confirmation (R14) ----------------------------------------------------------------


@pytest.mark.parametrize("confirm", ["CLOSE", "close", " Close "])
def test_a_close_is_confirmed_by_typing_the_word(confirm: str) -> None:
    check_confirmed(ACCOUNT_ID, confirm)


@pytest.mark.parametrize("confirm", ["", " ", "yes", "true", "CLOSE IT", "RESUME", "CL0SE"])
def test_anything_else_confirms_no_close(confirm: str) -> None:
    with pytest.raises(Rejected, match="typing CLOSE") as refused:
        check_confirmed(ACCOUNT_ID, confirm)

    assert Code.VALIDATION_FAILED is refused.value.code
    assert confirm.strip() == "" or confirm not in refused.value.message.replace("CLOSE", "")


# --- the codes -----------------------------------------------------------------------------------


def test_the_codes_that_programs_rely_on_stay_what_they_are() -> None:
    assert {
        "unauthenticated",
        "not_an_administrator",
        "account_paused",
        "account_closed",
        "account_not_found",
        "pause_not_found",
        "account_already_paused",
        "account_not_paused",
        "payment_method_required",
        "terms_not_accepted",
        "too_many_tracking_numbers",
        "invalid_resume_date",
        "validation_failed",
        "unavailable",
        "pausing_failed",
    } <= set(Code)
