"""The product as a person meets it: a local stack, an account on it, and somebody at a browser."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect

from settings import Settings
from systems.sample import SampleAccount, create_account
from systems.sample.log_ins import PASSWORD, add_log_ins, hashed_password
from systems.wiring import Systems, open_systems
from tests.starter.conftest import COMMAND, ROOT, Up, environment

DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}

# A shared machine may take its time to pause an account.
PATIENCE_MS = 30_000

# What browsers say of a page that has mistakes on it; the test looks at those itself.
EXPECTED = ("422 (Unprocessable", "403 (Forbidden)", "404 (Not Found)")


@dataclass(frozen=True)
class Product:
    """A running stack and its systems."""

    up: Up
    systems: Systems

    @property
    def url(self) -> str:
        """Where its pages are."""
        return str(self.up.document["web_url"])

    def account(self, **more: Any) -> SampleAccount:
        """A fresh account whose users may log in."""
        key = uuid4().hex
        given = {
            "key": key,
            "name": f"Shop {key[:6]}",
            "time_zone": "America/Chicago",
            "billing_day": 15,
            "created_at": datetime.now(UTC),
            "numbers": 4,
        }
        account = create_account(self.systems, **{**given, **more})
        with self.systems.db.transaction() as session:
            add_log_ins(session, [account.account_id], hashed_password())
        return account

    def command(self, *arguments: str) -> Any:
        """What a command of ours answers, as its one JSON document."""
        done = subprocess.run(
            [*COMMAND, *arguments, "--json"],
            cwd=ROOT,
            env=environment(self.up.state_dir),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


@contextmanager
def product_on(up: Up) -> Iterator[Product]:
    """The product that runs there."""
    settings = Settings(state_dir=up.state_dir)
    systems = open_systems(settings.database, settings.gateway, 2)
    try:
        yield Product(up, systems)
    finally:
        systems.close()


@dataclass
class Person:
    """Somebody at a browser, who finds things by the words on the page."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._keep)
        self.page.on("pageerror", lambda error: self.complaints.append(error.message))

    def opens(self, path: str = "/") -> None:
        """Type an address."""
        self.page.goto(self.url + path)

    def logs_in(self, email: str, password: str = PASSWORD) -> None:
        """From the log-in page to wherever it leads."""
        self.opens("/log-in")
        self.fills("E-mail", email)
        self.fills("Password", password)
        self.presses("Log in")

    def clicks(self, link: str) -> None:
        """Follow a link."""
        self.page.get_by_role("link", name=link, exact=True).first.click()

    def presses(self, button: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=button, exact=True).click()

    def fills(self, label: str, value: str) -> None:
        """Fill in a field."""
        self.page.get_by_label(label, exact=True).fill(value)

    def ticks(self, label: str) -> None:
        """Tick a box by its words."""
        self.page.get_by_text(label).click()

    def opens_the_account_panel(self) -> None:
        """Click the icon at the top left."""
        icon = self.page.locator("summary[aria-label=Account]")
        box = icon.bounding_box()
        assert box is not None
        assert (box["x"], box["y"]) < (60, 60), "the account icon is not at the top left"
        icon.click()
        expect(self.page.get_by_role("heading", name="My Account")).to_be_visible()

    def sees(self, words: str) -> None:
        """These words stand on the page, or soon will."""
        expect(self.page.locator("main")).to_contain_text(words, timeout=PATIENCE_MS)

    def sees_page(self, title: str) -> None:
        """The page with this heading is open, or soon will be."""
        expect(self.page.locator("h1")).to_have_text(title, timeout=PATIENCE_MS)

    def _keep(self, message: ConsoleMessage) -> None:
        is_expected = any(words in message.text for words in EXPECTED)
        if message.type in ("error", "warning") and not is_expected:
            self.complaints.append(message.text)


@contextmanager
def person_at(browser: Browser, url: str, **more: Any) -> Iterator[Person]:
    """Somebody at a fresh browser; whatever it complains about fails the test."""
    context = browser.new_context(**{"viewport": DESKTOP, **more})
    try:
        person = Person(context.new_page(), url)
        yield person
        assert person.complaints == []
    finally:
        context.close()
