"""What acts and runs say when they are laid side by side, and what follows from it (S2).

Every open act has one run. The sweeper (`starter/sweeping.py`) looks for acts without a run and for
runs without an act; what it makes of them is decided here.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.states import ActKind

# What is younger is left alone: a run is just being started or has just ended, by somebody who may
# not be done yet, or a list has not heard of it.
GRACE = timedelta(minutes=2)

# A run that failed within so long of its start would fail again.
FAILS_SOON = timedelta(minutes=10)

# More than so many at once are no mishaps of single runs. Temporal has lost its database, ours is
# an older copy, or the two do not belong together: a person says which before anything is done.
AT_ONCE = 25


class Finding(StrEnum):
    """What is wrong with an act and its run."""

    # The run was gone, terminated, cancelled, failed or timed out: it goes on from the database.
    STARTED_ANEW = "started_anew"
    # The same for more than `AT_ONCE` acts, none of which was started.
    LOST = "lost"
    # Its last run failed soon after its start; it was not started again.
    KEEPS_FAILING = "keeps_failing"
    # What the run has done was not on record, and is now: the database was an older copy.
    PUT_ON_RECORD = "put_on_record"
    # The same, and it could not be put on record, or there are more than `AT_ONCE` such runs.
    NOT_ON_RECORD = "not_on_record"

    @property
    def waits(self) -> bool:
        """Whether an operator has to do something about it."""
        return self is not Finding.STARTED_ANEW


@dataclass(frozen=True)
class OpenAct:
    """An act that has not ended, as far as the sweeper has to know it."""

    act_id: str
    account_id: str
    kind: ActKind
    began_at: datetime


@dataclass(frozen=True)
class RunningRun:
    """A run that has not ended, and the account that it is about."""

    workflow_id: str
    run_id: str
    account_id: str
    kind: ActKind
    started_at: datetime


@dataclass(frozen=True)
class LastRun:
    """The latest run under the id of an act. `closed_at` None: it is running."""

    started_at: datetime
    closed_at: datetime | None
    has_failed: bool = False


def without_a_run(
    acts: Collection[OpenAct], runs: Collection[RunningRun], now: datetime
) -> list[OpenAct]:
    """The open acts that no run looks after and that are no longer young."""
    looked_after = {(run.account_id, run.kind) for run in runs}
    return [
        act
        for act in acts
        if (act.account_id, act.kind) not in looked_after and not is_young(act.began_at, now)
    ]


def without_an_act(
    runs: Collection[RunningRun], acts: Collection[OpenAct], now: datetime
) -> list[RunningRun]:
    """The runs whose account has no open act of their kind and that are no longer young."""
    on_record = {(act.account_id, act.kind) for act in acts}
    return [
        run
        for run in runs
        if (run.account_id, run.kind) not in on_record and not is_young(run.started_at, now)
    ]


def judged(last: LastRun | None, now: datetime, *, has_ended_the_act: bool) -> Finding | None:
    """What an open act is that no run was seen for; None: nothing as yet, look again later.

    `LOST` is one to be started anew, `NOT_ON_RECORD` one whose end is to be put on record. `last`
    None: Temporal knows no run at all.
    """
    if last is None:
        return Finding.LOST
    if last.closed_at is None or is_young(last.closed_at, now):
        return None
    if has_ended_the_act:
        return Finding.NOT_ON_RECORD
    is_hopeless = last.has_failed and last.closed_at - last.started_at < FAILS_SOON
    return Finding.KEEPS_FAILING if is_hopeless else Finding.LOST


def is_young(at: datetime, now: datetime) -> bool:
    """Whether `at` lies less than `GRACE` ago; what a virtual clock has put ahead does not."""
    return timedelta(0) <= now - at < GRACE
