"""The contract of `CardPages`: for the fake, the sandbox on both databases, and Stripe."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.errors import InvariantViolated, Transient
from domain.payments import Order, PageAnswer, PageState, PaymentState
from tests.systems.tills import RETURN_URL, TILLS, Till, open_till

KEY = "ACC1:card:1"
HOUR = timedelta(hours=1)


@pytest.fixture(params=TILLS)
def till(request: pytest.FixtureRequest) -> Iterator[Till]:
    yield from open_till(request.param, request)


def test_a_fresh_page_is_open_for_a_day_at_most(till: Till) -> None:
    page = till.gateway.open_page(KEY, "ACC1", None, RETURN_URL)

    assert page.url.startswith("http")
    assert till.now() < page.expires_at <= till.now() + 24 * HOUR
    assert PageAnswer(PageState.OPEN) == till.gateway.look_up_page(page.page_id)


def test_the_same_key_gives_the_same_page_and_another_key_another_one(till: Till) -> None:
    first = till.gateway.open_page(KEY, "ACC1", None, RETURN_URL)

    again = till.gateway.open_page(KEY, "ACC1", None, RETURN_URL)
    other = till.gateway.open_page("ACC1:card:2", "ACC1", None, RETURN_URL)

    assert first == again
    assert first.page_id != other.page_id


def test_a_page_whose_answer_was_lost_is_the_one_that_comes_at_the_next_call(till: Till) -> None:
    till.lose_the_answer("open_page")
    with pytest.raises(Transient):
        till.gateway.open_page(KEY, "ACC1", None, RETURN_URL)

    second = till.gateway.open_page(KEY, "ACC1", None, RETURN_URL)

    assert second == till.gateway.open_page(KEY, "ACC1", None, RETURN_URL)


def test_a_page_key_that_was_used_for_another_account_is_a_mistake_of_ours(till: Till) -> None:
    till.gateway.open_page(KEY, "ACC1", None, RETURN_URL)

    with pytest.raises(InvariantViolated):
        till.gateway.open_page(KEY, "ACC2", None, RETURN_URL)


def test_a_customer_is_made_once_per_account(till: Till) -> None:
    pages = [till.gateway.open_page(f"{KEY}:{n}", "ACC1", None, RETURN_URL) for n in range(3)]
    somebody_else_s = till.gateway.open_page("ACC2:card:1", "ACC2", None, RETURN_URL)

    [customer_id] = {page.customer_id for page in pages}
    assert customer_id is not None
    assert customer_id != somebody_else_s.customer_id


def test_a_customer_that_is_known_stays_the_customer(till: Till) -> None:
    known = till.gateway.open_page(KEY, "ACC1", None, RETURN_URL).customer_id

    page = till.gateway.open_page(f"{KEY}:later", "ACC1", known, RETURN_URL)

    assert known == page.customer_id


def test_an_entered_card_is_handed_over_and_can_be_charged(till: Till) -> None:
    page = till.gateway.open_page(KEY, "ACC1", None, RETURN_URL)
    till.enter_card(page.page_id, "mastercard")

    answer = till.gateway.look_up_page(page.page_id)

    assert PageState.ENTERED is answer.state
    card = answer.card
    assert card is not None
    assert ("mastercard", "4444", 12, 2034, page.customer_id) == (
        card.brand,
        card.last4,
        card.expires_month,
        card.expires_year,
        card.customer_id,
    )
    order = Order("ACC1", card.token, 500, "USD", card.customer_id)
    payment = till.gateway.create_payment("PAU1:2026-01-15:1", order)
    assert PaymentState.SUCCEEDED is till.gateway.confirm_payment(payment.payment_id).state


def test_a_page_on_which_nobody_entered_anything_expires(till: Till) -> None:
    page = till.gateway.open_page(KEY, "ACC1", None, RETURN_URL)

    till.advance(24 * HOUR)

    assert PageAnswer(PageState.EXPIRED) == till.gateway.look_up_page(page.page_id)


def test_an_entered_card_outlasts_its_page(till: Till) -> None:
    page = till.gateway.open_page(KEY, "ACC1", None, RETURN_URL)
    till.enter_card(page.page_id, "visa")
    entered = till.gateway.look_up_page(page.page_id)

    till.advance(25 * HOUR)

    assert entered == till.gateway.look_up_page(page.page_id)


def test_a_page_nobody_opened_is_a_mistake_of_ours(till: Till) -> None:
    with pytest.raises(InvariantViolated, match="page_never"):
        till.gateway.look_up_page("page_never")
