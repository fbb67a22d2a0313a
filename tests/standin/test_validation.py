"""Controls: what Stripe would not take, the stand-in does not take either."""

import re
from typing import Any

import httpx
import pytest
import stripe

from tests.standin.control import Standin
from tests.standin.forms import is_like_a_card_number
from tests.standin.operations import OPERATIONS, Operation
from tests.standin.shop import SETUP, shop
from tests.standin.validation import described

PAYMENTS = "/v1/payment_intents"
SESSIONS = "/v1/checkout/sessions"
VALID = {"amount": 500, "currency": "usd"}
HEADERS = {"Authorization": "Bearer sk_test_standin", "Stripe-Version": stripe.api_version}


def refusal(standin: Standin, path: str, parameters: dict[str, Any]) -> tuple[str | None, str]:
    """Code and parameter of the 400 that a request without a key gets."""
    with pytest.raises(stripe.InvalidRequestError) as refused:
        standin.client().raw_request("post", path, **parameters)
    assert 400 == refused.value.http_status
    return refused.value.code, str(refused.value.param)


@pytest.mark.parametrize(
    ("path", "parameters", "code", "param"),
    [
        (PAYMENTS, {**VALID, "colour": "red"}, "parameter_unknown", "colour"),
        # A parameter of earlier versions of the API.
        (PAYMENTS, {**VALID, "payment_method_types": ["card"]}, "parameter_unknown", None),
        (PAYMENTS, {"currency": "usd"}, "parameter_missing", "amount"),
        (PAYMENTS, {**VALID, "amount": "5.00"}, "parameter_invalid_integer", "amount"),
        (PAYMENTS, {**VALID, "customer": ""}, "parameter_invalid_empty", "customer"),
        (PAYMENTS, {**VALID, "confirm": "yes"}, None, "confirm"),
        (PAYMENTS, {**VALID, "currency": "USD"}, None, "currency"),
        (PAYMENTS, {**VALID, "metadata": "paid"}, None, "metadata"),
        (PAYMENTS, {**VALID, "metadata": {"k" * 41: "v"}}, None, None),
        (PAYMENTS, {**VALID, "metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        (PAYMENTS, {**VALID, "metadata": {f"k{i}": "v" for i in range(51)}}, None, "metadata"),
        (PAYMENTS, {**VALID, "setup_future_usage": "always"}, None, "setup_future_usage"),
        (
            PAYMENTS,
            {**VALID, "automatic_payment_methods": {"enabled": True, "x": 1}},
            "parameter_unknown",
            "automatic_payment_methods[x]",
        ),
        (PAYMENTS, {**VALID, "expand": ["colour"]}, None, "expand"),
        (SESSIONS, {**SETUP, "mode": "set-up"}, None, "mode"),
        (SESSIONS, {"mode": "setup", "currency": "usd"}, "parameter_missing", "success_url"),
        (SESSIONS, {**SETUP, "customer": "cus_never"}, "resource_missing", "customer"),
        (SESSIONS, {**SETUP, "success_url": "/done"}, "url_invalid", "success_url"),
        (SESSIONS, {**SETUP, "customer_email": "nobody"}, "email_invalid", "customer_email"),
        (
            SESSIONS,
            {**SETUP, "customer": "cus_never", "customer_email": "a@example.com"},
            "parameters_exclusive",
            "customer_email",
        ),
        (SESSIONS, {**SETUP, "expires_at": 1}, None, "expires_at"),
        ("/v1/refunds", {"amount": 5}, "parameter_missing", "payment_intent"),
        ("/v1/refunds", {"reason": "regret"}, None, "reason"),
        ("/v1/customers", {"telephone": "1"}, "parameter_unknown", "telephone"),
    ],
)
def test_control_a_wrong_parameter_is_refused(
    standin: Standin, path: str, parameters: dict[str, Any], code: str | None, param: str | None
) -> None:
    refused_code, refused_param = refusal(standin, path, parameters)

    assert code == refused_code
    assert param in (None, refused_param)
    assert [] == standin.payment_intents() + standin.refunds() + standin.objects("customer")


def test_control_an_option_of_the_client_is_no_parameter(standin: Standin) -> None:
    answer = httpx.post(
        f"{standin.url}{PAYMENTS}",
        headers=HEADERS,
        data={"amount": "500", "currency": "usd", "idempotency_key": "k"},
        trust_env=False,
    )

    assert (400, "parameter_unknown") == (answer.status_code, answer.json()["error"]["code"])


def test_a_parameter_that_means_nothing_here_is_refused_and_says_so(standin: Standin) -> None:
    code, param = refusal(standin, PAYMENTS, {**VALID, "transfer_group": "g"})

    assert ("standin_does_not_know", "transfer_group") == (code, param)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_what_is_understood_is_what_stripe_takes(operation: Operation) -> None:
    unknown = operation.understood - described(operation.params).keys()

    assert unknown == set(), "the official package no longer has them"


def test_an_empty_value_takes_a_key_out_of_the_metadata(standin: Standin) -> None:
    customer = standin.client().v1.customers.create({"metadata": {"kept": "1", "not": ""}})

    assert customer.metadata is not None
    assert {"kept": "1"} == customer.metadata.to_dict()


@pytest.mark.parametrize("version", ["2020-08-27", None])
def test_control_another_version_of_the_api_is_refused(
    standin: Standin, version: str | None
) -> None:
    headers = {"Authorization": HEADERS["Authorization"]}
    if version:
        headers["Stripe-Version"] = version

    answer = httpx.get(f"{standin.url}/v1/balance", headers=headers, trust_env=False)

    assert 400 == answer.status_code
    assert "Invalid Stripe API version" in answer.json()["error"]["message"]


def test_control_an_address_that_stripe_does_not_have_is_refused(standin: Standin) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        standin.client().raw_request("post", "/v1/payment_intent", **VALID)


def test_control_a_card_number_is_refused_and_reported(standin: Standin) -> None:
    store = shop(standin)
    # Written in two parts, so that nobody takes this file for one that holds card numbers.
    number = "4242 4242" + " 4242 4242"

    with pytest.raises(stripe.CardError, match="generally unsafe"):
        store.client.v1.payment_intents.create({**store.order, "description": f"card {number}"})

    assert ["create_payment_intent: description"] == standin.card_numbers()
    standin.reset()


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("4242" * 4, True),
        ("4242-4242-" * 2, True),
        ("5555" * 3 + "4444", True),
        ("4242" * 3 + "4243", False),
        ("1767225600000", False),
        ("ACC" + "4242" * 4, False),
        ("2026-01-15", False),
    ],
)
def test_a_card_number_is_told_from_other_numbers(text: str, is_one: bool) -> None:
    assert is_one == is_like_a_card_number(text)


def test_every_operation_answers_under_a_name_of_its_own() -> None:
    names = [operation.name for operation in OPERATIONS]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z_]+", name) for name in names)
