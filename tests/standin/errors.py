"""Refusals in the words and the shape of Stripe."""

import json
from typing import Any

from tests.standin.wire import Answer

DOCS = "https://docs.stripe.com/error-codes"


class Refused(Exception):
    """Stripe says no: a status and the `error` of the answer's body."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        told = {"message": message, "type": kind, "code": code, "param": param, **more}
        if code is not None:
            told["doc_url"] = f"{DOCS}/{code.replace('_', '-')}"
        self.error = {name: value for name, value in told.items() if value is not None}

    def answer(self) -> Answer:
        """The refusal as it goes over the wire."""
        return Answer(self.status, json.dumps({"error": self.error}).encode())


def missing(what: str, given_id: str, param: str, status: int = 400, hint: str = "") -> Refused:
    """There is no such object: 404 if the path named it, 400 if a parameter did."""
    return Refused(
        f"No such {what}: '{given_id}'{hint}", status=status, code="resource_missing", param=param
    )


def unexpected_state(message: str, intent: dict[str, Any]) -> Refused:
    """The payment is in no state for this."""
    return Refused(message, code="payment_intent_unexpected_state", payment_intent=intent)


def broken() -> Answer:
    """The answer of a server that failed."""
    failed = Refused("Sorry! There was an error while talking to Stripe.", kind="api_error")
    return Answer(500, failed.answer().body)
