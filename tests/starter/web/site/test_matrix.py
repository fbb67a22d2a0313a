"""Who sees what, on an account in which state: every page, every role.

The pages come from the router, the expectations stand here by hand: a page without a row fails.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from fastapi.routing import APIRoute

from domain.states import Role
from starter.web.identity.entrance import Entrance
from starter.web.site import paths
from starter.web.site.guard import PUBLIC
from starter.web.site.routes import site_routes
from starter.web.site.writer import Writer
from systems.wiring import Systems
from tests.starter.web.site.accounts import STATES, new_account
from tests.starter.web.site.visit import URL, Front, visit_of

OK, FORBIDDEN = 200, 403
HOMES = {"active": paths.ACTIVITY, "paused": paths.STATUS, "closed": paths.REOPEN}

# A page's status, or where it leads.
Expected = int | str


@dataclass(frozen=True)
class Row:
    """What an administrator gets, by the account's state.

    `admin_only`: others are refused in every state in which they would see something.
    """

    active: Expected
    paused: Expected
    closed: Expected
    admin_only: bool = False


STATUS, REOPEN = paths.STATUS, paths.REOPEN
ROWS = {
    paths.HOME: Row(paths.ACTIVITY, STATUS, REOPEN),
    paths.OF_ACCOUNT: Row(paths.BILLING, STATUS, REOPEN),
    paths.ACTIVITY: Row(OK, STATUS, REOPEN),
    paths.REPORTS: Row(OK, STATUS, REOPEN),
    paths.TRACKERS: Row(OK, OK, REOPEN),
    paths.NEW_TRACKER: Row(OK, STATUS, REOPEN, admin_only=True),
    paths.DISABLE_TRACKERS: Row(f"{paths.TRACKERS}?done=none", STATUS, REOPEN, admin_only=True),
    paths.BILLING: Row(OK, OK, REOPEN),
    paths.CANCEL: Row(OK, STATUS, REOPEN, admin_only=True),
    paths.PAUSE: Row(OK, STATUS, REOPEN, admin_only=True),
    paths.CLOSE: Row(OK, OK, REOPEN, admin_only=True),
    paths.STATUS: Row(paths.ACTIVITY, OK, REOPEN),
    paths.RESUME: Row(STATUS, OK, REOPEN, admin_only=True),
    paths.REOPEN: Row(paths.ACTIVITY, STATUS, OK),
    paths.CARD_ENTERED: Row(paths.BILLING, paths.BILLING, paths.BILLING, admin_only=True),
    # Of a pause that nobody knows, with Temporal away: it is still looked for.
    paths.PROGRESS + "/{act_id}": Row(OK, OK, OK),
}
# Where a form is sent to; `test_forgery.py` is about these.
FORMS = {
    *(paths.LOG_IN, paths.LOG_OUT, paths.ENTER_CARD, paths.NEW_TRACKER, paths.DISABLE_TRACKERS),
    *(paths.CLOSE, paths.PAUSE, paths.RESUME, paths.RESUME_DATE),
}


def pages_of(front: Front, method: str) -> set[str]:
    """The addresses of all pages that take this method."""
    entrance = Entrance(front.backend.systems.identity, URL)
    router = site_routes(front.backend, entrance, Writer(""), public_url=URL)
    return {
        route.path
        for route in router.routes
        if isinstance(route, APIRoute) and method in (route.methods or ())
    }


def test_every_page_has_a_row_and_every_form_is_known(quiet: Front) -> None:
    assert {*ROWS, *PUBLIC} == pages_of(quiet, "GET")
    assert pages_of(quiet, "POST") == FORMS


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("state", STATES)
async def test_every_page_is_what_its_row_says(
    quiet: Front, systems: Systems, state: str, role: Role
) -> None:
    account = new_account(systems)
    STATES[state](systems, account)
    expected, seen = {}, {}
    async with quiet.visited_by(quiet.user(account.account_id, role)) as visit:
        for page, row in ROWS.items():
            path = page.format(account_id=account.account_id, act_id="PAU" + 32 * "0")
            answer = await visit.client.get(path)
            seen[page] = answer.headers.get("location") or answer.status_code
            expected[page] = expectation(row, state, role)

    assert expected == seen


def expectation(row: Row, state: str, role: Role) -> Expected:
    """What somebody in that role gets."""
    if row.admin_only and role is not Role.ADMIN:
        return FORBIDDEN
    expected: Expected = getattr(row, state)
    return expected


async def test_whoever_is_not_logged_in_logs_in_first_and_comes_back(quiet: Front) -> None:
    async with visit_of(quiet.app) as visit:
        for page in ROWS:
            answer = await visit.client.get(page.format(account_id="ACC1", act_id="PAU1"))

            assert 303 == answer.status_code, page
            assert answer.headers["location"].startswith(f"{paths.LOG_IN}?next=%2F"), page


async def test_an_api_key_opens_no_page(quiet: Front, systems: Systems) -> None:
    account = new_account(systems)
    now = datetime.now(UTC)
    key = systems.identity.api_keys.create(account.administrator_id, "test", now, "operator")
    async with visit_of(quiet.app) as visit:
        answer = await visit.client.get(
            paths.ACTIVITY, headers={"Authorization": f"Bearer {key.secret}"}
        )

    assert answer.headers["location"].startswith(paths.LOG_IN)


async def test_every_page_keeps_to_a_strict_policy(quiet: Front, systems: Systems) -> None:
    account = new_account(systems)
    async with quiet.visited_by(account.administrator_id) as visit:
        for page, row in ROWS.items():
            if row.active != OK:
                continue
            shown = await visit.get(page.format(act_id="PAU" + 32 * "0"))

            policy = shown.headers["content-security-policy"]
            assert "default-src 'none'" in policy, page
            assert "unsafe" not in policy, page
            assert "same-origin" == shown.headers["referrer-policy"], page
            assert "no-store" == shown.headers["cache-control"], page
            assert "<script" not in shown.html, page
            assert not any("style" in attributes for _, attributes in shown.page.tags), page
            assert URL not in shown.html, page


@pytest.mark.parametrize("state", STATES)
async def test_every_page_says_where_one_is_and_whose_time_it_shows(
    quiet: Front, systems: Systems, state: str
) -> None:
    account = new_account(systems)
    STATES[state](systems, account)
    async with quiet.visited_by(account.administrator_id) as visit:
        shown = await visit.get(paths.HOME)

    assert HOMES[state] == shown.path
    assert [shown.page.links[word] for word in shown.page.current] == [HOMES[state]]
    assert "America/Chicago" in shown.text
    assert len(set(shown.page.ids)) == len(shown.page.ids)
