"""The Billing page, and the way to the gateway's card page and back (R8)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import Transient
from domain.payments import CardPage
from domain.states import AccountStatus, Role
from starter.web.site import paths
from systems.billing.card_entries import CardEntries
from systems.sample import SampleAccount
from systems.wiring import Systems
from tests.starter.web.site.accounts import closed, new_account, past_due, put_on_file
from tests.starter.web.site.visit import (
    OURS,
    URL,
    Front,
    Visit,
    backend_without_temporal,
    front_of,
)

CANCEL = "I'd like to cancel my account"
ANOTHER = "Enter another card"


@pytest.fixture
def account(systems: Systems) -> SampleAccount:
    return new_account(systems)


@pytest.fixture
async def visit(quiet: Front, account: SampleAccount) -> AsyncIterator[Visit]:
    async with quiet.visited_by(account.administrator_id) as opened:
        yield opened


async def test_the_page_tells_plan_next_invoice_and_card_and_ends_with_the_way_out(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    quote = systems.billing.quote(account.account_id)
    shown = await visit.get(paths.BILLING)

    assert "Call tracking $95.00 a month" in shown.text
    date = f"{quote.next_billing_on.day} {quote.next_billing_on:%B %Y}"
    assert f"$95.00 on {date}" in shown.text
    assert "Visa ending in 4242, valid until 12/2034" in shown.text
    assert paths.CANCEL == shown.page.links[CANCEL]
    assert [CANCEL, "support@example.com"] == list(shown.page.links)[-2:]


async def test_invoices_are_listed_with_lines_states_and_why_a_card_was_declined(
    quiet: Front, systems: Systems
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=40)
    account = new_account(systems, created_at=long_ago)
    systems.billing.invoice_plans_due(datetime.now(UTC) - timedelta(days=31), 10)
    put_on_file(systems, account, "insufficient_funds")
    systems.billing.invoice_plans_due(datetime.now(UTC), 10)

    async with quiet.visited_by(account.administrator_id) as visit:
        shown = await visit.get(paths.BILLING)
    async with quiet.visited_by(quiet.user(account.account_id, Role.MANAGER)) as visit:
        by_manager = await visit.get(paths.BILLING)

    invoices = systems.billing.invoices(account.account_id)
    assert invoices
    assert len(invoices) == shown.text.count("Call tracking $95.00 Total $95.00") - 1
    assert "Past due Declined: There is not enough money on it" in shown.text
    assert "Past due" in by_manager.text
    assert "not enough money" not in by_manager.text


async def test_what_was_given_back_stands_at_its_invoice(quiet: Front, systems: Systems) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=40)
    account = new_account(systems, created_at=long_ago)
    systems.billing.invoice_plans_due(datetime.now(UTC) - timedelta(days=1), 10)
    paid = [each.billing_on for each in systems.billing.invoices(account.account_id)]
    for on, amount_minor in zip(paid, (250, None), strict=False):
        systems.refunds.refund(
            account.account_id,
            on,
            actor="operator",
            reason="a test",
            at=datetime.now(UTC),
            amount_minor=amount_minor,
        )
    async with quiet.visited_by(account.administrator_id) as visit:
        shown = await visit.get(paths.BILLING)

    assert len(paid) == shown.text.count("given back.")
    assert "$2.50 given back." in shown.text


async def test_others_than_administrators_see_no_button_and_no_way_out(
    quiet: Front, account: SampleAccount
) -> None:
    async with quiet.visited_by(quiet.user(account.account_id, Role.REPORTING)) as visit:
        shown = await visit.get(paths.BILLING)
        forced = await visit.client.post(
            paths.ENTER_CARD,
            data={"csrf": shown.page.form("Log out").value("csrf")},
            headers=OURS,
        )

    assert CANCEL not in shown.page.links
    assert not shown.page.has_button(ANOTHER)
    assert 403 == forced.status_code


async def test_a_card_is_entered_at_the_gateway_and_is_on_file_when_one_comes_back(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    shown = await visit.get(paths.BILLING)
    to_gateway = await visit.post(shown, ANOTHER)
    page_id = to_gateway.text.split("/sandbox/cards/")[1].split('"')[0]
    at_gateway = await visit.get(f"/sandbox/cards/{page_id}")
    chosen = await visit.post(at_gateway, "Use this card", card="mastercard")
    back = await visit.get(chosen.headers["location"].removeprefix(URL))

    assert f"0; url={URL}/sandbox/cards/{page_id}" in to_gateway.text
    assert paths.BILLING == back.path
    assert "Mastercard ending in 4444" in back.text
    assert (account.administrator_id, "card_changed") in [
        (entry.actor, entry.what) for entry in systems.accounts.audit(account.account_id)
    ]


async def test_whoever_comes_back_without_a_card_may_go_on_without_one(visit: Visit) -> None:
    shown = await visit.get(paths.BILLING)
    await visit.post(shown, ANOTHER, then="status")
    back = await visit.get(f"{paths.CARD_ENTERED}?then=status")

    assert "No card so far" in back.text
    assert paths.STATUS == back.page.links["Go on without a card"]


@pytest.mark.parametrize("then", ["elsewhere", "//evil.example", ""])
async def test_one_comes_back_to_our_own_pages_only(visit: Visit, then: str) -> None:
    shown = await visit.get(paths.BILLING)
    asked = await visit.post(shown, ANOTHER, then=then)
    back = await visit.client.get(f"{paths.CARD_ENTERED}?then={then}")

    assert "evil" not in asked.text
    assert f'href="{paths.BILLING}"' in back.text


async def test_another_accounts_card_page_puts_nothing_on_file(
    visit: Visit, quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    other = new_account(systems)
    page = systems.card_entries.open(
        other.account_id, other.administrator_id, datetime.now(UTC), URL
    )
    systems.sandbox.enter_card(page.page_id, "mastercard")
    visit.client.cookies.set("account_pause_card_page", page.page_id)
    back = await visit.get(f"{paths.CARD_ENTERED}?then=billing")

    assert paths.BILLING == back.path
    assert "Visa ending in 4242" in back.text


async def test_a_closed_accounts_page_shows_the_price_and_opens_only_when_it_is_meant(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    closed(systems, account)
    shown = await visit.get(paths.HOME)
    unmeant = await visit.post(shown, "Enter a card and reopen", then="billing")

    assert "Call tracking $95.00" in shown.text
    assert "$95.00, today" in shown.text
    assert (303, paths.REOPEN) == (unmeant.status_code, unmeant.headers["location"])
    assert AccountStatus.CLOSED is systems.accounts.account(account.account_id).status


async def test_of_a_closed_account_only_administrators_get_the_button(
    quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    closed(systems, account)
    async with quiet.visited_by(quiet.user(account.account_id, Role.MANAGER)) as visit:
        shown = await visit.get(paths.HOME)

    assert paths.REOPEN == shown.path
    assert not shown.page.has_button("Enter a card and reopen")
    assert "An administrator of the account can do that." in shown.text


async def test_while_the_gateway_is_away_the_page_says_try_again(
    systems: Systems, account: SampleAccount
) -> None:
    class Away(CardEntries):
        def open(self, *_: object, **__: object) -> CardPage:
            raise Transient("the gateway did not answer")

    away = Away(systems.db, systems.gateway, systems.reopening)
    front = front_of(await backend_without_temporal(replace(systems, card_entries=away)))
    async with front.visited_by(account.administrator_id) as visit:
        asked = await visit.send(await visit.get(paths.BILLING), ANOTHER)

    assert 503 == asked.status
    assert "5" == asked.headers["retry-after"]
    assert paths.HOME == asked.page.links["Try again"]


async def test_after_a_new_card_account_status_says_that_it_is_tried(
    quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    past_due(systems, account)
    async with quiet.visited_by(account.administrator_id) as visit:
        to_gateway = await visit.post(await visit.get(paths.STATUS), ANOTHER)
        page_id = to_gateway.text.split("/sandbox/cards/")[1].split('"')[0]
        systems.sandbox.enter_card(page_id, "mastercard")
        back = await visit.get(f"{paths.CARD_ENTERED}?then=status")

    # The pause itself could not be told, with Temporal away: the worker does that.
    assert paths.STATUS in back.path
    assert "What is unpaid is tried on it now." in back.text
    assert paths.STATUS == back.page.links["Look again"]
    assert "card ending in 4444" in back.text


async def test_a_card_that_is_declined_later_is_past_due_on_the_billing_page_too(
    quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    past_due(systems, account)
    async with quiet.visited_by(account.administrator_id) as visit:
        shown = await visit.get(paths.BILLING)

    assert "Pause" in shown.text
    assert "Past due Declined: It has expired" in shown.text
    assert "Your plan is not billed while the account is paused" in shown.text
