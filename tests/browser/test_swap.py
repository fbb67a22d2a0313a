"""What the script swaps on a page, and what it leaves alone."""

from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from systems.tables import CompanyRow, TrackerRow
from tests.browser.web_site import ADS, OWN, POOL, WebSite
from tests.systems.examples import step

WRITTEN = {
    "(201) 555-0100": "(201) 555-0101",
    "(201)555-0100": "(201)555-0101",
    "201-555-0100": "201-555-0101",
    "201.555.0100": "201.555.0101",
    "201 555 0100": "201 555 0101",
    "201/555-0100": "201/555-0101",
    "2015550100": "2015550101",
    "+12015550100": "+12015550101",
    "+1 201 555 0100": "+1 201 555 0101",
    "+1 (201) 555-0100": "+1 (201) 555-0101",
    "1-201-555-0100": "1-201-555-0101",
    "001 201 555 0100": "001 201 555 0101",
    "(201) 555 - 0100": "(201) 555 - 0101",
    "201\u00a0555\u20110100": "201\u00a0555\u20110101",
    "20 15 55 01 00": "20 15 55 01 01",
    "Tel.:(201) 555-0100.": "Tel.:(201) 555-0101.",
    "(201) 555-0100 ext. 5": "(201) 555-0101 ext. 5",
    "201-555-0100x5": "201-555-0101x5",
    "201-555-0100/201-555-0177": "201-555-0101/201-555-0177",
    "201-555-0177 201-555-0100": "201-555-0177 201-555-0101",
    "201-555-0100, 201-555-0100": "201-555-0101, 201-555-0101",
    "Newark, NJ 07101 (201) 555-0100": "Newark, NJ 07101 (201) 555-0101",
    "Suite 1 201-555-0100": "Suite 1 201-555-0101",
}

NOT_OURS = (
    "201-555-0177",
    "555-0100",
    "12345201555010",
    "92015550100",
    "20155501009",
    "order A2015550100",
    "+44 201 555 0100",
    "+442015550100",
    "0044 201 555 0100",
    "2015550100@text.example",
    "?id=2015550100",
    "201 - - - 555 - - - - - 0100",
)


def test_a_number_keeps_the_way_in_which_it_is_written(web_site: WebSite) -> None:
    web_site.open("".join(f"<p>{text}</p>" for text in WRITTEN))

    assert list(WRITTEN.values()) == web_site.page.locator("p").all_text_contents()


def test_what_is_not_this_number_stays(web_site: WebSite) -> None:
    web_site.open("".join(f"<p>{text}</p>" for text in (*NOT_OURS, OWN)))

    assert [*NOT_OURS, ADS] == web_site.page.locator("p").all_text_contents()


ABROAD = (
    ("+442079460000", "+442079460999", "020 7946 0000", "020 7946 0999"),
    ("+442079460000", "+442079460999", "+44 (0)20 7946 0000", "+44 (0)20 7946 0999"),
    ("+442079460000", "+442079460999", "+44 20 7946 0000", "+44 20 7946 0999"),
    ("+33142685300", "+33142685399", "01 42 68 53 00", "01 42 68 53 99"),
    ("+33142685300", "+33142685399", "00 33 1 42 68 53 00", "00 33 1 42 68 53 99"),
    ("+4930123456", "+4930654321", "030/12 34 56", "030/65 43 21"),
    # German numbers differ in length: the last group takes what is left over, or less.
    ("+4930123456", "+493065432101", "030 123-456", "030 654-32101"),
    ("+493012345678", "+4930654321", "030 1234-5678", "030 6543-21"),
    # Another country's number cannot be dialled without its code.
    ("+12015550100", "+33142685399", "(201) 555-0100", "+33 142685399"),
    ("+12015550100", "+33142685399", "2015550100", "+33142685399"),
    ("+12015550100", "+33142685399", "(201-555-0100)", "(+33 142685399)"),
)


def test_numbers_of_other_countries_are_known_as_people_write_them(web_site: WebSite) -> None:
    for target, number, written, swapped in ABROAD:
        web_site.change(TrackerRow, swap_targets=[target])
        web_site.change_number(ADS, number)
        web_site.open("")
        assert swapped == web_site.page.evaluate("text => DNI.getNumber(text)", written)
        web_site.change_number(number, f"+1{ADS}")


ADDRESSES = {
    "tel:+12015550100": "tel:+12015550101",
    "tel:201-555-0100": "tel:201-555-0101",
    "TEL:2015550100": "TEL:2015550101",
    "tel:(201)%20555-0100": "tel:(201) 555-0101",
    "tel:%2B12015550100": "tel:+12015550101",
    "tel:+1-201-555-0100;ext=5": "tel:+1-201-555-0101;ext=5",
    "tel:%zz2015550100": "tel:%zz2015550100",
    "tel:+12015550177": "tel:+12015550177",
    "sms:+12015550100": "sms:+12015550100",
    "https://chat.example/12015550100": "https://chat.example/12015550100",
    "#2015550100": "#2015550100",
}


def test_only_links_that_dial_are_swapped(web_site: WebSite) -> None:
    web_site.open("".join(f'<a href="{address}">us</a>' for address in ADDRESSES))

    assert list(ADDRESSES.values()) == web_site.page.locator("a").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )


def test_a_link_that_dials_says_which_number(web_site: WebSite) -> None:
    web_site.open(
        '<a href="tel:+12015550100" aria-label="Call (201) 555-0100" title="201.555.0100">'
        "<span>(201) <!-- us --></span><b>201 555 0100</b></a>"
        '<p title="201.555.0100">us</p>'
    )

    link = web_site.page.locator("a")
    assert "tel:+12015550101" == link.get_attribute("href")
    assert "Call (201) 555-0101" == link.get_attribute("aria-label")
    assert "201.555.0101" == link.get_attribute("title")
    assert "201 555 0101" == web_site.text("b")
    assert "201.555.0100" == web_site.page.locator("p").get_attribute("title")


LEFT_ALONE = """
<p data-dni-noswap>201-555-0100 <a href="tel:2015550100">201-555-0100</a></p>
<section data-dni-noswap=""><div><p>201-555-0100</p></div></section>
<textarea>201-555-0100</textarea>
<input value="201-555-0100" placeholder="201-555-0100">
<select><option>201-555-0100</option></select>
<div contenteditable><p>201-555-0100</p></div>
<div contenteditable="true">201-555-0100</div>
<script type="application/ld+json">{"telephone": "201-555-0100"}</script>
<style>p::after { content: "201-555-0100" }</style>
<noscript>201-555-0100</noscript>
<template><p>201-555-0100</p></template>
"""


def test_what_belongs_to_somebody_else_is_left_alone(web_site: WebSite) -> None:
    web_site.page.set_content(LEFT_ALONE)
    before = web_site.page.inner_html("body")

    # Styles of the page are against its policy, which the browser would complain about.
    body = LEFT_ALONE.replace("<style>", '<style media="not all">')
    web_site.open(f'<div id="alone">{body}</div><p id="ours" contenteditable="false">{OWN}</p>')

    assert before.count(OWN[-4:]) == web_site.page.inner_html("#alone").count("0100")
    assert "0101" not in web_site.page.inner_html("#alone")
    assert ADS == web_site.text("#ours")
    assert "Call (201) 555-0100" == web_site.page.title()
    web_site.errors.clear()


# --- content that comes late ---------------------------------------------------------------------


def test_content_that_comes_late_is_swapped(web_site: WebSite) -> None:
    web_site.open('<p id="text">soon</p><a id="link" href="#">soon</a><div id="more"></div>')
    link = web_site.page.locator("#link")

    web_site.page.evaluate("""() => {
        document.getElementById('text').firstChild.data = 'Call 201-555-0100';
        document.getElementById('link').href = 'tel:2015550100';
        document.getElementById('more').innerHTML =
            '<p>201.555.0100</p><p data-dni-noswap>201.555.0100</p>';
        document.body.append('(201) 555-0100');
    }""")

    expect(web_site.page.locator("#text")).to_have_text("Call 201-555-0101")
    expect(link).to_have_attribute("href", "tel:2015550101")
    expect(web_site.page.locator("#more")).to_have_text("201.555.0101201.555.0100")
    expect(web_site.page.locator("body")).to_contain_text("(201) 555-0101")

    link.evaluate("link => { link.title = '201.555.0100'; }")
    expect(link).to_have_attribute("title", "201.555.0101")


def test_what_comes_late_into_a_part_that_is_left_alone_is_left_alone(web_site: WebSite) -> None:
    web_site.open('<div data-dni-noswap><p id="alone"></p></div><p id="ours"></p>')

    # Both come in one round, so the first has been looked at when the second is swapped.
    web_site.page.evaluate("""() => {
        for (const id of ['alone', 'ours']) document.getElementById(id).append('2015550100');
    }""")

    expect(web_site.page.locator("#ours")).to_have_text(ADS)
    assert OWN == web_site.text("#alone")
    assert 0 == web_site.page.evaluate("DNI.swap('#alone')")


def test_a_page_that_never_comes_to_rest_is_swapped_too(web_site: WebSite) -> None:
    web_site.open('<p id="clock"></p><p id="late"></p>')

    web_site.page.evaluate("""() => {
        setInterval(() => { document.getElementById('clock').textContent = Date.now(); }, 5);
        document.getElementById('late').textContent = '201-555-0100';
    }""")

    expect(web_site.page.locator("#late")).to_have_text("201-555-0101")


def test_what_is_not_on_the_page_any_more_is_no_matter(web_site: WebSite) -> None:
    web_site.open('<div id="here"></div>')

    web_site.page.evaluate("""() => {
        const gone = document.createElement('p');
        gone.textContent = '201-555-0100';
        document.getElementById('here').append(gone);
        gone.remove();
        window.gone = gone;
        document.head.append(document.createComment('2015550100'));
        document.getElementById('here').append('2015550100');
    }""")

    expect(web_site.page.locator("#here")).to_have_text(ADS)
    assert "201-555-0100" == web_site.page.evaluate("gone.textContent")


def test_the_scripts_own_changes_cause_no_others(web_site: WebSite) -> None:
    web_site.open('<div id="here"></div>')
    web_site.page.evaluate("""() => {
        window.changes = 0;
        new MutationObserver((records) => { window.changes += records.length; }).observe(
            document, {subtree: true, childList: true, characterData: true, attributes: true});
    }""")

    # One round after the other: an echo of the first would be counted during those that follow.
    for count in range(1, 6):
        web_site.page.evaluate("""() => {
            const link = document.createElement('a');
            link.href = 'tel:2015550100';
            link.append('2015550100');
            document.getElementById('here').append(link);
        }""")
        expect(web_site.page.locator("a").nth(count - 1)).to_have_text(ADS)

    assert 5 * 3 == web_site.page.evaluate("changes"), "added; its text and its address swapped"


def test_a_number_that_is_shown_is_never_swapped_again(web_site: WebSite) -> None:
    # What advertisements show is the pool's target, and could be swapped at the second look.
    web_site.change_targets("google_ads", f"+1{OWN}")
    web_site.change_targets("all_visitors", f"+1{ADS}")

    web_site.open(f"<p>{OWN}</p><b>{ADS}</b>")
    again = web_site.page.evaluate("DNI.swap()")

    assert 0 == again
    assert (ADS, ADS) == (web_site.text("p"), web_site.text("b"))


def test_a_tag_that_is_there_twice_swaps_as_one(web_site: WebSite) -> None:
    web_site.open(f'<p>{OWN}</p><script src="{web_site.script}"></script>')
    web_site.page.evaluate(f"document.body.append('{OWN}')")

    expect(web_site.page.locator("body")).to_have_text(f"{ADS}{ADS}")


# --- what a page may call ------------------------------------------------------------------------


def test_a_page_may_ask_for_numbers_and_sources(web_site: WebSite) -> None:
    web_site.open("")

    assert "201.555.0101" == web_site.page.evaluate("DNI.getNumber('201.555.0100')")
    assert "201.555.0177" == web_site.page.evaluate("DNI.getNumber('201.555.0177')")
    assert "google_ads" == web_site.page.evaluate("DNI.getSource()")
    assert web_site.page.evaluate("DNI.enabled")
    assert {OWN: ADS, "201.555.0177": "201.555.0177"} == web_site.page.evaluate(
        f"new Promise(answer => DNI.getNumbers(['{OWN}', '201.555.0177'], answer))"
    )


def test_a_page_may_have_a_part_swapped_at_once(web_site: WebSite) -> None:
    web_site.open('<div id="here"></div><div id="there"></div>')

    counts = web_site.page.evaluate("""() => {
        const [here, there] = document.querySelectorAll('div');
        for (const one of [here, there]) one.innerHTML = '<p>2015550100</p><p>2015550100</p>';
        const shadow = document.body.attachShadow ? here.attachShadow({mode: 'open'}) : here;
        shadow.append('2015550100');
        return [DNI.swap('#there p'), DNI.swap(there), DNI.swap(shadow), shadow.textContent];
    }""")

    assert [2, 0, 1, ADS] == counts


def test_a_page_may_be_told_of_swaps(web_site: WebSite) -> None:
    web_site.open(f"<p>{OWN}</p>")

    told = web_site.page.evaluate("""() => new Promise((answer) => {
        const told = [];
        DNI.onSwap((swap) => {
            told.push(swap);
            if (told.length === 1) document.body.append('2015550100', document.createElement('p'));
            if (told.length === 2) answer(told);
        });
    })""")

    assert [{"count": 1, "source": "google_ads"}] * 2 == told


def test_a_callers_error_is_its_own(web_site: WebSite) -> None:
    web_site.open(f"<p>{OWN}</p>")

    web_site.page.evaluate("""() => new Promise((answer) => {
        DNI.onSwap(() => { throw new Error('of the page'); });
        DNI.onSwap(answer);
    })""")

    assert ["of the page"] == [error.removeprefix("Error: ") for error in web_site.errors]
    web_site.errors.clear()


def test_a_page_is_told_when_the_functions_are_there(page: Page, web_site: WebSite) -> None:
    web_site.page = page
    page.add_init_script(
        "document.addEventListener('dni:ready', () => { window.told = DNI.enabled; })"
    )
    soon = "new Promise(answer => setTimeout(() => answer(window.told), 10))"

    web_site.open("")
    before = page.evaluate(soon)
    web_site.systems.dni.disable_script(step())
    web_site.open("")

    assert before is True
    assert page.evaluate(soon) is False


def test_a_disabled_script_answers_and_touches_nothing(web_site: WebSite) -> None:
    web_site.systems.dni.disable_script(step())
    body = f'<p>{OWN}</p><a href="tel:{OWN}">{OWN}</a>'

    web_site.open(body)

    answers = web_site.page.evaluate("""() => new Promise((answer) => {
        DNI.onSwap(() => answer('swapped'));
        document.body.append('2015550100');
        DNI.getNumbers(['201.555.0100'], (numbers) => answer(
            [DNI.enabled, DNI.getSource(), DNI.getNumber('x'), DNI.swap(), DNI.swap('p'), numbers]
        ));
    })""")
    assert [False, None, "x", 0, 0, {"201.555.0100": "201.555.0100"}] == answers
    assert f"{body}{OWN}" == web_site.page.inner_html("body")
    assert [] == web_site.page.context.cookies()


# --- hostile data --------------------------------------------------------------------------------

HOSTILE = (
    "</script><script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "'\"`${window.pwned=1}\\",
    "\u2028window.pwned=1//\u2029",
    "*/null);window.pwned=1;(/*",
    "__proto__",
)


def test_hostile_data_is_never_executed(web_site: WebSite) -> None:
    for text in HOSTILE:
        web_site.change(
            CompanyRow, name=text, swap_settings={"referrer_parameter": text, "cookie_days": text}
        )
        web_site.change(TrackerRow, name=text, source=text)
        web_site.change(TrackerRow, swap_targets=[text, f"{text}2015550100", f"+1{OWN}"])

        web_site.open(f"<p>{OWN}</p>", query=urlencode({text: text, "utm_source": text}))

        assert web_site.page.evaluate("window.pwned === undefined")
        assert web_site.text("p") in (ADS, *POOL)


# --- the property --------------------------------------------------------------------------------

GAPS = st.text(alphabet=" .-/()\u00a0\u2011", max_size=4)
SURROUNDINGS = st.text(alphabet="abc:,;!? ()\n", max_size=5)
PREFIXES = st.sampled_from(["", "+1", "1", "001", "+1 ", "1-"])


@st.composite
def written_numbers(draw: Any) -> tuple[str, str]:
    """The own number in some style, and the tracking number in the same."""
    gaps = [draw(GAPS) for _ in range(9)] + [""]
    before, after, prefix = draw(SURROUNDINGS), draw(SURROUNDINGS), draw(PREFIXES)
    if before[-1:].isalnum():
        before += " "

    def styled(digits: str) -> str:
        national = "".join(digit + gap for digit, gap in zip(digits, gaps, strict=True))
        return f"{before}{prefix}{national}{after}"

    return styled(OWN), styled(ADS)


def test_a_swapped_number_has_its_digits_and_the_style_of_the_other(web_site: WebSite) -> None:
    web_site.open("")

    # The tab stays the same: asking it for a number leaves nothing behind.
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.lists(written_numbers(), min_size=1, max_size=20))
    def check(examples: list[tuple[str, str]]) -> None:
        texts = [own for own, _ in examples]
        answers = web_site.page.evaluate("texts => texts.map(t => DNI.getNumber(t))", texts)
        assert [swapped for _, swapped in examples] == answers

    check()
