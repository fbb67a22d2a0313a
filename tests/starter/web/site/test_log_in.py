"""Logging in and out: where it leads, and what it does not tell."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from domain.states import Role
from starter.web.site import paths
from starter.web.site.log_in import own_path
from systems.sample import SampleAccount
from systems.wiring import Systems
from tests.starter.web.site.accounts import STATES, new_account
from tests.starter.web.site.visit import URL, Front, Shown, Visit, front_of, visit_of

PASSWORD = "correct horse battery"
HOMES = {"active": paths.ACTIVITY, "paused": paths.STATUS, "closed": paths.REOPEN}


@pytest.fixture
async def visit(quiet: Front) -> AsyncIterator[Visit]:
    async with visit_of(quiet.app) as opened:
        yield opened


@pytest.fixture
def account(systems: Systems) -> SampleAccount:
    return new_account(systems)


@pytest.fixture
def email(systems: Systems, account: SampleAccount) -> str:
    return let_in(systems, account.administrator_id)


def let_in(systems: Systems, user_id: str) -> str:
    """Give the user a password; returns the e-mail to log in with."""
    systems.identity.users.set_password(user_id, PASSWORD, datetime.now(UTC), "operator")
    return systems.identity.users.user(user_id).email


async def log_in(visit: Visit, email: str, password: str = PASSWORD, next: str = "") -> Shown:
    shown = await visit.get(f"{paths.LOG_IN}?next={next}")
    return await visit.send(shown, "Log in", email=email, password=password)


@pytest.mark.parametrize("state", STATES)
async def test_the_old_password_leads_to_where_the_account_stands(
    visit: Visit, systems: Systems, account: SampleAccount, email: str, state: str
) -> None:
    STATES[state](systems, account)

    shown = await log_in(visit, email)

    assert (200, HOMES[state]) == (shown.status, shown.path)


async def test_an_unknown_e_mail_and_a_wrong_password_get_the_same_answer(
    visit: Visit, email: str
) -> None:
    wrong = await log_in(visit, email, "something else entirely")
    unknown = await log_in(visit, "nobody@shop.example")

    assert (422, 422) == (wrong.status, unknown.status)
    assert "The e-mail or the password is wrong." in wrong.text
    assert wrong.html.replace(email, "") == unknown.html.replace("nobody@shop.example", "")


async def test_a_user_of_any_role_may_log_in(
    visit: Visit, quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    email = let_in(systems, quiet.user(account.account_id, Role.REPORTING))

    shown = await log_in(visit, email)

    assert paths.ACTIVITY == shown.path
    assert "reporting" in shown.text


async def test_the_page_that_was_asked_for_comes_after_the_log_in(visit: Visit, email: str) -> None:
    first = await visit.get(f"{paths.REPORTS}?by=source")
    shown = await visit.send(first, "Log in", email=email, password=PASSWORD)

    assert f"{paths.REPORTS}?by=source" == shown.path


@pytest.mark.parametrize(
    "elsewhere",
    [
        *("https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example"),
        *("javascript:alert(1)", "evil.example", "/\r\nSet-Cookie: x", "http:/evil.example"),
        *("", " /activity", "/" + "a" * 400, "///evil.example", "/é", "http://[evil"),
    ],
)
def test_other_addresses_than_our_own_paths_lead_nowhere(elsewhere: str) -> None:
    assert own_path(elsewhere) == ""


@pytest.mark.parametrize("path", ["/status", "/reports?by=day&since=2026-01-01", "/settings/pause"])
def test_our_own_paths_are_kept(path: str) -> None:
    assert own_path(path) == path


async def test_a_log_in_leads_to_no_other_site(visit: Visit, email: str) -> None:
    shown = await visit.get(f"{paths.LOG_IN}?next=//evil.example")
    answer = await visit.post(
        shown, "Log in", email=email, password=PASSWORD, next="//evil.example"
    )

    assert "evil" not in shown.html
    assert paths.ACTIVITY == answer.headers["location"]


async def test_whoever_is_logged_in_is_not_asked_again(visit: Visit, email: str) -> None:
    await log_in(visit, email)
    again = await visit.get(f"{paths.LOG_IN}?next=/trackers")

    assert paths.TRACKERS == again.path


async def test_after_the_log_out_the_session_is_over_everywhere(
    visit: Visit, quiet: Front, email: str
) -> None:
    shown = await log_in(visit, email)
    stolen = dict(visit.client.cookies)
    after = await visit.send(shown, "Log out")

    assert paths.LOG_IN == after.path
    assert paths.LOG_IN in (await visit.get(paths.ACTIVITY)).path
    async with visit_of(quiet.app) as thief:
        thief.client.cookies.update(stolen)
        assert paths.LOG_IN in (await thief.get(paths.ACTIVITY)).path


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(
    visit: Visit, email: str
) -> None:
    shown = await visit.get(paths.LOG_IN)
    answer = await visit.post(shown, "Log in", email=email, password=PASSWORD)

    cookies = answer.headers.get_list("set-cookie")
    assert cookies
    assert all("HttpOnly" in each and "SameSite=lax" in each for each in cookies)


async def test_a_log_in_from_another_site_is_refused(visit: Visit, email: str) -> None:
    answer = await visit.client.post(
        paths.LOG_IN,
        data={"email": email, "password": PASSWORD},
        headers={"Origin": "https://evil.example", "Accept": "text/html"},
    )

    assert 403 == answer.status_code
    assert "set-cookie" not in answer.headers


async def test_guessing_is_slowed_down_with_a_page_that_says_how_long(
    visit: Visit, email: str
) -> None:
    shown = [await log_in(visit, email, f"guess number {place}") for place in range(11)][-1]

    assert 429 == shown.status
    assert "please try again in" in shown.text
    assert int(shown.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("state", "meant"),
    [("active", paths.BILLING), ("paused", paths.STATUS), ("closed", paths.REOPEN)],
)
async def test_the_link_of_the_mails_leads_to_what_they_speak_of(
    quiet: Front, systems: Systems, account: SampleAccount, state: str, meant: str
) -> None:
    STATES[state](systems, account)
    async with quiet.visited_by(account.administrator_id) as visit:
        shown = await visit.get(f"/accounts/{account.account_id}/pause")

    assert meant == shown.path


async def test_the_link_of_the_mails_waits_for_the_log_in(
    visit: Visit, systems: Systems, account: SampleAccount, email: str
) -> None:
    STATES["paused"](systems, account)
    first = await visit.get(f"/accounts/{account.account_id}/pause")
    shown = await visit.send(first, "Log in", email=email, password=PASSWORD)

    assert paths.LOG_IN in first.path
    assert paths.STATUS == shown.path


async def test_the_link_about_another_account_tells_nothing_of_it(
    quiet: Front, systems: Systems, account: SampleAccount
) -> None:
    other = new_account(systems, name="Somebody Else")
    async with quiet.visited_by(account.administrator_id) as visit:
        theirs = await visit.get(f"/accounts/{other.account_id}/pause")
        nobodys = await visit.get(f"/accounts/ACC{32 * '0'}/pause")

    assert (404, 404) == (theirs.status, nobodys.status)
    assert theirs.text == nobodys.text
    assert "Somebody Else" not in theirs.html


async def test_over_tls_cookies_are_for_this_host_alone(systems: Systems, quiet: Front) -> None:
    front = front_of(quiet.backend, public_url=URL.replace("http:", "https:"))
    account = new_account(systems)
    email = let_in(systems, account.administrator_id)
    async with visit_of(front.app) as visit:
        shown = await visit.get(paths.LOG_IN)
        answer = await visit.post(shown, "Log in", email=email, password=PASSWORD)

    cookies = answer.headers.get_list("set-cookie")
    assert all(each.startswith("__Host-") and "Secure" in each for each in cookies)
