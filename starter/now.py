"""The time that processes go by, unless somebody gives them another clock."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The host's clock."""
    return datetime.now(UTC)
