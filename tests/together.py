"""Doing something several times at one moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

Result = TypeVar("Result")

PATIENCE_SECONDS = 60


def together(*calls: Callable[[], Result]) -> list[Result | Exception]:
    """Run every call in a thread of its own, let loose at once; return what each came to."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result | Exception:
        barrier.wait(PATIENCE_SECONDS)
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
