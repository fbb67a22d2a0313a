"""The product's pages in a real browser, over a whole local stack: the article, click by click."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from domain.states import AccountStatus
from systems.sample import SampleAccount
from tests.browser.product import DESKTOP, PHONE, Person, Product, person_at

screens = pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])


@pytest.fixture
def account(product: Product) -> SampleAccount:
    return product.account()


@pytest.fixture
def person(browser: Browser, product: Product) -> Iterator[Person]:
    with person_at(browser, product.url) as somebody:
        yield somebody


def state_of(product: Product, account: SampleAccount) -> AccountStatus:
    return product.systems.accounts.account(account.account_id).status


def fits(person: Person) -> bool:
    """Whether the page is no wider than the screen."""
    width: bool = person.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return width


def walks_to_the_pause_page(person: Person) -> None:
    """The icon, the panel, the link at the bottom of Billing, the blue banner."""
    person.opens_the_account_panel()
    person.clicks("Account Settings")
    person.sees_page("Billing")
    person.page.get_by_role(
        "link", name="I'd like to cancel my account"
    ).scroll_into_view_if_needed()
    person.clicks("I'd like to cancel my account")
    person.sees_page("Cancel your account")
    banner = person.page.get_by_role("complementary", name="Only need a break?")
    heading = person.page.get_by_role("heading", name="Cancel your account")
    assert top_of(banner) < top_of(heading), "the banner is not at the top of the page"
    banner.get_by_role("link").click()
    person.sees_page("Pause your account")


def top_of(locator: Any) -> float:
    box = locator.bounding_box()
    assert box is not None
    return float(box["y"])


def pauses(person: Person) -> None:
    """Reads the terms, accepts them, and presses the button at the bottom."""
    walks_to_the_pause_page(person)
    person.ticks("I have read these terms and conditions")
    person.presses("Pause my account")
    person.sees_page("Account Status")


@screens
def test_pause_resume_and_close_are_clicked_through(
    browser: Browser, product: Product, account: SampleAccount, screen: ViewportSize
) -> None:
    with person_at(browser, product.url, viewport=screen) as person:
        person.logs_in(account.emails[0])
        person.sees_page("Activity")
        assert fits(person)

        pauses(person)
        person.sees("Your account is paused.")
        assert fits(person)
        assert AccountStatus.PAUSED is state_of(product, account)

        person.opens_the_account_panel()
        person.presses("Log out")
        person.logs_in(account.emails[0])
        person.sees_page("Account Status")
        person.opens("/reports")
        person.sees_page("Account Status")

        person.clicks("Resume the account")
        assert fits(person)
        person.ticks("I have read this.")
        person.presses("Resume my account")
        person.sees_page("Your account is back")
        person.clicks("To the dashboard")
        person.sees_page("Activity")
        assert AccountStatus.ACTIVE is state_of(product, account)

        person.opens_the_account_panel()
        person.clicks("Account Settings")
        person.clicks("I'd like to cancel my account")
        person.clicks("Close the account …")
        assert fits(person)
        person.fills("Type CLOSE to show that you mean it", "CLOSE")
        person.presses("Close for good")
        person.sees_page("Your account is closed")
        assert AccountStatus.CLOSED is state_of(product, account)


def test_a_closed_account_is_opened_again_by_a_card(person: Person, product: Product) -> None:
    motors = "admin@old-mill-motors.example"
    person.logs_in(motors)
    person.sees_page("This account is closed")
    person.presses("Enter a card and reopen")
    person.sees_page("Enter a test card")
    person.presses("Use this card")
    person.sees_page("Activity")

    person.clicks("Trackers")
    person.clicks("New tracker")
    person.fills("Name", "Spring postcard")
    person.fills("Source", "direct_mail")
    person.fills("Calls go to", "+1 503 555 0142")
    person.fills("Tracking numbers", "+1 503 555 0177")
    person.presses("Make the tracker")
    person.sees("+1 503-555-0177")


def test_without_scripts_the_whole_pause_path_works(
    browser: Browser, product: Product, account: SampleAccount
) -> None:
    with person_at(browser, product.url, java_script_enabled=False) as person:
        person.logs_in(account.emails[0])
        walks_to_the_pause_page(person)
        earliest = person.page.get_by_label("Resume by itself on").get_attribute("min")
        assert earliest is not None
        person.page.get_by_label("Resume by itself on").fill(earliest)
        person.presses("Show")
        person.sees("No billing date falls into this pause")
        person.presses("Pause my account")
        person.sees("Accept the terms to pause.")
        person.ticks("I have read these terms and conditions")
        person.presses("Pause my account")
        person.sees_page("Account Status")
        person.sees("in 1 day")


def test_enter_in_the_closing_field_closes_nothing(
    person: Person, product: Product, account: SampleAccount
) -> None:
    person.logs_in(account.emails[0])
    person.opens("/settings/close")
    person.fills("Type CLOSE to show that you mean it", "CLOSE")
    person.page.keyboard.press("Enter")
    # Whatever Enter had begun would come before this.
    person.opens("/settings/billing")
    person.sees_page("Billing")

    assert AccountStatus.ACTIVE is state_of(product, account)


def test_enter_in_the_date_shows_its_course_and_pauses_nothing(
    person: Person, product: Product, account: SampleAccount
) -> None:
    person.logs_in(account.emails[0])
    person.opens("/settings/pause")
    person.ticks("I have read these terms and conditions")
    date = person.page.get_by_label("Resume by itself on")
    date.fill(date.get_attribute("min") or "")
    date.press("Enter")
    person.sees("No billing date falls into this pause")
    expect(person.page.get_by_role("checkbox")).to_be_checked()

    assert AccountStatus.ACTIVE is state_of(product, account)


def test_a_double_click_pauses_once(
    person: Person, product: Product, account: SampleAccount
) -> None:
    person.logs_in(account.emails[0])
    person.opens("/settings/pause")
    person.ticks("I have read these terms and conditions")
    person.page.get_by_role("button", name="Pause my account").dblclick()
    person.sees_page("Account Status")
    person.page.go_back()
    person.page.reload()

    assert 1 == len(product.systems.accounts.acts(account.account_id))


def test_a_mistake_is_a_link_to_its_field(person: Person, account: SampleAccount) -> None:
    person.logs_in(account.emails[0])
    person.opens("/settings/pause")
    person.presses("Pause my account")
    person.clicks("Accept the terms to pause.")

    assert "accept" == person.page.evaluate("document.activeElement.id")
