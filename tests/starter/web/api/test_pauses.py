"""Pausing, looking, moving the date, resuming and closing over HTTP, on a real Temporal server."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import Code
from domain.states import Role
from tests.starter.web.api.desk import TERMS, Caller, Desk, code_of, new_account
from tests.workflows.stage import Stage


def pause_of(stage: Stage) -> str:
    return f"/accounts/{stage.account_id}/pause"


def in_days(count: int) -> str:
    return (datetime.now(UTC) + timedelta(days=count)).date().isoformat()


async def test_pausing_answers_when_the_pause_is_in_effect(stage: Stage, admin: Caller) -> None:
    async with stage.worker():
        paused = await admin.post(pause_of(stage), {**TERMS, "reason": "holiday"})

    assert 201 == paused.status_code
    assert "paused" == paused.json()["state"]
    assert stage.systems.accounts.account(stage.account_id).status == "paused"
    assert [("scheduled", 500)] * 6 == [
        (charge["state"], charge["amount_minor"]) for charge in paused.json()["charges"]
    ]
    assert ["holiday"] == [
        entry.reason for entry in stage.systems.accounts.audit(stage.account_id) if entry.reason
    ]


async def test_what_the_preview_shows_is_what_the_pause_is(stage: Stage, admin: Caller) -> None:
    preview = await admin.get(f"{pause_of(stage)}/preview")
    async with stage.worker():
        paused = await admin.post(pause_of(stage), TERMS)
        while_paused = await admin.get(f"{pause_of(stage)}/preview")

    fees = [fee["billing_on"] for fee in preview.json()["timeline"]["fees"]]
    assert fees == [charge["billing_on"] for charge in paused.json()["charges"]]
    assert preview.json()["terms"] == paused.json()["terms"]
    assert preview.json()["refusal"] is None
    assert paused.json()["pause_id"] == while_paused.json()["pause_id"]


async def test_a_refusal_is_a_problem_with_its_code_and_figures(stage: Stage, desk: Desk) -> None:
    many = new_account(stage.systems, numbers=53)
    admin = desk.with_key(many.administrator_id)
    async with stage.worker():
        refused = await admin.post(f"/accounts/{many.account_id}/pause", TERMS)

    assert (422, Code.TOO_MANY_TRACKING_NUMBERS) == (refused.status_code, code_of(refused))
    assert {"active": 53, "limit": 50, "excess": 3} == refused.json()["figures"]


async def test_terms_that_are_not_on_offer_are_refused(stage: Stage, admin: Caller) -> None:
    for body in ({}, {"terms_version": "1999-01"}):
        refused = await admin.post(pause_of(stage), body)

        assert (422, Code.TERMS_NOT_ACCEPTED) == (refused.status_code, code_of(refused))
        assert TERMS == refused.json()["figures"]


async def test_a_second_pause_is_refused_and_the_first_one_stays(
    stage: Stage, admin: Caller
) -> None:
    async with stage.worker():
        first = await admin.post(pause_of(stage), TERMS)
        second = await admin.post(pause_of(stage), TERMS)

    assert (409, Code.ACCOUNT_ALREADY_PAUSED) == (second.status_code, code_of(second))
    assert first.json() == (await admin.get(pause_of(stage))).json()


async def test_resuming_brings_everything_back_and_repeats_say_so(
    stage: Stage, admin: Caller
) -> None:
    before = stage.snapshot()
    async with stage.worker():
        paused = await admin.post(pause_of(stage), TERMS)
        resumed = await admin.post(f"{pause_of(stage)}/resume")
        again = await admin.post(
            f"{pause_of(stage)}/resume", {"pause_id": paused.json()["pause_id"]}
        )

    assert (200, "resumed") == (resumed.status_code, resumed.json()["state"])
    assert paused.json()["terms"] == resumed.json()["terms"]
    assert before == stage.snapshot()
    assert (200, resumed.json()["ended_at"]) == (again.status_code, again.json()["ended_at"])


async def test_what_was_never_paused_is_not_found_and_not_resumed(
    stage: Stage, admin: Caller
) -> None:
    looked = await admin.get(pause_of(stage))
    resumed = await admin.post(f"{pause_of(stage)}/resume")

    assert (404, Code.PAUSE_NOT_FOUND) == (looked.status_code, code_of(looked))
    assert (409, Code.ACCOUNT_NOT_PAUSED) == (resumed.status_code, code_of(resumed))


async def test_the_resume_date_is_chosen_moved_and_dropped(stage: Stage, admin: Caller) -> None:
    first, later = in_days(40), in_days(70)
    async with stage.worker():
        paused = await admin.post(pause_of(stage), {**TERMS, "resume_on": first})
        moved = await admin.ask("PATCH", pause_of(stage), json={"resume_on": later})
        dropped = await admin.ask("PATCH", pause_of(stage), json={"resume_on": None})
        too_late = await admin.ask("PATCH", pause_of(stage), json={"resume_on": "2099-01-01"})

    assert [first, later] == [each.json()["resume_on"] for each in (paused, moved)]
    assert later < dropped.json()["resume_on"]
    assert (422, Code.INVALID_RESUME_DATE) == (too_late.status_code, code_of(too_late))
    assert dropped.json()["resume_on"] == too_late.json()["figures"]["latest"]


async def test_a_date_that_was_moved_meanwhile_is_left_alone(stage: Stage, admin: Caller) -> None:
    days = [in_days(count) for count in (40, 50, 60)]

    async def move(day: str, tag: str) -> int:
        headers = {"If-Match": tag}
        return (
            await admin.ask("PATCH", pause_of(stage), json={"resume_on": day}, headers=headers)
        ).status_code

    async with stage.worker():
        tag = (await admin.post(pause_of(stage), TERMS)).headers["etag"]
        at_once = await asyncio.gather(*(move(day, tag) for day in days))
        stale = await move(days[0], tag)
        seen = (await admin.get(pause_of(stage))).headers["etag"]
        fresh = [await move(days[0], f'"other", {seen}'), await move(days[1], "*")]
        weak = await move(days[0], f"W/{(await admin.get(pause_of(stage))).headers['etag']}")

    assert [200, 412, 412] == sorted(at_once)
    assert (412, [200, 200], 412) == (stale, fresh, weak)


async def test_closing_takes_the_word_and_releases_the_numbers(stage: Stage, admin: Caller) -> None:
    close = f"/accounts/{stage.account_id}/close"
    async with stage.worker():
        await admin.post(pause_of(stage), TERMS)
        unsure = await admin.post(close, {"confirm": "yes"})
        closed = await admin.post(close, {"confirm": "CLOSE"})
        account = await admin.get(f"/accounts/{stage.account_id}")
        afterwards = await admin.post(pause_of(stage), TERMS)

    assert (422, Code.VALIDATION_FAILED) == (unsure.status_code, code_of(unsure))
    assert (200, "closed") == (closed.status_code, closed.json()["state"])
    assert "closed" == account.json()["status"]
    assert {"released"} == stage.number_states()
    assert (403, Code.ACCOUNT_CLOSED) == (afterwards.status_code, code_of(afterwards))


async def test_while_paused_the_reports_are_shut_and_open_again_afterwards(
    stage: Stage, admin: Caller
) -> None:
    reports = f"/accounts/{stage.account_id}/reports"
    async with stage.worker():
        await admin.post(pause_of(stage), TERMS)
        shut = await admin.get(reports)
        await admin.post(f"{pause_of(stage)}/resume")
        opened = await admin.get(reports)

    assert (403, Code.ACCOUNT_PAUSED) == (shut.status_code, code_of(shut))
    assert 200 == opened.status_code


@pytest.mark.parametrize("role", [Role.MANAGER, Role.REPORTING])
async def test_others_see_the_pause_and_cannot_act(
    stage: Stage, desk: Desk, admin: Caller, role: Role
) -> None:
    other = desk.with_key(stage.user(role))
    async with stage.worker():
        await admin.post(pause_of(stage), TERMS)
        looked = await other.get(pause_of(stage))
        refused = await other.post(f"{pause_of(stage)}/resume")

    assert "paused" == looked.json()["state"]
    assert (403, Code.NOT_AN_ADMINISTRATOR) == (refused.status_code, code_of(refused))
