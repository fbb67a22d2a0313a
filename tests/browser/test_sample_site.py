"""The sample web site, in one tab, before, during and after a pause (R5, R9)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect
from starlette.middleware import Middleware

from domain.messages import Step
from starter.web.dni import dni_routes
from starter.web.guards import SafeHeaders
from starter.web.paths import SAMPLE_SITE
from systems.sample import SampleAccount, seed
from systems.wiring import Systems, open_systems
from tests.browser.fixture import served
from tests.browser.web_site import PATIENCE_SECONDS, a_minute_later

NOW = datetime(2026, 3, 3, tzinfo=UTC)
PAUSE = "PAU" + "1" * 32

OWN = ["(312) 555-0100", "312.555.0100", "+1 312 555 0100", "3125550100"]
ADS = ["(312) 555-0101", "312.555.0101", "+1 312 555 0101", "3125550101"]


@pytest.fixture
def systems(sqlite_url: str, tmp_path: Path) -> Iterator[Systems]:
    systems = open_systems(sqlite_url, f"sqlite:///{tmp_path / 'gateway.db'}")
    yield systems
    systems.close()


@pytest.fixture
def clinic(systems: Systems) -> SampleAccount:
    return seed(systems, NOW)[0]


@pytest.fixture
def url(systems: Systems, clinic: SampleAccount) -> Iterator[str]:
    app = FastAPI(middleware=[Middleware(SafeHeaders)])
    app.include_router(
        dni_routes(systems, with_sample_site=True, patience_seconds=PATIENCE_SECONDS)
    )
    with served(app) as port:
        yield f"http://127.0.0.1:{port}"


def test_the_site_swaps_until_the_pause_and_again_after_the_resume(
    page: Page, url: str, systems: Systems, clinic: SampleAccount
) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    step = Step(act_id=PAUSE, account_id=clinic.account_id, at=NOW)

    page.goto(f"{url}{SAMPLE_SITE}")
    expect_numbers(page, ADS)

    systems.dni.disable_script(step)
    systems.numbers.retain_numbers(step)
    a_minute_later(page)
    page.goto(f"{url}/sample-site/")
    expect_numbers(page, OWN)

    systems.numbers.reactivate_numbers(step)
    systems.dni.enable_script(step)
    a_minute_later(page)
    page.goto(f"{url}/sample-site/")
    expect_numbers(page, ADS)
    assert [] == complaints


@pytest.mark.thorough
def test_what_a_visitor_types_stays(page: Page, url: str) -> None:
    page.goto(f"{url}{SAMPLE_SITE}")
    page.get_by_role("link", name="Contact").click()

    expect(page.locator("main a")).to_have_text("+1-312-555-0101")
    expect(page.locator("input")).to_have_value("312-555-0100")
    expect(page.locator("textarea")).to_have_value("Please call me back, not at 312-555-0100.")


@pytest.mark.thorough
def test_a_browser_that_has_the_script_sees_the_pause_within_a_minute(
    page: Page, url: str, systems: Systems, clinic: SampleAccount
) -> None:
    page.goto(f"{url}{SAMPLE_SITE}")
    systems.dni.disable_script(Step(act_id=PAUSE, account_id=clinic.account_id, at=NOW))

    page.goto(f"{url}/sample-site/")
    expect(page.locator("a.call")).to_have_text(ADS[0])
    a_minute_later(page)
    page.goto(f"{url}/sample-site/")
    expect(page.locator("a.call")).to_have_text(OWN[0])


def expect_numbers(page: Page, numbers: list[str]) -> None:
    """All places show the number, each in its own way; what must not be swapped is as ever."""
    expect(page.locator(".numbers li")).to_contain_text(numbers)
    expect(page.locator("footer p").first).to_contain_text(f"60601 {numbers[0]}")
    call = page.locator("a.call")
    expect(call).to_have_text(numbers[0])
    expect(call).to_have_attribute("href", f"tel:+1{numbers[3]}")
    expect(call).to_have_attribute("aria-label", f"Call {numbers[0]}")
    expect(page.locator("[data-dni-noswap]")).to_contain_text("(312) 555-0100")
    expect(page.locator("#offer")).to_contain_text(f"Call {numbers[1].replace('.', '-')} and")
