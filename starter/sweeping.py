"""The sweeper: every open act has a run, every run an act; what is not so is mended or told (S2).

    open act without a run    it is started anew and goes on from the database
    run without an act        what it has done is put on record: the database is an older copy

Both lists are cheap and a moment old, so nothing follows from them alone: each suspect is looked at
once more by itself. To start a run anew is safe at any time (`starter/anew.py`), so any number of
sweepers may be at work at once.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from domain.errors import Transient, unforeseen
from domain.names import ACCOUNT_CLOSE, ACCOUNT_PAUSE
from domain.ports import Act
from domain.states import ActKind
from domain.sweeping import (
    AT_ONCE,
    Finding,
    LastRun,
    OpenAct,
    RunningRun,
    judged,
    without_a_run,
    without_an_act,
)
from starter.anew import start_anew, workflow_id_of
from starter.answers import RunIsGone, translated
from starter.histories import ENDS, account_of, act_id_of, done_steps
from starter.listing import OPEN_RUNS
from starter.now import utc_now
from starter.redoing import Redo
from systems.wiring import Systems

log = logging.getLogger("account_pause.sweeper")

ANSWER_WITHIN = timedelta(seconds=10)
KINDS = {ACCOUNT_PAUSE: ActKind.PAUSE, ACCOUNT_CLOSE: ActKind.CLOSE}


@dataclass(frozen=True)
class Found:
    """One thing that is wrong."""

    finding: Finding
    account_id: str
    kind: ActKind
    act_id: str

    @property
    def waits(self) -> bool:
        """Whether an operator has to do something about it."""
        return self.finding.waits


@dataclass(frozen=True)
class Swept:
    """What one look came to: how much was compared, and what was wrong."""

    acts: int
    runs: int
    found: list[Found] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """How many findings wait for an operator."""
        return sum(each.waits for each in self.found)


class Sweeper:
    """Compares the acts of one database with the runs of one Temporal namespace."""

    def __init__(
        self,
        temporal: Client,
        systems: Systems,
        clock: Callable[[], datetime] = utc_now,
        at_once: int = AT_ONCE,
    ) -> None:
        """`systems` are asked in threads; `clock` tells how old things are.

        More than `at_once` things that look alike are told and not touched.
        """
        self._temporal = temporal
        self._accounts = systems.accounts
        self._redo = Redo(temporal, systems)
        self._clock = clock
        self._at_once = at_once

    async def sweep(self) -> Swept:
        """Look once; start anew what is lost, unless too many are lost at once.

        Raises:
            Transient: Temporal or the database did not answer; what was started goes on.
        """
        acts = await asyncio.to_thread(self._accounts.open_acts)
        runs = await self._running()
        now = self._clock()
        return Swept(
            acts=len(acts),
            runs=len(runs),
            found=[
                *await self._mended(await self._still_open(without_a_run(acts, runs, now))),
                *await self._recorded(without_an_act(runs, acts, now)),
            ],
        )

    async def lost(self, account_id: str | None = None) -> list[OpenAct]:
        """The open acts without a run, however young and however many; of one account, or all.

        Raises:
            Transient: Temporal or the database did not answer.
        """
        acts = await asyncio.to_thread(self._accounts.open_acts)
        looked_after = {(run.account_id, run.kind) for run in await self._running()}
        return await self._still_open(
            [
                act
                for act in acts
                if (act.account_id, act.kind) not in looked_after
                and account_id in (None, act.account_id)
            ]
        )

    async def rebuild(self, act: OpenAct) -> Found | None:
        """Start the act's run anew if it is lost, also one that keeps failing; None if it is not.

        Raises:
            Transient: Temporal or the database did not answer; to ask again is safe.
        """
        return await self._concluded(Finding.LOST, act, await self._run_that_ended(act))

    async def _running(self) -> list[RunningRun]:
        listed = [_running_run(each) for each in await self._listed(OPEN_RUNS)]
        return [run for run in listed if run is not None]

    async def _still_open(self, suspects: list[OpenAct]) -> list[OpenAct]:
        """Without those that ended while the runs were listed: an act ends before its run.

        On a morning with many planned resumes that are more than a few, and none is lost.
        """
        if not suspects:
            return []
        open_now = {act.act_id for act in await asyncio.to_thread(self._accounts.open_acts)}
        return [act for act in suspects if act.act_id in open_now]

    async def _mended(self, suspects: list[OpenAct]) -> list[Found]:
        if len(suspects) > self._at_once:
            return [_found(Finding.LOST, act) for act in suspects]
        mended = [await self._mended_act(act) for act in suspects]
        return [found for found in mended if found is not None]

    async def _mended_act(self, act: OpenAct) -> Found | None:
        last = await self._last_run(act)
        ended = await self._run_that_ended(act) if last is not None else None
        finding = judged(last, self._clock(), has_ended_the_act=ended is not None)
        return await self._concluded(finding, act, ended) if finding else None

    async def _concluded(
        self, finding: Finding, act: OpenAct, ended: WorkflowExecution | None
    ) -> Found | None:
        """The database is asked after the run was found gone, since an act ends before its run."""
        current = await self._act(act.act_id)
        if current is None or current.ended_at is not None:
            return None
        if ended is not None:
            put = await self._put_on_record(ended.id, ended.run_id, act.account_id)
            return _found(put, act) if put else None
        if finding is not Finding.LOST:
            return _found(finding, act)
        is_started = await start_anew(self._temporal, current)
        return _found(Finding.STARTED_ANEW, act) if is_started else None

    async def _last_run(self, act: OpenAct) -> LastRun | None:
        handle = self._temporal.get_workflow_handle(workflow_id_of(act.account_id, act.kind))
        try:
            with translated():
                last = await handle.describe(rpc_timeout=ANSWER_WITHIN)
        except RunIsGone:
            return None
        return LastRun(
            started_at=last.start_time,
            closed_at=last.close_time,
            has_failed=last.status is WorkflowExecutionStatus.FAILED,
        )

    async def _run_that_ended(self, act: OpenAct) -> WorkflowExecution | None:
        """A run that Temporal still knows and that has brought the act to its end."""
        workflow_id = workflow_id_of(act.account_id, act.kind)
        for run in await self._listed(f"WorkflowId = '{workflow_id}'"):
            try:
                steps = await done_steps(self._temporal, workflow_id, run.run_id)
            except RunIsGone:
                continue
            is_this_act = await act_id_of(self._temporal, steps) == act.act_id
            if is_this_act and any(step.name in ENDS for step in steps):
                return run
        return None

    async def _listed(self, query: str) -> list[WorkflowExecution]:
        with translated():
            return [run async for run in self._temporal.list_workflows(query)]

    async def _recorded(self, suspects: list[RunningRun]) -> list[Found]:
        looked_at = [(run, await self._act_not_on_record(run)) for run in suspects]
        unknown = [(run, act_id) for run, act_id in looked_at if act_id is not None]
        is_many = len(unknown) > self._at_once
        found = []
        for run, act_id in unknown:
            finding: Finding | None = Finding.NOT_ON_RECORD
            if not is_many:
                finding = await self._put_on_record(run.workflow_id, run.run_id, run.account_id)
            if finding is not None:
                found.append(Found(finding, run.account_id, run.kind, act_id))
        return found

    async def _act_not_on_record(self, run: RunningRun) -> str | None:
        """The run's act, if it has begun one that is not on record.

        The history is read before the database: what is done there is on record by then.
        """
        try:
            steps = await done_steps(self._temporal, run.workflow_id, run.run_id)
        except RunIsGone:
            return None
        act_id = await act_id_of(self._temporal, steps)
        is_known = act_id is None or await self._act(act_id) is not None
        return None if is_known else act_id

    async def _put_on_record(
        self, workflow_id: str, run_id: str, account_id: str
    ) -> Finding | None:
        """None if there is nothing left to do: another sweeper was faster."""
        redone = await self._redo.redo(workflow_id, run_id, account_id)
        if redone is None:
            return None
        return Finding.NOT_ON_RECORD if redone.problem else Finding.PUT_ON_RECORD

    async def _act(self, act_id: str) -> Act | None:
        return await asyncio.to_thread(self._accounts.act, act_id)


@asynccontextmanager
async def swept_regularly(
    sweeper: Sweeper, seconds: float, count: Callable[[str, int], None]
) -> AsyncIterator[None]:
    """Look every `seconds` or so until the block ends; 0: never. `count` is told each finding.

    A worker does it, and not a schedule of Temporal's: a schedule is lost together with the runs
    that it should look after. The first look comes after a while, and no two workers look at once.
    """
    for finding in Finding:
        count(finding, 0)
    if not seconds:
        yield
        return
    sweeping = asyncio.create_task(_sweep_for_ever(sweeper, seconds, count))
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)


async def _sweep_for_ever(
    sweeper: Sweeper, seconds: float, count: Callable[[str, int], None]
) -> None:
    while True:
        await asyncio.sleep(seconds * random.uniform(0.5, 1.0))
        try:
            _tell(await sweeper.sweep(), count)
        except Transient as error:
            log.warning("could not look for lost runs, trying again: %s", error)
        except Exception as error:
            # The next look may succeed. `exception` would log the message.
            log.error("could not look for lost runs: %s", unforeseen(error))  # noqa: TRY400


def _tell(swept: Swept, count: Callable[[str, int], None]) -> None:
    for finding, number in Counter(each.finding for each in swept.found).items():
        count(finding, number)
        level = logging.ERROR if finding.waits else logging.WARNING
        which = [each.act_id for each in swept.found if each.finding is finding][:AT_ONCE]
        log.log(level, "%d of %d open acts: %s, %s", number, swept.acts, finding, " ".join(which))
    if swept.waiting:
        log.error(
            "%d findings wait for an operator: see “Lost runs” in docs/operations.md", swept.waiting
        )


def _running_run(run: WorkflowExecution) -> RunningRun | None:
    account_id = account_of(run)
    if account_id is None:
        return None
    return RunningRun(run.id, run.run_id, account_id, KINDS[run.workflow_type], run.start_time)


def _found(finding: Finding, act: OpenAct) -> Found:
    return Found(finding, act.account_id, act.kind, act.act_id)
