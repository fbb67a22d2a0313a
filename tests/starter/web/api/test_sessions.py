"""Logging in and out over HTTP: cookies, other web sites, guessing, and ends that count at once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from domain.errors import Code
from domain.states import Role
from starter.backend import Backend
from starter.web.identity.forgery import CROSS_SITE
from starter.web.identity.principal import address_of
from starter.web.identity.throttle import Quotas, Throttle
from starter.web.problems import Problem
from systems.sample import SampleAccount
from systems.tables import UserRow
from tests.starter.web.api.desk import (
    OURS,
    PASSWORD,
    URL,
    Caller,
    Desk,
    api_app,
    browser,
    code_of,
    desk_of,
    new_account,
    of_role,
)
from tests.starter.web.shop import client_of

CLOSE = {"confirm": "CLOSE"}


@pytest.fixture
def account(quiet_desk: Desk) -> SampleAccount:
    return new_account(quiet_desk.systems)


@pytest.fixture
def email(quiet_desk: Desk, account: SampleAccount) -> str:
    """With it and `PASSWORD` the administrator logs in."""
    return quiet_desk.let_in(account.administrator_id)


async def log_in(
    desk: Desk, email: str, password: str = PASSWORD, **headers: str
) -> httpx.Response:
    body = {"email": email, "password": password}
    answer = await desk.client.post("/api/v1/sessions", json=body, headers={**OURS, **headers})
    # Each test says by itself which cookies a request has.
    desk.client.cookies.clear()
    return answer


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    """What the browser is told to keep: name and the rest of the line."""
    lines = answer.headers.get_list("set-cookie")
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


# --- in and out ----------------------------------------------------------------------------------


async def test_who_logs_in_gets_a_session_and_learns_who_they_are(
    quiet_desk: Desk, account: SampleAccount, email: str
) -> None:
    answer = await log_in(quiet_desk, email)
    me = answer.json()
    token = answer.cookies["account_pause_session"]
    again = await browser(quiet_desk.client, token, me["csrf_token"]).get("/me")

    assert (201, account.administrator_id, "admin") == (
        answer.status_code,
        me["user_id"],
        me["role"],
    )
    assert me == again.json()
    assert "no-store" == answer.headers["cache-control"]


async def test_unknown_and_wrong_get_the_very_same_answer(quiet_desk: Desk, email: str) -> None:
    wrong = await log_in(quiet_desk, email, "wrong")
    unknown = await log_in(quiet_desk, "nobody@example.example")

    assert (401, Code.UNAUTHENTICATED) == (wrong.status_code, code_of(wrong))
    assert (wrong.status_code, wrong.text) == (unknown.status_code, unknown.text)
    assert {} == cookies_of(wrong) == cookies_of(unknown)
    assert email not in wrong.text


@pytest.mark.parametrize("way", ["/sessions/current", "/sessions"])
async def test_a_session_that_has_ended_is_good_for_nothing_at_once(
    quiet_desk: Desk, account: SampleAccount, way: str
) -> None:
    mine, other = (quiet_desk.with_session(account.administrator_id) for _ in range(2))

    out = await mine.ask("DELETE", way)
    after = [(await each.get("/me")).status_code for each in (mine, other)]

    assert 204 == out.status_code
    assert cookies_of(out)["account_pause_session"].startswith('""; ')
    assert [401, 401 if way == "/sessions" else 200] == after


async def test_a_role_that_was_lost_is_lost_at_once(
    quiet_desk: Desk, account: SampleAccount
) -> None:
    callers = [
        quiet_desk.with_session(account.administrator_id),
        quiet_desk.with_key(account.administrator_id),
    ]
    with quiet_desk.systems.db.transaction() as session:
        session.get_one(UserRow, account.administrator_id).role = Role.MANAGER

    for caller in callers:
        refused = await caller.post(f"/accounts/{account.account_id}/close", CLOSE)
        assert (403, Code.NOT_AN_ADMINISTRATOR) == (refused.status_code, code_of(refused))


async def test_whoever_shows_a_key_means_the_key(quiet_desk: Desk, account: SampleAccount) -> None:
    session = quiet_desk.with_session(account.administrator_id)
    manager = of_role(quiet_desk.systems, account.account_id, Role.MANAGER)
    key = quiet_desk.with_key(manager).headers

    both = await session.get("/me", headers=key)
    wrong = await session.get("/me", headers={"Authorization": "Bearer ap_wrong"})
    other = await session.get("/me", headers={"Authorization": "Basic YTpi"})

    assert manager == both.json()["user_id"]
    assert [401, 401] == [wrong.status_code, other.status_code]
    assert "Bearer" == wrong.headers["www-authenticate"]


# --- cookies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public_url", "prefix", "is_secure"),
    [("https://shop.example", "__Host-", True), ("http://127.0.0.1:8000", "", False)],
)
async def test_cookies_are_out_of_reach_of_scripts_and_other_hosts(
    quiet_backend: Backend, public_url: str, prefix: str, is_secure: bool
) -> None:
    account = new_account(quiet_backend.systems)
    async with desk_of(quiet_backend, public_url=public_url) as desk:
        answer = await log_in(desk, desk.let_in(account.administrator_id), Origin=public_url)

    cookies = cookies_of(answer)
    assert {f"{prefix}account_pause_session", f"{prefix}account_pause_device"} == set(cookies)
    for line in cookies.values():
        assert is_secure == ("; Secure" in line)
        assert all(each in line for each in ("; HttpOnly", "; Path=/", "; SameSite=lax"))
        assert "Domain" not in line


# --- other web sites -----------------------------------------------------------------------------

NOT_OURS: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": URL, "Sec-Fetch-Site": "cross-site"},
    {"Origin": URL, "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {},
]


@pytest.mark.parametrize("headers", NOT_OURS)
async def test_another_site_changes_nothing_with_our_cookie(
    quiet_desk: Desk, account: SampleAccount, headers: dict[str, str]
) -> None:
    ours = quiet_desk.with_session(account.administrator_id)
    kept = {name: ours.headers[name] for name in ("Cookie", "X-CSRF-Token")}
    forged = await Caller(quiet_desk.client, {**kept, **headers}).ask("DELETE", "/sessions")

    assert (403, CROSS_SITE) == (forged.status_code, code_of(forged))
    assert 200 == (await ours.get("/me")).status_code


@pytest.mark.parametrize(
    "headers", [OURS, {"Sec-Fetch-Site": "same-origin"}, {**OURS, "Sec-Fetch-Site": "same-origin"}]
)
async def test_control_our_own_page_does(
    quiet_desk: Desk, account: SampleAccount, headers: dict[str, str]
) -> None:
    ours = quiet_desk.with_session(account.administrator_id)
    kept = {name: ours.headers[name] for name in ("Cookie", "X-CSRF-Token")}

    done = await Caller(quiet_desk.client, {**kept, **headers}).ask("DELETE", "/sessions")

    assert 204 == done.status_code


@pytest.mark.parametrize("token", ["", "wrong", "of another session"])
async def test_a_request_without_the_sessions_own_token_changes_nothing(
    quiet_desk: Desk, account: SampleAccount, token: str
) -> None:
    ours, other = (quiet_desk.with_session(account.administrator_id) for _ in range(2))
    sent = other.headers["X-CSRF-Token"] if token == "of another session" else token

    refused = await ours.ask("DELETE", "/sessions", headers={"X-CSRF-Token": sent})

    assert (403, CROSS_SITE) == (refused.status_code, code_of(refused))


async def test_reading_needs_no_token_and_a_key_needs_none_ever(
    quiet_desk: Desk, account: SampleAccount
) -> None:
    cookie = {"Cookie": quiet_desk.with_session(account.administrator_id).headers["Cookie"]}
    key = quiet_desk.with_key(account.administrator_id)

    read = await Caller(quiet_desk.client, cookie).get("/me")
    changed = await key.ask("DELETE", "/sessions", headers={"Origin": "https://evil.example"})

    assert (200, 204) == (read.status_code, changed.status_code)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {}])
async def test_another_site_logs_nobody_in(
    quiet_desk: Desk, email: str, headers: dict[str, str]
) -> None:
    body = {"email": email, "password": PASSWORD}

    answer = await quiet_desk.client.post("/api/v1/sessions", json=body, headers=headers)

    assert (403, CROSS_SITE) == (answer.status_code, code_of(answer))
    assert {} == cookies_of(answer)


# --- guessing ------------------------------------------------------------------------------------


async def test_guessing_is_slowed_down_and_does_not_lock_the_owner_out(
    quiet_desk: Desk, email: str
) -> None:
    device = (await log_in(quiet_desk, email)).cookies["account_pause_device"]
    known = {"Cookie": f"account_pause_device={device}"}
    guesses = [await log_in(quiet_desk, email, f"guess {number}") for number in range(12)]
    stranger = await log_in(quiet_desk, email)
    owner = await log_in(quiet_desk, email, **known)
    somebody_else = await log_in(quiet_desk, "other@example.example")

    limit = Quotas().tries_per_email_here
    # The owner's own log-in, from a device that was not known then, was the first try.
    assert [401] * (limit - 1) == [each.status_code for each in guesses[: limit - 1]]
    assert {429} == {each.status_code for each in guesses[limit - 1 :]}
    assert (429, Code.RATE_LIMITED) == (stranger.status_code, code_of(stranger))
    assert 0 < int(stranger.headers["retry-after"]) <= 15 * 60
    assert (201, 401) == (owner.status_code, somebody_else.status_code)


async def test_guessing_elsewhere_uses_up_no_try_of_the_owner_on_a_new_browser(
    quiet_backend: Backend,
) -> None:
    app = api_app(quiet_backend)
    account = new_account(quiet_backend.systems)
    async with client_of(app, "203.0.113.9") as guessing, client_of(app, "10.0.0.7") as owning:
        email = Desk(quiet_backend.systems, owning).let_in(account.administrator_id)
        guesses = [
            await log_in(Desk(quiet_backend.systems, guessing), email, "guess") for _ in range(40)
        ]
        owner = await log_in(Desk(quiet_backend.systems, owning), email)

    assert 429 == guesses[-1].status_code
    assert 201 == owner.status_code


async def test_an_email_is_guessed_at_from_many_addresses_no_more_often_than_from_ten() -> None:
    throttle, quotas = Throttle(), Quotas()
    for number in range(quotas.tries_per_email):
        throttle.count_log_in(f"10.0.0.{number}", "a@b.example", None)

    with pytest.raises(Problem):
        throttle.count_log_in("10.0.1.1", "a@b.example", None)

    throttle.count_log_in("10.0.1.1", "a@b.example", "a browser that is known")


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_addresses_that_one_machine_has_all_of_count_as_one(host: str, counted: str) -> None:
    assert counted == address_of(Request({"type": "http", "client": (host, 1)}))


async def test_a_known_device_cannot_guess_for_ever_either(quiet_desk: Desk, email: str) -> None:
    device = (await log_in(quiet_desk, email)).cookies["account_pause_device"]
    known = {"Cookie": f"account_pause_device={device}"}

    for _ in range(Quotas().tries_per_device):
        quiet_desk_answer = await log_in(quiet_desk, email, "guess", **known)
        assert 401 == quiet_desk_answer.status_code

    assert 429 == (await log_in(quiet_desk, email, **known)).status_code


async def test_a_device_of_somebody_else_is_a_strangers(
    quiet_desk: Desk, account: SampleAccount, email: str
) -> None:
    manager = quiet_desk.let_in(of_role(quiet_desk.systems, account.account_id, Role.MANAGER))
    device = (await log_in(quiet_desk, manager)).cookies["account_pause_device"]
    theirs = {"Cookie": f"account_pause_device={device}"}

    answers = [await log_in(quiet_desk, email, "guess", **theirs) for _ in range(11)]

    assert 429 == answers[-1].status_code


async def test_one_address_cannot_try_one_password_on_everybody(quiet_desk: Desk) -> None:
    answers = [
        (await log_in(quiet_desk, f"user{number}@example.example")).status_code
        for number in range(Quotas().tries_per_address + 1)
    ]

    assert ({401}, 429) == (set(answers[:-1]), answers[-1])


# --- too many requests ---------------------------------------------------------------------------


@pytest.fixture
async def busy_desk(quiet_backend: Backend) -> AsyncIterator[Desk]:
    """One that answers three requests of a user per minute."""
    async with desk_of(quiet_backend, requests_per_minute=3) as desk:
        yield desk


async def test_too_many_requests_of_one_user_are_refused_and_others_are_not(
    busy_desk: Desk, account: SampleAccount
) -> None:
    admin = busy_desk.with_key(account.administrator_id)
    again = busy_desk.with_session(account.administrator_id)
    other = busy_desk.with_key(new_account(busy_desk.systems).administrator_id)

    answers: list[Any] = [await admin.get("/me") for _ in range(3)]
    too_many = await again.get("/me")

    assert [200] * 3 == [each.status_code for each in answers]
    assert (429, Code.RATE_LIMITED) == (too_many.status_code, code_of(too_many))
    assert 0 < int(too_many.headers["retry-after"]) <= 60
    assert 200 == (await other.get("/me")).status_code


async def test_who_tries_keys_at_random_is_refused_after_a_while(busy_desk: Desk) -> None:
    guess = {"Authorization": "Bearer ap_x"}
    answers = [
        (await busy_desk.client.get("/api/v1/me", headers=guess)).status_code for _ in range(4)
    ]

    assert [401, 401, 401, 429] == answers


async def test_a_key_tells_when_it_was_used(quiet_desk: Desk, account: SampleAccount) -> None:
    before = datetime.now(UTC)
    await quiet_desk.with_key(account.administrator_id).get("/me")

    used = quiet_desk.systems.identity.api_keys.of_account(account.account_id)[0].last_used_at

    assert used is not None
    assert before <= used <= datetime.now(UTC)
