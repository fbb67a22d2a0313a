"""Lists in pages: a cursor names the last item of a page, and the next page begins behind it.

So nothing is shown twice and nothing left out while items are added, as numbered pages would.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict

from domain.errors import invalid

Item = TypeVar("Item")
# What a list is sorted by; unique.
Key = tuple[str, ...]

Limit = Annotated[int, Query(ge=1, le=200, description="How many items at most.")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=500,
        pattern=r"^[A-Za-z0-9_=-]+$",
        description="`next_cursor` of the page before; left out: the first page.",
    ),
]


class Page(BaseModel, Generic[Item]):
    """A part of a list. `next_cursor` asks for the next part; null: this is the last one."""

    model_config = ConfigDict(frozen=True)

    items: tuple[Item, ...]
    next_cursor: str | None


def page_of(
    items: Iterable[Item],
    key: Callable[[Item], Key],
    cursor: str | None,
    limit: int,
    *,
    latest_first: bool = False,
) -> tuple[list[Item], str | None]:
    """`limit` of the items behind `cursor`, sorted by `key`, and the cursor behind them.

    Raises:
        Rejected: `validation_failed` for a cursor that was not given out.
    """
    ahead = sorted(items, key=key, reverse=latest_first)
    if cursor is not None:
        last = _decoded(cursor)
        ahead = [each for each in ahead if (key(each) < last if latest_first else key(each) > last)]
    shown = ahead[:limit]
    return shown, _encoded(key(shown[-1])) if len(ahead) > limit else None


def next_page(operation_id: str) -> dict[str, Any]:
    """The link from a page to the next one, for OpenAPI."""
    parameters = {
        "account_id": "$request.path.account_id",
        "cursor": "$response.body#/next_cursor",
    }
    return {"next": {"operationId": operation_id, "parameters": parameters}}


def _encoded(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _decoded(cursor: str) -> Key:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts: Any = json.loads(base64.urlsafe_b64decode(padded))
    except (binascii.Error, ValueError):
        parts = None
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise invalid("cursor", "That is no cursor; begin again without one.")
    return tuple(parts)
