"""Doing again what the runs have done, after an older copy of the database was put back.

    copy made          the rest is lost here, and known there          copy put back
    ----|-------- pauses, fees, resumes, other dates, closes --------------|---- redo ----

A run's history has every step that it has done, with its request, and a request says all that its
step needs, its time too. So the same steps are done once more, in the same order and as of the same
times; one that is on record changes nothing. Money is looked at and never moved: what was paid is
found at the gateway under its key (`systems/gateways/looking.py`).
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

from temporalio.client import Client, WorkflowExecution
from temporalio.exceptions import ApplicationError

from activities.access import AccessActivities
from activities.accounts import AccountActivities
from activities.billing import BillingActivities
from activities.dni import DniActivities
from activities.numbers import NumberActivities
from domain.errors import Code, Transient, unforeseen
from domain.messages import ChangeResumeDate, PauseBegun, SendReminder, Step
from domain.names import ACCOUNT_CLOSE, ACCOUNT_PAUSE, Activity
from domain.states import PauseState
from domain.terms import Offer
from starter.answers import RunIsGone, translated
from starter.histories import DoneStep, account_of, act_id_of, decoded, done_steps
from starter.listing import OPEN_RUNS
from starter.stopping import sleep_unless_stopped
from systems.accounts.act_list import Wanted, found
from systems.accounts.acts import reminder_part
from systems.billing import SqlBilling
from systems.effects import recorded_keys
from systems.gateways.looking import OnlyLooks
from systems.wiring import Systems
from workflows.view import PAUSE_STATE

log = logging.getLogger("account_pause.redo")

OURS = f"WorkflowType IN ('{ACCOUNT_PAUSE}', '{ACCOUNT_CLOSE}')"

# How far back a worker looks before its first step: copies that are older are put back by a person
# who reads the runbook first.
A_DAY = timedelta(days=1)
QUERY_TIME = "%Y-%m-%dT%H:%M:%SZ"
TRY_AGAIN_SECONDS = 5.0

# What an older copy does not know has ended last. So with as many of the latest on record, one
# after the other, those before them are too, and thousands of histories need not be read.
ON_RECORD_IN_A_ROW = 20

ON_THEIR_WAY = (PauseState.PAUSING, PauseState.RESUMING, PauseState.CLOSING)

Method = Callable[[Any], Any]

FIELDS = fields(Offer)


@dataclass(frozen=True)
class Redone:
    """What became of one run's act: how much was put on record, and what could not be.

    `problem` None: all that the run has done is on record now.
    """

    account_id: str
    act_id: str
    put_on_record: int
    problem: str | None = None


class Redo:
    """Puts on record what runs have done; safe to repeat, and beside workers."""

    def __init__(self, temporal: Client, systems: Systems) -> None:
        """Read from `temporal`, write to `systems`."""
        self._temporal = temporal
        self._systems = systems
        self._billing = SqlBilling(systems.db, OnlyLooks(systems.gateway))
        # Runs that a catch-up had begun with when a system did not answer.
        self._begun: set[str] = set()

    async def runs(self, account_id: str | None = None) -> list[WorkflowExecution]:
        """The runs that Temporal still knows, the oldest first; of one account, or all.

        Raises:
            Transient: Temporal did not answer.
        """
        runs = await self._listed(OURS)
        return [run for run in runs if account_id in (None, account_of(run))]

    async def catch_up(self, now: datetime) -> list[Redone]:
        """Redo the runs that have ended within a day, and those that are not paused on both sides.

        What a worker does first of all. Else the plan would take dates of accounts that are paused,
        or closed, if only the record still knew; and a run that is just pausing or resuming would
        go on from steps that nobody has on record.

        Raises:
            Transient: Temporal or the database did not answer; begin again.
        """
        redone = [await self._caught_up(run) for run in await self._ended_unknown(now - A_DAY)]
        paused = await asyncio.to_thread(self._paused)
        redone += [
            await self._caught_up(run)
            for run in await self._listed(OPEN_RUNS)
            if account_of(run) not in paused or not _is_paused(run) or run.run_id in self._begun
        ]
        return [each for each in redone if each and (each.put_on_record or each.problem)]

    async def _caught_up(self, run: WorkflowExecution) -> Redone | None:
        self._begun.add(run.run_id)
        redone = await self.redo_run(run)
        self._begun.discard(run.run_id)
        return redone

    async def redo_run(self, run: WorkflowExecution) -> Redone | None:
        """Do again what a run of a list has done; see `redo`."""
        account_id = account_of(run)
        return await self.redo(run.id, run.run_id, account_id) if account_id else None

    async def redo(self, workflow_id: str, run_id: str, account_id: str) -> Redone | None:
        """Do again what the run has done; None if its act has ended on record, or it did nothing.

        Raises:
            Transient: Temporal or the database did not answer; begin again.
        """
        try:
            steps = await done_steps(self._temporal, workflow_id, run_id)
        except RunIsGone:
            return None
        act_id = await act_id_of(self._temporal, steps)
        if act_id is None or await self._has_ended(act_id):
            return None
        before = await asyncio.to_thread(self._on_record, account_id, act_id)
        problem = await self._do_again(account_id, act_id, steps)
        after = await asyncio.to_thread(self._on_record, account_id, act_id)
        return Redone(account_id, act_id, len(after - before), problem)

    async def _ended_unknown(self, since: datetime) -> list[WorkflowExecution]:
        """The runs that have ended since then while their acts are not on record as ended."""
        unknown: list[WorkflowExecution] = []
        in_a_row = 0
        for run in _latest_first(
            await self._listed(f"{OURS} AND CloseTime > '{since:{QUERY_TIME}}'")
        ):
            is_on_record = await self._is_on_record(run)
            if is_on_record is None:
                continue
            in_a_row = in_a_row + 1 if is_on_record else 0
            if not is_on_record:
                unknown.append(run)
            if in_a_row == ON_RECORD_IN_A_ROW:
                break
        return _oldest_first(unknown)

    async def _is_on_record(self, run: WorkflowExecution) -> bool | None:
        """None for a run that says nothing of the record: it was refused at once, or is gone."""
        try:
            steps = await done_steps(self._temporal, run.id, run.run_id)
        except RunIsGone:
            return None
        act_id = await act_id_of(self._temporal, steps)
        return None if act_id is None else await self._has_ended(act_id)

    async def _listed(self, query: str) -> list[WorkflowExecution]:
        """The oldest first: of one account they followed each other."""
        with translated():
            return _oldest_first([run async for run in self._temporal.list_workflows(query)])

    async def _do_again(self, account_id: str, act_id: str, steps: list[DoneStep]) -> str | None:
        """Why it could not go on, None if it came to the end: no step without those before it.

        Raises:
            Transient: a system did not answer; what was done stays.
        """
        methods = self._methods(await self._offer(steps))
        for step in steps:
            method = methods.get(step.name)
            if method is None:
                return f"{step.name}: this release has no such step, use the one that has done it"
            request = await decoded(self._temporal, step.request, _request_type(method))
            request = request.model_copy(update={"account_id": account_id})
            if _key(step.name, request) in await asyncio.to_thread(self._keys, act_id):
                continue
            try:
                await asyncio.to_thread(method, request)
            except ApplicationError as error:
                if error.type == Code.UNAVAILABLE:
                    raise Transient(f"{step.name} of {act_id}: {error.message}") from error
                return f"{step.name}: {error.message}"
        return None

    async def _offer(self, steps: list[DoneStep]) -> Offer:
        """What the pause has pinned, whatever is on offer today (R18)."""
        for step in steps:
            if step.name == Activity.BEGIN_PAUSE and step.answer is not None:
                begun = await decoded(self._temporal, step.answer, PauseBegun)
                return Offer(**{each.name: getattr(begun.terms, each.name) for each in FIELDS})
        return Offer()

    def _methods(self, offer: Offer) -> dict[str, Method]:
        it, billing = self._systems, self._billing
        owners = (
            AccountActivities(it.accounts, it.numbers, it.dni, billing, offer),
            NumberActivities(it.numbers),
            DniActivities(it.dni),
            AccessActivities(it.access),
            BillingActivities(billing, it.accounts),
        )
        return {
            name: getattr(owner, name)
            for name in Activity
            for owner in owners
            if hasattr(owner, name)
        }

    def _paused(self) -> set[str]:
        """The accounts whose pause is in effect on record: neither just begun nor ending."""
        on_their_way = set(found(self._systems.db, Wanted(states=ON_THEIR_WAY)))
        open_acts = self._systems.accounts.open_acts()
        return {act.account_id for act in open_acts if act.act_id not in on_their_way}

    async def _has_ended(self, act_id: str) -> bool:
        act = await asyncio.to_thread(self._systems.accounts.act, act_id)
        return act is not None and act.ended_at is not None

    def _on_record(self, account_id: str, act_id: str) -> set[str]:
        charges = self._billing.charges(account_id, act_id)
        return {*self._keys(act_id), *(f"{each.billing_on}:{each.state}" for each in charges)}

    def _keys(self, act_id: str) -> set[str]:
        with self._systems.db.transaction() as session:
            return recorded_keys(session, act_id)


async def caught_up(redo: Redo, stop: asyncio.Event) -> None:
    """Let the record catch up with the runs, however often it takes, until `stop` is set."""
    while not (stop.is_set() or await catches_up(redo)):
        await sleep_unless_stopped(stop, TRY_AGAIN_SECONDS)


async def catches_up(redo: Redo) -> bool:
    """Let the record catch up with the runs; False if that has to be tried again."""
    try:
        redone = await redo.catch_up(datetime.now(UTC))
    except Transient as error:
        log.warning("the jobs wait until the record was compared with the runs: %s", error)
        return False
    except Exception as error:
        # Whoever ends here ends the worker and with it everybody's pauses. `exception` would log
        # the message.
        log.error(  # noqa: TRY400
            "the jobs wait, since the record cannot be compared with the runs: %s",
            unforeseen(error),
        )
        return False
    for each in redone:
        log.error(
            "the database is an older copy: %d steps of %s are on record again, %s; see"
            " `account-pause redo`",
            each.put_on_record,
            each.act_id,
            each.problem or "all of it",
        )
    return True


def _oldest_first(runs: list[WorkflowExecution]) -> list[WorkflowExecution]:
    return sorted(runs, key=lambda run: (run.start_time, run.run_id))


def _latest_first(runs: list[WorkflowExecution]) -> list[WorkflowExecution]:
    """Those that have ended last come first."""
    return sorted(
        runs, key=lambda run: (run.close_time or run.start_time, run.run_id), reverse=True
    )


def _is_paused(run: WorkflowExecution) -> bool:
    """Whether the run has its pause in effect, as its search attribute says."""
    return run.typed_search_attributes.get(PAUSE_STATE) == PauseState.PAUSED


def _request_type(method: Method) -> type[Step]:
    wanted: type[Step] = get_type_hints(method)["request"]
    return wanted


def _key(name: str, request: Step) -> str:
    """The key under which a system records the step; collecting a fee has none."""
    part = ""
    if isinstance(request, ChangeResumeDate):
        part = request.at.isoformat()
    elif isinstance(request, SendReminder):
        part = reminder_part(request.reminder.resume_on, request.reminder.days_before)
    return ":".join(filter(None, (request.act_id, name, part)))
