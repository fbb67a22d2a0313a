import re
from html import unescape
from typing import Any

import pytest

from systems.notices.layout import WIDTH, as_html, blocks
from systems.notices.letters import Letters
from systems.notices.queue import Letter, NoticeKind, Text

MONEY = {"amount_minor": 500, "currency": "USD", "last4": "4242"}
DATES = {
    "billing_on": "2026-01-31",
    "resume_on": "2026-07-10",
    "next_billing_on": "2026-07-31",
    "next_fee_on": "2026-02-28",
    "next_on": "2026-02-05",
    "closes_on": "2026-02-25",
}
OTHERS: dict[str, Any] = {
    "retained_numbers": 12,
    "days_before": 14,
    "rung": 2,
    "day": 5,
    "by": "administrator",
    "requested_by": "USR1",
}
URL = "https://app.example.com/accounts/ACC1/pause"


def _written(kind: NoticeKind, asked: str | None = "Dana", **data: Any) -> Text:
    return Letters("https://app.example.com/").render(
        Letter(
            kind, "ACC1", "Brightside Dental", "Ada", asked, {**MONEY, **DATES, **OTHERS, **data}
        )
    )


def _flat(text: Text) -> str:
    return " ".join(text.text.split())


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_of_notice_has_words(kind: NoticeKind) -> None:
    text = _written(kind)

    assert "Brightside Dental" in text.subject
    assert "\n" not in text.subject
    assert text.text.startswith("Hello Ada,\n\n")
    assert URL in text.text
    assert WIDTH >= max(len(line) for line in text.text.splitlines() if URL not in line)
    assert "None" not in text.text
    assert "  " not in text.text.replace("\n  ", "\n")


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_can_do_without_what_may_be_missing(kind: NoticeKind) -> None:
    optional = dict.fromkeys(("last4", "next_fee_on", "next_on", "closes_on", "requested_by"))
    if kind in (NoticeKind.REFUNDED, NoticeKind.REFUND_RETURNED):
        # What was paid without an invoice is given back without a date.
        optional["billing_on"] = None

    text = _written(kind, asked=None, **optional)

    assert "None" not in text.text


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (NoticeKind.PAUSED, ["Dana has paused", "12 tracking numbers", "$5.00 a month"]),
        (NoticeKind.PAUSED, ["28 February 2026", "10 July 2026", "close the account"]),
        (NoticeKind.RECEIPT, ["$5.00", "31 January 2026", "ending in 4242"]),
        (NoticeKind.DECLINED, ["reminder 2", "try again on 5 February", "closed then"]),
        (NoticeKind.FINAL_NOTICE, ["last reminder", "25 February 2026", "released for good"]),
        (NoticeKind.REMINDER, ["In 14 days", "10 July 2026", "31 July 2026", "4242"]),
        (NoticeKind.REMINDER, ["resume now", "close the account"]),
        (NoticeKind.RESUMED, ["Dana has resumed", "31 July 2026", "Nothing was charged"]),
        (NoticeKind.CLOSED, ["Dana has closed", "released for good", "reopen"]),
        (NoticeKind.REFUNDED, ["given $5.00 back", "31 January 2026", "the card that"]),
        (NoticeKind.REFUND_RETURNED, ["$5.00 back for 31 January 2026", "you do not have it"]),
    ],
)
def test_a_mail_says_what_one_needs_to_act(kind: NoticeKind, said: list[str]) -> None:
    text = _flat(_written(kind))

    for words in said:
        assert words in text


@pytest.mark.parametrize(
    ("kind", "by", "said"),
    [
        (NoticeKind.RESUMED, "planned", "has resumed as planned"),
        (NoticeKind.RESUMED, "operator", "An operator has resumed"),
        (NoticeKind.CLOSED, "ladder", "a fee stayed unpaid"),
        (NoticeKind.CLOSED, "operator", "An operator has closed"),
    ],
)
def test_a_mail_says_who_it_was(kind: NoticeKind, by: str, said: str) -> None:
    assert said in _flat(_written(kind, asked=None, by=by))


def test_what_a_resume_adds_to_the_next_invoice_is_named() -> None:
    words = "Plan from 2026-06-21 until 2026-07-31, 25 of 30 days"
    lines = [{"words": words, "amount_minor": 1_234, "currency": "USD"}]

    text = _flat(_written(NoticeKind.RESUMED, lines=lines))

    assert "Of that $12.34: Plan from 21 June 2026 until 31 July 2026, 25 of 30 days" in text


@pytest.mark.parametrize("kind", [NoticeKind.DECLINED, NoticeKind.FINAL_NOTICE])
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("insufficient_funds", "there is not enough money on it; top it up"),
        ("expired_card", "it has expired; enter the new one"),
        ("stolen_card", "it cannot be used any more; enter another card."),
        (None, "the bank gave no reason; ask it, or enter another card."),
    ],
)
def test_a_mail_about_a_decline_says_why_and_what_helps(
    kind: NoticeKind, code: str | None, said: str
) -> None:
    text = _flat(_written(kind, decline_code=code))

    assert f": {said}" in text
    assert "stolen" not in text


@pytest.mark.parametrize("kind", [NoticeKind.DECLINED, NoticeKind.FINAL_NOTICE])
def test_without_a_card_no_card_was_declined(kind: NoticeKind) -> None:
    text = _flat(_written(kind, last4=None, decline_code="no_card"))

    assert "no card on file" in text
    assert "declined" not in text.partition("We try")[0]


def test_a_kept_account_is_not_threatened_with_a_close() -> None:
    text = _flat(_written(NoticeKind.FINAL_NOTICE, closes_on=None))

    assert "stays paused" in text
    assert "released" not in text


def test_a_name_cannot_break_the_subject() -> None:
    letter = Letter(
        NoticeKind.CLOSED, "ACC1", "Evil\nBcc: x@y.example", "Ada", None, {"by": "operator"}
    )

    text = Letters().render(letter)

    assert "Evil Bcc: x@y.example is closed" == text.subject
    assert "the page “Pause” of your account" in _flat(text)


@pytest.mark.parametrize("kind", NoticeKind)
def test_the_html_says_what_the_text_says(kind: NoticeKind) -> None:
    text = _written(kind)

    words = unescape(re.sub(r"<style.*?</style>|<title>.*?</title>|<[^>]+>", " ", text.html or ""))
    said = " ".join(words.split()).removeprefix(f"{text.subject} ")

    bullets = re.sub(r"(^|\n)- ", " ", text.text)
    assert " ".join(bullets.split()).replace(" .", ".") == said.replace(" .", ".")


@pytest.mark.parametrize("kind", NoticeKind)
def test_the_html_leads_to_our_page_and_nowhere_else(kind: NoticeKind) -> None:
    html = _written(kind).html or ""

    assert {URL} == set(re.findall(r'(?:href|src)="([^"]*)"', html))
    assert "<script" not in html


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "[a](http://evil.example)",
        "- x",
    ],
)
def test_what_people_call_an_account_stays_text(name: str) -> None:
    letter = Letter(
        NoticeKind.PAUSED, "ACC1", name, "<b>Ada</b>", name, {**MONEY, **DATES, **OTHERS}
    )

    html = Letters("https://app.example.com/").render(letter).html or ""

    assert {URL} == set(re.findall(r'(?:href|src)="([^"]*)"', html))
    assert "<b>" not in html
    assert "<script" not in html
    assert "<img" not in html
    assert name in unescape(html)


def test_without_pages_nothing_is_a_link() -> None:
    html = as_html("A mail", blocks("See the page “Pause”.\n\n- one\n- two"), "the page “Pause”")

    assert "<a " not in html
    assert 2 == html.count("<li")
