"""Trackers, invoices, calls and reports: whole, in pages, and of one account only."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from domain.errors import Code, Rejected
from starter.web.api.paging import Key, page_of
from systems.sample import seed
from tests.starter.web.api.desk import Caller, Desk, code_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def clinic(quiet_desk: Desk) -> str:
    """An account with trackers and 300 calls."""
    return seed(quiet_desk.systems, NOW)[0].account_id


@pytest.fixture
def admin(quiet_desk: Desk, clinic: str) -> Caller:
    users = quiet_desk.systems.accounts.users(clinic)
    return quiet_desk.with_key(users[0].user_id)


async def all_of(caller: Caller, path: str, limit: int, **more: Any) -> list[Any]:
    """Everything in the list, page by page."""
    items: list[Any] = []
    params = {"limit": limit, **more}
    while True:
        page = (await caller.get(path, params=params)).json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        params["cursor"] = page["next_cursor"]


@pytest.mark.parametrize(("what", "limit"), [("trackers", 3), ("activity", 100)])
async def test_pages_make_up_the_whole_list(
    admin: Caller, clinic: str, what: str, limit: int
) -> None:
    path = f"/accounts/{clinic}/{what}"

    in_pages = await all_of(admin, path, limit)
    at_once = await all_of(admin, path, 200)

    assert in_pages == at_once
    assert len(at_once) == {"trackers": 7, "activity": 300}[what]


async def test_a_disabled_tracker_is_listed_as_what_it_was(admin: Caller, clinic: str) -> None:
    path = f"/accounts/{clinic}/trackers"
    before = (await admin.get(path)).json()["items"]

    disabled = await admin.ask("DELETE", f"{path}/{before[0]['tracker_id']}")
    again = await admin.ask("DELETE", f"{path}/{before[0]['tracker_id']}")
    unknown = await admin.ask("DELETE", f"{path}/TRK{'0' * 32}")
    malformed = await admin.ask("DELETE", f"{path}/TRK1")
    after = (await admin.get(path)).json()["items"]

    assert (200, "disabled") == (disabled.status_code, disabled.json()["status"])
    assert disabled.json() == again.json() == after[0]
    assert before[1:] == after[1:]
    for refused in (unknown, malformed):
        assert (422, Code.VALIDATION_FAILED) == (refused.status_code, code_of(refused))


async def test_calls_are_filtered_by_time_and_tracker(admin: Caller, clinic: str) -> None:
    path, since = f"/accounts/{clinic}/activity", NOW - timedelta(days=30)
    tracker_id = (await admin.get(f"/accounts/{clinic}/trackers")).json()["items"][0]["tracker_id"]

    calls = await all_of(admin, path, 200)
    recent = await all_of(admin, path, 200, since=since.isoformat())
    of_tracker = await all_of(admin, path, 200, tracker_id=tracker_id)

    assert [each for each in calls if datetime.fromisoformat(each["at"]) >= since] == recent
    assert [each for each in calls if each["tracker_id"] == tracker_id] == of_tracker
    assert recent
    assert of_tracker
    assert calls == sorted(calls, key=lambda each: each["at"], reverse=True)


async def test_a_report_counts_what_the_log_has(admin: Caller, clinic: str) -> None:
    days = {"since_on": "2026-10-01", "until_on": "2026-11-01"}

    report = (await admin.get(f"/accounts/{clinic}/reports", params=days)).json()
    calls = await all_of(
        admin,
        f"/accounts/{clinic}/activity",
        200,
        since="2026-10-01T00:00:00-05:00",
        until="2026-11-01T00:00:00-05:00",
    )

    assert (
        len(calls)
        == report["total"]["calls"]
        == sum(each["tally"]["calls"] for each in report["by_day"])
    )
    assert 31 == len(report["by_day"])
    assert "America/Chicago" == report["time_zone"]


async def test_a_report_is_about_the_last_thirty_days_if_nobody_says(
    admin: Caller, clinic: str
) -> None:
    report = (await admin.get(f"/accounts/{clinic}/reports")).json()

    assert 30 == len(report["by_day"])


SENSELESS: list[tuple[str, dict[str, str]]] = [
    ("trackers", {"limit": "0"}),
    ("trackers", {"limit": "201"}),
    ("trackers", {"cursor": "!"}),
    ("trackers", {"cursor": "AAAA"}),
    ("trackers", {"cursor": "WzFd"}),
    ("invoices", {"cursor": "e30"}),
    ("activity", {"cursor": "CAL" + "0" * 32}),
    ("activity", {"since": "2026-11-20T12:00:00"}),
    ("activity", {"tracker_id": "TRK1"}),
    ("reports", {"since_on": "yesterday"}),
    ("reports", {"since_on": "2026-11-02", "until_on": "2026-11-01"}),
    ("reports", {"since_on": "2020-01-01", "until_on": "2026-11-01"}),
]


async def test_a_question_that_makes_no_sense_is_refused(admin: Caller, clinic: str) -> None:
    for what, params in SENSELESS:
        refused = await admin.get(f"/accounts/{clinic}/{what}", params=params)

        assert (422, Code.VALIDATION_FAILED) == (refused.status_code, code_of(refused)), params


@pytest.mark.parametrize("latest_first", [False, True])
def test_nothing_is_shown_twice_or_left_out_while_items_are_added(latest_first: bool) -> None:
    random = Random(7)
    items = [f"{number:03}" for number in random.sample(range(500), 100)]
    seen: list[str] = []
    cursor: str | None = None
    first = set(items)

    def key(item: str) -> Key:
        return (item,)

    while True:
        shown, cursor = page_of(items, key, cursor, 7, latest_first=latest_first)
        seen += shown
        if cursor is None:
            break
        items.append(f"{random.randrange(500, 1000):03}")

    assert len(seen) == len(set(seen))
    assert first <= set(seen)
    assert seen == sorted(seen, reverse=latest_first)


def test_a_cursor_of_another_list_is_refused_or_harmless() -> None:
    with pytest.raises(Rejected):
        page_of([], lambda item: (item,), "bm9uc2Vuc2U", 1)
