from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from domain.errors import Code, InvariantViolated, Rejected
from domain.messages import (
    AccountRecord,
    BeginEnd,
    BeginPause,
    ChangeResumeDate,
    MarkPaused,
    MarkRefused,
    SendReminder,
    Step,
)
from domain.names import Activity
from domain.ports import Act, PlanQuote, Snapshot
from domain.states import AccountStatus, ActKind, PauseState, Role, moved
from domain.terms import Terms
from domain.timeline import Timeline
from tests.fakes.effects import FakeSystem


@dataclass(frozen=True)
class FakeAuditEntry:
    account_id: str
    act_id: str
    at: datetime
    actor: str
    what: str


class FakeAccounts(FakeSystem):
    """The port `Accounts` in memory, with what it queued and wrote to the audit."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, AccountRecord] = {}
        self.roles: dict[tuple[str, str], Role] = {}
        self.acts_by_id: dict[str, Act] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.notices: dict[str, str] = {}
        self.entries: list[FakeAuditEntry] = []

    def add(self, account_id: str, roles: Mapping[str, Role], time_zone: str = "UTC") -> None:
        """Make an active account with users: their roles by id."""
        self.account_ids.add(account_id)
        self.records[account_id] = AccountRecord(
            account_id=account_id, status=AccountStatus.ACTIVE, time_zone=time_zone
        )
        self.roles |= {(account_id, user_id): role for user_id, role in roles.items()}

    def account(self, account_id: str) -> AccountRecord:
        with self.lock:
            if account_id not in self.records:
                raise Rejected(Code.ACCOUNT_NOT_FOUND, f"There is no account {account_id}.")
            return self.records[account_id]

    def role(self, account_id: str, user_id: str) -> Role | None:
        return self.roles.get((account_id, user_id))

    def act(self, act_id: str) -> Act | None:
        with self.lock:
            return self.acts_by_id.get(act_id)

    def open_act(self, account_id: str) -> Act | None:
        with self.lock:
            acts = self.acts_by_id.values()
            is_open = (act for act in acts if act.account_id == account_id and not act.ended_at)
            return next(is_open, None)

    def last_act(self, account_id: str) -> Act | None:
        with self.lock:
            acts = [act for act in self.acts_by_id.values() if act.account_id == account_id]
            return max(acts, key=lambda act: (not act.ended_at, act.began_at), default=None)

    def begin_pause(self, step: BeginPause, terms: Terms, retained_numbers: int) -> Act:
        act = Act(
            act_id=step.act_id,
            account_id=step.account_id,
            kind=ActKind.PAUSE,
            state=PauseState.PAUSING,
            requested_by=step.requested_by,
            began_at=step.at,
            terms=terms,
            resume_on=step.resume_on,
            retained_numbers=retained_numbers,
        )

        def begin() -> Act:
            if any(self.is_recorded(step.act_id, f"mark_{end}") for end in ("refused", "resumed")):
                return replace(act, state=PauseState.REFUSED, ended_at=step.at)
            self._check_may_begin(step.account_id)
            self.acts_by_id[act.act_id] = act
            self._write(step, "pause_begun", step.requested_by)
            return act

        begun: Act = self.once("begin_pause", step, begin)
        return begun

    def mark_paused(
        self, step: MarkPaused, timeline: Timeline, retained_numbers: int, snapshot: Snapshot
    ) -> None:
        def mark() -> None:
            if self._existing(step).state is not PauseState.PAUSING:
                return
            self._change(
                step,
                PauseState.PAUSED,
                paused_at=step.at,
                timeline=timeline,
                resume_on=timeline.resume_on,
                retained_numbers=retained_numbers,
            )
            self.snapshots[step.act_id] = snapshot
            self._set_status(step, AccountStatus.PAUSED)
            self._write(step, "paused")
            self._notify(step, "paused")

        self.once("mark_paused", step, mark)

    def mark_refused(self, step: MarkRefused) -> None:
        def mark() -> None:
            act = self.acts_by_id.get(step.act_id)
            if act is not None and act.ended_at is None:
                self._change(step, PauseState.REFUSED, ended_at=step.at, refusal=step.code)
            if act is None or act.ended_at is None:
                self._write(step, "pause_refused")

        self.once("mark_refused", step, mark)

    def change_resume_date(self, step: ChangeResumeDate, timeline: Timeline) -> None:
        def change() -> None:
            act = self.acts_by_id.get(step.act_id)
            if act is None or act.state is not PauseState.PAUSED:
                raise Rejected(Code.ACCOUNT_NOT_PAUSED, f"{step.act_id} is not in effect.")
            if act.timeline != timeline:
                self._change(step, act.state, timeline=timeline, resume_on=timeline.resume_on)
                self._write(step, "resume_date_changed", step.requested_by)

        self.once(Activity.CHANGE_RESUME_DATE, step, change, part=step.at.isoformat())

    def remind(self, step: SendReminder, quote: PlanQuote) -> None:
        reminder = step.reminder
        part = f"{reminder.resume_on.isoformat()}:{reminder.days_before}"

        def remind() -> None:
            act = self._existing(step)
            if act.state is PauseState.PAUSED and act.resume_on == reminder.resume_on:
                self._write(step, "reminded")
                self._notify(step, "reminder", part)

        self.once("send_reminder", step, remind, part=part)

    def begin_resume(self, step: BeginEnd) -> None:
        def begin() -> None:
            act = self.acts_by_id.get(step.act_id)
            if act is None:
                return
            if act.state in (PauseState.CLOSING, PauseState.CLOSED, PauseState.REFUSED):
                raise Rejected(Code.ACCOUNT_NOT_PAUSED, f"{step.act_id} is not in effect.")
            self._change(step, PauseState.RESUMING)
            self._write(step, "resume_begun", _who(step))

        self.once("begin_resume", step, begin)

    def mark_resumed(self, step: Step, differences: int, quote: PlanQuote) -> None:
        def mark() -> None:
            if step.act_id in self.acts_by_id:
                self._change(step, PauseState.RESUMED, ended_at=step.at)
                self._set_status(step, AccountStatus.ACTIVE)
                self._write(step, "resumed")
                self._notify(step, "resumed")

        self.once("mark_resumed", step, mark)

    def begin_close(self, step: BeginEnd) -> None:
        def begin() -> None:
            if self.account(step.account_id).status is AccountStatus.CLOSED:
                raise Rejected(Code.ACCOUNT_CLOSED, f"Account {step.account_id} is closed.")
            act = self.acts_by_id.get(step.act_id) or self._open_close(step)
            if act.state in (PauseState.RESUMING, PauseState.RESUMED, PauseState.REFUSED):
                raise Rejected(Code.ACCOUNT_NOT_PAUSED, f"{step.act_id} is not in effect.")
            self._change(step, PauseState.CLOSING)
            self._write(step, "close_begun", _who(step))

        self.once("begin_close", step, begin)

    def mark_closed(self, step: Step) -> None:
        def mark() -> None:
            self._change(step, PauseState.CLOSED, ended_at=step.at)
            self._set_status(step, AccountStatus.CLOSED)
            self._write(step, "closed")
            self._notify(step, "closed")

        self.once("mark_closed", step, mark)

    def snapshot_of(self, act_id: str) -> Snapshot | None:
        with self.lock:
            return self.snapshots.get(act_id)

    def note(self, act_id: str, account_id: str, actor: str, what: str, at: datetime) -> None:
        with self.lock:
            entry = FakeAuditEntry(account_id, act_id, at, actor, what)
            if entry not in self.entries:
                self.entries.append(entry)

    def _check_may_begin(self, account_id: str) -> None:
        if self.open_act(account_id) is not None:
            raise Rejected(Code.ACCOUNT_ALREADY_PAUSED, f"{account_id} has an open act.")
        if self.account(account_id).status is AccountStatus.CLOSED:
            raise Rejected(Code.ACCOUNT_CLOSED, f"Account {account_id} is closed.")

    def _open_close(self, step: BeginEnd) -> Act:
        self._check_may_begin(step.account_id)
        self.acts_by_id[step.act_id] = Act(
            act_id=step.act_id,
            account_id=step.account_id,
            kind=ActKind.CLOSE,
            state=PauseState.CLOSING,
            requested_by=step.requested_by,
            began_at=step.at,
        )
        return self.acts_by_id[step.act_id]

    def _existing(self, step: Step) -> Act:
        act = self.acts_by_id.get(step.act_id)
        if act is None or act.account_id != step.account_id:
            raise InvariantViolated(f"act {step.act_id} was never begun on {step.account_id}")
        return act

    def _change(self, step: Step, state: PauseState, **changes: Any) -> None:
        act = self._existing(step)
        self.acts_by_id[step.act_id] = replace(act, state=moved(act.state, state), **changes)

    def _set_status(self, step: Step, status: AccountStatus) -> None:
        record = self.records[step.account_id]
        self.records[step.account_id] = record.model_copy(update={"status": status})

    def _write(self, step: Step, what: str, actor: str = "system") -> None:
        self.entries.append(FakeAuditEntry(step.account_id, step.act_id, step.at, actor, what))

    def _notify(self, step: Step, kind: str, part: str = "") -> None:
        key = ":".join(filter(None, (step.act_id, kind, part)))
        self.notices.setdefault(key, kind)


def _who(step: BeginEnd) -> str:
    return step.requested_by or ("system" if step.is_planned else "operator")
