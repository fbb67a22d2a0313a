"""One pause of one account, from the request to the end: `AccountPause`."""

import asyncio
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.accounts import AccountActivities
    from domain import names
    from domain.agenda import Agenda, Command, End, Wish
    from domain.errors import Code
    from domain.messages import (
        BeginPause,
        ChangeResumeDate,
        ChangeResumeDateRequest,
        CloseRequest,
        PauseBegun,
        Paused,
        PauseInput,
        PauseRequest,
        Refusal,
        Status,
        Step,
    )
    from domain.states import ChargeState, PauseState, moved
    from domain.timeline import Timeline
    from workflows.closing import close_account, no_attempts
    from workflows.ending import begin_end
    from workflows.keeping import Keeping
    from workflows.options import LAST_ATTEMPTS
    from workflows.pausing import (
        NotPaused,
        put_effects_in_place,
        undo_as_refused,
        undo_as_resumed,
    )
    from workflows.requests import (
        asked_at,
        check_change,
        check_close,
        parse_pause_input,
        parse_resume,
        refusal,
        rejection,
        update_failure,
    )
    from workflows.resuming import restore_account
    from workflows.steps import Steps, code_of, message_of, run_step, to_its_end
    from workflows.view import Publisher, course, next_event

# Stands in for an input that could not be read, in a run that fails at once.
NO_INPUT = PauseInput(account_id="", requested_by="")


@workflow.defn(name=names.ACCOUNT_PAUSE)
class AccountPause:
    """Keeps an account paused: begin, pause, keep, then resume or close.

    Commands may come at any time; they are kept and acted on when the state allows. What is due
    next is the agenda's to say (`domain/agenda.py`); here it is only done.
    """

    @workflow.init
    def __init__(self, request: Any = None) -> None:
        """`request` is a `PauseInput` as JSON; anything else fails the run with a clear message."""
        parsed = parse_pause_input(request, workflow.uuid4())
        self._unusable = parsed if isinstance(parsed, ApplicationError) else None
        self._request = parsed if isinstance(parsed, PauseInput) else NO_INPUT
        self._pause_id = self._request.pause_id or ""
        self._state = PauseState.PAUSING
        self._begun: PauseBegun | None = None
        self._agenda: Agenda | None = None
        self._ended_at: datetime | None = None
        self._refusal: Refusal | None = None
        self._ended_before: Status | None = None
        self._commands: list[Command] = []
        self._dropped: dict[Command, ActivityError] = {}
        self._notes: list[str] = []
        self._is_cancelled = False
        self._is_aborted = False
        self._one_at_a_time = asyncio.Lock()
        self._steps = Steps(self._publish)
        self._publisher = Publisher(workflow.info().typed_search_attributes)

    @workflow.run
    async def run(self, _: Any = None) -> Status:
        """The story, told to its end also when the run is cancelled: an operator's abort."""
        self._check_usable()
        self._publish()
        await to_its_end(self._story(), on_cancel=self._abort)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._is_cancelled and self._state is PauseState.RESUMED:
            raise asyncio.CancelledError
        # The terms stand in the history as it is, and in the database for good.
        return self.status().model_copy(update={"terms": None})

    async def _story(self) -> None:
        if not await self._begin():
            return
        keeping = await self._pause()
        if keeping is None:
            return
        end = await keeping.until_end(self._may_end)
        if end.wish is Wish.CLOSE:
            await self._close(keeping, end)
        else:
            await self._resume(keeping, end)
        await keeping.answered()

    async def _begin(self) -> bool:
        request = BeginPause(
            **self._step(workflow.now()).model_dump(),
            requested_by=self._request.requested_by,
            resume_on=self._request.resume_on,
            terms_version=self._request.terms_version,
        )
        try:
            begun = await run_step(AccountActivities.begin_pause, request, "check the rules")
        except ActivityError as error:
            self._refuse(code_of(error) or Code.PAUSING_FAILED, error)
            return False
        self._begun = begun
        if begun.ended is not None:
            self._ended_before = begun.ended
            self._state = begun.ended.state
            self._publish()
        return begun.ended is None

    async def _pause(self) -> Keeping | None:
        begun = self._begun
        assert begun is not None
        if begun.timeline is not None:
            return self._taken_up(begun, begun.timeline)
        # An operator's cancel had begun to undo it when the run was lost.
        self._is_aborted |= begun.ends_at is not None
        step = self._step(workflow.now())
        try:
            paused = await put_effects_in_place(self._request, step, lambda: self._is_aborted)
        except NotPaused as error:
            await self._undo(step, error)
            return None
        return self._in_effect(begun, paused, workflow.now())

    def _taken_up(self, begun: PauseBegun, timeline: Timeline) -> Keeping:
        """The run was started over: the pause is in effect, and its end may have begun."""
        if begun.ends_at is not None:
            wish = Wish.CLOSE if begun.ends_as is PauseState.CLOSING else Wish.RESUME
            self._commands.append(Command(wish, begun.ends_at))
        paused = Paused(timeline=timeline, retained_numbers=begun.retained_numbers)
        return self._in_effect(begun, paused, timeline.paused_at)

    def _in_effect(self, begun: PauseBegun, paused: Paused, done_until: datetime) -> Keeping:
        self._agenda = Agenda(paused.timeline, commands=self._commands, done_until=done_until)
        self._begun = begun.model_copy(update={"retained_numbers": paused.retained_numbers})
        self._move(PauseState.PAUSED)
        return Keeping(
            self._pause_id, self._request.account_id, self._agenda, self._steps, self._publish
        )

    async def _undo(self, step: Step, error: NotPaused) -> None:
        if self._is_aborted:
            self._move(PauseState.RESUMING)
            await undo_as_resumed(self._steps, step)
            self._end(PauseState.RESUMED, step.at)
        else:
            await undo_as_refused(self._steps, step)
            self._refuse(Code.PAUSING_FAILED, error.cause)

    async def _may_end(self, end: End) -> bool:
        async with self._one_at_a_time:
            if end not in self._agenda_in_effect.due(workflow.now()):
                return False
            error = await begin_end(self._step(end.at), end)
        if error is None:
            return True
        if end.command is not None and code_of(error) is not None:
            self._drop(end.command, error)
        else:
            known, step = len(self._commands), f"begin_{end.wish}"
            await self._steps.until_retried(step, error, lambda: len(self._commands) > known)
        return False

    async def _resume(self, keeping: Keeping, end: End) -> None:
        agenda = self._agenda_in_effect
        agenda.note_ended(end.at)
        self._move(PauseState.RESUMING)
        await keeping.stop()
        step = self._step(end.at)
        settled = await restore_account(self._steps, step)
        agenda.note_settled(settled.billing_on, ChargeState.MOVED)
        resumed = await self._steps.until_done(
            AccountActivities.mark_resumed, step, "the account is back"
        )
        if resumed.differences:
            self._note(f"{resumed.differences} settings differ from the snapshot; see the audit")
        self._end(PauseState.RESUMED, end.at)

    async def _close(self, keeping: Keeping, end: End) -> None:
        agenda = self._agenda_in_effect
        agenda.note_ended(end.at)
        self._move(PauseState.CLOSING)
        await keeping.stop()
        # A ladder has had its last attempts; one more of another date could end in doubt (N2).
        is_asked_for = end.command is not None
        last_attempts = keeping.last_attempts(LAST_ATTEMPTS) if is_asked_for else no_attempts()
        settled = await close_account(self._steps, self._step(end.at), last_attempts)
        agenda.note_settled(settled.billing_on, ChargeState.WRITTEN_OFF)
        self._end(PauseState.CLOSED, end.at)

    @workflow.query(name=names.STATUS, description="Where the pause stands, as JSON.")
    def status(self) -> Status:
        """Where the pause stands."""
        if self._ended_before is not None:
            return self._ended_before
        begun, agenda = self._begun, self._agenda
        is_ahead = self._state is PauseState.PAUSED
        return Status(
            pause_id=self._pause_id,
            account_id=self._request.account_id,
            state=self._state,
            ended_at=self._ended_at,
            retained_numbers=begun.retained_numbers if begun else 0,
            next_event=next_event(agenda) if agenda and is_ahead else None,
            needs_operator=self._steps.needs_operator,
            refusal=self._refusal,
            terms=begun.terms if begun else None,
            **(course(agenda, begun.terms) if agenda and begun else {}),
        )

    @workflow.signal(
        name=names.RESUME,
        description="Resume the account now. No data: as an operator; or in an administrator's"
        ' name: {"requested_by": "USR..."}',
    )
    def resume(self, request: Any = None, *_: Any) -> None:
        """Ask for the resume; whoever is named must be an administrator, nobody is an operator."""
        parsed = parse_resume(request)
        if parsed is None:
            self._note("a resume was ignored: its payload could not be read")
        elif parsed.pause_id in (None, self._pause_id) and not self._is_ending:
            at = asked_at(parsed.requested_at, workflow.now())
            self._commands.append(Command(Wish.RESUME, at, parsed.requested_by))

    @workflow.signal(
        name=names.PAYMENT_METHOD_UPDATED,
        description="A new card is on file: try unpaid fees on it. No data.",
    )
    def payment_method_updated(self, *_: Any) -> None:
        """Try the new card."""
        if self._agenda is not None and not self._is_ending:
            self._agenda.note_new_card()

    @workflow.signal(name=names.PAYMENT_NEWS, description="Look unclear charges up now. No data.")
    def payment_news(self, *_: Any) -> None:
        """The gateway has told that something became of a payment."""
        if self._agenda is not None:
            self._agenda.note_news(workflow.now())

    @workflow.signal(
        name=names.RETRY,
        description="The cause is mended: stuck steps go on. No data.",
    )
    def retry(self, *_: Any) -> None:
        """The cause is mended."""
        self._steps.retry()

    @workflow.update(
        name=names.PAUSE,
        description="For programs: wait until the pause is in effect or refused. {}",
    )
    async def pause(self, request: PauseRequest) -> dict[str, Any]:
        """Answer once the pause is in effect or refused: a `Status`, less what it need not say."""
        await workflow.wait_condition(lambda: self._state is not PauseState.PAUSING)
        return self.status().model_dump(exclude={"charges", "terms"}, exclude_defaults=True)

    @pause.validator
    def _validate_pause(self, request: PauseRequest) -> None:
        self._check_usable()
        if request.pause_id in (None, self._pause_id):
            return
        if self._is_ending:
            raise rejection(Code.RUN_IS_ENDING, "The last pause is just ending; ask again.")
        raise rejection(
            Code.ACCOUNT_ALREADY_PAUSED,
            f"Account {self._request.account_id} is already paused, by {self._pause_id}.",
        )

    @workflow.update(
        name=names.CHANGE_RESUME_DATE,
        description="Move the planned resume; null for the date goes back to the latest one."
        ' {"requested_by": "USR...", "resume_on": "YYYY-MM-DD"}',
    )
    async def change_resume_date(self, request: ChangeResumeDateRequest) -> Status:
        """Plan towards another resume date; null goes back to the latest one."""
        await workflow.wait_condition(lambda: self._state is not PauseState.PAUSING)
        async with self._one_at_a_time:
            now = workflow.now()
            self._check_can_change(request)
            if any(isinstance(due, End) for due in self._agenda_in_effect.due(now)):
                raise rejection(Code.ACCOUNT_NOT_PAUSED, "The pause is just ending.")
            change = ChangeResumeDate(
                **self._step(now).model_dump(),
                requested_by=request.requested_by,
                resume_on=request.resume_on,
            )
            try:
                planned = await run_step(
                    AccountActivities.change_resume_date, change, "plan another resume date"
                )
            except ActivityError as error:
                raise update_failure(error) from error
            self._agenda_in_effect.change_timeline(planned.timeline, now)
            self._publish()
        return self.status()

    @change_resume_date.validator
    def _check_can_change(self, request: ChangeResumeDateRequest) -> None:
        self._check_usable()
        check_change(request, self.status(), is_ending=self._is_ending)

    @workflow.update(
        name=names.CLOSE,
        description="Close the account and release its numbers for good. There is no way back."
        ' {"requested_by": "USR...", "confirm": "CLOSE"}',
    )
    async def close(self, request: CloseRequest) -> Status:
        """Close the account; answers when it is closed."""
        command = Command(
            Wish.CLOSE, asked_at(request.requested_at, workflow.now()), request.requested_by
        )
        # The same request may have been dropped before, of somebody who is an administrator now.
        self._dropped.pop(command, None)
        self._commands.append(command)
        await workflow.wait_condition(lambda: command in self._dropped or self._state.is_final)
        if command in self._dropped:
            raise update_failure(self._dropped[command])
        if self._state is not PauseState.CLOSED:
            raise rejection(Code.RUN_IS_ENDING, "The pause ended first; close the account itself.")
        return self.status()

    @close.validator
    def _validate_close(self, request: CloseRequest) -> None:
        self._check_usable()
        check_close(request, self._request.account_id, self._pause_id)
        if self._is_ending and self._state is not PauseState.CLOSING:
            raise rejection(
                Code.RUN_IS_ENDING, "The pause is just ending; close the account itself."
            )

    @property
    def _agenda_in_effect(self) -> Agenda:
        assert self._agenda is not None, "the pause has no agenda before it is in effect"
        return self._agenda

    @property
    def _is_ending(self) -> bool:
        return self._state not in (PauseState.PAUSING, PauseState.PAUSED)

    def _check_usable(self) -> None:
        if self._unusable is not None:
            raise self._unusable

    def _step(self, at: datetime) -> Step:
        return Step(act_id=self._pause_id, account_id=self._request.account_id, at=at)

    def _abort(self) -> None:
        self._is_cancelled = self._is_aborted = True
        if self._is_ending:
            self._note("a cancel came too late: what has begun is finished")
        else:
            self._commands.append(Command(Wish.ABORT, workflow.now()))

    def _drop(self, command: Command, error: ActivityError) -> None:
        self._commands.remove(command)
        self._dropped[command] = error
        self._note(f"a {command.wish} was ignored: {message_of(error)}")

    def _refuse(self, code: Code, error: ActivityError | None) -> None:
        self._refusal = refusal(code, error)
        self._end(PauseState.REFUSED, workflow.now())

    def _end(self, state: PauseState, at: datetime) -> None:
        self._ended_at = at
        self._move(state)

    def _move(self, state: PauseState) -> None:
        self._state = moved(self._state, state)
        self._publish()

    def _note(self, note: str) -> None:
        self._notes.append(note)
        self._publish()

    def _publish(self) -> None:
        self._publisher.publish(self.status(), self._notes[-5:])
