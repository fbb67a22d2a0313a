"""Account Status: what a paused account's users see, and what only its administrators do."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.ids import Prefix, make_id
from domain.messages import BeginEnd
from domain.states import Role
from starter.web.site import paths
from starter.web.site.words import day, phone
from systems.numbers.calls import Incoming
from systems.sample import SampleAccount
from systems.wiring import Systems
from tests.starter.web.site.accounts import begun, new_account, past_due, paused
from tests.starter.web.site.visit import Front, Shown

HOSTILE = "<img src=x onerror=alert(1)>"
BUTTONS = ("Change the date", "Enter another card", "Back to the latest date")
LINKS = ("Resume the account", "Close the account …")


@pytest.fixture
def account(systems: Systems) -> SampleAccount:
    return new_account(systems, name=HOSTILE, numbers=3)


async def seen_by(front: Front, account: SampleAccount, role: Role = Role.ADMIN) -> Shown:
    async with front.visited_by(front.user(account.account_id, role)) as visit:
        return await visit.get(paths.HOME)


async def test_it_tells_what_is_kept_since_when_until_when_and_what_it_costs(
    quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    step = paused(systems, account, datetime.now(UTC) - timedelta(hours=2))
    act = systems.accounts.act(step["act_id"])
    assert act is not None
    assert act.timeline is not None
    trackers = systems.numbers.trackers(account.account_id)
    numbers = [number for tracker in trackers for number in tracker.tracking_numbers]
    systems.numbers.take(Incoming("CA1", numbers[0], "+12125550142", datetime.now(UTC)))

    shown = await seen_by(quiet, account)

    assert paths.STATUS == shown.path
    assert "Numbers kept 3" in shown.text
    assert all(phone(number) in shown.text for number in numbers)
    assert all(day(fee.billing_on) in shown.text for fee in act.timeline.fees)
    assert "$5.00 Still to come" in shown.text
    assert day(act.timeline.resume_on) in shown.text
    assert "<img src=x" not in shown.html
    rows = shown.text.partition("Calls meanwhile")[2]
    assert [1, 0, 0] == [int(part) for part in rows.split() if part in ("0", "1")]


@pytest.mark.parametrize("role", [Role.MANAGER, Role.REPORTING])
async def test_others_than_administrators_see_the_status_without_buttons(
    quiet: Front, systems: Systems, account: SampleAccount, role: Role
) -> None:
    past_due(systems, account)

    shown = await seen_by(quiet, account, role)

    assert "Resumes by itself" in shown.text
    assert "A fee is past due" in shown.text
    assert "An administrator can resume the account" in shown.text
    assert "it has expired" not in shown.text.lower()
    assert {"Log out"} == {button for form in shown.page.forms for button in form.buttons}
    assert not set(LINKS) & set(shown.page.links)


async def test_past_due_says_why_and_leads_to_another_card(
    quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    past_due(systems, account)

    async with quiet.visited_by(account.administrator_id) as visit:
        shown = await visit.get(paths.HOME)
        asked = await visit.post(shown, "Enter another card")

    assert "A fee is past due" in shown.text
    assert "Declined It has expired; enter the new one." in shown.text
    assert "the account is closed and its numbers are released" in shown.text
    assert "/sandbox/cards/" in asked.text


async def test_a_chosen_date_can_be_dropped_and_the_latest_one_cannot(
    quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    soon = datetime.now(UTC).date() + timedelta(days=20)
    paused(systems, account, resume_on=soon)
    chosen = await seen_by(quiet, account)
    other = new_account(systems)
    paused(systems, other)
    latest = await seen_by(quiet, other)

    assert soon.isoformat() == chosen.page.form("Change the date").value("resume_on")
    assert all(chosen.page.has_button(button) for button in BUTTONS)
    assert all(link in chosen.page.links for link in LINKS)
    assert not latest.page.has_button("Back to the latest date")


async def test_for_an_hour_it_says_that_calls_still_go_through(
    quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    paused(systems, account)
    fresh = await seen_by(quiet, account)
    other = new_account(systems)
    paused(systems, other, datetime.now(UTC) - timedelta(hours=2))
    old = await seen_by(quiet, other)

    assert "are still put through until" in fresh.text
    assert "are still put through until" not in old.text


async def test_the_lists_that_stay_open_lead_to_account_status(
    quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    paused(systems, account)
    async with quiet.visited_by(account.administrator_id) as visit:
        for path in (paths.TRACKERS, paths.BILLING):
            shown = await visit.get(path)

            assert paths.STATUS == shown.page.links["Account Status"]
            assert "This account is paused" in shown.text
            assert "I'd like to cancel my account" not in shown.page.links
            assert not shown.page.has_button("Disable the chosen trackers …")
            # A tracker that does not ring is not called active.
            assert (path == paths.TRACKERS) == (" Kept " in shown.text)


async def test_a_pause_that_begins_or_ends_is_followed_instead(
    quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    begun(systems, account)
    beginning = await seen_by(quiet, account)
    other = new_account(systems)
    step = paused(systems, other)
    systems.accounts.begin_resume(BeginEnd(**step, requested_by=other.administrator_id))
    resuming = await seen_by(quiet, other)
    third = new_account(systems)
    close = {**step, "act_id": make_id(Prefix.CLOSE, uuid4()), "account_id": third.account_id}
    systems.accounts.begin_close(BeginEnd(**close, requested_by=third.administrator_id))
    closing = await seen_by(quiet, third)

    assert "Pausing your account" in beginning.text
    assert "Resuming your account" in resuming.text
    assert "Closing your account" in closing.text
