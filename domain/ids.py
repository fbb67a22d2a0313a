"""Opaque ids: a three-letter prefix and 32 hex digits, for example ``PAU`` + ``4f…``.

Randomness does not belong here: callers bring the UUID (a workflow takes its own from Temporal).
"""

import re
from enum import StrEnum
from uuid import UUID

from domain.errors import Code, Rejected


class Prefix(StrEnum):
    """Which kind of thing an id names."""

    ACCOUNT = "ACC"
    COMPANY = "COM"
    TRACKER = "TRK"
    NUMBER = "NUM"
    CALL_FLOW = "CFL"
    USER = "USR"
    CALL = "CAL"
    PAUSE = "PAU"
    CLOSE = "CLO"
    INVOICE = "INV"
    NOTICE = "NOT"
    SESSION = "SES"
    API_KEY = "KEY"


def make_id(prefix: Prefix, uuid: UUID) -> str:
    """The id of `prefix`'s kind that carries `uuid`."""
    return f"{prefix}{uuid.hex}"


def checked_id(prefix: Prefix, value: str) -> str:
    """Return `value` if it is an id of `prefix`'s kind.

    Raises:
        Rejected: `validation_failed`, when it is not. The value itself is not repeated, since
            what people paste here by mistake may be anything.
    """
    if re.fullmatch(rf"{prefix}[0-9a-f]{{32}}", value) is None:
        raise Rejected(
            Code.VALIDATION_FAILED,
            f"That is no {prefix.name.lower()} id: it should be {prefix} and 32 hex digits.",
        )
    return value
