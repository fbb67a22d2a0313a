"""Refunds at the stand-in, seen through the official client."""

import pytest
import stripe

from tests.standin.control import Standin
from tests.standin.shop import shop


def test_no_more_can_be_refunded_than_is_left(standin: Standin) -> None:
    store = shop(standin)
    paid = store.pay()
    refund = store.client.v1.refunds.create

    first = refund({"payment_intent": paid.id, "amount": 300, "metadata": {"why": "twice"}})
    with pytest.raises(stripe.InvalidRequestError, match=r"\$2.01.*unrefunded.*\$2.00") as much:
        refund({"payment_intent": paid.id, "amount": 201})
    rest = refund({"payment_intent": paid.id, "reason": "duplicate"})
    with pytest.raises(stripe.InvalidRequestError) as nothing_left:
        refund({"payment_intent": paid.id, "amount": 1})

    assert (300, 200) == (first.amount, rest.amount)
    assert (400, "amount") == (much.value.http_status, much.value.param)
    assert "charge_already_refunded" == nothing_left.value.code
    assert [300, 200] == [each["amount"] for each in standin.refunds()]
    assert first == store.client.v1.refunds.retrieve(first.id)


def test_only_what_was_paid_can_be_refunded(standin: Standin) -> None:
    store = shop(standin)

    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        store.client.v1.refunds.create({"payment_intent": store.create().id})
    with pytest.raises(stripe.InvalidRequestError, match="pi_never") as refused:
        store.client.v1.refunds.create({"payment_intent": "pi_never"})

    assert "resource_missing" == refused.value.code


def test_a_refund_that_failed_can_be_made_again(standin: Standin) -> None:
    standin.begin_refunds("pending")
    store = shop(standin)
    paid = store.pay()
    refund = store.client.v1.refunds.create({"payment_intent": paid.id})
    assert "pending" == refund.status

    standin.settle_refund(refund.id, "failed")

    assert "failed" == store.client.v1.refunds.retrieve(refund.id).status
    assert 500 == store.client.v1.refunds.create({"payment_intent": paid.id}).amount
