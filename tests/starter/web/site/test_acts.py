"""Pausing, resuming, closing and coming back through the pages, on a real Temporal server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from domain.errors import Transient
from domain.messages import Status
from domain.names import Activity
from domain.states import AccountStatus, PauseState
from starter.backend import Backend
from starter.web.site import paths
from starter.web.site.words import day
from tests.starter.web.site.visit import Front, Shown, Visit, front_of, impatient_front_of
from tests.workflows.faults import Fault
from tests.workflows.stage import Stage

PAUSE, RESUME, CLOSE = "Pause my account", "Resume my account", "Close for good"


@pytest.fixture
async def visit(front: Front, stage: Stage) -> AsyncIterator[Visit]:
    async with front.visited_by(stage.administrator) as opened:
        yield opened


async def pause(visit: Visit, **values: str) -> Shown:
    """The article's path, from the account icon to the button at the bottom."""
    shown = await visit.get(paths.HOME)
    shown = await visit.get(shown.page.links["Account Settings"])
    shown = await visit.get(shown.page.links["I'd like to cancel my account"])
    shown = await visit.get(shown.page.links["Pause your account instead"])
    return await visit.send(shown, PAUSE, accept="yes", **values)


async def resume(visit: Visit) -> Shown:
    shown = await visit.get(paths.HOME)
    shown = await visit.get(shown.page.links["Resume the account"])
    return await visit.send(shown, RESUME, accept="yes")


def acts(stage: Stage) -> list[PauseState]:
    """How the account's pauses and closes stand, the oldest first."""
    return [act.state for act in stage.systems.accounts.acts(stage.account_id)]


async def test_the_articles_path_pauses_and_lands_on_account_status(
    stage: Stage, visit: Visit
) -> None:
    async with stage.worker():
        shown = await pause(visit, reason="<b>holidays</b>")
        locked = await visit.get(paths.ACTIVITY)

    timeline = stage.promised(await stage.current_pause_id())
    assert (200, f"{paths.STATUS}?done=pause") == (shown.status, shown.path)
    assert "Your account is paused." in shown.text
    assert all(day(fee.billing_on) in shown.text for fee in timeline.fees)
    assert paths.STATUS == locked.path
    assert ["<b>holidays</b>"] == [
        entry.reason for entry in stage.systems.accounts.audit(stage.account_id) if entry.reason
    ]


async def test_two_clicks_at_once_and_a_reload_later_pause_once(stage: Stage, visit: Visit) -> None:
    async with stage.worker():
        form = await visit.get(paths.PAUSE)
        twice = await asyncio.gather(*(visit.send(form, PAUSE, accept="yes") for _ in range(2)))
        reloaded = await visit.send(form, PAUSE, accept="yes")
        resumed = await resume(visit)
        months_later = await visit.send(form, PAUSE, accept="yes")

    assert {f"{paths.STATUS}?done=pause"} == {shown.path for shown in (*twice, reloaded)}
    assert "Your account is back" in resumed.text
    assert "Your account is back" in months_later.text
    assert [PauseState.RESUMED] == acts(stage)


async def test_the_resume_is_what_its_page_said(stage: Stage, visit: Visit) -> None:
    before = stage.snapshot()
    async with stage.worker():
        await pause(visit)
        offered = await visit.get(paths.RESUME)
        unread = await visit.send(offered, RESUME)
        resumed = await visit.send(offered, RESUME, accept="yes")
        again = await visit.send(offered, RESUME, accept="yes")
        dashboard = await visit.get(resumed.page.links["To the dashboard"])

    quote = stage.systems.billing.quote(stage.account_id)
    assert (422, "#accept") == (
        unread.status,
        unread.page.links["Tick the box to say that you have read this."],
    )
    for shown in (offered, resumed):
        assert "$95.00" in shown.text
        assert f"{quote.next_billing_on.day} {quote.next_billing_on:%B %Y}" in shown.text
    assert "Your account is back" in again.text
    assert paths.ACTIVITY == dashboard.path
    assert before == stage.snapshot()
    assert [PauseState.RESUMED] == acts(stage)


async def test_the_resume_date_is_moved_and_dropped(stage: Stage, visit: Visit) -> None:
    async with stage.worker():
        shown = await pause(visit)
        latest = stage.promised(await stage.current_pause_id()).latest_resume_on
        earlier, soon = latest - timedelta(days=90), latest - timedelta(days=120)
        moved = await visit.send(shown, "Change the date", resume_on=earlier.isoformat())
        late = (latest + timedelta(days=1)).isoformat()
        refused = await visit.send(moved, "Change the date", resume_on=late)
        unknown = await visit.send(moved, "Change the date", resume_on="soon")
        twice = await visit.send(shown, "Change the date", resume_on=earlier.isoformat())
        outdated = await visit.send(shown, "Change the date", resume_on=soon.isoformat())
        dropped = await visit.send(moved, "Back to the latest date")

    assert f"resumes by itself on {earlier.day} {earlier:%B %Y}" in moved.text
    assert (422, 422) == (refused.status, unknown.status)
    assert "The resume date must lie from" in refused.text
    assert late == refused.page.form("Change the date").value("resume_on")
    assert "Choose a date first." in unknown.text
    assert f"{paths.STATUS}?done=date" == twice.path
    assert "Somebody else has changed it meanwhile. This is how it stands now." in outdated.text
    assert earlier.isoformat() == outdated.page.form("Change the date").value("resume_on")
    assert f"resumes by itself on {latest.day} {latest:%B %Y}" in dropped.text
    assert not dropped.page.has_button("Back to the latest date")


@pytest.mark.parametrize("is_paused", [False, True], ids=["active", "paused"])
async def test_closing_takes_the_typed_word(stage: Stage, visit: Visit, is_paused: bool) -> None:
    async with stage.worker():
        if is_paused:
            await pause(visit)
        form = await visit.get(paths.CLOSE)
        for typed in ("", "yes", "CLOSED"):
            refused = await visit.send(form, CLOSE, confirm=typed)
            assert (422, "#confirm") == (
                refused.status,
                refused.page.links["Type CLOSE to show that you mean it."],
            )
        assert AccountStatus.CLOSED is not stage.account_status()

        closed = await visit.send(form, CLOSE, confirm="close")
        home = await visit.get(paths.HOME)

    assert "Your account is closed" in closed.text
    assert paths.REOPEN == home.path
    assert AccountStatus.CLOSED is stage.account_status()
    assert [PauseState.CLOSED] == acts(stage)


async def test_a_form_for_closing_closes_what_it_was_shown_for_and_nothing_else(
    stage: Stage, visit: Visit
) -> None:
    async with stage.worker():
        while_active = await visit.get(paths.CLOSE)
        await pause(visit)
        while_paused = await visit.get(paths.CLOSE)
        before = await visit.send(while_active, CLOSE, confirm="CLOSE")
        await resume(visit)
        after = await visit.send(while_paused, CLOSE, confirm="CLOSE")

    assert paths.STATUS == before.path
    assert paths.ACTIVITY == after.path
    assert [PauseState.RESUMED] == acts(stage)


async def test_a_closed_account_comes_back_by_a_card_with_its_history_and_new_numbers(
    stage: Stage, visit: Visit
) -> None:
    async with stage.worker():
        form = await visit.get(paths.CLOSE)
        await visit.send(form, CLOSE, confirm="CLOSE")
    shown = await visit.get(paths.HOME)
    price_first = shown.text
    to_gateway = await visit.post(shown, "Enter a card and reopen")
    page_id = to_gateway.text.split("/sandbox/cards/")[1].split('"')[0]

    not_yet = await visit.get(f"{paths.CARD_ENTERED}?then=reopen")
    stage.systems.sandbox.enter_card(page_id, "visa")
    back = await visit.get(f"{paths.CARD_ENTERED}?then=reopen")

    form = await visit.get(paths.NEW_TRACKER)
    made = await visit.send(
        form,
        "Make the tracker",
        name="Spring postcard",
        source="direct_mail",
        destination_number="(212) 555-0100",
        tracking_numbers="+1 212 555 0177",
    )

    assert "$95.00, today" in price_first
    assert "No card so far" in not_yet.text
    assert paths.ACTIVITY == back.path
    assert AccountStatus.ACTIVE is stage.account_status()
    assert f"{paths.TRACKERS}?done=made" == made.path
    assert "+1 212-555-0177" in made.text
    assert "Disabled for good" in made.text


async def test_what_takes_longer_is_followed_by_a_page_that_looks_again_by_itself(
    stage: Stage,
) -> None:
    front = impatient_front_of(Backend(stage.systems, stage.pauses, stage.offer))
    async with front.visited_by(stage.administrator) as visit:
        waiting = await pause(visit)
        refresh = next(each for _, each in waiting.page.tags if each.get("http-equiv"))
        next_look = (refresh["content"] or "").partition("url=")[2]
        later = await visit.get(next_look)
        async with stage.worker():
            await stage.until(lambda: stage.systems.accounts.open_act(stage.account_id))
            await stage.until_state(stage.handle(), PauseState.PAUSED)
            done = await visit.get(next_look)

    assert "Pausing your account" in waiting.text
    assert next_look.endswith("again=1")
    assert "Pausing your account" in later.text
    assert f"{paths.STATUS}?done=pause" == done.path


async def test_a_refusal_is_shown_with_its_reason_and_what_to_do(
    stage: Stage, visit: Visit
) -> None:
    form = await visit.get(paths.PAUSE)
    stage.remove_card()
    async with stage.worker():
        started = await stage.start(pause_id=form.page.form(PAUSE).value("pause_id"))
        await started.result()
        shown = await visit.get(
            f"{paths.PROGRESS}/{form.page.form(PAUSE).value('pause_id')}?asked=pause"
        )

    assert "The account was not paused" in shown.text
    assert "There is no card on file" in shown.text
    assert paths.BILLING == shown.page.links["Enter a card on the Billing page"]


async def test_a_pause_that_could_not_be_put_in_place_says_so(stage: Stage, visit: Visit) -> None:
    stage.faults.plan(Activity.DISABLE_SCRIPT, Fault.REFUSED)
    async with stage.worker():
        shown = await pause(visit)

    assert 422 == shown.status
    assert "The account works as before." in shown.text


async def test_what_waits_for_an_operator_says_so(stage: Stage) -> None:
    front = impatient_front_of(Backend(stage.systems, stage.pauses, stage.offer))
    async with stage.worker(), front.visited_by(stage.administrator) as visit:
        await pause(visit)
        await stage.until_state(stage.handle(), PauseState.PAUSED)
        stage.faults.plan(Activity.RESTORE_PLAN, Fault.REFUSED)
        await resume(visit)
        await stage.until_stuck(stage.handle())
        shown = await visit.get(paths.STATUS)

    assert "We have to look at this" in shown.text
    assert "nothing is charged twice" in shown.text


async def test_while_temporal_is_away_the_progress_page_says_that_nothing_is_lost(
    stage: Stage,
) -> None:
    class Away(Backend):
        async def run(self, *_: object) -> None:
            raise Transient("away")

        async def resume(self, *_: object, **__: object) -> Status:
            raise Transient("away")

    async with stage.worker():
        await stage.paused()
    front = front_of(Away(stage.systems, stage.pauses, stage.offer))
    async with front.visited_by(stage.administrator) as visit:
        refused = await resume(visit)
        act_id = await stage.current_pause_id()
        followed = await visit.get(f"{paths.PROGRESS}/{act_id}?asked=resume")

    assert 503 == refused.status
    assert "it is never done twice" in refused.text
    assert "We cannot see at the moment how far it is" in followed.text


async def test_what_never_arrives_is_looked_for_and_then_told_as_nothing(
    stage: Stage, visit: Visit
) -> None:
    form = await visit.get(paths.PAUSE)
    path = f"{paths.PROGRESS}/{form.page.form(PAUSE).value('pause_id')}?asked=pause"
    at_first = await visit.get(path)
    in_the_end = await visit.get(f"{path}&again=9")

    assert "Pausing your account" in at_first.text
    assert "Nothing has happened" in in_the_end.text
    assert acts(stage) == []
