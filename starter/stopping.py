"""Waiting in a process that may be told to stop."""

import asyncio
from contextlib import suppress


async def sleep_unless_stopped(stop: asyncio.Event, seconds: float) -> None:
    """Sleep that long, or until `stop` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
