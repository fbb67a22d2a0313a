"""The pause page: what it shows, what it asks for, and what it refuses (R2, R11, R19)."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from domain.calendar import local_date
from domain.money import display
from domain.states import LadderEnd
from domain.terms import Offer
from starter.backend import Backend
from starter.preview import Preview
from starter.web.site import paths
from starter.web.site.words import clock, dated, day, phone
from systems.sample import SampleAccount
from systems.wiring import Systems
from tests.starter.web.site.accounts import TIME_ZONE, new_account
from tests.starter.web.site.visit import Front, Visit, backend_without_temporal, front_of

HOSTILE = "<script>alert('x')</script>\"'&{{ 7 * 7 }}"
PAUSE = "Pause my account"


@pytest.fixture
def account(systems: Systems) -> SampleAccount:
    return new_account(systems, name=HOSTILE, numbers=4)


@pytest.fixture
async def visit(quiet: Front, account: SampleAccount) -> AsyncIterator[Visit]:
    async with quiet.visited_by(account.administrator_id) as opened:
        yield opened


@pytest.fixture
def preview(quiet_backend: Backend, account: SampleAccount) -> Preview:
    return quiet_backend.preview(account.account_id)


def in_days(preview: Preview, count: int) -> str:
    return (local_date(preview.at, TIME_ZONE) + timedelta(days=count)).isoformat()


def tracking_numbers(systems: Systems, account: SampleAccount) -> list[str]:
    trackers = systems.numbers.trackers(account.account_id)
    return [number for tracker in trackers for number in tracker.tracking_numbers]


async def test_the_page_shows_every_date_and_amount_of_the_preview(
    visit: Visit, preview: Preview, systems: Systems, account: SampleAccount
) -> None:
    shown = await visit.get(paths.PAUSE)

    assert 200 == shown.status
    for fee in preview.timeline.fees:
        assert f"{day(fee.billing_on)} {clock(fee.due_at, TIME_ZONE)}" in shown.text
    assert "6 fees, $30.00 in total" in shown.text
    assert day(preview.timeline.resume_on) in shown.text
    assert day(preview.plan_resumes_on) in shown.text
    assert display(preview.plan_amount_minor) in shown.text
    assert "4 tracking numbers kept" in shown.text
    assert all(phone(number) in shown.text for number in tracking_numbers(systems, account))
    assert "card ending in 4242" in shown.text


async def test_another_resume_date_shows_another_course(visit: Visit, preview: Preview) -> None:
    first = await visit.get(paths.PAUSE)
    shown = await visit.send(
        first, "Show", resume_on=in_days(preview, 35), reason="holidays", accept="yes"
    )

    assert day(local_date(preview.at, TIME_ZONE) + timedelta(days=35)) in shown.text
    assert "1 fee, $5.00 in total" in shown.text
    form = shown.page.form(PAUSE)
    assert in_days(preview, 35) == form.value("resume_on")
    assert ("holidays", "yes") == (form.value("reason"), form.value("accept"))
    assert first.page.form(PAUSE).value("pause_id") == form.value("pause_id")
    assert first.page.form(PAUSE).value("shown") != form.value("shown")


async def test_enter_in_the_date_shows_and_does_not_pause(visit: Visit) -> None:
    shown = await visit.get(paths.PAUSE)

    # A form's first button is the one that Enter presses.
    assert "Show" == next(iter(shown.page.form(PAUSE).buttons))


async def test_a_date_that_was_typed_in_and_not_looked_at_is_shown_first(
    visit: Visit, preview: Preview, systems: Systems, account: SampleAccount
) -> None:
    first = await visit.get(paths.PAUSE)
    shown = await visit.send(first, PAUSE, resume_on=in_days(preview, 35), accept="yes")

    assert 422 == shown.status
    assert "no longer what this page showed" in shown.text
    assert "1 fee, $5.00 in total" in shown.text
    assert systems.accounts.last_act(account.account_id) is None


async def test_a_date_that_cannot_be_is_refused_at_its_field(
    visit: Visit, preview: Preview
) -> None:
    first = await visit.get(paths.PAUSE)
    earliest, latest = in_days(preview, 1), preview.timeline.latest_resume_on.isoformat()
    out_of_bounds = dated(f"The resume date must lie from {earliest} to {latest}.")
    no_date = "That is no date"
    for typed, words in (
        (in_days(preview, 0), out_of_bounds),
        (in_days(preview, 500), out_of_bounds),
        ("soon", no_date),
        ("2027-02-30", no_date),
        (HOSTILE, no_date),
    ):
        for button in ("Show", PAUSE):
            shown = await visit.send(first, button, resume_on=typed, accept="yes")

            assert 422 == shown.status, typed
            assert 2 == shown.text.count(words)
            assert any(link.startswith(words) for link in shown.page.links)
            assert "6 fees" in shown.text
            assert "resume_on-mistake" in shown.page.ids
            assert "<script" not in shown.html


async def test_the_dates_field_knows_its_bounds(visit: Visit, preview: Preview) -> None:
    shown = await visit.get(paths.PAUSE)

    field = next(each for _, each in shown.page.tags if each.get("id") == "resume_on")
    assert in_days(preview, 1) == field["min"]
    assert preview.timeline.latest_resume_on.isoformat() == field["max"]


async def test_without_accepting_the_terms_nothing_is_paused(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    first = await visit.get(paths.PAUSE)
    shown = await visit.send(first, PAUSE, reason=HOSTILE)

    assert 422 == shown.status
    assert "#accept" == shown.page.links["Accept the terms to pause."]
    assert shown.page.title.startswith("Error: ")
    assert HOSTILE == shown.page.form(PAUSE).value("reason")
    assert "<script" not in shown.html
    assert systems.accounts.last_act(account.account_id) is None


async def test_a_reason_that_is_too_long_is_refused_at_its_field(visit: Visit) -> None:
    first = await visit.get(paths.PAUSE)
    shown = await visit.send(first, PAUSE, reason="x" * 1001, accept="yes")

    assert 422 == shown.status
    assert "reason-mistake" in shown.page.ids


async def test_while_temporal_is_away_the_same_form_may_be_sent_again(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    first = await visit.get(paths.PAUSE)
    shown = await visit.send(first, PAUSE, reason="holidays", accept="yes")

    assert 503 == shown.status
    assert "it is never done twice" in shown.text
    assert first.page.form(PAUSE).value("pause_id") == shown.page.form(PAUSE).value("pause_id")
    assert systems.accounts.last_act(account.account_id) is None


async def test_while_temporal_is_away_closing_may_be_asked_for_again(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    form = await visit.get(paths.CLOSE)
    shown = await visit.send(form, "Close for good", confirm="CLOSE")

    button = "Close for good"
    assert 503 == shown.status
    assert "it is never done twice" in shown.text
    assert form.page.form(button).value("act_id") == shown.page.form(button).value("act_id")
    assert systems.accounts.last_act(account.account_id) is None


async def test_without_a_card_the_page_leads_to_the_card_page(
    quiet: Front, systems: Systems
) -> None:
    account = new_account(systems, card=None)
    async with quiet.visited_by(account.administrator_id) as visit:
        shown = await visit.get(paths.PAUSE)
        assert not shown.page.has_button(PAUSE)
        asked = await visit.post(shown, "Enter a card")

    assert "First, a card" in shown.text
    assert "6 fees" in shown.text
    assert "/sandbox/cards/" in asked.text


async def test_without_numbers_the_page_says_that_nothing_is_kept(
    quiet: Front, systems: Systems
) -> None:
    account = new_account(systems, numbers=0)
    async with quiet.visited_by(account.administrator_id) as visit:
        shown = await visit.get(paths.PAUSE)

    assert "No tracking numbers to keep" in shown.text
    assert shown.page.has_button(PAUSE)


async def test_with_too_many_numbers_trackers_are_chosen_then_disabled_then_it_goes_on(
    quiet: Front, systems: Systems
) -> None:
    account = new_account(systems, numbers=53)
    single, pool = (
        tracker.tracker_id
        for tracker in sorted(
            systems.numbers.trackers(account.account_id),
            key=lambda each: len(each.tracking_numbers),
        )
    )
    async with quiet.visited_by(account.administrator_id) as visit:
        shown = await visit.get(paths.PAUSE)
        assert "this account has 53" in shown.text
        assert "52 numbers" in shown.text

        none = await visit.send(shown, "Go on with these")
        assert none.page.title.startswith("Error: ")
        assert "That is not enough: 3 numbers more must be given up." in none.text

        too_few = await visit.send(shown, "Go on with these", tracker=single)
        assert "That is not enough: 2 numbers more must be given up." in too_few.text
        assert ("tracker", single) in too_few.page.form("Go on with these").fields

        asked = await visit.send(too_few, "Go on with these", tracker=[single, pool])
        assert paths.DISABLE_TRACKERS in asked.path
        assert "Lost for good: 53 tracking numbers" in asked.text

        meant = await visit.send(asked, "Disable for good", tracker=[pool], understood="yes")

    assert paths.PAUSE == meant.path
    assert meant.page.has_button(PAUSE)
    assert "1 tracking number kept" in meant.text


@pytest.mark.parametrize(
    "offer",
    [
        Offer(),
        Offer(
            version="2030-01",
            fee_minor=725,
            max_numbers=7,
            months=3,
            drain_minutes=0,
            ladder_days=(2, 4),
            last_attempt_day=9,
            ladder_end=LadderEnd.KEEP,
            reminder_days=(),
        ),
    ],
)
async def test_the_terms_say_the_figures_of_the_offer(systems: Systems, offer: Offer) -> None:
    account = new_account(systems)
    front = front_of(await backend_without_temporal(systems, offer))

    async with front.visited_by(account.administrator_id) as visit:
        shown = await visit.get(paths.PAUSE)
        cancel = await visit.get(paths.CANCEL)

    for page in (shown, cancel):
        assert f"Keep up to {offer.max_numbers} tracking numbers for" in page.text
        assert f"{display(offer.fee_minor)} a month, for up to {offer.months} months" in page.text
    assert f"version {offer.version}" in shown.text
    assert f"{display(offer.fee_minor)} on each" in shown.text
    assert f"Up to {offer.max_numbers} tracking phone numbers" in shown.text
    assert f"Up to {offer.months} calendar months" in shown.text
    assert f"a last time after {offer.last_attempt_day} days" in shown.text
    assert (offer.ladder_end is LadderEnd.CLOSE) == ("the account is closed and" in shown.text)
    assert bool(offer.drain_minutes) == (f"for {offer.drain_minutes} minutes" in shown.text)
    assert bool(offer.reminder_days) == ("days before" in shown.text)
