"""How things are said on pages."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from domain.states import ChargeState, Role
from starter.web.pages import STATIC, TEMPLATES
from starter.web.site import words
from systems.tables import InvoiceState

AT = datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("America/Chicago", "Sun 8 Mar 2026, 01:30 CST"),
        ("America/New_York", "Sun 8 Mar 2026, 03:30 EDT"),
        ("Australia/Sydney", "Sun 8 Mar 2026, 18:30 AEDT"),
    ],
)
def test_times_are_the_accounts_own_with_their_zone(zone: str, said: str) -> None:
    assert said == words.moment(AT, zone)


def test_days_are_said_shortly_in_tables_and_in_full_in_sentences() -> None:
    assert "Sun 1 Mar 2026" == words.day(date(2026, 3, 1))
    assert "1 March 2026" == words.long_day(date(2026, 3, 1))


def test_days_in_an_invoices_text_are_said_as_days() -> None:
    said = words.dated("Plan from 2026-11-16 until 2026-12-15, 29 of 30 days; 9999-99-99")

    assert "Plan from 16 Nov 2026 until 15 Dec 2026, 29 of 30 days; 9999-99-99" == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("+13125550100", "+1 312-555-0100"),
        ("+33199001234", "+33 1 99 00 12 34"),
        ("anonymous", "Withheld"),
        ("no number", "no number"),
    ],
)
def test_phone_numbers_are_in_groups(number: str, said: str) -> None:
    assert said == words.phone(number)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0:00"), (65, "1:05"), (3_725, "1:02:05"), (36_000, "10:00:00")]
)
def test_talk_time_is_said_as_a_clock_says_it(seconds: int, said: str) -> None:
    assert said == words.talk_time(seconds)


def test_small_words() -> None:
    assert "1 call" == words.count(1, "call")
    assert "1,200 calls" == words.count(1200, "call")
    assert "0 calls" == words.count(0, "call")
    assert "–" == words.percent(None)
    assert "67%" == words.percent(2 / 3)
    assert "Google ads" == words.source("google_ads")
    assert "" == words.source("")


def test_every_state_and_role_has_a_word() -> None:
    assert set(words.CHARGES) == set(ChargeState)
    assert set(words.INVOICES) == set(InvoiceState)
    assert set(words.ROLES) == set(Role)


TEMPLATE_FILES = sorted((TEMPLATES / "site").glob("*.j2"))


@pytest.mark.parametrize("path", TEMPLATE_FILES, ids=lambda path: path.name)
def test_no_template_brings_what_the_policy_rules_out(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    for forbidden in ("<script", "<style", " style=", "javascript:", "onclick", "| safe }}", "://"):
        # The one mark-up that a template makes itself is a line break.
        assert forbidden not in text.replace('"<br>" | safe }}', ""), forbidden


def test_no_style_sheet_reaches_out() -> None:
    for path in STATIC.glob("*.css"):
        text = path.read_text(encoding="utf-8")
        assert "@import" not in text
        assert "url(" not in text
