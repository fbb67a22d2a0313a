"""Comparing what an account was with what it is again (A2)."""

from collections.abc import Iterator, Mapping
from typing import Any

# Unlike None, which a snapshot may well hold.
MISSING = object()


def count_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> int:
    """In how many places two snapshots differ; 0 when they are equal. Lists count by position."""
    return sum(1 for _ in differences(before, after))


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The paths at which two JSON values differ, such as ``numbers.TRK1.destination_number``."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            here = f"{path}.{key}".lstrip(".")
            yield from differences(before.get(key, MISSING), after.get(key, MISSING), here)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, f"{path}.{position}")
    elif before != after:
        yield path
