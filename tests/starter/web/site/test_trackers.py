"""Trackers: listed, made, and given up for good after a page that says so."""

from collections.abc import AsyncIterator

import pytest

from domain.states import Role
from starter.web.site import paths
from starter.web.site.trackers import e164
from systems.numbers.trackers import TrackerStatus
from systems.sample import SampleAccount
from systems.wiring import Systems
from tests.starter.web.site.accounts import new_account, paused
from tests.starter.web.site.visit import Front, Visit

HOSTILE = "</td><script>alert(1)</script>"
NEW = {
    "name": "Spring postcard",
    "source": "direct_mail",
    "destination_number": "+1 (312) 555-0100",
    "tracking_numbers": "+1 646 555 0123",
}
WRONG = (
    *(("name", ""), ("name", "x" * 201), ("source", ""), ("source", "x" * 201)),
    *(("destination_number", "911"), ("destination_number", HOSTILE)),
    *(("tracking_numbers", ""), ("tracking_numbers", "soon")),
    *(("tracking_numbers", "+16465550123\n+16465550123"), ("company_id", "COM1")),
    ("call_flow_id", HOSTILE),
)
MAKE, CHOOSE, DISABLE = "Make the tracker", "Disable the chosen trackers …", "Disable for good"


@pytest.fixture
def account(systems: Systems) -> SampleAccount:
    return new_account(systems, numbers=3)


@pytest.fixture
async def visit(quiet: Front, account: SampleAccount) -> AsyncIterator[Visit]:
    async with quiet.visited_by(account.administrator_id) as opened:
        yield opened


async def test_a_tracker_is_made_once_however_often_the_form_is_sent(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    form = await visit.get(paths.NEW_TRACKER)
    made = await visit.send(form, MAKE, **NEW)
    again = await visit.send(form, MAKE, **NEW)

    trackers = [
        each
        for each in systems.numbers.trackers(account.account_id)
        if each.name == "Spring postcard"
    ]
    assert f"{paths.TRACKERS}?done=made" == made.path == again.path
    assert 1 == len(trackers)
    assert ("+16465550123",) == trackers[0].tracking_numbers
    assert "+13125550100" == trackers[0].destination_number
    assert ("+13125550100",) == trackers[0].swap_targets
    assert (account.administrator_id, "tracker_created") in [
        (entry.actor, entry.what) for entry in systems.accounts.audit(account.account_id)
    ]


async def test_what_is_wrong_is_said_at_its_field_and_the_rest_is_kept(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    form = await visit.get(paths.NEW_TRACKER)
    for field, value in WRONG:
        shown = await visit.send(form, MAKE, **{**NEW, field: value})

        assert 422 == shown.status, field
        assert f"#{field}" in shown.page.links.values()
        assert f"{field}-mistake" in shown.page.ids
        assert "<script" not in shown.html
        kept = shown.page.form(MAKE)
        assert all(NEW[name] == kept.value(name) for name in NEW if name != field)

    assert 2 == len(systems.numbers.trackers(account.account_id))


async def test_a_number_that_somebody_holds_is_refused(visit: Visit, systems: Systems) -> None:
    other = new_account(systems)
    held = systems.numbers.trackers(other.account_id)[0].tracking_numbers[0]
    form = await visit.get(paths.NEW_TRACKER)
    shown = await visit.send(form, MAKE, **{**NEW, "tracking_numbers": held})

    assert 422 == shown.status
    assert "in use already" in shown.text


async def test_a_company_of_another_account_is_none(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    theirs = systems.dni.companies(new_account(systems).account_id)[0]
    form = await visit.get(paths.NEW_TRACKER)
    shown = await visit.send(form, MAKE, **NEW, company_id=theirs.company_id)

    assert 422 == shown.status
    assert 2 == len(systems.numbers.trackers(account.account_id))


async def test_disabling_says_what_is_lost_and_takes_a_tick(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    single = next(
        each
        for each in systems.numbers.trackers(account.account_id)
        if len(each.tracking_numbers) == 1
    )
    listed = await visit.get(paths.TRACKERS)
    asked = await visit.send(listed, CHOOSE, tracker=single.tracker_id)
    unread = await visit.send(asked, DISABLE)
    still = systems.numbers.count_active(account.account_id)
    done = await visit.send(asked, DISABLE, understood="yes")
    again = await visit.send(asked, DISABLE, understood="yes")

    assert "Lost for good: 1 tracking number" in asked.text
    assert "Kept: the history of calls" in asked.text
    assert (422, 3) == (unread.status, still)
    assert f"{paths.TRACKERS}?done=disabled" == done.path == again.path
    assert "Disabled for good" in done.text
    assert 2 == systems.numbers.count_active(account.account_id)


async def test_the_button_that_disables_is_not_the_first_thing_at_hand(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    tracker = systems.numbers.trackers(account.account_id)[0]
    shown = await visit.get(f"{paths.DISABLE_TRACKERS}?tracker={tracker.tracker_id}")

    assert paths.TRACKERS in (shown.page.links.get("Keep it"), shown.page.links.get("Keep them"))


async def test_another_accounts_trackers_are_neither_shown_nor_disabled(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    other = new_account(systems, name="Somebody Else")
    theirs = systems.numbers.trackers(other.account_id)[0]
    own = systems.numbers.trackers(account.account_id)[0]
    nothing = await visit.get(f"{paths.DISABLE_TRACKERS}?tracker={theirs.tracker_id}")
    asked = await visit.get(f"{paths.DISABLE_TRACKERS}?tracker={own.tracker_id}")
    await visit.send(asked, DISABLE, understood="yes", tracker=theirs.tracker_id)

    assert f"{paths.TRACKERS}?done=none" == nothing.path
    assert "Somebody Else" not in nothing.html
    assert TrackerStatus.ACTIVE is systems.numbers.trackers(other.account_id)[0].status
    assert 3 == systems.numbers.count_active(account.account_id)


@pytest.mark.parametrize("role", [Role.MANAGER, Role.REPORTING])
async def test_others_than_administrators_see_the_list_and_change_nothing(
    quiet: Front, account: SampleAccount, role: Role
) -> None:
    async with quiet.visited_by(quiet.user(account.account_id, role)) as visit:
        shown = await visit.get(paths.TRACKERS)

    assert "2 active trackers with 3 tracking numbers" in shown.text
    assert "New tracker" not in shown.page.links
    assert not shown.page.has_button(CHOOSE)


async def test_while_paused_a_form_from_before_changes_nothing(
    visit: Visit, systems: Systems, account: SampleAccount
) -> None:
    form = await visit.get(paths.NEW_TRACKER)
    paused(systems, account)
    shown = await visit.send(form, MAKE, **NEW)

    assert paths.STATUS == shown.path
    assert 2 == len(systems.numbers.trackers(account.account_id))


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("(312) 555-0100", "+13125550100"),
        ("+33 1 99 00 12 34", "+33199001234"),
        ("555-0100", "555-0100"),
        ("(312) 555-0100 ext 5", "(312) 555-0100 ext 5"),
        ("nothing", "nothing"),
    ],
)
def test_numbers_may_be_written_as_people_write_them(written: str, number: str) -> None:
    assert number == e164(written)
