"""Administrators are told of money that went back to them, and of money that did not arrive."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from systems.db import Database
from systems.notices import NoticeKind
from systems.notices.outbox import notices
from systems.tables import RefundRowState
from tests.systems.billing_shop import JAN_15
from tests.systems.refund_shop import REFUNDED_AT, Charge, Failing, charged


@pytest.fixture
def charge(sqlite_database: Database) -> Charge:
    return charged(sqlite_database)


def test_the_administrators_are_told_once_what_was_given_back(charge: Charge) -> None:
    for _ in range(2):
        charge.refund(199)

    assert [
        (
            NoticeKind.REFUNDED,
            REFUNDED_AT,
            {"billing_on": JAN_15.isoformat(), "amount_minor": 199, "currency": "USD"},
        )
    ] == told(charge)


def test_a_refund_that_nobody_has_got_is_told_to_nobody(charge: Charge) -> None:
    failed = charge.at(Failing(charge.gateway)).refund()

    assert RefundRowState.FAILED is failed.state
    assert [] == told(charge)


def test_a_refund_that_comes_back_is_told_too(charge: Charge) -> None:
    refund = charge.refund()
    assert refund.refund_id is not None

    for _ in range(2):
        charge.refunds.reverse(refund.refund_id, REFUNDED_AT + timedelta(days=3))

    kinds = [kind for kind, _, _ in told(charge)]
    assert [NoticeKind.REFUNDED, NoticeKind.REFUND_RETURNED] == kinds


def test_a_refund_that_was_made_by_hand_is_told_as_any_other(charge: Charge) -> None:
    by_hand = charge.record.refund_payment("by hand", charge.payment_id, 500)

    charge.refunds.record_foreign(charge.account_id, by_hand, REFUNDED_AT)

    assert [(NoticeKind.REFUNDED, 500)] == [
        (kind, data["amount_minor"]) for kind, _, data in told(charge)
    ]


def told(charge: Charge) -> list[tuple[NoticeKind, datetime, Mapping[str, Any]]]:
    """The mails about refunds, in their order."""
    kinds = (NoticeKind.REFUNDED, NoticeKind.REFUND_RETURNED)
    return [
        (each.kind, each.at, each.data)
        for each in notices(charge.shop.database, charge.account_id)
        if each.kind in kinds
    ]
