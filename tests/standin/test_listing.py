"""Lists: newest first, in pages, by customer and time."""

from collections.abc import Iterator
from itertools import count

import httpx
import pytest
import stripe
from stripe.params import PaymentIntentListParams

from tests.standin.control import Standin
from tests.standin.shop import shop

BEGAN = 1_767_225_600


def seed(standin: Standin, number: int, **fields: object) -> list[str]:
    """Payments a second apart, oldest first."""
    return standin.seed_payment_intents(
        {"amount": 500, "currency": "usd", "created": BEGAN + index, **fields}
        for index in range(number)
    )


def ids_of(page: stripe.ListObject[stripe.PaymentIntent]) -> list[str]:
    return [intent.id for intent in page.data]


def test_the_newest_comes_first_and_ten_are_a_page(standin: Standin) -> None:
    ids = seed(standin, 12)

    page = standin.client().v1.payment_intents.list()

    assert (ids[:1:-1], True) == (ids_of(page), page.has_more)


def test_pages_go_on_where_the_cursor_stands(standin: Standin) -> None:
    ids = seed(standin, 7)
    newest_first = ids[::-1]
    payments = standin.client().v1.payment_intents

    first = payments.list({"limit": 3})
    second = payments.list({"limit": 3, "starting_after": first.data[-1].id})
    third = payments.list({"limit": 3, "starting_after": second.data[-1].id})
    back = payments.list({"limit": 2, "ending_before": third.data[0].id})

    assert newest_first == ids_of(first) + ids_of(second) + ids_of(third)
    assert [True, True, False] == [page.has_more for page in (first, second, third)]
    assert (newest_first[4:6], True) == (ids_of(back), back.has_more)


def test_payments_of_the_same_second_are_listed_once_each(standin: Standin) -> None:
    ids = standin.seed_payment_intents(
        {"amount": 500, "currency": "usd", "created": BEGAN} for _ in range(5)
    )

    listed = standin.client().v1.payment_intents.list({"limit": 2}).auto_paging_iter()

    assert ids[::-1] == [intent.id for intent in listed]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        # ids:  0 1 2 3 4
        ({"gte": BEGAN + 1, "lt": BEGAN + 3}, [2, 1]),  # --[=)----
        ({"gt": BEGAN + 1, "lte": BEGAN + 3}, [3, 2]),  # --(=]----
        (BEGAN + 4, [4]),
    ],
)
def test_the_time_of_creation_bounds_a_list(
    standin: Standin, bounds: object, expected: list[int]
) -> None:
    ids = seed(standin, 5)
    params: PaymentIntentListParams = {"created": bounds}  # type: ignore[typeddict-item]

    page = standin.client().v1.payment_intents.list(params)

    assert [ids[index] for index in expected] == ids_of(page)


def test_a_list_can_be_of_one_customer(standin: Standin) -> None:
    seed(standin, 2, customer="cus_other")
    mine = seed(standin, 2, customer="cus_mine")

    page = standin.client().v1.payment_intents.list({"customer": "cus_mine"})

    assert mine[::-1] == ids_of(page)


def test_refunds_are_listed_by_payment(standin: Standin) -> None:
    store = shop(standin)
    one, other = store.pay(), store.pay()
    first = store.client.v1.refunds.create({"payment_intent": one.id, "amount": 100})
    second = store.client.v1.refunds.create({"payment_intent": one.id, "amount": 100})
    store.client.v1.refunds.create({"payment_intent": other.id})

    page = store.client.v1.refunds.list({"payment_intent": one.id})

    assert [second.id, first.id] == [refund.id for refund in page.data]
    assert 3 == len(store.client.v1.refunds.list({"limit": 100}).data)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"starting_after": "pi_never"}, "starting_after"),
        ({"created": {"since": 1}}, "created[since]"),
        ({"status": "succeeded"}, "status"),
        ({"expand": ["latest_charge"]}, "expand"),
    ],
)
def test_control_a_list_that_stripe_would_refuse_is_refused(
    standin: Standin, params: PaymentIntentListParams, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        standin.client().v1.payment_intents.list(params)

    assert param == refused.value.param


def test_things_in_a_list_can_be_expanded(standin: Standin) -> None:
    shop(standin).pay()

    page = standin.client().v1.payment_intents.list({"expand": ["data.latest_charge"]})

    assert isinstance(page.data[0].latest_charge, stripe.Charge)


@pytest.mark.thorough
def test_ten_thousand_payments_can_be_listed(standin: Standin) -> None:
    ids = seed(standin, 10_000, status="succeeded", customer="cus_mine")

    # Not by the official client, which takes most of a millisecond for every object.
    assert ids[::-1] == list(raw_ids(standin))


def raw_ids(standin: Standin) -> Iterator[str]:
    headers = {
        "Authorization": "Bearer sk_test_standin",
        "Stripe-Version": stripe.api_version,
    }
    with httpx.Client(base_url=standin.url, headers=headers, trust_env=False) as client:
        after: dict[str, str] = {}
        for _ in count():
            page = client.get("/v1/payment_intents", params={"limit": 100, **after}).json()
            yield from (each["id"] for each in page["data"])
            if not page["has_more"]:
                return
            after = {"starting_after": page["data"][-1]["id"]}
