"""The command `card`: shown, chosen by name, or entered on the gateway's own page."""

import sys
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from sqlalchemy import select

from domain.errors import Code
from domain.states import Role
from settings import Settings
from systems.sample import SampleAccount
from systems.tables import CardEntryRow
from systems.wiring import open_systems
from tests.standin.control import Standin
from tests.standin.world import TEST_KEY
from tests.starter.conftest import Cli, Up, until


class Terminal(StringIO):
    """Somebody sits there."""

    def isatty(self) -> bool:
        return True


def last4(stack: Up, cli: Cli, account: SampleAccount) -> str:
    shown = cli(stack.state_dir, "card", account.account_id, "--json").document
    return str(shown["card"]["last4"])


def test_a_card_is_entered_on_the_page_whose_address_is_printed(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    page = cli(stack.state_dir, "card", account.account_id, "--enter", "--json").document
    with urlopen(page["url"], urlencode({"card": "mastercard"}).encode()) as came_back:
        html = came_back.read().decode()
    until(lambda: last4(stack, cli, account) == "4444", "the card is on file")

    assert page["url"].startswith(stack.document["web_url"])
    assert {"page_id", "url", "expires_at"} == set(page)
    assert "You may close this window" in html


def test_at_a_terminal_it_waits_until_the_card_is_on_file(
    stack: Up, account: SampleAccount, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    with ThreadPoolExecutor(1) as pool:
        person = pool.submit(enter_once_asked, stack, account, "mastercard")
        answer = cli(stack.state_dir, "card", account.account_id, "--enter")
        person.result()

    assert 0 == answer.exit_code
    assert "/sandbox/cards/" in answer.out
    assert "mastercard ending 4444" in answer.out


def enter_once_asked(stack: Up, account: SampleAccount, card: str) -> None:
    """Enter the card on the page that is opened for the account, as soon as there is one."""
    settings = Settings(state_dir=stack.state_dir)
    systems = open_systems(settings.database, settings.gateway, 1)
    query = select(CardEntryRow.page_id).where(CardEntryRow.account_id == account.account_id)

    def pages() -> list[str]:
        with systems.db.transaction() as session:
            return list(session.scalars(query))

    until(lambda: bool(pages()), "a page was opened")
    systems.sandbox.enter_card(pages()[0], card)
    systems.close()


def test_without_a_terminal_it_says_how_to_see_the_card_later(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    answer = cli(stack.state_dir, "card", account.account_id, "--enter")

    assert 0 == answer.exit_code
    assert f"account-pause card {account.account_id}" in answer.out


def test_a_page_is_for_administrators_and_of_a_closed_account_the_price_comes_first(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    settings = Settings(state_dir=stack.state_dir)
    systems = open_systems(settings.database, settings.gateway, 1)
    users = systems.accounts.users(account.account_id)
    systems.close()
    manager = next(user.user_id for user in users if user.role is Role.MANAGER)

    enter = ["--enter", "--json"]
    not_theirs = cli(stack.state_dir, "card", account.account_id, *enter, "--as", manager)
    price = cli(stack.state_dir, "card", "Old Mill", *enter)
    meant = cli(stack.state_dir, "card", "Old Mill", *enter, "--reopen")

    assert (1, Code.NOT_AN_ADMINISTRATOR) == (not_theirs.exit_code, not_theirs.document["code"])
    assert (1, Code.ACCOUNT_CLOSED) == (price.exit_code, price.document["code"])
    assert price.document["figures"]["amount_minor"] > 0
    assert 0 == meant.exit_code


def test_a_name_and_a_page_at_once_are_wrong_usage(stack: Up, cli: Cli) -> None:
    answer = cli(stack.state_dir, "card", "Brightside", "visa", "--enter", "--json")

    assert (2, Code.VALIDATION_FAILED) == (answer.exit_code, answer.document["code"])


def test_with_stripe_the_page_is_stripes_and_test_cards_are_refused_with_advice(
    stack: Up, account: SampleAccount, cli: Cli, standin: Standin
) -> None:
    stripe = {"STRIPE_API_KEY": TEST_KEY, "ACCOUNT_PAUSE_STRIPE_URL": standin.url}
    name = account.account_id

    page = cli(stack.state_dir, "card", name, "--enter", "--json", **stripe)
    by_name = cli(stack.state_dir, "card", name, "visa", "--json", **stripe)
    shown = cli(stack.state_dir, "card", name, "--json", **stripe).document

    assert page.document["page_id"].startswith("cs_")
    assert 1 == len(standin.objects("checkout.session"))
    assert (1, Code.VALIDATION_FAILED) == (by_name.exit_code, by_name.document["code"])
    assert "--enter" in by_name.document["message"]
    assert [] == shown["test_cards"]
