"""`Idempotency-Key`: at once, again and again, with another body, and after a crash half-way."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from domain.errors import Code
from domain.states import AccountStatus, Role
from starter.backend import Backend
from starter.web.api.once import REPLAYED
from systems.db import Database
from systems.requests import HELD_FOR, Answered, Begun, Requests, Scope
from systems.sample import SampleAccount
from tests.starter.web.api.desk import (
    TERMS,
    Caller,
    Desk,
    code_of,
    narrow_app,
    new_account,
    of_role,
)
from tests.starter.web.shop import client_of
from tests.workflows.stage import Stage

KEY = "5f0c6a8e-6f3d-4c63-9a55-0d8d8f3a9b11"


def pause_of(stage: Stage) -> str:
    return f"/accounts/{stage.account_id}/pause"


def was_replayed(answer: httpx.Response) -> bool:
    return bool("true" == answer.headers.get(REPLAYED))


def tracker_for(desk: Desk, account: SampleAccount, number: str = "+16465550123") -> dict[str, Any]:
    """A tracker that the account may have."""
    known = desk.systems.numbers.trackers(account.account_id)[0]
    return {
        "company_id": known.company_id,
        "call_flow_id": known.call_flow_id,
        "name": "Billboard",
        "type": "source",
        "source": "billboard",
        "destination_number": "+13125550100",
        "tracking_numbers": [number],
    }


async def test_a_repeat_gets_the_very_same_answer_and_changes_nothing(
    stage: Stage, admin: Caller
) -> None:
    async with stage.worker():
        first = await admin.post(pause_of(stage), TERMS, KEY)
        resumed = await admin.post(f"{pause_of(stage)}/resume", None, KEY)
        # The account is active again: this would be another pause if it were done.
        again = await admin.post(pause_of(stage), TERMS, KEY)

    assert (201, 200) == (first.status_code, resumed.status_code)
    assert not was_replayed(first)
    assert was_replayed(again)
    assert (201, first.text, first.headers["etag"]) == (
        again.status_code,
        again.text,
        again.headers["etag"],
    )
    assert 1 == len(stage.systems.accounts.acts(stage.account_id))


async def test_a_close_that_is_repeated_is_answered_though_the_account_is_closed(
    stage: Stage, admin: Caller
) -> None:
    close = f"/accounts/{stage.account_id}/close"
    async with stage.worker():
        first = await admin.post(close, {"confirm": "CLOSE"}, KEY)
        again = await admin.post(close, {"confirm": "CLOSE"}, KEY)
        other = await admin.post(close, {"confirm": "CLOSE"}, "another")

    assert (first.text, True) == (again.text, was_replayed(again))
    assert (403, Code.ACCOUNT_CLOSED) == (other.status_code, code_of(other))


async def test_five_at_once_are_one_pause(stage: Stage, admin: Caller) -> None:
    async with stage.worker():
        answers = await asyncio.gather(*(admin.post(pause_of(stage), TERMS, KEY) for _ in range(5)))
        afterwards = await admin.post(pause_of(stage), TERMS, KEY)

    done = [each for each in answers if each.status_code == 201]
    assert 1 == len([each for each in done if not was_replayed(each)])
    assert {Code.IDEMPOTENCY_KEY_IN_USE} >= {code_of(each) for each in answers if each not in done}
    assert {done[0].text} == {each.text for each in (*done, afterwards)}
    assert 1 == len(stage.systems.accounts.acts(stage.account_id))


async def test_five_trackers_at_once_are_one_tracker(any_desk: Desk) -> None:
    account = new_account(any_desk.systems)
    admin, path = any_desk.with_key(account.administrator_id), f"/accounts/{account.account_id}"
    body = tracker_for(any_desk, account)

    answers = await asyncio.gather(*(admin.post(f"{path}/trackers", body, KEY) for _ in range(5)))

    done = [each for each in answers if each.status_code == 201]
    assert 1 == len([each for each in done if not was_replayed(each)])
    assert {201, 409} >= {each.status_code for each in answers}
    assert all("retry-after" in each.headers for each in answers if each.status_code == 409)
    assert 3 == len(any_desk.systems.numbers.trackers(account.account_id))


async def test_another_body_under_the_same_key_is_refused(any_desk: Desk) -> None:
    account = new_account(any_desk.systems)
    admin, path = any_desk.with_key(account.administrator_id), f"/accounts/{account.account_id}"
    body = tracker_for(any_desk, account)
    reordered = dict(reversed(body.items()))

    await admin.post(f"{path}/trackers", body, KEY)
    other = await admin.post(f"{path}/trackers", {**body, "name": "Other"}, KEY)
    same = await admin.post(f"{path}/trackers", reordered, KEY)

    assert (422, Code.IDEMPOTENCY_KEY_REUSED) == (other.status_code, code_of(other))
    assert (201, True) == (same.status_code, was_replayed(same))
    assert same.headers["location"].endswith(same.json()["tracker_id"])


async def test_a_key_is_of_one_user_and_one_path(any_desk: Desk) -> None:
    one, two = new_account(any_desk.systems), new_account(any_desk.systems)

    made = [
        await any_desk.with_key(each.administrator_id).post(
            f"/accounts/{each.account_id}/trackers",
            tracker_for(any_desk, each, f"+1646555012{number}"),
            KEY,
        )
        for number, each in enumerate((one, two))
    ]

    assert [(201, False)] * 2 == [(each.status_code, was_replayed(each)) for each in made]


async def test_a_refusal_by_a_rule_is_kept_and_a_malformed_request_is_not(
    quiet_desk: Desk,
) -> None:
    account = new_account(quiet_desk.systems)
    admin = quiet_desk.with_key(account.administrator_id)
    path = f"/accounts/{account.account_id}/trackers"
    body = tracker_for(quiet_desk, account)

    malformed = await admin.post(path, {**body, "name": 7}, KEY)
    refused = await admin.post(path, {**body, "destination_number": "+19"}, KEY)
    again = await admin.post(path, {**body, "destination_number": "+19"}, KEY)

    assert [422, 422] == [malformed.status_code, refused.status_code]
    assert {"field": "destination_number"} == refused.json()["figures"]
    assert (refused.text, True) == (again.text, was_replayed(again))
    assert not was_replayed(refused)


async def test_a_repeat_is_told_to_whoever_may_still_ask_only(quiet_desk: Desk) -> None:
    account = new_account(quiet_desk.systems)
    admin = quiet_desk.with_key(account.administrator_id)
    manager = quiet_desk.with_key(of_role(quiet_desk.systems, account.account_id, Role.MANAGER))
    path = f"/accounts/{account.account_id}/trackers"
    body = tracker_for(quiet_desk, account)
    await admin.post(path, body, KEY)

    refused = await manager.post(path, body, KEY)

    assert (403, Code.NOT_AN_ADMINISTRATOR) == (refused.status_code, code_of(refused))


@pytest.mark.parametrize("key", ["x" * 256, "two words", "caf\u00e9"])
async def test_a_key_that_makes_no_sense_is_refused(quiet_desk: Desk, key: str) -> None:
    account = new_account(quiet_desk.systems)
    admin = quiet_desk.with_key(account.administrator_id)

    refused = await admin.ask(
        "POST",
        f"/accounts/{account.account_id}/payment-method/page",
        headers={"Idempotency-Key": key.encode("latin-1")},
    )

    assert (422, Code.VALIDATION_FAILED) == (refused.status_code, code_of(refused))


async def test_without_a_key_each_request_is_one_of_its_own(quiet_desk: Desk) -> None:
    account = new_account(quiet_desk.systems)
    admin = quiet_desk.with_key(account.administrator_id)
    path = f"/accounts/{account.account_id}/payment-method/page"

    pages = [await admin.post(path), await admin.post(path), *[await admin.post(path, key=KEY)] * 2]

    assert [201] * 4 == [each.status_code for each in pages]
    assert 3 == len({each.json()["token"] for each in pages})


# --- a crash between effect and answer -----------------------------------------------------------


class Crash(BaseException):
    """The process is gone; nothing of it catches this."""


class DyingRequests(Requests):
    """The first process dies before it has kept the answer, and lets nothing go."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self.is_dying = True

    def answer(self, scope: Scope, answered: Answered) -> None:
        if self.is_dying:
            raise Crash
        super().answer(scope, answered)

    def let_go(self, scope: Scope, begun: Begun) -> None:
        if not self.is_dying:
            super().let_go(scope, begun)


async def test_after_a_crash_half_way_the_repeat_goes_on_with_the_same_pause(
    stage: Stage, admin: Caller
) -> None:
    backend = Backend(stage.systems, stage.pauses, stage.offer)
    requests, now = DyingRequests(stage.systems.db), [datetime.now(UTC)]
    async with (
        stage.worker(),
        client_of(narrow_app(backend, requests, lambda: now[0])) as client,
    ):
        caller = Caller(client, admin.headers)
        with pytest.raises(Crash):
            await caller.post(pause_of(stage), TERMS, KEY)
        requests.is_dying = False
        early = await caller.post(pause_of(stage), TERMS, KEY)
        now[0] += HELD_FOR
        repeated = await caller.post(pause_of(stage), TERMS, KEY)
        again = await caller.post(pause_of(stage), TERMS, KEY)

    acts = stage.systems.accounts.acts(stage.account_id)
    assert (409, Code.IDEMPOTENCY_KEY_IN_USE) == (early.status_code, code_of(early))
    assert (201, False) == (repeated.status_code, was_replayed(repeated))
    assert [repeated.json()["pause_id"]] == [act.act_id for act in acts]
    assert was_replayed(again)


async def test_a_close_that_was_cut_off_never_closes_the_reopened_account(
    stage: Stage, admin: Caller
) -> None:
    backend, close = Backend(stage.systems, stage.pauses, stage.offer), {"confirm": "CLOSE"}
    requests, now = DyingRequests(stage.systems.db), [datetime.now(UTC)]
    path = f"/accounts/{stage.account_id}/close"
    async with (
        stage.worker(),
        client_of(narrow_app(backend, requests, lambda: now[0])) as client,
    ):
        caller = Caller(client, admin.headers)
        # The account is paused: its pause is what the close ends, under the pause's own id.
        await caller.post(pause_of(stage), TERMS)
        with pytest.raises(Crash):
            await caller.post(path, close, KEY)
        requests.is_dying = False
        await backend.change_card(stage.account_id, stage.administrator, "visa", reopen=True)
        now[0] += HELD_FOR + timedelta(seconds=1)
        repeated = await caller.post(path, close, KEY)
        is_open = stage.systems.accounts.account(stage.account_id).status is AccountStatus.ACTIVE
        anew = await caller.post(path, close, "another")

    assert (200, "closed") == (repeated.status_code, repeated.json()["state"])
    assert is_open
    (pause, closed) = stage.systems.accounts.acts(stage.account_id)
    assert pause.act_id == repeated.json()["pause_id"]
    assert (200, closed.act_id) == (anew.status_code, anew.json()["pause_id"])


async def test_a_resume_that_was_cut_off_never_ends_a_later_pause(
    stage: Stage, admin: Caller
) -> None:
    backend = Backend(stage.systems, stage.pauses, stage.offer)
    requests, now = DyingRequests(stage.systems.db), [datetime.now(UTC)]
    path = f"{pause_of(stage)}/resume"
    async with (
        stage.worker(),
        client_of(narrow_app(backend, requests, lambda: now[0])) as client,
    ):
        caller = Caller(client, admin.headers)
        first = await caller.post(pause_of(stage), TERMS)
        now[0] = datetime.now(UTC)
        with pytest.raises(Crash):
            await caller.post(path, None, KEY)
        requests.is_dying = False
        second = await caller.post(pause_of(stage), TERMS)
        now[0] += HELD_FOR + timedelta(seconds=1)
        repeated = await caller.post(path, None, KEY)
        states = [act.state for act in stage.systems.accounts.acts(stage.account_id)]

    assert (200, "resumed") == (repeated.status_code, repeated.json()["state"])
    assert first.json()["pause_id"] == repeated.json()["pause_id"] != second.json()["pause_id"]
    assert ["resumed", "paused"] == states


async def test_a_close_that_was_cut_off_finds_that_the_account_is_closed(
    stage: Stage, admin: Caller
) -> None:
    backend, close = Backend(stage.systems, stage.pauses, stage.offer), {"confirm": "CLOSE"}
    requests, now = DyingRequests(stage.systems.db), [datetime.now(UTC)]
    path = f"/accounts/{stage.account_id}/close"
    async with (
        stage.worker(),
        client_of(narrow_app(backend, requests, lambda: now[0])) as client,
    ):
        caller = Caller(client, admin.headers)
        with pytest.raises(Crash):
            await caller.post(path, close, KEY)
        requests.is_dying = False
        now[0] += HELD_FOR + timedelta(seconds=1)
        repeated = await caller.post(path, close, KEY)

    assert (200, "closed") == (repeated.status_code, repeated.json()["state"])
    assert 1 == len(stage.systems.accounts.acts(stage.account_id))
