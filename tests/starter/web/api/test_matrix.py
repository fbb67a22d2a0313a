"""Who may do what, on an account in which state: every operation of the API, every kind of caller.

The operations come from OpenAPI, the expectations stand here by hand: a route without a row fails.
What the rows say of administrators is done for real, on a fresh account each, with a worker.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI

from domain.errors import Code
from domain.ids import Prefix, make_id
from domain.messages import BeginEnd, Step
from domain.states import AccountStatus, Role
from starter.backend import Backend
from starter.web.api.describing import operations
from starter.web.api.guard import PUBLIC, AccountGuard, guard_of
from systems.sample import SampleAccount
from systems.tables import SessionRow
from tests.starter.web.api.desk import (
    TERMS,
    URL,
    Caller,
    Desk,
    api_app,
    code_of,
    new_account,
    of_role,
)
from tests.workflows.stage import Stage

ACTIVE, PAUSED, CLOSED = AccountStatus.ACTIVE, AccountStatus.PAUSED, AccountStatus.CLOSED

Expected = int | Code


@dataclass(frozen=True)
class Row:
    """What the account's administrator gets, by the account's state; others get less or the same.

    `admin_only`: a manager and a reporting user are refused in every state.
    """

    method: str
    path: str
    active: Expected
    paused: Expected
    closed: Expected
    admin_only: bool = False
    body: Any = None


ACCOUNT = "/accounts/{account_id}"
PAUSE, TRACKERS = f"{ACCOUNT}/pause", f"{ACCOUNT}/trackers"
METHOD = f"{ACCOUNT}/payment-method"
SHUT, GONE = Code.ACCOUNT_PAUSED, Code.ACCOUNT_CLOSED
AGAIN, NOT_PAUSED = Code.ACCOUNT_ALREADY_PAUSED, Code.ACCOUNT_NOT_PAUSED
CLOSE = {"confirm": "CLOSE"}
TRACKER = {
    "company_id": "{company_id}",
    "call_flow_id": "{call_flow_id}",
    "name": "Billboard",
    "type": "source",
    "source": "billboard",
    "destination_number": "+13125550100",
    "tracking_numbers": ["+16465550123"],
}

ROWS = {
    "logOut": Row("DELETE", "/sessions/current", 204, 204, 204),
    "logOutEverywhere": Row("DELETE", "/sessions", 204, 204, 204),
    "getMe": Row("GET", "/me", 200, 200, 200),
    "getAccount": Row("GET", ACCOUNT, 200, 200, 200),
    "closeAccount": Row("POST", f"{ACCOUNT}/close", 200, 200, GONE, True, CLOSE),
    "getPause": Row("GET", PAUSE, Code.PAUSE_NOT_FOUND, 200, 200),
    "pauseAccount": Row("POST", PAUSE, 201, AGAIN, GONE, True, TERMS),
    "changeResumeDate": Row("PATCH", PAUSE, NOT_PAUSED, 200, GONE, True, {"resume_on": None}),
    "previewPause": Row("GET", f"{PAUSE}/preview", 200, 200, GONE),
    "resumeAccount": Row("POST", f"{PAUSE}/resume", NOT_PAUSED, 200, GONE, True),
    "listTrackers": Row("GET", TRACKERS, 200, 200, GONE),
    "createTracker": Row("POST", TRACKERS, 201, SHUT, GONE, True, TRACKER),
    "disableTracker": Row("DELETE", f"{TRACKERS}/{{tracker_id}}", 200, SHUT, GONE, True),
    "getPaymentMethod": Row("GET", METHOD, 200, 200, 200),
    "openCardPage": Row("POST", f"{METHOD}/page", 201, 201, GONE, True),
    "setPaymentMethod": Row("PUT", METHOD, 200, 200, 200, True, {"token": "{token}"}),
    "listInvoices": Row("GET", f"{ACCOUNT}/invoices", 200, 200, GONE),
    "listCalls": Row("GET", f"{ACCOUNT}/activity", 200, SHUT, GONE),
    "getReport": Row("GET", f"{ACCOUNT}/reports", 200, SHUT, GONE),
}

each_state = pytest.mark.parametrize("state", [ACTIVE, PAUSED, CLOSED])


class Accounts:
    """Makes accounts in every state; what runs for them at Temporal is ended by `end`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._systems = stage.systems
        self._made: list[Stage] = []

    def in_state(self, state: AccountStatus) -> SampleAccount:
        """A fresh account in that state."""
        account = new_account(self._systems, numbers=2)
        made = Stage(self._stage.client, self._systems, account)
        self._made.append(made)
        if state is PAUSED:
            made.pause_in_the_past(datetime.now(UTC))
        elif state is CLOSED:
            self._close(account)
        return account

    def fields_of(self, account: SampleAccount) -> dict[str, str]:
        """What stands in the rows' paths and bodies: ids, and the token of an entered card."""
        tracker = self._systems.numbers.trackers(account.account_id)[0]
        page = self._systems.card_entries.open(
            account.account_id, account.administrator_id, datetime.now(UTC), URL, reopens=True
        )
        self._systems.sandbox.enter_card(page.page_id, "visa")
        return {
            "account_id": account.account_id,
            "company_id": tracker.company_id,
            "call_flow_id": tracker.call_flow_id,
            "tracker_id": tracker.tracker_id,
            "token": page.page_id,
        }

    async def end(self) -> None:
        """Leave nothing running."""
        for made in self._made:
            await made.terminate_all()

    def _close(self, account: SampleAccount) -> None:
        systems = self._systems
        step = Step(
            act_id=make_id(Prefix.CLOSE, uuid4()),
            account_id=account.account_id,
            at=datetime.now(UTC),
        )
        systems.accounts.begin_close(
            BeginEnd(**step.model_dump(), requested_by=account.administrator_id)
        )
        systems.billing.close_billing(step)
        systems.access.close_access(step)
        systems.numbers.release_numbers(step)
        systems.accounts.mark_closed(step)


@pytest.fixture
async def accounts(stage: Stage) -> AsyncIterator[Accounts]:
    made = Accounts(stage)
    yield made
    await made.end()


@pytest.fixture
def plain_app(stage: Stage) -> FastAPI:
    return api_app(Backend(stage.systems, stage.pauses, stage.offer))


def test_every_operation_has_a_row(plain_app: FastAPI) -> None:
    described = {str(route.operation_id) for route in operations(plain_app)}

    assert described == {*ROWS, *PUBLIC}, "say in ROWS who may use the new route, and when"


def test_control_an_operation_without_a_row_is_noticed(plain_app: FastAPI) -> None:
    plain_app.get("/api/v1/new", operation_id="new")(lambda: None)

    assert "new" in {route.operation_id for route in operations(plain_app)} - ROWS.keys()


def test_the_rows_say_of_administrators_what_the_guards_say(plain_app: FastAPI) -> None:
    guarded = {
        str(route.operation_id): guard.administrator
        for route in operations(plain_app)
        if isinstance(guard := guard_of(route), AccountGuard)
    }

    assert guarded == {name: ROWS[name].admin_only for name in guarded}


@each_state
async def test_who_is_no_administrator_of_the_account_gets_no_further_than_the_guard(
    desk: Desk, accounts: Accounts, state: AccountStatus
) -> None:
    account = accounts.in_state(state)
    fields = accounts.fields_of(account)
    callers = everybody_else(desk, account)
    wrong = {
        (name, who): (expected, got)
        for name, row in ROWS.items()
        for who, (caller, refusal) in callers.items()
        if (expected := refusal(row, state)) is not None
        if (got := await outcome(caller, row, fields)) != expected
    }

    assert {} == wrong


@pytest.mark.parametrize(
    ("state", "way"), [(ACTIVE, "key"), (PAUSED, "key"), (CLOSED, "key"), (ACTIVE, "session")]
)
async def test_what_the_administrator_may_do_is_done(
    stage: Stage, desk: Desk, accounts: Accounts, state: AccountStatus, way: str
) -> None:
    wrong = {}
    async with stage.worker():
        reader = accounts.in_state(state)
        for name, row in ROWS.items():
            account = reader if row.method == "GET" else accounts.in_state(state)
            caller = admin_of(desk, account, way)
            got = await outcome(caller, row, accounts.fields_of(account))
            expected = getattr(row, state)
            if got != expected:
                wrong[name] = (expected, got)

    assert {} == wrong


# --- callers -------------------------------------------------------------------------------------

Refusal = Callable[[Row, AccountStatus], Expected | None]


def nobody(row: Row, state: AccountStatus) -> Expected | None:
    """What somebody gets whom nobody knows."""
    return Code.UNAUTHENTICATED


def stranger(row: Row, state: AccountStatus) -> Expected | None:
    """What the administrator of another account gets."""
    return Code.ACCOUNT_NOT_FOUND if ACCOUNT in row.path else None


def no_administrator(row: Row, state: AccountStatus) -> Expected | None:
    """What other users of the account get: less than its administrator, or the same."""
    if row.admin_only:
        return Code.NOT_AN_ADMINISTRATOR
    return getattr(row, state)  # type: ignore[no-any-return]


def everybody_else(desk: Desk, account: SampleAccount) -> dict[str, tuple[Caller, Refusal]]:
    """All callers but the administrator."""
    systems, account_id = desk.systems, account.account_id
    reporting, manager = (
        of_role(systems, account_id, role) for role in (Role.REPORTING, Role.MANAGER)
    )
    other = new_account(systems)
    return {
        "anonymous": (desk.anonymous(), nobody),
        "reporting": (desk.with_key(reporting), no_administrator),
        "manager": (steadily_logged_in(desk, manager), no_administrator),
        "admin of another account": (desk.with_key(other.administrator_id), stranger),
        "revoked key": (revoked_key(desk, account.administrator_id), nobody),
        "expired session": (expired_session(desk, account.administrator_id), nobody),
    }


def steadily_logged_in(desk: Desk, user_id: str) -> Caller:
    """A browser that logs in again before each request, since some of them log it out."""

    @dataclass(frozen=True)
    class Steady(Caller):
        async def ask(self, method: str, path: str, **more: Any) -> Any:
            fresh = desk.with_session(user_id)
            return await fresh.ask(method, path, **more)

    return Steady(desk.client)


def admin_of(desk: Desk, account: SampleAccount, way: str) -> Caller:
    """The account's administrator, by key or by session."""
    if way == "key":
        return desk.with_key(account.administrator_id)
    return desk.with_session(account.administrator_id)


def revoked_key(desk: Desk, user_id: str) -> Caller:
    """A backend whose key was good once."""
    caller, keys = desk.with_key(user_id), desk.systems.identity.api_keys
    account_id = desk.systems.identity.users.user(user_id).account_id
    keys.revoke(keys.of_account(account_id)[-1].key_id, datetime.now(UTC), "operator")
    return caller


def expired_session(desk: Desk, user_id: str) -> Caller:
    """A browser whose session was good this morning."""
    caller = desk.with_session(user_id)
    with desk.systems.db.transaction() as session:
        for row in session.query(SessionRow).filter_by(user_id=user_id):
            row.seen_at = datetime.now(UTC) - timedelta(hours=12)
    return caller


async def outcome(caller: Caller, row: Row, fields: dict[str, str]) -> Expected:
    """The status of the answer, or its code."""
    path, body = row.path.format(**fields), filled(row.body, fields)
    answer = await caller.ask(row.method, path, json=body)
    return answer.status_code if answer.is_success else Code(code_of(answer))


def filled(body: Any, fields: dict[str, str]) -> Any:
    """The body with the account's own ids in it."""
    if not isinstance(body, dict):
        return body
    return {
        name: value.format(**fields) if isinstance(value, str) else value
        for name, value in body.items()
    }
