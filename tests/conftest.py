"""Fixtures that every test may ask for, and which `make` target runs it."""

import pytest

from tests.tiers import mark_thorough

pytest_plugins = [
    "tests.browser.fixture",
    "tests.databases",
    "tests.standin.fixture",
    "tests.temporal",
    "tests.workflows.stage",
]


# First: pytest takes out afterwards what `-m` leaves out.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of `make test-thorough`."""
    mark_thorough(items, config.rootpath)
