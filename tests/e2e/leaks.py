"""Looks for given texts in exported histories, however they are wrapped."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator

from temporalio.client import WorkflowHistory


def leaks(histories: Iterable[WorkflowHistory], secrets: Iterable[str]) -> set[str]:
    """Which of `secrets` stand in the histories."""
    return leaks_in([json.loads(history.to_json()) for history in histories], secrets)


def leaks_in(value: object, secrets: Iterable[str]) -> set[str]:
    """Which of `secrets` stand in a JSON value: in plain, in payloads, or inside of those.

    A secret must stand by itself: four digits in the middle of an id are no card's.
    """
    texts = list(_texts(value))
    return {secret for secret in secrets if any(_stands_in(secret, text) for text in texts)}


def _texts(value: object) -> Iterator[str]:
    match value:
        case dict():
            for name, part in value.items():
                yield name
                yield from _texts(part)
        case list():
            for part in value:
                yield from _texts(part)
        case str():
            yield value
            yield from _unwrapped(value)


def _unwrapped(text: str) -> Iterator[str]:
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return
    if not decoded:
        return
    try:
        yield from _texts(json.loads(decoded))
    except json.JSONDecodeError:
        yield from _texts(decoded)


def _stands_in(secret: str, text: str) -> bool:
    pattern = rf"(?<![0-9a-z]){re.escape(secret)}(?![0-9a-z])"
    return re.search(pattern, text, re.IGNORECASE) is not None
