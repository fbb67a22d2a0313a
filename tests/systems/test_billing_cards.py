"""The card on file, and that nothing like a card number comes in anywhere (R8, R17)."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select

from domain.errors import Code, Rejected
from domain.states import LadderEnd
from domain.terms import Offer
from systems.billing.cards import CardView, looks_like_a_card_number
from systems.db import Database
from systems.tables import Base
from tests.systems.billing_shop import (
    JAN_15,
    LONG_AGO,
    SqlShop,
    add_account,
    local,
    new_pause,
    paused,
    use_card,
)

NUMBER = "4242424242424242"
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 6, 12, tzinfo=UTC)


@pytest.fixture
def shop(sqlite_database: Database) -> SqlShop:
    return SqlShop(sqlite_database)


def replace_card(shop: SqlShop, account_id: str, at: datetime = AT, **fields: Any) -> CardView:
    whole: dict[str, Any] = {
        "token": "card_visa",
        "brand": "visa",
        "last4": "4242",
        "expires_month": 12,
        "expires_year": 2034,
    }
    return shop.sql.replace_card(account_id, **(whole | fields), at=at)


def everything_kept(shop: SqlShop) -> str:
    with shop.database.transaction() as session:
        rows = [
            tuple(row)
            for table in Base.metadata.sorted_tables
            for row in session.execute(select(table))
        ]
    return json.dumps(rows, default=str)


def test_a_new_card_takes_the_place_of_the_old_one(shop: SqlShop) -> None:
    account_id = add_account(shop, card_name=None)
    assert shop.sql.card(account_id) is None

    replace_card(shop, account_id)
    card = replace_card(shop, account_id, LATER, token="card_mastercard", last4="4444")

    assert CardView("visa", "4444", 12, 2034, LATER) == card == shop.sql.card(account_id)


def test_entering_a_card_again_changes_nothing(shop: SqlShop) -> None:
    account_id = add_account(shop, card_name=None)

    first = replace_card(shop, account_id)

    assert first == replace_card(shop, account_id, LATER)


def test_a_late_repeat_of_an_older_card_leaves_the_newer_one_on_file(shop: SqlShop) -> None:
    account_id = add_account(shop, card_name=None)
    newer = replace_card(shop, account_id, LATER, last4="4444")

    assert newer == replace_card(shop, account_id, AT)


@pytest.mark.parametrize("field", ["token", "brand", "last4"])
@pytest.mark.parametrize(
    "number",
    [
        NUMBER,
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "4242.4242_4242/4242",
        f"tok_{NUMBER}",
        "400000000002",  # twelve digits
        "6304000000000000000",  # nineteen
        f"{NUMBER} 12/34 123",
        "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
    ],
)
def test_anything_like_a_card_number_is_refused_and_left_nowhere(
    shop: SqlShop, caplog: pytest.LogCaptureFixture, field: str, number: str
) -> None:
    account_id = add_account(shop, card_name=None)

    with pytest.raises(Rejected) as refusal:
        replace_card(shop, account_id, AT, **{field: number})

    assert Code.VALIDATION_FAILED is refusal.value.code
    assert {"field": field} == refusal.value.figures
    for kept in (refusal.value.message, caplog.text, everything_kept(shop)):
        assert number not in kept
        assert NUMBER not in kept
    assert shop.sql.card(account_id) is None


@pytest.mark.parametrize(
    "text",
    [
        "4242 4242 4242 4242",
        "paid with 4242424242424242, thanks",
        "card_4242424242424242",
        "visa4242424242424242exp1234",
        "4242424242424242123",
    ],
)
def test_a_card_number_is_seen_wherever_it_stands(text: str) -> None:
    assert looks_like_a_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        # Ids of ours and of gateways have long runs of digits now and then.
        "ACC12345678901234567890123456789012",
        "asked for by USRa1234567890123456b34567890123456",
        "pm_1N1234567890123OfStripe",
        "+1 555 010 0123",
        "2026-01-15 09:00",
        "4242",
    ],
)
def test_what_is_no_card_number_passes(text: str) -> None:
    assert not looks_like_a_card_number(text)


@given(digits=st.text("0123456789", min_size=31, max_size=31), at=st.integers(0, 31))
@example("7" + "25619235241807" + "7" * 16, 1)  # the check digit fits
def test_an_id_that_is_made_passes_whatever_digits_it_gets(digits: str, at: int) -> None:
    made = digits[:at] + "c" + digits[at:]
    for before in ("", "cus_", "page_", "USR", "cus_ACC", "demo-"):
        assert not looks_like_a_card_number(f"{before}{made}")
    assert not looks_like_a_card_number(f"demo-{UUID(made)}")


def test_a_card_number_in_a_year_or_in_what_is_booked_is_refused_too(shop: SqlShop) -> None:
    shop.add_account("ACC1")

    with pytest.raises(Rejected, match="expires_year looks like a card number"):
        replace_card(shop, "ACC1", expires_year=int(NUMBER))
    with pytest.raises(Rejected, match="plan looks like a card number"):
        shop.sql.create_subscription("ACC1", NUMBER, 1, "UTC", 15, JAN_15)
    with pytest.raises(Rejected, match="add_ons looks like a card number"):
        shop.sql.create_subscription("ACC1", "Plan", 1, "UTC", 15, JAN_15, ((NUMBER, 1),))


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": ""},
        {"brand": ""},
        {"last4": "424"},
        {"last4": "42424"},
        {"last4": "424x"},
        {"expires_month": 0},
        {"expires_month": 13},
        {"expires_year": 34},
    ],
)
def test_a_malformed_card_is_refused(shop: SqlShop, wrong: dict[str, Any]) -> None:
    account_id = add_account(shop, card_name=None)

    with pytest.raises(Rejected) as refusal:
        replace_card(shop, account_id, **wrong)

    assert Code.VALIDATION_FAILED is refusal.value.code
    assert {"field": next(iter(wrong))} == refusal.value.figures


def test_a_card_of_an_account_that_is_not_there_is_refused(shop: SqlShop) -> None:
    with pytest.raises(Rejected) as refusal:
        replace_card(shop, "ACC_nobody")

    assert Code.ACCOUNT_NOT_FOUND is refusal.value.code


# --- what the mails say --------------------------------------------------------------------------


def test_a_receipt_says_what_was_paid_for_which_date_by_which_card(shop: SqlShop) -> None:
    pause = paused(shop)
    pause.collect(JAN_15)

    [receipt] = shop.notice_rows(pause.account_id)

    expected = {"billing_on": "2026-01-15", "amount_minor": 500, "currency": "USD", "last4": "4242"}
    assert expected == receipt.data


def test_a_mail_about_a_decline_says_why_and_what_comes_next(shop: SqlShop) -> None:
    pause = paused(shop, card_name="insufficient_funds")
    pause.collect(JAN_15)
    pause.collect(JAN_15, local("2026-01-16 09:00"), attempt=2, rung=1)

    [notice] = shop.notice_rows(pause.account_id)

    assert {
        "billing_on": "2026-01-15",
        "amount_minor": 500,
        "currency": "USD",
        "last4": "9995",
        "rung": 1,
        "day": 1,
        "decline_code": "insufficient_funds",
        "next_on": "2026-01-20",
        "closes_on": "2026-02-09",
    } == notice.data


def test_a_late_rung_announces_a_later_close(shop: SqlShop) -> None:
    pause = paused(shop, card_name="declined")
    pause.collect(JAN_15)
    pause.collect(JAN_15, local("2026-01-18 13:00"), attempt=2, rung=1)

    [notice] = shop.notice_rows(pause.account_id)

    assert ("2026-01-23", "2026-02-12") == (notice.data["next_on"], notice.data["closes_on"])


def test_no_close_is_announced_where_none_will_come(shop: SqlShop) -> None:
    pause = paused(shop, card_name="declined", offer=Offer(ladder_end=LadderEnd.KEEP))
    pause.collect(JAN_15)
    pause.collect(JAN_15, local("2026-01-16 09:00"), attempt=2, rung=1)

    [notice] = shop.notice_rows(pause.account_id)

    assert notice.data["closes_on"] is None


def test_without_a_card_the_mail_names_none(shop: SqlShop) -> None:
    pause = new_pause(shop, add_account(shop, card_name=None))
    pause.suspend(local("2026-01-10 14:00"))
    pause.collect(JAN_15)
    pause.collect(JAN_15, local("2026-01-16 09:00"), attempt=2, rung=1)

    [notice] = shop.notice_rows(pause.account_id)

    assert (None, "no_card") == (notice.data["last4"], notice.data["decline_code"])


# --- invoices and charges as people read them ----------------------------------------------------


def test_an_invoice_shows_its_lines_and_every_attempt_with_its_evidence(shop: SqlShop) -> None:
    pause = paused(shop, card_name="lost_card")
    pause.collect(JAN_15)
    use_card(shop, pause.account_id, "mastercard", at=LATER)
    pause.collect(JAN_15, local("2026-01-16 09:00"), attempt=2, rung=None)

    [invoice] = shop.sql.invoices(pause.account_id)
    [charge] = shop.sql.charges(pause.account_id, pause.act_id)

    assert ("lost_card", None) == tuple(each.decline_code for each in invoice.attempts)
    assert ("9987", "4444") == tuple(each.card_last4 for each in invoice.attempts)
    payments = shop.record.payments(pause.account_id)
    assert [it.payment_id for it in payments] == [it.payment_id for it in invoice.attempts]
    assert [it.key for it in payments] == [it.key for it in invoice.attempts]
    assert (JAN_15, 500, "paid") == (charge.billing_on, charge.amount_minor, charge.state)
    assert [] == shop.sql.charges(pause.account_id, "PAU_another")
    assert LONG_AGO < invoice.due_at
