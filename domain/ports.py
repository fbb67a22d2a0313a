"""The systems that a pause reaches, as contracts. A docstring here is what every adapter promises.

For every method:

- It runs in one transaction of its system and takes business time from its argument, never from a
  clock.
- A method that takes a `Step` is an effect, recorded under the key ``{act_id}:{verb}`` together
  with what it did. Called again under the same key it changes nothing and returns what it returned
  before.
- `Rejected` means a rule said no and nothing changed; `Transient` means that nobody can tell
  whether it was done, and that calling again is safe; `InvariantViolated` means that a person has
  to look.
- A step and its inverse (suspend and restore, disable and enable, retain and reactivate) are safe
  in either order: the inverse of something that was never done does nothing, and a step that
  arrives after its inverse was recorded for the same act (a late retry) does nothing either.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from domain.messages import (
    AccountRecord,
    BeginEnd,
    BeginPause,
    ChangeResumeDate,
    CollectFee,
    Count,
    FeeAnswer,
    MarkPaused,
    MarkRefused,
    PlanSuspended,
    Reconciled,
    Refusal,
    SendReminder,
    Settled,
    Status,
    Step,
    SuspendPlan,
)
from domain.states import ActKind, PauseState, Role
from domain.terms import Terms
from domain.timeline import Timeline

# One system's part of what must come back exactly as it was; JSON, kept in the database only.
Snapshot = Mapping[str, Any]


@dataclass(frozen=True)
class Act:
    """A pause or a close as the accounts system records it. At most one per account is open."""

    act_id: str
    account_id: str
    kind: ActKind
    state: PauseState
    requested_by: str | None
    began_at: datetime
    terms: Terms | None = None
    resume_on: date | None = None
    timeline: Timeline | None = None
    paused_at: datetime | None = None
    # As of when the resume or close takes effect that has begun.
    ends_at: datetime | None = None
    ended_at: datetime | None = None
    retained_numbers: int = 0
    refusal: str | None = None

    def status(self) -> Status:
        """What the record says; the charges are the run's, or billing's, to tell."""
        timeline = self.timeline
        return Status(
            pause_id=self.act_id,
            account_id=self.account_id,
            state=self.state,
            paused_at=self.paused_at,
            resume_on=timeline.resume_on if timeline else None,
            resume_at=timeline.resume_at if timeline else None,
            ended_at=self.ended_at,
            retained_numbers=self.retained_numbers,
            refusal=self._refusal(),
            terms=self.terms,
        )

    def _refusal(self) -> Refusal | None:
        if self.refusal is None:
            return None
        message = f"Account {self.account_id} could not be paused; it is active as before."
        return Refusal(code=self.refusal, message=message)


@dataclass(frozen=True)
class PlanQuote:
    """What the plan costs next, with add-ons and pending lines, and which card pays.

    `pending`: those lines by their words and cents; they are in `amount_minor`.
    """

    amount_minor: int
    currency: str
    next_billing_on: date
    billing_day: int
    card_last4: str | None
    pending: tuple[tuple[str, int], ...] = ()


class Accounts(Protocol):
    """Accounts, their users, the acts on them and the audit."""

    def account(self, account_id: str) -> AccountRecord:
        """The account's status and time zone.

        Raises:
            Rejected: `account_not_found`.
        """
        ...

    def role(self, account_id: str, user_id: str) -> Role | None:
        """The user's role on this account, None for anybody else's user or an unknown one."""
        ...

    def act(self, act_id: str) -> Act | None:
        """The pause or close with this id, open or ended; None if there never was one."""
        ...

    def open_act(self, account_id: str) -> Act | None:
        """The one pause or close that is open on the account, if any."""
        ...

    def last_act(self, account_id: str) -> Act | None:
        """The open act, else the one that was begun last; None if there never was one."""
        ...

    def begin_pause(self, step: BeginPause, terms: Terms, retained_numbers: int) -> Act:
        """Open the pause, state `pausing`, with its pinned terms. Audited.

        The database allows one open act per account, whoever asks at the same moment.

        Raises:
            Rejected: `account_already_paused` while another act is open, `account_closed`.
        """
        ...

    def mark_paused(
        self, step: MarkPaused, timeline: Timeline, retained_numbers: int, snapshot: Snapshot
    ) -> None:
        """The effects stand: account and act become `paused`, the notice `paused` is queued.

        `step.at` becomes `paused_at`. The timeline and the snapshot are kept with the act.

        Raises:
            Rejected: `pausing_failed` when the undoing of this pause has begun.
        """
        ...

    def mark_refused(self, step: MarkRefused) -> None:
        """Nothing stands: the act ends `refused` with the code, the account is active as before.

        An act that was never begun, or has ended, stays as it is. No notice is sent.
        """
        ...

    def change_resume_date(self, step: ChangeResumeDate, timeline: Timeline) -> None:
        """Keep another timeline with the pause; audited under who asked.

        Keyed by its time as well: each change is made once, and the last one counts.

        Raises:
            Rejected: `account_not_paused`, unless the act's state is `paused`.
        """
        ...

    def remind(self, step: SendReminder, quote: PlanQuote) -> None:
        """Queue the notice `reminder`, once per resume date and rung (R12)."""
        ...

    def begin_resume(self, step: BeginEnd) -> None:
        """The act becomes `resuming` as of `step.at`; the audit names who asked.

        The role is the caller's to check. `step.requested_by` None is an operator, unless
        `step.is_planned`.

        Raises:
            Rejected: `account_not_paused` when the act is closing or closed.
        """
        ...

    def mark_resumed(self, step: Step, differences: int, quote: PlanQuote) -> None:
        """The act ends `resumed` as of `step.at`, the account is active, the notice is queued.

        `differences` counts what does not equal the snapshot and goes into the audit.
        """
        ...

    def begin_close(self, step: BeginEnd) -> None:
        """The act becomes `closing`; for an active account a new act of kind `close` is opened.

        `step.requested_by` None with `step.is_planned` is a ladder's close.

        Raises:
            Rejected: `account_closed` when it already is; `account_already_paused` when another act
                is open; `account_not_paused` when this act has resumed.
        """
        ...

    def mark_closed(self, step: Step) -> None:
        """The act ends `closed`, the account is closed, the notice `closed` is queued."""
        ...

    def snapshot_of(self, act_id: str) -> Snapshot | None:
        """What `mark_paused` kept."""
        ...

    def note(self, act_id: str, account_id: str, actor: str, what: str, at: datetime) -> None:
        """Write to the audit that something was asked for and ignored; `what` is a stable word."""
        ...


class Numbers(Protocol):
    """Trackers, their tracking numbers, call flows, and where a call goes."""

    def count_active(self, account_id: str) -> int:
        """How many tracking phone numbers are active, each number of a pool counted (R2)."""
        ...

    def retain_numbers(self, step: Step) -> Count:
        """Active numbers become `retained`: kept, and callers hear the intercept (R4).

        Inverse: `reactivate_numbers`. Returns how many are retained now.
        """
        ...

    def reactivate_numbers(self, step: Step) -> Count:
        """Retained numbers become active: the same ids, destinations and call flows as before."""
        ...

    def release_numbers(self, step: Step) -> Count:
        """All numbers of the account are released for good and their trackers disabled (R14)."""
        ...

    def snapshot(self, account_id: str) -> Snapshot:
        """Trackers, numbers, destinations, call flows and swap targets, by id."""
        ...


class Dni(Protocol):
    """Dynamic number insertion: each company's script and its swap settings."""

    def disable_script(self, step: Step) -> Count:
        """The scripts of all companies leave every number alone (R5). Returns how many companies.

        Inverse: `enable_script`.
        """
        ...

    def enable_script(self, step: Step) -> Count:
        """The scripts that `disable_script` of this act switched off swap again, no others."""
        ...

    def snapshot(self, account_id: str) -> Snapshot:
        """Each company's script key, whether it swaps, and its swap settings, by id."""
        ...


class Access(Protocol):
    """What the users of an account may do at the moment (R6)."""

    def suspend_access(self, step: Step) -> None:
        """Only what R6 lists stays allowed, for sessions opened before too.

        Inverse: `restore_access`.
        """
        ...

    def restore_access(self, step: Step) -> None:
        """Everything is allowed again that the user's role allows."""
        ...

    def close_access(self, step: Step) -> None:
        """Only logging in, the status and entering a card stay allowed (R14)."""
        ...


class Billing(Protocol):
    """The plan and its invoices, the fee of a pause, and the card on file.

    Plan and fee take each regular billing date by advancing the account's next billing date under
    its row lock, so that each date is invoiced once (R7).
    """

    def has_card(self, account_id: str) -> bool:
        """Whether a card is on file."""
        ...

    def quote(self, account_id: str) -> PlanQuote:
        """What the plan's next invoice comes to, and who pays it."""
        ...

    def suspend_plan(self, step: SuspendPlan) -> PlanSuspended:
        """The plan first takes every date due before `step.at`, then stops taking any.

        From the moment an act is open the plan takes no date by itself, so a date due between the
        request and this step is not lost to either side. Inverse: `restore_plan`.
        """
        ...

    def restore_plan(self, step: Step) -> Settled:
        """The plan takes dates again, the first one due at or after the resume's instant `step.at`.

        Dates due before it that no attempt has taken yet become the fee's, to be collected still.
        Unpaid fees move once, each as a named line, to the plan's next invoice; so do, when their
        answers come, those whose attempt is running. If the period that is running was taken by the
        fee, the plan's share of its remaining days is a line too (R9). Returns the dates moved.
        For a pause that never took effect the dates are simply the plan's again.
        """
        ...

    def collect_fee(self, step: CollectFee) -> FeeAnswer:
        """Take the billing date if it is owed, and charge the card on file now on it.

        Owed means due in ``[paused_at, end)``, `end` being the resume's or close's instant; else
        the answer is `not_owed`. Safe to call again with the same `attempt`: an attempt whose
        outcome is unknown is looked up at the gateway, never made a second time. A new attempt is
        made only after a definite decline of the one before. No card on file is a decline. The
        answer to a decline names the rung of the attempt that was declined, None on a new card.

        A receipt is queued with `paid`; with the decline of rung 1 and later, that rung's mail.
        After the last rung and with `LadderEnd.KEEP` the date is written off. After the end of the
        pause a decline moves to the plan's next invoice (resumed) or is written off (closed).

        Raises:
            Throttled: the gateway has done nothing and takes no more for now; ask again in a while.
            InvariantViolated: the gateway's object has another amount, currency or owner.
        """
        ...

    def close_billing(self, step: Step) -> Settled:
        """The plan ends as of `step.at`; dates due before it are taken, none after (R14).

        Fees that are unpaid are written off, those running or unknown when they turn out declined.
        Returns the dates written off.
        """
        ...

    def snapshot(self, account_id: str) -> Snapshot:
        """Plan and add-ons, billing's own dates aside."""
        ...


@dataclass(frozen=True)
class Mail:
    """One mail to one person. `message_id` is the same each time the same mail is tried.

    `html` says what `text` says; None: there is only the text.
    """

    message_id: str
    to: str
    subject: str
    text: str
    html: str | None = None


class Mailer(Protocol):
    """Delivers a mail or raises `Transient`; may deliver twice, with the same message id."""

    def deliver(self, mail: Mail) -> None:
        """Hand the mail over."""
        ...


class Reconciler(Protocol):
    """Compares our record of the money with the gateway's (M4)."""

    def reconcile(
        self,
        now: datetime,
        since: datetime | None = None,
        until: datetime | None = None,
        progress: Callable[[int], object] = ...,
    ) -> Reconciled:
        """Compare what the gateway created in ``[since, until)``, mend what mends itself.

        Left out, they go on where the runs so far have come to. What does not mend itself waits
        for an operator. Safe to repeat and to run side by side: nothing is mended twice, and a
        difference that is found again is the same one. `progress` is told now and then how many
        objects have been looked at.

        Raises:
            Rejected: `validation_failed`: there is nothing between `since` and `until`.
            Transient: the gateway or the database did not answer; begin again.
        """
        ...
