"""The typed client of pauses: what starts, asks and signals the runs on somebody's request.

Every method answers with a `Status` or raises an error of `domain/errors.py`; nothing of Temporal
reaches the caller. All of them may be repeated, at once or months later, with one effect and a true
answer (R15): what has ended is answered from the database, since histories are not kept for ever.
"""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import (
    QueryRejectCondition,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)

from domain import names
from domain.errors import Code, Rejected, Transient
from domain.ids import Prefix, make_id
from domain.messages import (
    ChangeResumeDateRequest,
    CloseInput,
    CloseRequest,
    Message,
    PauseInput,
    PauseRequest,
    ResumeRequest,
    Status,
)
from domain.policy import check_confirmed
from domain.ports import Accounts, Act
from domain.states import ActKind, PauseState
from starter.anew import start_anew, workflow_id_of
from starter.answers import ANSWER_SECONDS, RunIsGone, answer, or_refusal, translated
from starter.listing import Attention, attention
from starter.records import Records, not_paused
from starter.runs import Run, look_at
from workflows.account_close import AccountClose
from workflows.account_pause import AccountPause
from workflows.view import search_attributes

# A run that is ending takes a few steps; what was asked for meanwhile waits for it.
ROUNDS_FOR_AN_ENDING_RUN = 5

# A worker answers a query in milliseconds; without one nobody ever does.
QUERY_TIMEOUT = timedelta(seconds=8)


class PauseClient:
    """Starts, ends and changes pauses."""

    def __init__(self, temporal: Client, accounts: Accounts) -> None:
        """`temporal` must use the pydantic data converter (see `starter/connect.py`)."""
        self._temporal = temporal
        self._records = Records(accounts)

    async def pause(
        self,
        account_id: str,
        requested_by: str,
        *,
        resume_on: date | None = None,
        terms_version: str | None = None,
        pause_id: str | None = None,
    ) -> Status:
        """Pause the account; answers when the pause is in effect, in one round trip.

        Give the same `pause_id` again to repeat the request safely.

        Raises:
            Rejected: with the code of the rule that refused; nothing has changed then.
            Transient: Temporal is away. The pause may or may not have begun: ask again.
        """
        await self._records.check_administrator(account_id, requested_by)
        if pause_id is not None:
            known = await self._records.known_pause(account_id, pause_id)
            if known is not None and known.ended_at is not None:
                return or_refusal(known.status())
        request = PauseInput(
            account_id=account_id,
            requested_by=requested_by,
            pause_id=pause_id or make_id(Prefix.PAUSE, uuid4()),
            resume_on=resume_on,
            terms_version=terms_version,
        )
        for _ in range(ROUNDS_FOR_AN_ENDING_RUN):
            try:
                return or_refusal(await self._start_and_wait(request))
            except Rejected as error:
                if error.code is not Code.RUN_IS_ENDING:
                    raise
            await self._until_ended(names.pause_workflow_id(account_id))
        raise Transient(f"the last pause of account {account_id} does not come to its end")

    async def resume(
        self,
        account_id: str,
        requested_by: str,
        *,
        pause_id: str | None = None,
        requested_at: datetime | None = None,
        wait: timedelta = timedelta(seconds=30),
    ) -> Status:
        """Resume the account; answers when it is back, or after `wait` with how far it is.

        `requested_at` is when the administrator asked, and what counts for the fee (R10).

        Raises:
            Rejected: `not_an_administrator`, `account_not_paused`, `pause_not_found`.
            Transient: Temporal is away: ask again, with the same `requested_at`.
        """
        await self._records.check_administrator(account_id, requested_by)
        act = await self._records.pause_meant(account_id, pause_id)
        if act.ended_at is not None:
            return act.status()
        request = ResumeRequest(
            requested_by=requested_by,
            requested_at=requested_at or datetime.now(UTC),
            pause_id=act.act_id,
        )
        await self._signal(act, names.RESUME, request)
        return await self._ended_or_current(self._handle(act), act, wait)

    async def change_resume_date(
        self,
        account_id: str,
        requested_by: str,
        resume_on: date | None,
        *,
        pause_id: str | None = None,
        expected_resume_on: date | None = None,
    ) -> Status:
        """Move the planned resume to `resume_on`, or with None back to the latest date.

        `expected_resume_on` is the date that was shown to whoever asks.

        Raises:
            Rejected: `invalid_resume_date`, `account_not_paused`, `not_an_administrator`;
                `precondition_failed` when another date stands than the expected one.
        """
        await self._records.check_administrator(account_id, requested_by)
        act = await self._records.pause_meant(account_id, pause_id)
        if act.ended_at is not None:
            raise not_paused(account_id, act)
        request = ChangeResumeDateRequest(
            requested_by=requested_by,
            resume_on=resume_on,
            pause_id=act.act_id,
            expected_resume_on=expected_resume_on,
        )
        handle, update = self._handle(act), names.CHANGE_RESUME_DATE
        try:
            return await answer(handle.execute_update(update, request, result_type=Status))
        except RunIsGone:
            if not await self._revive(act):
                raise
        return await answer(handle.execute_update(update, request, result_type=Status))

    async def close(
        self,
        account_id: str,
        requested_by: str,
        confirm: str,
        *,
        requested_at: datetime | None = None,
        close_id: str | None = None,
    ) -> Status:
        """Close the account, paused or active; its numbers are released for good.

        Give the id of the pause or close that was closed before to repeat the request safely, also
        after the account was reopened.

        Raises:
            Rejected: `validation_failed` unless `confirm` is the word `CLOSE`;
                `not_an_administrator`.
        """
        await self._records.check_administrator(account_id, requested_by)
        check_confirmed(account_id, confirm)
        known = await self._records.act(close_id) if close_id else None
        if known is not None and known.account_id == account_id and known.ended_at is not None:
            return known.status()
        for _ in range(ROUNDS_FOR_AN_ENDING_RUN):
            act = await self._records.last_act(account_id)
            try:
                if act is not None and await self._records.has_closed(act):
                    return act.status()
                if act is not None and act.ended_at is None and act.kind is ActKind.PAUSE:
                    request = CloseRequest(
                        requested_by=requested_by,
                        confirm=confirm,
                        requested_at=requested_at,
                        pause_id=act.act_id,
                    )
                    return await answer(
                        self._handle(act).execute_update(names.CLOSE, request, result_type=Status)
                    )
                new_id = _open_close(act) or close_id or make_id(Prefix.CLOSE, uuid4())
                return or_refusal(await self._close_active(account_id, requested_by, new_id))
            except Rejected as error:
                if error.code is not Code.RUN_IS_ENDING:
                    raise
                if isinstance(error, RunIsGone) and act and await self._revive(act):
                    continue
            await self._until_ended(names.pause_workflow_id(account_id))
        raise Transient(f"the last pause of account {account_id} does not come to its end")

    async def payment_method_updated(self, account_id: str) -> None:
        """Tell a running pause that a new card is on file; nothing happens without one."""
        act = await self._records.open_act(account_id)
        if act is not None and act.kind is ActKind.PAUSE:
            # A run that is started anew has nothing unpaid in mind yet: it would not listen.
            await self._has_sent(act, names.PAYMENT_METHOD_UPDATED)

    async def retry(self, account_id: str) -> None:
        """Let the steps that wait for an operator go on.

        Raises:
            Rejected: `pause_not_found` when nothing is running for the account.
        """
        act = await self._records.open_act(account_id)
        if act is None or not await self._signal(act, names.RETRY):
            raise Rejected(Code.PAUSE_NOT_FOUND, f"Nothing is running for account {account_id}.")

    async def status(self, account_id: str) -> Status:
        """Where the account's open pause or close stands, else how the last one ended.

        Raises:
            Rejected: `account_not_found`, `pause_not_found` when there never was one.
            Transient: no worker answers for the run, or the run is lost.
        """
        await self._records.check_account(account_id)
        act = await self._records.last_act(account_id)
        if act is None:
            raise Rejected(Code.PAUSE_NOT_FOUND, f"Account {account_id} was never paused.")
        return act.status() if act.ended_at else await self._current(act)

    async def run(self, account_id: str, kind: ActKind) -> Run | None:
        """What Temporal knows of the account's latest run of that kind. See `look_at`."""
        return await look_at(self._run_of(account_id, kind))

    async def attention(self) -> dict[str, Attention]:
        """The accounts whose open pause or close is past due or waits for an operator, by id."""
        with translated():
            return await attention(self._temporal)

    # --- how -------------------------------------------------------------------------------------

    async def _start_and_wait(self, request: PauseInput) -> Status:
        account_id, pause_id = request.account_id, request.pause_id or ""
        start = WithStartWorkflowOperation(
            AccountPause.run,
            request,
            id=names.pause_workflow_id(account_id),
            task_queue=names.TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=_attributes(account_id, pause_id, PauseState.PAUSING),
            static_summary=f"pause of {account_id}",
            static_details=f"Asked for by {request.requested_by}.",
        )
        return await answer(
            self._temporal.execute_update_with_start_workflow(
                names.PAUSE,
                PauseRequest(pause_id=pause_id),
                result_type=Status,
                start_workflow_operation=start,
                id=pause_id,
            )
        )

    async def _close_active(self, account_id: str, requested_by: str, close_id: str) -> Status:
        start = WithStartWorkflowOperation(
            AccountClose.run,
            CloseInput(account_id=account_id, requested_by=requested_by, close_id=close_id),
            id=names.close_workflow_id(account_id),
            task_queue=names.TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=_attributes(account_id, close_id, PauseState.CLOSING),
            static_summary=f"close of {account_id}",
            static_details=f"Asked for by {requested_by}. It cannot be undone.",
        )
        return await answer(
            self._temporal.execute_update_with_start_workflow(
                names.CLOSE, Message(), result_type=Status, start_workflow_operation=start
            )
        )

    def _handle(self, act: Act) -> WorkflowHandle[AccountPause, Status]:
        return self._run_of(act.account_id, act.kind)

    def _run_of(self, account_id: str, kind: ActKind) -> WorkflowHandle[AccountPause, Status]:
        workflow_id = workflow_id_of(account_id, kind)
        return self._temporal.get_workflow_handle_for(AccountPause.run, workflow_id)

    async def _signal(self, act: Act, name: str, *args: ResumeRequest) -> bool:
        """Send the signal to the act's run; False if the act is over.

        A run that is lost is started anew for it.
        """
        if await self._has_sent(act, name, *args):
            return True
        return await self._revive(act) and await self._has_sent(act, name, *args)

    async def _has_sent(self, act: Act, name: str, *args: ResumeRequest) -> bool:
        """Whether there was a run to send the signal to."""
        try:
            with translated():
                await self._handle(act).signal(name, args=args)
        except RunIsGone:
            return False
        return True

    async def _revive(self, act: Act) -> bool:
        """Start the act's run anew if it is gone though the act is not over (S2).

        Somebody terminated it, or Temporal lost it. The new run takes the act up as it stands.
        """
        current = await self._records.act(act.act_id)
        if current is None or current.ended_at is not None:
            return False
        await start_anew(self._temporal, current)
        return True

    async def _ended_or_current(
        self, handle: WorkflowHandle[AccountPause, Status], act: Act, wait: timedelta
    ) -> Status:
        try:
            async with asyncio.timeout(wait.total_seconds()):
                return await self._result(handle, act)
        except TimeoutError:
            pass
        try:
            return await self._current(act)
        except Transient:
            # No worker is there to say how far it is; the request is kept all the same.
            return (await self._records.now(act)).status()

    async def _result(self, handle: WorkflowHandle[AccountPause, Status], act: Act) -> Status:
        try:
            with translated():
                return await handle.result()
        except (WorkflowFailureError, Rejected):
            # Cancelled by an operator, or gone from Temporal: the database knows how it ended.
            return (await self._records.now(act)).status()

    async def _current(self, act: Act) -> Status:
        """What the act's run says; how the act has ended, if that is just so.

        A run that was terminated would still answer, as if it went on.

        Raises:
            Transient: no worker answers, or nothing runs for the act.
        """
        try:
            with translated():
                return await self._handle(act).query(
                    AccountPause.status,
                    reject_condition=QueryRejectCondition.NOT_OPEN,
                    rpc_timeout=QUERY_TIMEOUT,
                )
        except RunIsGone:
            current = await self._records.now(act)
        if current.ended_at is None:
            raise Transient(
                f"nothing runs for {act.act_id}, which is not over: its run was ended by hand or"
                " lost. A worker starts it anew within minutes, `account-pause rebuild` at once"
            )
        return current.status()

    async def _until_ended(self, workflow_id: str) -> None:
        handle = self._temporal.get_workflow_handle(workflow_id)
        try:
            with translated():
                async with asyncio.timeout(ANSWER_SECONDS):
                    await handle.result()
        except (WorkflowFailureError, Rejected):
            return


def _attributes(account_id: str, act_id: str, state: PauseState) -> TypedSearchAttributes:
    status = Status(pause_id=act_id, account_id=account_id, state=state)
    return TypedSearchAttributes(search_attributes(status))


def _open_close(act: Act | None) -> str | None:
    is_open_close = act is not None and act.ended_at is None and act.kind is ActKind.CLOSE
    return act.act_id if act is not None and is_open_close else None
