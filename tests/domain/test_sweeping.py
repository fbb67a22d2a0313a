"""What follows from an act without its run, and from a run without its act."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.states import ActKind
from domain.sweeping import (
    FAILS_SOON,
    GRACE,
    Finding,
    LastRun,
    OpenAct,
    RunningRun,
    is_young,
    judged,
    without_a_run,
    without_an_act,
)

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
MOMENT = timedelta(seconds=1)


def act(account: str, kind: ActKind = ActKind.PAUSE, began_at: datetime = LONG_AGO) -> OpenAct:
    return OpenAct(f"PAU-{account}", account, kind, began_at)


def run(account: str, kind: ActKind = ActKind.PAUSE, at: datetime = LONG_AGO) -> RunningRun:
    return RunningRun(f"{kind}:{account}", "r", account, kind, at)


def test_an_act_has_a_run_of_its_account_and_kind() -> None:
    acts = [act("A"), act("B"), act("C", ActKind.CLOSE)]
    runs = [run("A"), run("C", ActKind.PAUSE)]

    assert [acts[1], acts[2]] == without_a_run(acts, runs, NOW)
    assert [runs[1]] == without_an_act(runs, acts, NOW)


def test_what_is_young_is_left_alone() -> None:
    assert [] == without_a_run([act("A", began_at=NOW - MOMENT)], [], NOW)
    assert [] == without_an_act([run("A", at=NOW - MOMENT)], [], NOW)


@pytest.mark.parametrize(
    ("ago", "expected"),
    # --|=== young ===)-- old; a virtual clock may be ahead of ours
    [(timedelta(0), True), (GRACE - MOMENT, True), (GRACE, False), (-MOMENT, False)],
)
def test_young_is_what_lies_less_than_the_grace_behind(ago: timedelta, expected: bool) -> None:
    assert expected is is_young(NOW - ago, NOW)


def test_an_act_of_which_temporal_knows_no_run_is_lost() -> None:
    assert Finding.LOST is judged(None, NOW, has_ended_the_act=False)


@pytest.mark.parametrize("closed_at", [None, NOW - MOMENT])
def test_a_run_that_goes_on_or_has_just_ended_is_waited_for(closed_at: datetime | None) -> None:
    assert judged(LastRun(LONG_AGO, closed_at), NOW, has_ended_the_act=False) is None


def test_a_run_that_has_ended_the_act_is_never_started_anew() -> None:
    last = LastRun(LONG_AGO, NOW - GRACE)

    assert Finding.NOT_ON_RECORD is judged(last, NOW, has_ended_the_act=True)
    assert Finding.LOST is judged(last, NOW, has_ended_the_act=False)


@pytest.mark.parametrize(
    ("lasted", "has_failed", "expected"),
    [
        (FAILS_SOON - MOMENT, True, Finding.KEEPS_FAILING),
        (FAILS_SOON, True, Finding.LOST),
        (FAILS_SOON - MOMENT, False, Finding.LOST),
    ],
)
def test_a_run_that_failed_soon_after_its_start_would_fail_again(
    lasted: timedelta, has_failed: bool, expected: Finding
) -> None:
    last = LastRun(LONG_AGO, LONG_AGO + lasted, has_failed)

    assert expected is judged(last, NOW, has_ended_the_act=False)


def test_only_what_was_started_anew_waits_for_nobody() -> None:
    assert [Finding.STARTED_ANEW] == [finding for finding in Finding if not finding.waits]
