"""The pages for everybody: checked by axe in every state, and walked with the keyboard alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# The package comes without types.
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from domain.states import AccountStatus
from tests.browser.gallery import WORLDS, Picture, World, tab, world
from tests.browser.product import DESKTOP, PHONE, Person, Product, person_at

# axe calls a page that refreshes itself a fault, since it may do so while one reads. The progress
# pages say that they do, have a link for it, and change nothing but themselves.
REFRESHING = {"rules": {"meta-refresh": {"enabled": False}}}
SEVERE = ("serious", "critical")

LOOKS: dict[str, dict[str, Any]] = {
    "light, on a desktop": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark, on a phone": {"viewport": PHONE, "color_scheme": "dark"},
}


@pytest.fixture(params=WORLDS)
def place(
    request: pytest.FixtureRequest, browser: Browser, sqlite_template: Path, tmp_path: Path
) -> Iterator[tuple[World, tuple[Picture, ...]]]:
    name = str(request.param)
    with world(name, sqlite_template, tmp_path) as made:
        yield made, WORLDS[name][1]


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_serious_on_any_page(
    browser: Browser, place: tuple[World, tuple[Picture, ...]], look: str
) -> None:
    made, pictures = place
    found = {}
    # The checker is a script, which the pages' policy would rule out.
    with tab(browser, bypass_csp=True, **LOOKS[look]) as page:
        for picture in pictures:
            made.shows(page, picture)
            assert "/sandbox/" not in page.url, picture.name
            if violations := severe(page, picture):
                found[picture.name] = violations
            width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert width <= 0, f"{picture.name} is {width} px wider than the screen"

    assert found == {}


def test_axe_finds_nothing_serious_on_the_log_in_page(
    browser: Browser, sqlite_template: Path, tmp_path: Path
) -> None:
    with (
        world("active", sqlite_template, tmp_path) as made,
        tab(browser, bypass_csp=True) as page,
    ):
        page.goto(f"{made.url}/log-in")
        assert severe(page, Picture("log-in", "/log-in")) == []


def test_control_axe_would_notice_a_field_without_a_label(browser: Browser) -> None:
    with tab(browser) as page:
        page.set_content("<html lang=en><title>x</title><main><h1>x</h1><input></main></html>")

        assert ["label"] == [each.partition(":")[0] for each in severe(page, Picture("x", "/"))]


def severe(page: Page, picture: Picture) -> list[str]:
    """What axe calls serious or critical on the page: the rule, and where."""
    results = Axe().run(page, options=REFRESHING if picture.refreshes else None)
    return [
        f"{each['id']}: {node['html']}"
        for each in results.response["violations"]
        if each["impact"] in SEVERE
        for node in each["nodes"]
    ]


# --- with the keyboard alone ----------------------------------------------------------------------

FOCUSED = """() => {
    const it = document.activeElement;
    const label = it.labels && it.labels.length ? it.labels[0].innerText : '';
    return (it.getAttribute('aria-label') || label || it.innerText || '').trim();
}"""
IS_MARKED = """() => {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
}"""
MOST_TABS = 60


def test_the_pause_path_is_walked_with_the_keyboard_alone(
    browser: Browser, product: Product
) -> None:
    account = product.account()
    with person_at(browser, product.url) as person:
        keys = person.page.keyboard
        person.opens("/log-in")
        expect(person.page.get_by_label("E-mail")).to_be_focused()
        keys.type(account.emails[0])
        keys.press("Tab")
        keys.type("pause-my-account")
        keys.press("Enter")
        person.sees_page("Activity")

        tabs_to(person, "Skip to the content")
        tabs_to(person, "Account")
        keys.press("Enter")
        follows(person, "Account Settings", "Billing")
        follows(person, "I'd like to cancel my account", "Cancel your account")
        follows(person, "Pause your account instead", "Pause your account")
        tabs_to(person, "I have read these terms and conditions and accept them.")
        keys.press("Space")
        tabs_to(person, "Pause my account")
        keys.press("Enter")
        person.sees_page("Account Status")

    status = product.systems.accounts.account(account.account_id).status
    assert AccountStatus.PAUSED is status


def follows(person: Person, link: str, title: str) -> None:
    """Tab to the link and press Enter."""
    tabs_to(person, link)
    person.page.keyboard.press("Enter")
    person.sees_page(title)


def tabs_to(person: Person, name: str) -> None:
    """Press Tab until what has this name is focused; whatever is focused shows it."""
    for _ in range(MOST_TABS):
        person.page.keyboard.press("Tab")
        if person.page.evaluate("document.activeElement === document.body"):
            # Past the last thing on the page; the next one is the first.
            continue
        element = person.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        assert person.page.evaluate(IS_MARKED), f"the focus cannot be seen on {element}"
        if person.page.evaluate(FOCUSED) == name:
            return
    raise AssertionError(f"“{name}” cannot be reached with the Tab key")


def test_the_skip_link_leads_past_the_navigation(browser: Browser, product: Product) -> None:
    account = product.account()
    with person_at(browser, product.url) as person:
        person.logs_in(account.emails[0])
        person.sees_page("Activity")
        tabs_to(person, "Skip to the content")
        person.page.keyboard.press("Enter")
        person.page.keyboard.press("Tab")

        is_inside = "document.querySelector('main').contains(document.activeElement)"
        assert person.page.evaluate(is_inside)
