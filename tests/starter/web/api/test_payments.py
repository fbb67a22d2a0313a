"""The payment method: a page of the gateway's, what was entered on it, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import Code
from domain.states import ChargeState, Role
from starter.backend import Backend
from systems.sample import SampleAccount
from tests.starter.web.api.desk import TERMS, URL, Caller, Desk, code_of, new_account, of_role
from tests.workflows.stage import Stage


@pytest.fixture
def account(quiet_desk: Desk) -> SampleAccount:
    return new_account(quiet_desk.systems, card=None)


@pytest.fixture
def admin(quiet_desk: Desk, account: SampleAccount) -> Caller:
    return quiet_desk.with_key(account.administrator_id)


def method_of(account: SampleAccount) -> str:
    return f"/accounts/{account.account_id}/payment-method"


async def test_a_card_gets_on_file_by_the_gateways_page(
    quiet_desk: Desk, admin: Caller, account: SampleAccount
) -> None:
    before = await admin.get(method_of(account))
    page = (await admin.post(f"{method_of(account)}/page")).json()
    too_early = await admin.ask("PUT", method_of(account), json={"token": page["token"]})
    quiet_desk.systems.sandbox.enter_card(page["token"], "mastercard")
    put = await admin.ask("PUT", method_of(account), json={"token": page["token"]})
    again = await admin.ask("PUT", method_of(account), json={"token": page["token"]})
    after = await admin.get(method_of(account))

    assert {"card": None} == before.json()
    assert page["url"].startswith(URL)
    assert (422, Code.PAYMENT_METHOD_REQUIRED) == (too_early.status_code, code_of(too_early))
    assert 200 == put.status_code
    assert put.json() == again.json() == after.json()
    assert {"brand", "last4", "expires_month", "expires_year", "entered_at"} == set(
        after.json()["card"]
    )
    assert page["token"] not in after.text
    audit = quiet_desk.systems.accounts.audit(account.account_id)
    changes = [entry.actor for entry in audit if entry.what == "card_changed"]
    assert [account.administrator_id] == changes


async def test_only_the_accounts_own_page_counts(
    quiet_desk: Desk, admin: Caller, account: SampleAccount
) -> None:
    other = new_account(quiet_desk.systems)
    theirs = await quiet_desk.with_key(other.administrator_id).post(f"{method_of(other)}/page")
    quiet_desk.systems.sandbox.enter_card(theirs.json()["token"], "visa")

    for token in (theirs.json()["token"], "page_" + "0" * 32):
        refused = await admin.ask("PUT", method_of(account), json={"token": token})
        assert (422, Code.VALIDATION_FAILED) == (refused.status_code, code_of(refused))
        assert {"field": "token"} == refused.json()["figures"]

    assert quiet_desk.systems.billing.card(account.account_id) is None


async def test_an_older_page_does_not_take_the_place_of_a_newer_card(
    quiet_desk: Desk, admin: Caller, account: SampleAccount
) -> None:
    tokens = [(await admin.post(f"{method_of(account)}/page")).json()["token"] for _ in range(2)]
    shown = []
    for token, card in ((tokens[0], "visa"), (tokens[1], "mastercard")):
        quiet_desk.systems.sandbox.enter_card(token, card)
        shown.append(await admin.ask("PUT", method_of(account), json={"token": token}))

    again = await admin.ask("PUT", method_of(account), json={"token": tokens[0]})

    assert ["visa", "mastercard", "mastercard"] == [
        each.json()["card"]["brand"] for each in (*shown, again)
    ]


async def test_a_user_who_lost_the_role_puts_no_card_on_file(
    quiet_desk: Desk, account: SampleAccount
) -> None:
    manager = quiet_desk.with_key(of_role(quiet_desk.systems, account.account_id, Role.MANAGER))

    opened = await manager.post(f"{method_of(account)}/page")
    looked = await manager.get(method_of(account))

    assert (403, Code.NOT_AN_ADMINISTRATOR) == (opened.status_code, code_of(opened))
    assert 200 == looked.status_code


async def test_a_new_card_is_tried_at_once_on_an_unpaid_fee(stage: Stage, desk: Desk) -> None:
    admin = desk.with_key(stage.administrator)
    method = f"/accounts/{stage.account_id}/payment-method"
    await Backend(stage.systems, stage.pauses, stage.offer).change_card(
        stage.account_id, stage.administrator, "declined"
    )
    async with stage.worker():
        paused = await admin.post(f"/accounts/{stage.account_id}/pause", TERMS)
        due_at = datetime.fromisoformat(paused.json()["charges"][0]["due_at"])
        await stage.move_to(stage.handle(), due_at + timedelta(hours=1))
        await stage.until_charge(stage.handle(), 0, ChargeState.DECLINED)
        looked = await admin.get(f"/accounts/{stage.account_id}/pause")
        page = (await admin.post(f"{method}/page")).json()
        stage.systems.sandbox.enter_card(page["token"], "visa")
        await admin.ask("PUT", method, json={"token": page["token"]})
        await stage.until_charge(stage.handle(), 0, ChargeState.PAID)
        invoices = await admin.get(f"/accounts/{stage.account_id}/invoices")

    assert looked.json()["past_due"]
    assert [500] == stage.paid()
    fee = next(each for each in invoices.json()["items"] if each["kind"] == "fee")
    assert (paused.json()["pause_id"], "paid") == (fee["pause_id"], fee["state"])
    assert ["declined", "paid"] == [attempt["state"] for attempt in fee["attempts"]]


async def test_a_closed_account_is_reopened_by_a_card_after_the_price_was_shown(
    stage: Stage, desk: Desk
) -> None:
    admin, account = desk.with_key(stage.administrator), f"/accounts/{stage.account_id}"
    method = f"{account}/payment-method"
    async with stage.worker():
        await admin.post(f"{account}/close", {"confirm": "CLOSE"})
        price = await admin.post(f"{method}/page", {"reopen": False})
        page = (await admin.post(f"{method}/page", {"reopen": True})).json()
        stage.systems.sandbox.enter_card(page["token"], "visa")
        await admin.ask("PUT", method, json={"token": page["token"]})
        opened = await admin.get(account)
        trackers = await admin.get(f"{account}/trackers")

    assert (403, Code.ACCOUNT_CLOSED) == (price.status_code, code_of(price))
    assert {"amount_minor": 9_500, "currency": "USD"} == price.json()["figures"]
    assert "active" == opened.json()["status"]
    assert 200 == trackers.status_code


async def test_a_card_gets_on_file_though_the_pause_cannot_be_told(
    stage: Stage, quiet_desk: Desk, sqlite_url: str
) -> None:
    """Both are on the same database; Temporal is away for the API, and the worker goes on."""
    stage.pause_in_the_past(datetime.now(UTC))
    admin = quiet_desk.with_key(stage.administrator)
    method = f"/accounts/{stage.account_id}/payment-method"
    page = (await admin.post(f"{method}/page")).json()
    quiet_desk.systems.sandbox.enter_card(page["token"], "mastercard")

    put = await admin.ask("PUT", method, json={"token": page["token"]})

    entry = quiet_desk.systems.card_entries.entry(page["token"])
    assert (200, "mastercard") == (put.status_code, put.json()["card"]["brand"])
    assert entry is not None
    assert not entry.is_over, "the pause is still to be told"
