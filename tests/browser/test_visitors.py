"""Who sees which number: by where a visitor comes from, and for how long."""

import re
import time
from collections.abc import Mapping
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from systems.tables import CompanyRow, TrackerRow
from tests.browser.web_site import ADS, OWN, POOL, PRODUCT, SITE, WITHOUT_COOKIES, WebSite
from tests.systems.examples import step

DAY_SECONDS = 86_400

ADDRESSES = {
    "utm_source=google_ads": ["google_ads"],
    "utm_source=Google+Ads": ["google_ads"],
    "utm_source=google-ads": ["google_ads"],
    "gclid=abc": ["google_ads"],
    "wbraid=abc&gbraid=": ["google_ads"],
    "msclkid=abc": ["microsoft_ads"],
    "fbclid=abc": ["facebook"],
    "utm_source=google&utm_medium=cpc": ["google_ads", "google"],
    "utm_source=bing&utm_medium=CPC": ["microsoft_ads", "bing"],
    "utm_source=facebook&utm_medium=paid_social": ["facebook_ads", "facebook"],
    "utm_source=constructor&utm_medium=cpc": ["constructor_ads", "constructor"],
    "utm_source=google&utm_medium=organic": ["google"],
    "utm_source=spring&gclid=abc": ["spring", "google_ads"],
    "utm_medium=cpc": ["direct"],
    "utm_source=++": ["direct"],
    "utm_source=" + "x" * 99: ["x" * 60],
    "": ["direct"],
}
REFERRERS = {
    "https://www.google.com/": ["google_organic", "organic_search"],
    "https://www.google.co.uk/search": ["google_organic", "organic_search"],
    "https://bing.com/": ["bing_organic", "organic_search"],
    "https://duckduckgo.com/": ["duckduckgo_organic", "organic_search"],
    "https://search.brave.com/": ["other_organic", "organic_search"],
    "https://google.com.evil.example/": ["google.com.evil.example", "referral"],
    "https://notbing.com/": ["notbing.com", "referral"],
    "https://l.facebook.com/": ["facebook", "social"],
    "https://t.co/": ["x", "social"],
    "https://www.reddit.com/": ["other_social", "social"],
    "https://www.partner.example/dentists": ["partner.example", "referral"],
    f"http://{SITE}/before": ["direct"],
}


def test_an_address_tells_the_source(web_site: WebSite) -> None:
    assert ADDRESSES == {query: sources_of_new(web_site, query) for query in ADDRESSES}


def test_else_the_page_that_led_here_does(web_site: WebSite) -> None:
    assert REFERRERS == {
        referrer: sources_of_new(web_site, "", referer=referrer) for referrer in REFERRERS
    }


def test_a_company_may_have_a_parameter_of_its_own(web_site: WebSite) -> None:
    web_site.change(CompanyRow, swap_settings={"referrer_parameter": "from <us>"})

    assert ["postcard", "spring"] == sources_of_new(
        web_site, "utm_source=spring&from%20%3Cus%3E=Postcard"
    )


def test_a_visitor_sees_the_number_of_the_first_source_that_has_a_tracker(
    web_site: WebSite,
) -> None:
    web_site.open("", "utm_source=spring&gclid=abc")
    assert ADS == web_site.shown()

    web_site.page.context.clear_cookies()
    web_site.open("", "utm_source=spring")
    assert web_site.shown() in POOL, "the pool is for everybody else"


def test_without_a_tracker_for_everybody_the_sites_own_number_stays(web_site: WebSite) -> None:
    web_site.change(TrackerRow, source="google_ads")

    web_site.open(f"<p>{OWN}</p>", "")

    assert OWN == web_site.text("p")
    assert "direct" == web_site.page.evaluate("DNI.getSource()")


# --- for how long --------------------------------------------------------------------------------


def test_a_visitor_sees_the_same_number_on_every_page_and_visit(web_site: WebSite) -> None:
    web_site.open(f'<p>{OWN}</p><a href="/next">on</a>')
    shown = [web_site.text("p")]

    web_site.page.locator("a").click()
    web_site.page.wait_for_url("**/next")
    shown.append(web_site.text("p"))
    for query, referrer in (("", None), ("", "https://www.bing.com/"), ("utm_source=spring", None)):
        web_site.open(query=query, referer=referrer)
        shown.append(web_site.text("p"))

    assert [ADS] * 5 == shown
    assert ["google_ads"] == sources_of(web_site)


def test_a_click_on_another_tracked_link_begins_anew(web_site: WebSite) -> None:
    web_site.open("", "")
    before = cookie_of(web_site)["value"]

    web_site.open(query="gclid=abc")

    assert ADS == web_site.shown()
    assert ["google_ads"] == sources_of(web_site)
    assert before.split("|")[0] == cookie_of(web_site)["value"].split("|")[0], "the same visitor"


def test_a_visitor_is_remembered_by_a_cookie_of_the_site(web_site: WebSite) -> None:
    web_site.open("")

    cookie = cookie_of(web_site)

    assert {
        "name": f"dni_{web_site.key}",
        "domain": SITE,
        "path": "/",
        "sameSite": "Lax",
        "secure": False,
        "httpOnly": False,
    }.items() <= cookie.items()
    assert 30 == pytest.approx(days_left(web_site), abs=0.1), "as the company says"

    web_site.change(CompanyRow, swap_settings={})
    web_site.open("")

    assert 90 == pytest.approx(days_left(web_site), abs=0.1)


def test_on_https_the_cookie_never_travels_in_the_open(page: Page, web_site: WebSite) -> None:
    address = web_site.script.replace(PRODUCT, "127.0.0.1")
    script = page.request.get(address).text()

    def answer(route: Route) -> None:
        is_script = route.request.url.endswith(".js")
        html = f'<link rel="icon" href="data:,"><p>{OWN}</p><script src="/swap.js"></script>'
        kind = "text/javascript" if is_script else "text/html"
        route.fulfill(body=script if is_script else html, content_type=kind)

    page.route(re.compile("^https:"), answer)
    page.goto(f"https://{SITE}/?gclid=abc")

    assert ADS == page.inner_text("p")
    assert [True] == [cookie.get("secure") for cookie in page.context.cookies()]


NOT_OURS = (
    *("", "|", "%", "|google_ads", "nobody|google_ads", "0123456789abcdef", "0123456789abcdef|"),
    *("<script>|a", "0123456789abcdef|%00|" + "x" * 99, "0123456789abcdef|Direct"),
)


def test_a_cookie_that_is_not_ours_is_replaced(web_site: WebSite) -> None:
    for value in NOT_OURS:
        remember(web_site, value)
        web_site.open(f"<p>{OWN}</p>", "utm_source=%F0%9F%98%80%ED%A0%80'%22%3Cb%3E%00&gclid=")

        assert ADS == web_site.text("p")
        assert "google_ads" in sources_of(web_site)


def test_without_cookies_the_page_is_swapped_all_the_same(web_site: WebSite) -> None:
    web_site.body = f"<p>{OWN}</p>"
    web_site.page.goto(web_site.url(f"{WITHOUT_COOKIES}?gclid=abc"))

    assert ADS == web_site.text("p")
    assert [] == web_site.page.context.cookies()


# --- a pool --------------------------------------------------------------------------------------


def test_a_pool_gives_each_visitor_one_number_and_every_number_to_somebody(
    web_site: WebSite,
) -> None:
    shown = {visitor: number_of(web_site, visitor) for visitor in range(8)}

    assert set(POOL) == set(shown.values())
    assert shown == {visitor: number_of(web_site, visitor) for visitor in range(8)}


def test_when_a_number_leaves_the_pool_the_others_keep_their_visitors(web_site: WebSite) -> None:
    # All three numbers in one pool, of which one is exchanged for another.
    web_site.put_all_numbers_into_the_pool()
    before = {visitor: number_of(web_site, visitor) for visitor in range(8)}
    web_site.change_number(ADS, "+12015550199")
    after = {visitor: number_of(web_site, visitor) for visitor in range(8)}

    assert {ADS, *POOL} == set(before.values())
    for visitor, number in before.items():
        assert after[visitor] in (
            (*POOL, "2015550199") if number == ADS else (number, "2015550199")
        )
    assert any(after[visitor] == number for visitor, number in before.items())


def test_a_pause_forgets_no_visitor(web_site: WebSite) -> None:
    web_site.open(f"<p>{OWN}</p>")
    before = cookie_of(web_site)["value"]

    web_site.systems.dni.disable_script(step())
    web_site.open(query="utm_source=spring")
    during = web_site.text("p")
    web_site.systems.dni.enable_script(step())
    web_site.open(query="")

    assert (OWN, ADS) == (during, web_site.text("p"))
    assert before == cookie_of(web_site)["value"]


# --- small things --------------------------------------------------------------------------------


def sources_of_new(web_site: WebSite, query: str, **more: Any) -> list[str]:
    """As whom a new visitor is known; the page is told the same."""
    web_site.page.context.clear_cookies()
    web_site.open("", query, **more)
    found = sources_of(web_site)
    assert found[0] == web_site.page.evaluate("DNI.getSource()")
    return found


def sources_of(web_site: WebSite) -> list[str]:
    """As whom the visitor is remembered, the most specific source first."""
    return str(cookie_of(web_site)["value"]).split("|")[1:]


def cookie_of(web_site: WebSite) -> Mapping[str, Any]:
    """The one cookie that there is."""
    (cookie,) = web_site.page.context.cookies()
    return {**cookie}


def days_left(web_site: WebSite) -> float:
    """How long the visitor will be remembered."""
    left: float = cookie_of(web_site)["expires"] - time.time()
    return left / DAY_SECONDS


def remember(web_site: WebSite, value: str) -> None:
    """Put a cookie there beforehand."""
    name = f"dni_{web_site.key}"
    web_site.page.context.add_cookies([{"name": name, "value": value, "url": web_site.url()}])


def number_of(web_site: WebSite, visitor: int) -> str:
    """What this visitor sees, who came by himself."""
    remember(web_site, f"{visitor * 0x9E3779B97F4A7C15 % 2**64:016x}|direct")
    web_site.open("", "")
    return web_site.shown()
