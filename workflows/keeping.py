"""A pause in effect: wait for what the agenda names, do it, ask again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.accounts import AccountActivities
    from activities.billing import BillingActivities
    from activities.numbers import NumberActivities
    from domain.agenda import Agenda, Answer, Charge, Collect, End, Remind, StopRouting
    from domain.messages import CollectFee, SendReminder, Step
    from domain.states import ChargeState
    from workflows.options import COLLECT
    from workflows.steps import Steps
    from workflows.view import wake_summary


class Keeping:
    """Walks the agenda of one pause.

    Steps run beside the loop, so that no resume, close or billing date waits for one that is slow
    or stuck (R16). The loop itself sets one timer at a time, for an absolute instant.
    """

    def __init__(
        self,
        act_id: str,
        account_id: str,
        agenda: Agenda,
        steps: Steps,
        publish: Callable[[], None],
    ) -> None:
        """`publish` is called whenever a charge has changed."""
        self._act_id = act_id
        self._account_id = account_id
        self._agenda = agenda
        self._steps = steps
        self._publish = publish
        self._overtakable: list[asyncio.Task[None]] = []
        self._attempts: dict[str, asyncio.Task[None]] = {}

    async def until_end(self, may_end: Callable[[End], Awaitable[bool]]) -> End:
        """Do what is due, when it is due, until an end that `may_end` confirms."""
        while True:
            for due in self._agenda.due(workflow.now()):
                match due:
                    case Collect():
                        self._begin_attempt(due)
                    case StopRouting():
                        self._begin_drain_end()
                    case Remind():
                        self._begin_reminder(due)
                    case End():
                        if await may_end(due):
                            return due
            await self._wait()

    async def stop(self) -> None:
        """The pause ends: the drain's end and reminders that are not done yet are overtaken."""
        for task in self._overtakable:
            task.cancel()
        await asyncio.gather(*self._overtakable, return_exceptions=True)

    async def last_attempts(self, patience: timedelta) -> None:
        """Try every declined date once more; return when all is answered, or after `patience`."""
        for charge in list(self._agenda.charges.values()):
            if charge.state is ChargeState.DECLINED and charge.ladder_ended_at is None:
                self._begin_attempt(Collect(charge.due_at, charge.billing_on))
        try:
            await workflow.wait_condition(
                self._is_answered, timeout=patience, timeout_summary="last attempts on unpaid fees"
            )
        except TimeoutError:
            return

    async def answered(self) -> None:
        """Wait for the attempts under way; one that waits for an operator is left to billing."""
        await workflow.wait_condition(self._is_answered)
        for task in self._attempts.values():
            task.cancel()
        await asyncio.gather(*self._attempts.values(), return_exceptions=True)

    async def _wait(self) -> None:
        wake_at = self._agenda.wake_at()
        timeout = wake_at - workflow.now()
        if timeout <= timedelta(0):
            return
        try:
            await workflow.wait_condition(
                lambda: self._agenda.wake_at() != wake_at,
                timeout=timeout,
                timeout_summary=wake_summary(self._agenda),
            )
        except TimeoutError:
            return

    def _begin_attempt(self, due: Collect) -> None:
        charge = self._agenda.note_collecting(due.billing_on, workflow.now())
        name = f"collect_fee of {due.billing_on}"
        self._attempts[name] = asyncio.create_task(self._collect(name, charge))

    async def _collect(self, name: str, charge: Charge) -> None:
        billing_on = charge.billing_on
        request = CollectFee(
            **self._step().model_dump(),
            billing_on=billing_on,
            due_at=charge.due_at,
            attempt=charge.attempt,
            rung=charge.attempt_rung,
        )
        answer = await self._steps.until_done(
            BillingActivities.collect_fee,
            request,
            _attempt_summary(charge),
            options=COLLECT,
            name=name,
            on_stuck=lambda: self._agenda.note_stuck(billing_on),
        )
        self._agenda.note_answer(
            billing_on,
            Answer(
                answer.state,
                workflow.now(),
                answer.rung,
                answer.rung_at,
                answer.look_up_at,
                answer.decline_code,
            ),
        )
        self._publish()

    def _is_answered(self) -> bool:
        return all(task.done() or self._steps.is_stuck(n) for n, task in self._attempts.items())

    def _begin_drain_end(self) -> None:
        self._agenda.note_routing_stopped(workflow.now())
        self._begin_overtakable(
            self._steps.until_done(
                NumberActivities.retain_numbers,
                self._step(),
                "calls hear the intercept",
            )
        )

    def _begin_reminder(self, due: Remind) -> None:
        self._agenda.note_reminded(due.reminder, workflow.now())
        request = SendReminder(**self._step().model_dump(), reminder=due.reminder)
        summary = f"{due.reminder.days_before} days before the resume on {due.reminder.resume_on}"
        self._begin_overtakable(
            self._steps.until_done(
                AccountActivities.send_reminder,
                request,
                summary,
                name=f"send_reminder of {due.reminder.at:%Y-%m-%d} for {due.reminder.resume_on}",
            )
        )

    def _begin_overtakable(self, step: Awaitable[object]) -> None:
        async def run() -> None:
            await step

        self._overtakable.append(asyncio.create_task(run()))

    def _step(self) -> Step:
        return Step(act_id=self._act_id, account_id=self._account_id, at=workflow.now())


def _attempt_summary(charge: Charge) -> str:
    if charge.attempt == 1:
        return f"fee of {charge.billing_on}"
    rung = charge.attempt_rung
    which = "on a new card" if rung is None else f"ladder rung {rung}"
    return f"fee of {charge.billing_on}, attempt {charge.attempt}, {which}"
