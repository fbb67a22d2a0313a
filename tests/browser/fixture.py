"""A real browser for tests, and applications served to it over HTTP.

`page` is a tab of a new visitor: nothing is left of the test before. Every name leads to this
machine, so web sites may have names and no test reaches out.
"""

import asyncio
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from starlette.types import ASGIApp

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--host-resolver-rules=MAP * 127.0.0.1",
    "--no-proxy-server",
    # What a browser would otherwise ask its maker about, and when.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    # Else web sites are sent to https by Chromium's own opinion of their names.
    "--disable-features=HttpsUpgrades,HttpsFirstBalancedMode,OptimizationHints,MediaRouter",
)
# Machines may be busy.
WITHIN_SECONDS = 30


@dataclass(frozen=True)
class Started:
    """The browser, and Playwright's event loop, without which it is not to be touched."""

    browser: Browser
    loop: asyncio.AbstractEventLoop


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """An empty tab of a new visitor."""
    return context.new_page()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A new visitor: no cookies, an empty cache."""
    context = browser.new_context()
    context.set_default_timeout(WITHIN_SECONDS * 1000)
    yield context
    context.close()


@pytest.fixture
def browser(started_browser: Started) -> Iterator[Browser]:
    """The browser, one per test process. Without one the test is skipped, or fails if `CI=true`."""
    with inside(started_browser.loop):
        yield started_browser.browser


@pytest.fixture(scope="session")
def started_browser() -> Iterator[Started]:
    """Started once; ask for `browser`."""
    executable = _executable()
    playwright = sync_playwright().start()
    loop = asyncio.get_running_loop()
    # Playwright leaves its loop marked as running, and pytest-asyncio could start none of its own.
    with inside(loop):
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
    expect.set_options(timeout=WITHIN_SECONDS * 1000)
    yield Started(browser, loop)
    with inside(loop):
        browser.close()
        playwright.stop()


@contextmanager
def inside(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Mark Playwright's loop as the running one, as it expects, for that long."""
    asyncio._set_running_loop(loop)
    try:
        yield
    finally:
        asyncio._set_running_loop(None)


@contextmanager
def served(app: ASGIApp) -> Iterator[int]:
    """Serve `app` to the browser; yields the port, at which every host name is answered."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        # A tab may hold its connection open for longer than anybody would wait.
        server.force_exit = True
        thread.join(WITHIN_SECONDS)
        listener.close()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, f"the server is not up after {WITHIN_SECONDS} s"
        time.sleep(0.005)


def _executable() -> str:
    found = next((path for name in EXECUTABLES if (path := shutil.which(name))), None)
    if found is not None:
        return found
    advice = f"no browser on PATH: install one of {', '.join(EXECUTABLES)}"
    if os.environ.get("CI") == "true":
        pytest.fail(advice)
    pytest.skip(advice)
