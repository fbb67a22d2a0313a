"""What the pause page promised is what the statement shows afterwards: every date, every cent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import pytest
from playwright.sync_api import Browser

from systems.sample import SampleAccount
from tests.browser.product import Person, Product, person_at

DAYS_UNTIL_ALL_IS_OVER = 200


@dataclass(frozen=True)
class Promise:
    """One row of the course on the pause page."""

    on: date
    what: str
    amount_minor: int | None


@pytest.fixture
def account(product: Product) -> SampleAccount:
    return product.account(numbers=3)


@pytest.fixture
def person(browser: Browser, product: Product) -> Iterator[Person]:
    with person_at(browser, product.url) as somebody:
        yield somebody


def test_the_statement_shows_what_the_page_has_promised(
    person: Person, product: Product, account: SampleAccount
) -> None:
    person.logs_in(account.emails[0])
    person.opens("/settings/pause")
    promised = promises_on(person)
    person.ticks("I have read these terms and conditions")
    person.presses("Pause my account")
    person.sees_page("Account Status")

    account_id = account.account_id
    product.command("fast-forward", account_id, "--days", str(DAYS_UNTIL_ALL_IS_OVER))
    statement = product.command("statement", account_id)
    person.opens("/settings/billing")
    person.sees_page("Billing")

    invoiced = [
        (date.fromisoformat(block["invoice"]["billing_on"]), block["invoice"]["amount_minor"])
        for block in statement["invoices"]
    ]
    fees = [(each.on, each.amount_minor) for each in promised if each.what.startswith("Monthly")]
    assert 6 == len(fees)
    assert fees == invoiced
    assert "agrees" == statement["proof"]["agreement"]

    plan = promised[-1]
    quote = product.systems.billing.quote(account_id)
    assert "next invoice" in plan.what
    assert (plan.on, plan.amount_minor) == (quote.next_billing_on, quote.amount_minor)
    person.sees(f"{plan.on.day} {plan.on:%B %Y}")

    resumed = next(each for each in promised if "resumes by itself" in each.what)
    act = product.systems.accounts.last_act(account_id)
    assert act is not None
    assert act.timeline is not None
    assert resumed.on == act.timeline.resume_on
    assert act.timeline.resume_at == act.ended_at


def promises_on(person: Person) -> list[Promise]:
    """The rows of the course, those that say a date."""
    rows = person.page.locator("table.course tbody tr").all()
    return [
        Promise(
            on, row.locator("td").nth(0).inner_text(), cents(row.locator("td").nth(1).inner_text())
        )
        for row in rows
        if (on := day_in(row.locator("th").inner_text())) is not None
    ]


def day_in(text: str) -> date | None:
    """The day of ``Tue 15 Dec 2026 09:00 CST``; None for "At once"."""
    words = text.split()[:4]
    return datetime.strptime(" ".join(words), "%a %d %b %Y").date() if len(words) == 4 else None  # noqa: DTZ007  (a day has no zone)


def cents(text: str) -> int | None:
    """The cents of ``$5.00``; None where nothing is charged."""
    figures = text.strip().removeprefix("$").replace(",", "").replace(".", "")
    return int(figures) if figures else None
