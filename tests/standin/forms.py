"""Form encoding with brackets, as Stripe reads it, and an eye on card numbers."""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

from tests.standin.errors import Refused
from tests.standin.wire import Request

# 13 to 19 digits that are part of no longer word, in groups or not. Networks begin with 3 to 6.
_LIKE_A_CARD_NUMBER = re.compile(r"(?<![0-9A-Za-z])[3-6](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])")
_FORM = "application/x-www-form-urlencoded"

Parameters = dict[str, Any]


def decoded(request: Request) -> Parameters:
    """The parameters of path and body, nested: ``a[b][0]=c`` is ``{"a": {"b": {"0": "c"}}}``."""
    if request.body and not request.headers.get("content-type", "").startswith(_FORM):
        raise Refused(f"Invalid content type: send {_FORM}.")
    parameters: Parameters = {}
    for name, value in _pairs(request):
        _put(parameters, name, value)
    return parameters


def with_card_number(request: Request) -> list[str]:
    """The names of parameters that hold what looks like a card number."""
    return [name for name, value in _pairs(request) if is_like_a_card_number(value)]


def is_like_a_card_number(text: str) -> bool:
    """Whether a run of digits in it could be one, by its length and its check digit."""
    return any(_checks(found.group()) for found in _LIKE_A_CARD_NUMBER.finditer(text))


def _pairs(request: Request) -> Iterator[tuple[str, str]]:
    for encoded in (request.query, request.body.decode()):
        yield from parse_qsl(encoded, keep_blank_values=True)


def _put(parameters: Parameters, name: str, value: str) -> None:
    first, *inner = name.replace("]", "").split("[")
    path = [first, *inner]
    for step in path[:-1]:
        parameters = parameters.setdefault(step, {})
        if not isinstance(parameters, dict):
            raise Refused(f"Invalid object: {name} was given twice", param=name)
    parameters[path[-1]] = value


def _checks(number: str) -> bool:
    digits = [int(each) for each in reversed(number) if each.isdigit()]
    return (sum(digits[::2]) + _doubled(digits[1::2])) % 10 == 0


def _doubled(digits: Iterable[int]) -> int:
    return sum(2 * each - 9 if each > 4 else 2 * each for each in digits)
