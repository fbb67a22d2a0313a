"""Which requests the stand-in carries out, which parameters Stripe takes, and which matter here."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from stripe import params as official
from stripe.params import checkout

from tests.standin import customers, intents, refunds, sessions
from tests.standin.store import Object
from tests.standin.world import Call, World


@dataclass(frozen=True)
class Operation:
    """One method of one path. Its name is what faults and counts know it by."""

    name: str
    method: str
    path: str
    # The official description of its parameters, and those of them that mean something here.
    params: type
    understood: frozenset[str]
    run: Callable[[World, Call], Object]
    answers: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The path with room for an id."""
        return re.compile(self.path.replace("{id}", "(?P<id>[A-Za-z0-9_]+)"))


def matching(method: str, path: str) -> tuple[Operation, str] | None:
    """The operation and the id in its path, None if Stripe has no such address."""
    for operation in OPERATIONS:
        found = operation.pattern.fullmatch(path)
        if operation.method == method and found:
            return operation, found.groupdict().get("id", "")
    return None


def _understood(*names: str) -> frozenset[str]:
    return frozenset({*names, "expand"})


_PAGE = ("created", "limit", "starting_after", "ending_before")

OPERATIONS = (
    Operation(
        "create_customer",
        "POST",
        "/v1/customers",
        official.CustomerCreateParams,
        _understood("description", "email", "metadata", "name", "phone"),
        customers.create_customer,
        "customer",
    ),
    Operation(
        "retrieve_customer",
        "GET",
        "/v1/customers/{id}",
        official.CustomerRetrieveParams,
        _understood(),
        customers.retrieve_customer,
        "customer",
    ),
    Operation(
        "retrieve_payment_method",
        "GET",
        "/v1/payment_methods/{id}",
        official.PaymentMethodRetrieveParams,
        _understood(),
        customers.retrieve_payment_method,
        "payment_method",
    ),
    Operation(
        "detach_payment_method",
        "POST",
        "/v1/payment_methods/{id}/detach",
        official.PaymentMethodDetachParams,
        _understood(),
        customers.detach_payment_method,
        "payment_method",
    ),
    Operation(
        "create_session",
        "POST",
        "/v1/checkout/sessions",
        checkout.SessionCreateParams,
        _understood(
            *("allowed_payment_method_types", "cancel_url", "client_reference_id", "currency"),
            *("customer", "customer_email", "expires_at", "locale", "metadata", "mode"),
            *("setup_intent_data", "success_url"),
        ),
        sessions.create_session,
        "checkout.session",
    ),
    Operation(
        "retrieve_session",
        "GET",
        "/v1/checkout/sessions/{id}",
        checkout.SessionRetrieveParams,
        _understood(),
        sessions.retrieve_session,
        "checkout.session",
    ),
    Operation(
        "expire_session",
        "POST",
        "/v1/checkout/sessions/{id}/expire",
        checkout.SessionExpireParams,
        _understood(),
        sessions.expire_session,
        "checkout.session",
    ),
    Operation(
        "create_payment_intent",
        "POST",
        "/v1/payment_intents",
        official.PaymentIntentCreateParams,
        _understood(
            *("allowed_payment_method_types", "amount", "automatic_payment_methods", "confirm"),
            *("currency", "customer", "description", "metadata", "off_session", "payment_method"),
            *("receipt_email", "return_url", "setup_future_usage", "statement_descriptor_suffix"),
        ),
        intents.create_payment_intent,
        "payment_intent",
    ),
    Operation(
        "list_payment_intents",
        "GET",
        "/v1/payment_intents",
        official.PaymentIntentListParams,
        _understood("customer", *_PAGE),
        intents.list_payment_intents,
        "payment_intent",
    ),
    Operation(
        "retrieve_payment_intent",
        "GET",
        "/v1/payment_intents/{id}",
        official.PaymentIntentRetrieveParams,
        _understood(),
        intents.retrieve_payment_intent,
        "payment_intent",
    ),
    Operation(
        "confirm_payment_intent",
        "POST",
        "/v1/payment_intents/{id}/confirm",
        official.PaymentIntentConfirmParams,
        _understood("off_session", "payment_method", "return_url"),
        intents.confirm_payment_intent,
        "payment_intent",
    ),
    Operation(
        "cancel_payment_intent",
        "POST",
        "/v1/payment_intents/{id}/cancel",
        official.PaymentIntentCancelParams,
        _understood("cancellation_reason"),
        intents.cancel_payment_intent,
        "payment_intent",
    ),
    Operation(
        "create_refund",
        "POST",
        "/v1/refunds",
        official.RefundCreateParams,
        _understood("amount", "metadata", "payment_intent", "reason"),
        refunds.create_refund,
        "refund",
    ),
    Operation(
        "list_refunds",
        "GET",
        "/v1/refunds",
        official.RefundListParams,
        _understood("charge", "payment_intent", *_PAGE),
        refunds.list_refunds,
        "refund",
    ),
    Operation(
        "retrieve_refund",
        "GET",
        "/v1/refunds/{id}",
        official.RefundRetrieveParams,
        _understood(),
        refunds.retrieve_refund,
        "refund",
    ),
    Operation(
        "retrieve_balance",
        "GET",
        "/v1/balance",
        official.BalanceRetrieveParams,
        _understood(),
        customers.retrieve_balance,
        "balance",
    ),
)
