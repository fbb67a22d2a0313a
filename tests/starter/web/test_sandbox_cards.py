"""The sandbox's page for entering a card: plain, guarded, once per page, and no card numbers."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from domain.payments import CardPage, PageState
from starter.web.sandbox_cards import what_it_does
from systems.gateways.sandbox import CARDS
from systems.sample import SampleAccount, create_account
from systems.wiring import Systems
from tests.starter.web.shop import URL, client_of, everything_in, opened, shop_app

RETURN_URL = "https://accounts.example/billing?from=card"
NOW = datetime.now(UTC)


@pytest.fixture
def systems(sqlite_url: str, tmp_path: Path) -> Iterator[Systems]:
    yield from opened(sqlite_url, tmp_path)


@pytest.fixture
def account(systems: Systems) -> SampleAccount:
    return create_account(
        systems,
        key=uuid4().hex,
        name="Shop",
        time_zone="UTC",
        billing_day=15,
        created_at=NOW - timedelta(days=100),
    )


@pytest.fixture
def page(systems: Systems, account: SampleAccount) -> CardPage:
    """A page that was opened a minute ago for the account."""
    at = NOW - timedelta(minutes=1)
    return systems.card_entries.open(account.account_id, account.administrator_id, at, RETURN_URL)


async def test_the_page_lists_every_test_card_with_what_it_does_and_runs_no_script(
    systems: Systems, page: CardPage
) -> None:
    async with client_of(shop_app(systems)) as client:
        answer = await client.get(page.url)

    assert page.url.startswith(f"{URL}/sandbox/cards/")
    assert 200 == answer.status_code
    for name, card in CARDS.items():
        assert f'value="{name}"' in answer.text
        assert what_it_does(card) in answer.text
    assert "<script" not in answer.text
    assert 1 == answer.text.count("<h1>")
    assert len(CARDS) == len(re.findall(r"<label[^>]*>\s*<input type=\"radio\"", answer.text))


async def test_its_form_may_lead_to_the_return_url_and_nowhere_else(
    systems: Systems, page: CardPage
) -> None:
    async with client_of(shop_app(systems)) as client:
        policy = (await client.get(page.url)).headers["Content-Security-Policy"]

    assert "form-action 'self' https://accounts.example" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


async def test_a_card_that_is_chosen_goes_on_file_with_the_next_round(
    systems: Systems, page: CardPage, account: SampleAccount
) -> None:
    told: list[str] = []

    def tell(account_id: str) -> bool:
        told.append(account_id)
        return True

    async with client_of(shop_app(systems)) as client:
        answer = await client.post(page.url, data={"card": "mastercard"})
    # The worker's clock may be a little behind the browser's request.
    now = datetime.now(UTC) + timedelta(seconds=1)
    systems.card_entries.look_up_due(now, tell)

    assert (303, RETURN_URL) == (answer.status_code, answer.headers["Location"])
    card = systems.billing.card(account.account_id)
    assert card is not None
    assert "4444" == card.last4
    assert [account.account_id] == told


async def test_a_page_takes_one_card(systems: Systems, page: CardPage) -> None:
    async with client_of(shop_app(systems)) as client:
        await client.post(page.url, data={"card": "mastercard"})
        seen = await client.get(page.url)
        again = await client.post(page.url, data={"card": "declined"})

    assert (410, 410) == (seen.status_code, again.status_code)
    assert "A card has been entered" in seen.text
    entered = systems.sandbox.look_up_page(page.page_id).card
    assert entered is not None
    assert "4444" == entered.last4


@pytest.mark.parametrize(
    "typed",
    [
        {},
        {"card": ""},
        {"card": "gold"},
        {"card": "4242424242424242"},
        {"card": "4242 4242 4242 4242"},
        {"card": "visa", "number": "4242424242424242"},
        {"card": "<script>alert(1)</script>"},
    ],
)
async def test_what_is_typed_instead_of_chosen_is_neither_taken_nor_shown_nor_kept(
    systems: Systems, page: CardPage, typed: dict[str, str]
) -> None:
    async with client_of(shop_app(systems)) as client:
        answer = await client.post(page.url, data=typed)

    is_a_card = typed.get("card") == "visa"
    assert (303 if is_a_card else 422) == answer.status_code
    assert "424242424242" not in (answer.text + str(everything_in(systems))).replace(" ", "")
    assert "<script" not in answer.text
    state = systems.sandbox.look_up_page(page.page_id).state
    assert (PageState.ENTERED if is_a_card else PageState.OPEN) is state


async def test_too_long_a_name_is_refused_before_it_is_looked_at(
    systems: Systems, page: CardPage
) -> None:
    async with client_of(shop_app(systems)) as client:
        answer = await client.post(page.url, data={"card": "x" * 51})

    assert 422 == answer.status_code


@pytest.mark.parametrize(
    "page_id", ["nothing", "page_0", "..%2f..%2fhealthz", "%00", "é", "x" * 300]
)
async def test_a_page_that_does_not_exist_is_told_so_in_a_page(
    systems: Systems, page_id: str
) -> None:
    async with client_of(shop_app(systems)) as client:
        seen = await client.get(f"/sandbox/cards/{page_id}")
        posted = await client.post(f"/sandbox/cards/{page_id}", data={"card": "visa"})

    assert (404, 404) == (seen.status_code, posted.status_code)


async def test_the_page_to_which_browsers_come_back_says_that_they_are_done(
    systems: Systems,
) -> None:
    async with client_of(shop_app(systems)) as client:
        answer = await client.get("/cards/entered")

    assert 200 == answer.status_code
    assert "You may close this window" in answer.text


def test_every_card_says_what_it_does() -> None:
    told = {name: what_it_does(card) for name, card in CARDS.items()}

    assert "paid" == told["visa"]
    assert "declined, insufficient funds" == told["insufficient_funds"]
    assert "declined, but the answer is lost" == told["times_out_declined"]
    assert "the gateway does not answer" == told["away"]


async def test_the_page_has_a_language_a_title_and_a_style(
    systems: Systems, page: CardPage
) -> None:
    async with client_of(shop_app(systems)) as client:
        html = (await client.get(page.url)).text
        style = await client.get("/static/pages.css")

    assert 'lang="en"' in html
    assert "<title>Enter a test card</title>" in html
    assert 200 == style.status_code
