"""What goes wrong on demand, for the next requests that match."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.standin.wire import Answer, Manner, Reply


class Kind(StrEnum):
    """A fault. "Effect" is what the request would have done: a payment, a charge, a refund."""

    # The connection is closed without an answer; no effect.
    REFUSE = "refuse"
    # The connection is reset (TCP RST), before or after the effect.
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    # The effect happens at once, the answer comes `seconds` later; its key is in use until then.
    SLOW = "slow"
    # No answer ever, without or with the effect.
    HANG = "hang"
    HANG_AFTER = "hang_after"
    # A 500 without or with the effect, kept under the idempotency key.
    ERROR_500_BEFORE = "error_500_before"
    ERROR_500_AFTER = "error_500_after"
    # Refused before anything; not kept.
    CONFLICT_409 = "conflict_409"
    RATE_LIMITED_429 = "rate_limited_429"
    # The effect happens; half of the answer comes, as if that were all of it, or with its promised
    # length and then the end of the connection.
    TRUNCATED_JSON = "truncated_json"
    CUT_OFF = "cut_off"
    # The effect happens; the answer is somebody's HTML, with status 200.
    NOT_JSON = "not_json"
    # The effect happens; the answer shows something else. Its key keeps the true one.
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    OTHER_CUSTOMER = "other_customer"
    UNKNOWN_STATUS = "unknown_status"
    # 404 for what is there, 400 for what a parameter names, an empty list; no effect, not kept.
    FORGETS = "forgets"


DROPS = {
    Kind.REFUSE: Manner.CLOSED,
    Kind.RESET_BEFORE: Manner.RESET,
    Kind.HANG: Manner.NEVER,
}
SENT = {
    Kind.RESET_AFTER: Manner.RESET,
    Kind.HANG_AFTER: Manner.NEVER,
    Kind.CUT_OFF: Manner.CUT_OFF,
}

OTHER_CUSTOMER = "cus_somebodyelse"
NEVER_HEARD_OF = "never_heard_of"
NO_JSON = b"<html><body>upstream connect error</body></html>"


@dataclass
class Fault:
    """One kind of fault, for `times` requests to an operation, after `skip` were let through."""

    kind: Kind
    operation: str = "*"
    times: int = 1
    skip: int = 0
    seconds: float = 0.0

    def applies(self, operation: str) -> bool:
        """Whether it is this request's turn; counts the request."""
        if self.times == 0 or self.operation not in ("*", operation):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Faults:
    """The faults that are still to come; the first that matches a request is the one it meets."""

    def __init__(self) -> None:
        self.planned: list[Fault] = []

    def take(self, operation: str) -> Fault | None:
        """The fault that this request meets."""
        return next((fault for fault in self.planned if fault.applies(operation)), None)


def shown(answer: Answer, kind: Kind) -> Reply:
    """The answer as the client gets to see it."""
    if kind is Kind.TRUNCATED_JSON:
        return Reply(_with_body(answer, answer.body[: len(answer.body) // 2]))
    if kind is Kind.NOT_JSON:
        return Reply(Answer(200, NO_JSON, content_type="text/html"))
    if kind in _DISTORTIONS:
        body = json.loads(answer.body)
        for thing in _things(body):
            _DISTORTIONS[kind](thing)
        return Reply(_with_body(answer, json.dumps(body).encode()))
    return Reply(answer, SENT.get(kind, Manner.WHOLE))


def _with_body(answer: Answer, body: bytes) -> Answer:
    return Answer(answer.status, body, answer.headers, answer.content_type)


def _things(body: dict[str, Any]) -> list[dict[str, Any]]:
    if "error" in body:
        return [body["error"]["payment_intent"]] if "payment_intent" in body["error"] else []
    return list(body["data"]) if body.get("object") == "list" else [body]


def _wrong_amount(thing: dict[str, Any]) -> None:
    for name in ("amount", "amount_received"):
        if thing.get(name):
            thing[name] += 1


def _wrong_currency(thing: dict[str, Any]) -> None:
    thing["currency"] = "usd" if thing.get("currency") == "eur" else "eur"


def _other_customer(thing: dict[str, Any]) -> None:
    thing["id" if thing["object"] == "customer" else "customer"] = OTHER_CUSTOMER


def _unknown_status(thing: dict[str, Any]) -> None:
    thing["status"] = NEVER_HEARD_OF


_DISTORTIONS: dict[Kind, Callable[[dict[str, Any]], None]] = {
    Kind.WRONG_AMOUNT: _wrong_amount,
    Kind.WRONG_CURRENCY: _wrong_currency,
    Kind.OTHER_CUSTOMER: _other_customer,
    Kind.UNKNOWN_STATUS: _unknown_status,
}
