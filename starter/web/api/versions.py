"""`ETag` and `If-Match`: nobody moves a resume date that somebody else has moved meanwhile.

The tag names the version of what can be changed: the pause and its resume date. The rest of the
document changes by itself, and `Cache-Control: no-store` keeps caches from relying on the tag.
"""

import re
from asyncio import to_thread
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import Header

from domain.errors import Code, Rejected
from domain.messages import Status
from starter.backend import Backend

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=500,
        description="The `ETag` of the pause whose date is to be changed. Another date that stands"
        " meanwhile is left alone.",
    ),
]


def etag_of(status: Status) -> str:
    """The tag of the pause as it stands."""
    return f'"{status.pause_id}.{status.resume_on}"'


@dataclass(frozen=True)
class Seen:
    """The pause and the resume date that whoever asks has seen; None: whatever stands."""

    pause_id: str | None = None
    resume_on: date | None = None


async def expected(backend: Backend, account_id: str, if_match: str | None) -> Seen:
    """What whoever asks has seen.

    That it still stands is checked by the pause itself, at the moment at which it changes it.

    Raises:
        Rejected: `precondition_failed`: it does not stand any more; `pause_not_found`.
    """
    if if_match is None or if_match.strip() == "*":
        return Seen()
    current = await to_thread(backend.record, account_id)
    if etag_of(current) not in re.findall(r'(?<!W/)"[^"]*"', if_match):
        raise Rejected(
            Code.PRECONDITION_FAILED,
            "The pause has changed since you have seen it; nothing was changed.",
        )
    return Seen(current.pause_id, current.resume_on)
