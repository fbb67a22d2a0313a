"""The pages over sample accounts without any server, and over the stage's account on a real one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from starter.backend import Backend
from systems.wiring import Systems, open_systems
from tests.starter.web.site.visit import (
    URL,
    Front,
    backend_without_temporal,
    front_of,
    whole_front_of,
)
from tests.workflows.stage import Stage


@pytest.fixture
async def quiet_backend(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Backend]:
    """The product on an empty database; Temporal is away."""
    systems = open_systems(sqlite_url, f"sqlite:///{tmp_path / 'gateway.db'}", pages_url=URL)
    yield await backend_without_temporal(systems)
    systems.close()


@pytest.fixture
def quiet(quiet_backend: Backend) -> Front:
    """The pages over it."""
    return front_of(quiet_backend)


@pytest.fixture
def systems(quiet_backend: Backend) -> Systems:
    """What the quiet pages stand on."""
    return quiet_backend.systems


@pytest.fixture
def front(stage: Stage) -> Front:
    """The whole web process over the stage's account; acts need `stage.worker()`."""
    return whole_front_of(Backend(stage.systems, stage.pauses, stage.offer))
