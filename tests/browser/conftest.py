"""What tests with a browser start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from systems.wiring import open_systems
from tests.browser.fixture import Started, inside, served
from tests.browser.product import Product, product_on
from tests.browser.web_site import WebSite, application
from tests.starter.conftest import running_up
from tests.systems.examples import add_account


@pytest.fixture
def web_site(tab: Page, browser: Browser, sqlite_url: str, tmp_path: Path) -> Iterator[WebSite]:
    """A web site of the example account's company; whatever goes wrong on it fails the test."""
    systems = open_systems(sqlite_url, f"sqlite:///{tmp_path / 'gateway.db'}")
    add_account(systems.db)
    tab.context.clear_cookies()
    site = WebSite(systems, tab)
    with served(application(site)) as port, site.listening():
        site.port = port
        yield site
    systems.close()
    assert [] == site.errors


@pytest.fixture(scope="session")
def tab(started_browser: Started) -> Iterator[Page]:
    """The tab for all visits: a new one for each would take longer than most of the tests."""
    with inside(started_browser.loop):
        tab = started_browser.browser.new_page()
    yield tab
    with inside(started_browser.loop):
        tab.close()


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A local stack with the product's pages; tests make accounts of their own on it."""
    with running_up(tmp_path_factory.mktemp("product")) as up, product_on(up) as running:
        yield running
