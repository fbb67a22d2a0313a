"""The pictures of docs/pages.md, made anew when asked: `make screenshots`.

They show sample accounts at a fixed moment, so a picture changes when the page does.
"""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize

from tests.browser.gallery import ASKED_FOR_BY, FOLDER, WORLDS, Picture, tab, world

SCREEN: ViewportSize = {"width": 1000, "height": 860}
SMALL: ViewportSize = {"width": 390, "height": 780}

# By world: the pictures of the documents, and those that are shown on a phone instead.
SHOWN = {
    "active": ("activity", "billing", "cancel", "pause", "pause-too-many", "close"),
    "paused": ("status", "resume"),
    "declined": ("past-due",),
    "closed": ("reopen",),
}
ON_A_PHONE = ("pause-too-many", "past-due", "reopen")
# Only what one sees first: the whole page is long.
FIRST_SCREEN = ("activity", "pause", "past-due")


@pytest.mark.skipif(ASKED_FOR_BY not in os.environ, reason=f"set {ASKED_FOR_BY}=1 to make them")
@pytest.mark.parametrize("name", SHOWN)
def test_the_pictures_of_the_documents_are_made(
    browser: Browser, sqlite_template: Path, tmp_path: Path, name: str
) -> None:
    FOLDER.mkdir(exist_ok=True)
    with world(name, sqlite_template, tmp_path) as made:
        for picture in pictures_of(name):
            screen = SMALL if picture.name in ON_A_PHONE else SCREEN
            with tab(browser, viewport=screen, color_scheme="light", locale="en-GB") as page:
                made.shows(page, picture)
                page.screenshot(
                    path=FOLDER / f"{picture.name}.png",
                    full_page=picture.name not in FIRST_SCREEN,
                    animations="disabled",
                )


def test_every_picture_of_the_documents_is_there_and_is_shown() -> None:
    document = FOLDER.with_name("pages.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"screenshots/([a-z-]+)\.png", document))
    made = {picture.name for name in SHOWN for picture in pictures_of(name)}

    assert made == shown
    # Those of Temporal's Web UI are looked after by `test_temporal_ui.py`.
    there = {path.stem for path in FOLDER.glob("*.png") if not path.stem.startswith("ui-")}
    assert made == there, "run `make screenshots`"


def pictures_of(name: str) -> list[Picture]:
    """The pictures of that world that the documents show."""
    _, pictures = WORLDS[name]
    return [picture for picture in pictures if picture.name in SHOWN[name]]
