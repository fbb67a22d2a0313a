"""What a key keeps, what it refuses, and when it is forgotten."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import stripe

from tests.standin.control import Standin
from tests.standin.faults import Kind
from tests.standin.shop import AWAY, Shop, error_of, shop

KEY = "PAU1:2026-01-15:1"


def replayed(thing: stripe.StripeObject) -> bool:
    answer = thing.last_response
    assert answer is not None
    headers = {name.lower(): value for name, value in dict(answer.headers).items()}
    return headers.get("idempotent-replayed") == "true"


def test_the_same_key_gives_the_same_answer_also_after_the_payment_has_changed(
    standin: Standin,
) -> None:
    store = shop(standin)
    first = store.create(KEY)
    store.confirm(first.id)

    again = store.create(KEY)

    assert (False, True) == (replayed(first), replayed(again))
    assert (first.id, "requires_confirmation") == (again.id, again.status)
    assert 1 == len(standin.payment_intents())


def test_the_same_key_with_other_parameters_is_refused(standin: Standin) -> None:
    store = shop(standin)
    store.create(KEY)

    with pytest.raises(stripe.IdempotencyError, match="same parameters") as refused:
        store.client.v1.payment_intents.create(
            {**store.order, "amount": 501}, {"idempotency_key": KEY}
        )

    assert (400, "idempotency_error") == (
        refused.value.http_status,
        error_of(refused.value)["type"],
    )
    assert 1 == len(standin.payment_intents())


def test_the_same_key_for_another_endpoint_is_refused(standin: Standin) -> None:
    store = shop(standin)
    intent = store.create(KEY)

    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        store.confirm(intent.id, KEY)

    assert "requires_confirmation" == store.only_payment()["status"]


def test_a_decline_is_kept(standin: Standin) -> None:
    store = shop(standin, "declined")
    intent = store.create()

    declines = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            store.confirm(intent.id, KEY)
        declines.append(declined.value)

    assert error_of(declines[0]) == error_of(declines[1])
    assert "true" == (declines[1].headers or {})["Idempotent-Replayed"]
    assert 1 == len(standin.objects("charge"))


@pytest.mark.parametrize(
    ("kind", "payments"), [(Kind.ERROR_500_BEFORE, 0), (Kind.ERROR_500_AFTER, 1)]
)
def test_a_failure_is_kept_whether_or_not_it_was_done(
    standin: Standin, kind: Kind, payments: int
) -> None:
    store = shop(standin)
    standin.fault(kind, "create_payment_intent")

    for _ in range(2):
        with pytest.raises(stripe.APIError) as failed:
            store.create(KEY)
        assert 500 == failed.value.http_status

    assert payments == len(standin.payment_intents())
    assert "requires_confirmation" == store.create("another key").status


def test_what_was_refused_before_it_began_is_not_kept(standin: Standin) -> None:
    store = shop(standin)
    with pytest.raises(stripe.InvalidRequestError):
        store.client.raw_request(
            "post", "/v1/payment_intents", amount="five", currency="usd", idempotency_key=KEY
        )
    for kind in (Kind.RATE_LIMITED_429, Kind.CONFLICT_409, Kind.FORGETS):
        standin.fault(kind, "create_payment_intent")
        with pytest.raises(stripe.StripeError):
            store.create(KEY)

    assert "requires_confirmation" == store.create(KEY).status


def test_a_key_of_a_request_under_way_is_refused(standin: Standin) -> None:
    store = shop(standin)
    standin.fault(Kind.SLOW, "create_payment_intent", seconds=1.0)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(store.create, KEY)
        until_it_is_there(store)
        with pytest.raises(stripe.APIError) as refused:
            store.create(KEY)

    error = error_of(refused.value)
    assert (409, "idempotency_error", "idempotency_key_in_use") == (
        refused.value.http_status,
        error["type"],
        error["code"],
    )
    assert first.result().id == store.create(KEY).id


def until_it_is_there(store: Shop) -> None:
    deadline = time.monotonic() + 5
    while not store.standin.payment_intents():
        assert time.monotonic() < deadline, "the first request never began"
        time.sleep(0.01)


def test_a_key_is_forgotten_after_a_day(standin: Standin) -> None:
    store = shop(standin)
    first = store.create(KEY)

    standin.advance(timedelta(hours=23, minutes=59))
    within = store.create(KEY)
    standin.advance(timedelta(minutes=1))
    after = store.create(KEY)

    assert first.id == within.id
    assert first.id != after.id
    assert 2 == len(standin.payment_intents())


def test_a_key_asked_for_by_many_at_once_is_one_payment(standin: Standin) -> None:
    store = shop(standin)

    with ThreadPoolExecutor(10) as pool:
        answers = {*pool.map(lambda _: id_or_status(store), range(30))}

    [made] = standin.payment_intents()
    # Who asks while the first request is under way may be sent away.
    assert {made["id"]} == answers - {409}


def id_or_status(store: Shop) -> str | int | None:
    try:
        return store.create(KEY).id
    except stripe.APIError as error:
        return error.http_status


def test_each_mode_has_its_own_keys(standin: Standin) -> None:
    store = shop(standin)
    live = standin.client("sk_live_standin")

    in_test = store.client.v1.customers.create({}, {"idempotency_key": KEY})
    in_live = live.v1.customers.create({}, {"idempotency_key": KEY})

    assert in_test.id != in_live.id


def test_a_look_up_pays_no_attention_to_keys(standin: Standin) -> None:
    store = shop(standin)
    intent = store.create()
    look_up = store.client.v1.payment_intents.retrieve

    look_up(intent.id, {}, {"idempotency_key": KEY})
    store.client.v1.payment_intents.confirm(intent.id, AWAY)

    assert "succeeded" == look_up(intent.id, {}, {"idempotency_key": KEY}).status
