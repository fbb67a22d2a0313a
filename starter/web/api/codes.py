"""Every code with which the API may answer: its status, and what it means to the caller.

`docs/api.md` has the same table.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from domain.errors import Code
from starter.web.identity.forgery import CROSS_SITE
from starter.web.problems import (
    INTERNAL_ERROR,
    MEDIA_TYPE,
    OTHERWISE,
    PAYLOAD_TOO_LARGE,
    STATUS_OF_CODE,
)

BAD_REQUEST = "bad_request"

# Those that are none of the domain's.
STATUS_OF_OTHERS: Mapping[str, HTTPStatus] = {
    BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    CROSS_SITE: HTTPStatus.FORBIDDEN,
    PAYLOAD_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}

MEANING: Mapping[str, str] = {
    BAD_REQUEST: "The body cannot be read.",
    Code.UNAUTHENTICATED: "No session and no API key, or none that is in force.",
    Code.NOT_AN_ADMINISTRATOR: "Only an administrator of the account may do this.",
    Code.ACCOUNT_PAUSED: "Shut while the account is paused.",
    Code.ACCOUNT_CLOSED: "Shut while the account is closed; a card opens it again.",
    CROSS_SITE: "With a session: sent by another site, or without the session's token.",
    Code.ACCOUNT_NOT_FOUND: "No such account, or not the caller's.",
    Code.PAUSE_NOT_FOUND: "Never paused, or no such pause.",
    Code.ACCOUNT_ALREADY_PAUSED: "Another pause or close is under way.",
    Code.ACCOUNT_NOT_PAUSED: "Not paused.",
    Code.PAUSING_FAILED: "A step was refused for good; everything is as it was before.",
    Code.RUN_IS_ENDING: "The pause is just ending; ask again.",
    Code.IDEMPOTENCY_KEY_IN_USE: "The first request with that key is still being worked on.",
    Code.PRECONDITION_FAILED: "Changed since the caller has seen it; nothing was changed.",
    PAYLOAD_TOO_LARGE: "The body has more than 64 KiB.",
    Code.IDEMPOTENCY_KEY_REUSED: "That key belongs to another request.",
    Code.INVALID_RESUME_DATE: "The resume date lies outside of `earliest` to `latest`.",
    Code.PAYMENT_METHOD_REQUIRED: "No card on file, or none entered so far.",
    Code.TERMS_NOT_ACCEPTED: "The terms on offer, `terms_version`, were not accepted.",
    Code.TOO_MANY_TRACKING_NUMBERS: "`active` numbers where a pause keeps `limit`: `excess` many.",
    Code.VALIDATION_FAILED: "Something is missing or malformed, often with its `field`.",
    Code.RATE_LIMITED: "Too often; `Retry-After` says when to ask again.",
    INTERNAL_ERROR: "A mistake of ours, which has been noted.",
    Code.UNAVAILABLE: "Something is away. Nothing is half done: ask again after `Retry-After`.",
}

PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "Why a request was not served: a problem document (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable, for programs.", "enum": [*MEANING]},
        "detail": {"type": "string", "description": "A sentence for people."},
        "figures": {
            "type": "object",
            "description": "What one needs to act.",
            "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        },
    },
}

RETRY_AFTER = {
    "description": "After how many seconds to ask again.",
    "schema": {"type": "integer", "minimum": 1},
}
MAY_BE_ASKED_AGAIN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def status_of(code: str) -> HTTPStatus:
    """The HTTP status that comes with the code."""
    if code in STATUS_OF_OTHERS:
        return STATUS_OF_OTHERS[code]
    return STATUS_OF_CODE.get(Code(code), OTHERWISE)


def problem_responses(codes: Iterable[str]) -> dict[str, Any]:
    """What OpenAPI says of answers with these codes, by status, with an example of each."""
    by_status: dict[HTTPStatus, list[str]] = defaultdict(list)
    for code in MEANING:
        if code in set(codes):
            by_status[status_of(code)].append(code)
    return {
        str(int(status)): _response(status, of_status)
        for status, of_status in sorted(by_status.items())
    }


def _response(status: HTTPStatus, codes: list[str]) -> dict[str, Any]:
    content = {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "examples": {code: {"value": _example(status, code)} for code in codes},
    }
    described: dict[str, Any] = {
        "description": f"{status.phrase}: {', '.join(f'`{code}`' for code in codes)}.",
        "content": {MEDIA_TYPE: content},
    }
    if status in MAY_BE_ASKED_AGAIN:
        described["headers"] = {"Retry-After": RETRY_AFTER}
    return described


def _example(status: HTTPStatus, code: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "code": code,
        "detail": MEANING[code],
    }
