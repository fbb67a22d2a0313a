"""Every fault is what its name says: what the client sees, and whether the effect happened."""

import socket
import time
from collections.abc import Iterator

import pytest
import stripe

from tests.standin.control import Standin, StandinRefused
from tests.standin.faults import NEVER_HEARD_OF, OTHER_CUSTOMER, Kind
from tests.standin.shop import Shop, error_of, shop

KEY = "PAU1:2026-01-15:1"
CREATE = "create_payment_intent"
CONFIRM = "confirm_payment_intent"


@pytest.fixture
def store(standin: Standin) -> Shop:
    return shop(standin)


def test_a_fault_is_met_as_often_as_planned_and_by_its_operation_only(
    standin: Standin, store: Shop
) -> None:
    standin.fault(Kind.RATE_LIMITED_429, CREATE, times=2, skip=1)
    standin.fault(Kind.RATE_LIMITED_429, "list_refunds")
    assert 2 == len(standin.faults_left())

    store.create()
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            store.create()
    store.create()

    assert ["list_refunds"] == [fault["operation"] for fault in standin.faults_left()]
    assert 4 == standin.requests()[CREATE]
    standin.clear_faults()
    assert [] == standin.faults_left()


@pytest.mark.parametrize(
    ("kind", "payments"),
    [
        (Kind.REFUSE, 0),
        (Kind.RESET_BEFORE, 0),
        (Kind.RESET_AFTER, 1),
        (Kind.CUT_OFF, 1),
    ],
)
def test_a_connection_that_breaks_says_nothing_about_the_effect(
    standin: Standin, store: Shop, kind: Kind, payments: int
) -> None:
    standin.fault(kind, CREATE)

    with pytest.raises(stripe.APIConnectionError):
        store.create(KEY)
    assert payments == len(standin.payment_intents())

    # Asked again under the same key, there is one payment in either case.
    assert store.create(KEY).id == store.only_payment()["id"]


@pytest.mark.parametrize(("kind", "payments"), [(Kind.HANG, 0), (Kind.HANG_AFTER, 1)])
def test_an_answer_that_never_comes_says_nothing_about_the_effect(
    standin: Standin, store: Shop, kind: Kind, payments: int
) -> None:
    standin.fault(kind, CREATE)
    impatient = standin.client(timeout_seconds=0.2)

    with pytest.raises(stripe.APIConnectionError, match="timed out"):
        impatient.v1.payment_intents.create(store.order, {"idempotency_key": KEY})

    assert payments == len(standin.payment_intents())
    assert store.create(KEY).id == store.only_payment()["id"]


def test_a_slow_answer_comes_after_the_effect(standin: Standin, store: Shop) -> None:
    intent = store.create()
    standin.fault(Kind.SLOW, CONFIRM, times=2, seconds=0.3)
    impatient = standin.client(timeout_seconds=0.1)

    with pytest.raises(stripe.APIConnectionError, match="timed out"):
        impatient.v1.payment_intents.confirm(intent.id, {"off_session": True})
    began_at = time.monotonic()
    with pytest.raises(stripe.InvalidRequestError, match="already succeeded"):
        store.confirm(intent.id)

    assert 0.3 <= time.monotonic() - began_at
    assert "succeeded" == store.only_payment()["status"]


@pytest.mark.parametrize(
    ("kind", "payments"), [(Kind.ERROR_500_BEFORE, 0), (Kind.ERROR_500_AFTER, 1)]
)
def test_a_failure_of_the_server_says_nothing_about_the_effect(
    standin: Standin, store: Shop, kind: Kind, payments: int
) -> None:
    standin.fault(kind, CREATE)

    with pytest.raises(stripe.APIError) as failed:
        store.create()

    assert (500, "api_error") == (failed.value.http_status, error_of(failed.value)["type"])
    assert payments == len(standin.payment_intents())


def test_a_failure_of_the_server_on_a_repeat_leaves_the_answer_that_was_kept(
    standin: Standin, store: Shop
) -> None:
    first = store.create(KEY)
    standin.fault(Kind.ERROR_500_BEFORE, CREATE)

    with pytest.raises(stripe.APIError):
        store.create(KEY)

    assert first.id == store.create(KEY).id


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (Kind.CONFLICT_409, 409, "idempotency_key_in_use"),
        (Kind.RATE_LIMITED_429, 429, "rate_limit"),
    ],
)
def test_a_refusal_before_anything_has_no_effect(
    standin: Standin, store: Shop, kind: Kind, status: int, code: str
) -> None:
    standin.fault(kind, CREATE)

    with pytest.raises(stripe.StripeError) as refused:
        store.create(KEY)

    assert (status, code) == (refused.value.http_status, error_of(refused.value)["code"])
    assert [] == standin.payment_intents()


@pytest.mark.parametrize("kind", [Kind.TRUNCATED_JSON, Kind.NOT_JSON])
def test_an_answer_that_cannot_be_read_comes_after_the_effect(
    standin: Standin, store: Shop, kind: Kind
) -> None:
    standin.fault(kind, CREATE)

    with pytest.raises(stripe.APIError, match="Invalid response body") as unreadable:
        store.create(KEY)

    assert 200 == unreadable.value.http_status
    assert store.create(KEY).id == store.only_payment()["id"]


@pytest.mark.parametrize(
    ("kind", "field", "shown"),
    [
        (Kind.WRONG_AMOUNT, "amount", 501),
        (Kind.WRONG_CURRENCY, "currency", "eur"),
        (Kind.OTHER_CUSTOMER, "customer", OTHER_CUSTOMER),
        (Kind.UNKNOWN_STATUS, "status", NEVER_HEARD_OF),
    ],
)
def test_a_wrong_answer_shows_something_else_once_and_changes_nothing(
    standin: Standin, store: Shop, kind: Kind, field: str, shown: object
) -> None:
    truth = store.create(KEY)
    standin.fault(kind)
    standin.fault(kind)
    standin.fault(kind)
    payments = store.client.v1.payment_intents

    assert shown == store.create(KEY)[field]
    assert shown == payments.retrieve(truth.id)[field]
    assert shown == payments.list().data[0][field]

    assert truth[field] == payments.retrieve(truth.id)[field] == store.only_payment()[field]


def test_a_wrong_answer_can_be_a_decline(standin: Standin) -> None:
    store = shop(standin, "declined")
    intent = store.create()
    standin.fault(Kind.WRONG_AMOUNT, CONFIRM)

    with pytest.raises(stripe.CardError) as declined:
        store.confirm(intent.id)

    assert 501 == error_of(declined.value)["payment_intent"]["amount"]


def test_what_is_forgotten_is_there_again_the_next_time(standin: Standin, store: Shop) -> None:
    intent = store.create()
    payments = store.client.v1.payment_intents
    for operation in ("retrieve_payment_intent", "list_payment_intents", CREATE):
        standin.fault(Kind.FORGETS, operation)

    with pytest.raises(stripe.InvalidRequestError, match=intent.id) as missing:
        payments.retrieve(intent.id)
    with pytest.raises(stripe.InvalidRequestError, match=store.customer_id) as no_customer:
        store.create()
    assert [] == payments.list().data

    assert (404, "resource_missing") == (missing.value.http_status, missing.value.code)
    assert (400, "resource_missing") == (no_customer.value.http_status, no_customer.value.code)
    assert intent.id == payments.retrieve(intent.id).id == payments.list().data[0].id


# --- the port ------------------------------------------------------------------------------------


def test_whoever_is_away_refuses_connections_until_it_is_back(
    standin: Standin, store: Shop
) -> None:
    standin.away()

    with pytest.raises(stripe.APIConnectionError, match="Connection refused"):
        standin.client().v1.balance.retrieve()
    with pytest.raises(stripe.APIConnectionError):
        store.create()
    standin.back()

    assert "requires_confirmation" == store.create().status
    assert 1 == len(standin.payment_intents())


def test_whoever_is_away_for_a_while_comes_back_by_itself(standin: Standin, store: Shop) -> None:
    standin.away(seconds=0.2)
    with pytest.raises(stripe.APIConnectionError):
        store.create()

    deadline = time.monotonic() + 5
    while not standin.payment_intents():
        assert time.monotonic() < deadline, "it never came back"
        try:
            store.create()
        except stripe.APIConnectionError:
            time.sleep(0.02)


@pytest.fixture
def connection(standin: Standin) -> Iterator[socket.socket]:
    port = int(standin.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        yield connection


ASKING = b"GET /v1/balance HTTP/1.1\r\nHost: stripe\r\n\r\n"


@pytest.mark.parametrize("kind", [Kind.RESET_BEFORE, Kind.RESET_AFTER])
def test_a_reset_is_a_real_one(standin: Standin, connection: socket.socket, kind: Kind) -> None:
    standin.fault(kind)
    connection.sendall(ASKING)

    with pytest.raises(ConnectionResetError):
        connection.recv(1)


def test_control_a_refusal_is_no_reset(standin: Standin, connection: socket.socket) -> None:
    standin.fault(Kind.REFUSE)
    connection.sendall(ASKING)

    assert b"" == connection.recv(1)


def test_control_a_fault_that_does_not_exist_cannot_be_planned(standin: Standin) -> None:
    with pytest.raises(StandinRefused, match="earthquake"):
        standin.fault("earthquake")  # type: ignore[arg-type]
