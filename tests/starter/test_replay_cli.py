"""Replaying from the command line: what fits goes by, what does not is named by its event."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.errors import Code
from starter.replaying import Seen, first_difference, read_history, replay, replayer
from systems.sample import SampleAccount
from tests.replay.histories import path_of
from tests.replay.scenarios import SCENARIOS
from tests.starter.conftest import Cli, Up

NAME = "resumed-by-itself"
Events = list[dict[str, Any]]


def events_of(name: str = NAME) -> Events:
    events: Events = json.loads(path_of(name).read_text(encoding="utf-8"))["events"]
    return events


def written(path: Path, events: Events, *, as_list: bool = False) -> Path:
    """A history of these events, as one of the two tools writes it."""
    path.write_text(json.dumps(events if as_list else {"events": events}), encoding="utf-8")
    return path


def with_step_renamed(name: str, old: str = "an_older_name") -> tuple[Events, int]:
    """A history of code in which the step had another name, and where that begins to matter."""
    events = events_of()
    scheduled = [
        event["activityTaskScheduledEventAttributes"]["activityType"]
        for event in events
        if _step(event) == name
    ]
    first = next(int(event["eventId"]) for event in events if _step(event) == name)
    for kind in scheduled:
        kind["name"] = old
    return events, first


def _step(event: dict[str, Any]) -> str | None:
    scheduled = event.get("activityTaskScheduledEventAttributes")
    return scheduled["activityType"]["name"] if scheduled else None


@pytest.mark.parametrize("name", SCENARIOS)
async def test_what_the_code_asks_for_is_what_a_committed_history_has(name: str) -> None:
    history, seen = read_history(path_of(name)), Seen()

    result = await replayer(seen).replay_workflow(history, raise_on_replay_failure=False)

    assert result.replay_failure is None
    assert first_difference(history, seen) is None
    assert sum(map(len, seen.tasks.values())) > 0


@pytest.mark.parametrize("step", ["begin_pause", "mark_paused", "collect_fee", "mark_resumed"])
async def test_the_first_differing_event_is_named_with_what_the_code_wants(
    step: str, tmp_path: Path
) -> None:
    events, first = with_step_renamed(step)

    replayed = await replay(read_history(written(tmp_path / "history.json", events)))

    difference = replayed.difference
    assert difference is not None
    assert (first, "the step `an_older_name`") == (difference.event_id, difference.recorded)
    assert f"the step `{step}`" == difference.wanted
    assert "Nondeterminism" in difference.told


async def test_a_history_with_a_step_that_the_code_lacks_is_named(tmp_path: Path) -> None:
    # The old code began with an upsert, which today's code does not make.
    events = events_of()
    upsert = next(e for e in events if "upsertWorkflowSearchAttributesEventAttributes" in e)
    begin = next(e for e in events if _step(e) == "begin_pause")
    where = events.index(begin)
    task = begin["activityTaskScheduledEventAttributes"]["workflowTaskCompletedEventId"]
    extra = {**upsert, "eventId": begin["eventId"]}
    extra["upsertWorkflowSearchAttributesEventAttributes"] = {
        **upsert["upsertWorkflowSearchAttributesEventAttributes"],
        "workflowTaskCompletedEventId": task,
    }
    cut = written(tmp_path / "history.json", [*events[:where], extra])

    difference = (await replay(read_history(cut))).difference

    assert difference is not None
    assert int(begin["eventId"]) == difference.event_id
    assert "an upsert of search attributes" == difference.recorded
    assert "the step `begin_pause`" == difference.wanted


async def test_a_run_that_is_still_open_replays_as_far_as_it_has_come(tmp_path: Path) -> None:
    events, first = with_step_renamed("mark_paused")

    before = await replay(read_history(written(tmp_path / "a.json", events[: first - 1])))
    after = await replay(read_history(written(tmp_path / "b.json", events[:first])))

    assert (first - 1, None) == (before.events, before.difference)
    assert after.difference is not None


@pytest.mark.parametrize("as_list", [False, True])
def test_a_file_replays_without_a_server_or_a_database(
    cli: Cli, tmp_path: Path, as_list: bool
) -> None:
    path = written(tmp_path / "downloaded.json", events_of(), as_list=as_list)

    answer = cli(tmp_path, "replay", "--history", str(path))
    document = cli(tmp_path, "replay", "--history", str(path), "--json").document

    assert 0 == answer.exit_code
    assert f"replays cleanly: {len(events_of())} events" in answer.out
    assert (len(events_of()), None) == (document["events"], document["difference"])


def test_a_file_that_does_not_replay_says_what_to_do(cli: Cli, tmp_path: Path) -> None:
    events, first = with_step_renamed("collect_fee")
    path = written(tmp_path / "downloaded.json", events)

    answer = cli(tmp_path, "replay", "--history", str(path))
    failed = cli(tmp_path, "replay", "--history", str(path), "--json")

    assert (1, 1) == (answer.exit_code, failed.exit_code)
    assert f"{first}: the step `an_older_name`" in answer.out
    assert "workflow.patched" in answer.out
    assert first == failed.document["difference"]["event_id"]


@pytest.mark.parametrize(
    "text", ["", "{}", '{"events": []}', "[1]", '{"events": [{"eventId": "1"}]}']
)
def test_what_is_no_history_is_refused(cli: Cli, tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")

    answer = cli(tmp_path, "replay", "--history", str(path), "--json")

    assert (1, Code.VALIDATION_FAILED) == (answer.exit_code, answer.document["code"])


@pytest.mark.parametrize(
    "arguments", [[], ["Brightside", "--all-open"], ["--all-open", "--run", "1"]]
)
def test_one_thing_is_replayed_at_a_time(cli: Cli, tmp_path: Path, arguments: list[str]) -> None:
    answer = cli(tmp_path, "replay", *arguments, "--json")

    assert (2, Code.VALIDATION_FAILED) == (answer.exit_code, answer.document["code"])


def test_pauses_of_the_server_replay_one_by_one_and_all_together(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    name = account.account_id
    cli(stack.state_dir, "pause", name, "--yes")
    before = cli(stack.state_dir, "status", name, "--json").document

    by_name = cli(stack.state_dir, "replay", name, "--json")
    by_id = cli(stack.state_dir, "replay", f"account-pause:{name}", "--json")
    run_id = by_name.document["run_id"]
    by_run = cli(stack.state_dir, "replay", name, "--run", run_id, "--json")
    all_open = cli(stack.state_dir, "replay", "--all-open", "--json")
    unknown = cli(stack.state_dir, "replay", "account-pause:nobody", "--json")

    assert [0, 0, 0, 0] == [each.exit_code for each in (by_name, by_id, by_run, all_open)]
    assert by_name.document == by_id.document == by_run.document
    assert ([], True) == (all_open.document["failed"], all_open.document["replayed"] >= 1)
    assert (1, Code.PAUSE_NOT_FOUND) == (unknown.exit_code, unknown.document["code"])
    assert before == cli(stack.state_dir, "status", name, "--json").document
