"""Writes down how the API describes itself: ``.venv/bin/python -m tests.starter.web.api.pin``."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.terms import Offer
from starter.backend import Backend
from starter.client import PauseClient
from starter.connect import connect
from systems.wiring import open_systems
from tests.starter.web.api.desk import api_app

PINNED = Path(__file__).with_name("openapi.json")


@contextmanager
def unused_backend() -> Iterator[Backend]:
    """Enough to build the application on: nothing is asked of it, so it needs no tables."""
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{Path(directory) / 'unused.db'}"
        systems = open_systems(url, url)
        client = asyncio.run(connect("127.0.0.1:1", lazy=True))
        yield Backend(systems, PauseClient(client, systems.accounts), Offer())
        systems.close()


def pin() -> None:
    """Write it down."""
    with unused_backend() as backend:
        described = json.dumps(api_app(backend).openapi(), indent=1, sort_keys=True)
    PINNED.write_text(described + "\n", encoding="utf-8")


if __name__ == "__main__":
    pin()
