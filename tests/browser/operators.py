"""Somebody at Temporal's Web UI who has never seen the code: reads what is on screen, and presses.

With `MAKE_SCREENSHOTS` set the screens that `docs/web-ui.md` shows are kept.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import (
    Browser,
    FloatRect,
    FrameLocator,
    Locator,
    Page,
    ViewportSize,
    expect,
)

from domain.queries import path_of
from tests.browser.gallery import ASKED_FOR_BY, FOLDER, tab
from tests.browser.web_ui import Scene

SCREEN: ViewportSize = {"width": 1440, "height": 1000}
# For a run's own page, which one scrolls through otherwise.
TALL: ViewportSize = {"width": 1440, "height": 1340}
# What `docs/web-ui.md` shows.
PICTURES = frozenset(
    {
        *("open-pauses", "search-attributes", "needs-an-operator", "timeline", "past-due"),
        *("stuck", "pending", "signal", "update", "cancelled"),
    }
)

# A busy machine takes ten seconds for the first page.
PATIENCE_MS = 60_000


@dataclass(frozen=True)
class Operator:
    """An operator at a browser."""

    page: Page
    scene: Scene

    def lists(self, query: str) -> set[str]:
        """The accounts that a saved query lists, by the names that the scene gives them."""
        self.page.goto(f"{self.scene.url}/{path_of(query)}")
        rows = self.page.get_by_role("row")
        expect(rows.filter(has=self.page.get_by_role("link"))).not_to_have_count(0)
        names = {self.scene.run_id(who): who for who in self.scene.stages}
        return {name for run, name in names.items() if rows.filter(has_text=run).count()}

    def adds_columns(self, *names: str) -> None:
        """Put search attributes into the list, in the place of what tells nothing."""
        self.page.get_by_role("button", name="Configure Columns").click()
        for name in ("Run ID", "Type", "Start", "End"):
            self.page.get_by_role("button", name=f"Remove {name} column").click()
        for name in names:
            self.page.get_by_role("button", name=f"Add {name} column").click()
        self.page.get_by_role("button", name="Close Workflows Table configuration").click()

    def row_of(self, who: str) -> Locator:
        """The account's line in the list that is open."""
        return self.page.get_by_role("row").filter(has_text=self.scene.run_id(who))

    def opens(self, who: str) -> None:
        """From the list of all runs to the account's."""
        everything = "/namespaces/default/workflows"
        if self.page.url.startswith(self.scene.url):
            self.page.locator(f"a[href='{everything}']").first.click()
        else:
            self.page.goto(self.scene.url + everything)
        self.row_of(who).get_by_role("link").first.click()

    def bar(self, label: str | re.Pattern[str]) -> Locator:
        """The bars of the timeline with that label."""
        return self.page.get_by_role("button").get_by_text(label)

    def turns_to(self, name: str) -> None:
        """Another tab of the run."""
        self.page.get_by_role("tab", name=name).click()

    def reads(self) -> str:
        """What the run's own page says, in the tab *User Metadata*."""
        self.turns_to("User Metadata")
        self._page_of_the_run.get_by_text("Operator:").first.wait_for()
        return self._page_of_the_run.locator("main").inner_text()

    def follows(self, link: str) -> str:
        """Where a link of the run's own page leads."""
        with self.page.context.expect_page() as opened:
            self._page_of_the_run.get_by_role("link", name=link).click()
        address = opened.value.url
        opened.value.close()
        return address

    def sends(self, what: str, name: str, data: str = "", picture: str | None = None) -> str:
        """*Send a Signal* or *an Update* with one JSON payload, or none; what is said of it.

        `picture` is that of the handlers to choose from.
        """
        self.page.get_by_role("button", name="More Actions").click()
        self.page.get_by_role("menuitem", name=f"Send {what}").click()
        self.dialog.locator("button[aria-haspopup]").click()
        option = self.page.get_by_role("option").filter(
            has=self.page.get_by_text(name, exact=True), visible=True
        )
        description = option.inner_text().partition("\n")[2]
        if picture is not None:
            self.keeps(picture)
        option.click()
        if data:
            field = self.dialog.get_by_role("textbox", name="Data")
            field.fill(data)
            # It lays the data out when it is left, which moves the button below.
            field.blur()
        self.dialog.get_by_role("button", name="Submit").click()
        expect(self.dialog).to_have_count(0)
        return description

    def tries_at_once(self) -> None:
        """*Reset* the attempts of the one pending activity: the next one is made now."""
        self.page.get_by_role("button", name="Reset").click()
        self.dialog.get_by_role("button", name="Reset").click()
        expect(self.dialog).to_have_count(0)

    def cancels(self) -> None:
        """*Request Cancellation*, confirmed."""
        self.page.get_by_role("button", name="Request Cancellation").click()
        self.dialog.get_by_role("button", name="Confirm").click()
        expect(self.dialog).to_have_count(0)

    @property
    def dialog(self) -> Locator:
        """The dialog that is open."""
        return self.page.get_by_role("dialog").filter(visible=True)

    def keeps(self, picture: str, *, tall: bool = False, above: str | None = None) -> None:
        """Keep the screen for the documents, if they are asked for; only what is `above` a text."""
        assert picture in PICTURES
        if ASKED_FOR_BY not in os.environ:
            return
        screen = TALL if tall else SCREEN
        self.page.set_viewport_size(screen)
        below = self.page.get_by_text(above, exact=True).bounding_box() if above else None
        height = below["y"] if below else screen["height"]
        clip: FloatRect = {"x": 0, "y": 0, "width": screen["width"], "height": height}
        path = FOLDER / f"ui-{picture}.png"
        self.page.screenshot(path=path, clip=clip, animations="disabled")
        self.page.set_viewport_size(SCREEN)

    @property
    def _page_of_the_run(self) -> FrameLocator:
        return self.page.frame_locator("#user-metadata-current-details")


@contextmanager
def operator_at(browser: Browser, scene: Scene) -> Iterator[Operator]:
    """An operator at a fresh browser, whose clock shows UTC."""
    more = {"color_scheme": "light", "locale": "en-GB", "timezone_id": "UTC"}
    with tab(browser, viewport=SCREEN, **more) as page:
        page.set_default_timeout(PATIENCE_MS)
        yield Operator(page, scene)
