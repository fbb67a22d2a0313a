"""Accounts: their users, the acts on them, and the audit, behind the port `Accounts`."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

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
from domain.states import AccountStatus, Role
from domain.terms import Terms
from domain.timeline import Timeline
from systems import audit
from systems.accounts import acts
from systems.accounts.act_rows import last_act_row, open_act_row, to_act
from systems.accounts.views import AccountViews
from systems.db import account_row, lock_account
from systems.effects import once
from systems.tables import ActRow, UserRow

NOTHING = type(None)


class SqlAccounts(AccountViews):
    """The port `Accounts` on the database, and what the product backend asks beside it."""

    def account(self, account_id: str) -> AccountRecord:
        """See the port."""
        with self._db.transaction() as session:
            row = account_row(session, account_id)
            return AccountRecord(account_id=row.id, status=row.status, time_zone=row.time_zone)

    def role(self, account_id: str, user_id: str) -> Role | None:
        """See the port."""
        with self._db.transaction() as session:
            user = session.get(UserRow, user_id)
            return user.role if user is not None and user.account_id == account_id else None

    def act(self, act_id: str) -> Act | None:
        """See the port."""
        with self._db.transaction() as session:
            row = session.get(ActRow, act_id)
            return None if row is None else to_act(row)

    def open_act(self, account_id: str) -> Act | None:
        """See the port."""
        with self._db.transaction() as session:
            row = open_act_row(session, account_id)
            return None if row is None else to_act(row)

    def last_act(self, account_id: str) -> Act | None:
        """See the port."""
        with self._db.transaction() as session:
            row = last_act_row(session, account_id)
            return None if row is None else to_act(row)

    def begin_pause(self, step: BeginPause, terms: Terms, retained_numbers: int) -> Act:
        """See the port. Too late, after the refusal or the end: the act that never was, refused."""
        with self._db.transaction() as session:
            return once(
                session,
                Activity.BEGIN_PAUSE,
                step,
                Act,
                lambda: acts.begin_pause(session, step, terms, retained_numbers),
            )

    def mark_paused(
        self, step: MarkPaused, timeline: Timeline, retained_numbers: int, snapshot: Snapshot
    ) -> None:
        """See the port."""
        self._once(
            Activity.MARK_PAUSED,
            step,
            lambda session: acts.mark_paused(session, step, timeline, retained_numbers, snapshot),
        )

    def mark_refused(self, step: MarkRefused) -> None:
        """See the port."""
        self._once(Activity.MARK_REFUSED, step, lambda session: acts.mark_refused(session, step))

    def change_resume_date(self, step: ChangeResumeDate, timeline: Timeline) -> None:
        """See the port. Repeating the change that stands leaves no second line in the audit.

        Keyed by its time: a late attempt of an older change does not undo a newer one.
        """
        self._once(
            Activity.CHANGE_RESUME_DATE,
            step,
            lambda session: acts.change_resume_date(session, step, timeline),
            part=step.at.isoformat(),
        )

    def remind(self, step: SendReminder, quote: PlanQuote) -> None:
        """See the port. Nothing is queued for a date that no longer stands."""
        reminder = step.reminder
        part = acts.reminder_part(reminder.resume_on, reminder.days_before)
        self._once(
            Activity.SEND_REMINDER,
            step,
            lambda session: acts.remind(session, step, quote),
            part=part,
        )

    def begin_resume(self, step: BeginEnd) -> None:
        """See the port. An act that was never begun stays so."""
        self._once(Activity.BEGIN_RESUME, step, lambda session: acts.begin_resume(session, step))

    def mark_resumed(self, step: Step, differences: int, quote: PlanQuote) -> None:
        """See the port."""
        self._once(
            Activity.MARK_RESUMED,
            step,
            lambda session: acts.mark_resumed(session, step, differences, quote),
        )

    def begin_close(self, step: BeginEnd) -> None:
        """See the port."""
        self._once(Activity.BEGIN_CLOSE, step, lambda session: acts.begin_close(session, step))

    def mark_closed(self, step: Step) -> None:
        """See the port."""
        self._once(Activity.MARK_CLOSED, step, lambda session: acts.mark_closed(session, step))

    def snapshot_of(self, act_id: str) -> Snapshot | None:
        """See the port."""
        with self._db.transaction() as session:
            row = session.get(ActRow, act_id)
            return None if row is None else row.snapshot

    def note(self, act_id: str, account_id: str, actor: str, what: str, at: datetime) -> None:
        """See the port. The same line is written once."""
        self.record_request(act_id, account_id, actor, what, None, at)

    def record_request(
        self,
        act_id: str | None,
        account_id: str,
        actor: str,
        what: str,
        reason: str | None,
        at: datetime,
    ) -> None:
        """Write to the audit what somebody asked for, and in their words why; the same line once.

        The reason goes nowhere else (R17).

        Raises:
            Rejected: `account_not_found`.
        """
        with self._db.transaction() as session:
            lock_account(session, account_id)
            audit.write_once(
                session,
                account_id=account_id,
                act_id=act_id,
                at=at,
                actor=actor,
                what=what,
                reason=reason,
            )

    def reopen(self, account_id: str, requested_by: str, at: datetime) -> None:
        """A closed account is active again (R14). Safe to repeat: an active one stays as it is.

        Raises:
            Rejected: `account_not_found`; `account_already_paused` while an act is open.
        """
        with self._db.transaction() as session:
            account = lock_account(session, account_id)
            if open_act_row(session, account_id) is not None:
                raise acts.already_paused(account_id)
            if account.status is AccountStatus.CLOSED:
                account.status = AccountStatus.ACTIVE
                account.closed_at = None
                audit.write(
                    session, account_id=account_id, at=at, what="reopened", actor=requested_by
                )

    def _once(
        self, verb: str, step: Step, effect: Callable[[Session], None], part: str = ""
    ) -> None:
        with self._db.transaction() as session:
            once(session, verb, step, NOTHING, lambda: effect(session), part=part)
