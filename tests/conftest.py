"""Fixtures that every test may ask for."""

pytest_plugins = [
    "tests.browser.fixture",
    "tests.databases",
    "tests.standin.fixture",
    "tests.temporal",
    "tests.workflows.stage",
]
