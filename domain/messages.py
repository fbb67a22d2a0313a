"""What crosses a boundary: workflow inputs, signals, updates, activity inputs and results.

Messages only grow. A new field gets a default and a note on what an old run decodes to; nothing is
renamed or retyped. They end up in histories, so they hold ids, counts, dates and amounts only
(R17). Instants are aware UTC datetimes, `_on` fields are dates in the account's time zone.
"""

from datetime import date, datetime
from typing import Any

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from domain.errors import Figure
from domain.states import AccountStatus, ChargeState, PauseState
from domain.terms import Terms
from domain.timeline import Reminder, Timeline


class Message(BaseModel):
    """Immutable, and tolerant of fields that a newer sender may add."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Compact(Message):
    """Leaves out what equals its default: these stand in a history twenty times over.

    So a default never changes, as no name does: what old runs left out would read differently.
    """

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        return {
            name: value
            for name, value in handler(self).items()
            if getattr(self, name) != fields[name].default
        }


# --- What callers send to the workflows ----------------------------------------------------------


class PauseInput(Compact):
    """Input of `AccountPause`. Only the first two are required.

    `pause_id` is made by the workflow when it is missing, so a start without it is not safe to
    repeat once the first has ended. `terms_version` names the terms that the administrator
    accepted; None records that none were shown.
    """

    account_id: str
    requested_by: str
    pause_id: str | None = None
    resume_on: date | None = None
    terms_version: str | None = None


class CloseInput(Compact):
    """Input of `AccountClose`, which closes an active account."""

    account_id: str
    requested_by: str
    close_id: str | None = None


class PauseRequest(Compact):
    """Update `pause`: wait until the pause with this id is in effect or refused."""

    pause_id: str | None = None


class ResumeRequest(Compact):
    """Signal `resume`. Every field may be missing: then an operator resumes, at once."""

    requested_by: str | None = None
    requested_at: AwareDatetime | None = None
    pause_id: str | None = None


class ChangeResumeDateRequest(Compact):
    """Update `change_resume_date`. `resume_on` null drops the chosen date: six months again.

    `expected_resume_on` is the date that whoever asks has seen; another one that stands meanwhile
    is not changed. None: whatever stands.
    """

    requested_by: str
    resume_on: date | None = None
    pause_id: str | None = None
    expected_resume_on: date | None = None


class CloseRequest(Compact):
    """Update `close`: the numbers are released for good. `confirm` is the typed word `CLOSE`."""

    requested_by: str
    confirm: str
    requested_at: AwareDatetime | None = None
    pause_id: str | None = None


class ReconcileInput(Compact):
    """Input of `PaymentReconciliation`: ``[since, until)`` by the gateway's clock.

    Left out, a run goes on where those before have come to; the schedule leaves them out.
    """

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


# --- What the workflows answer -------------------------------------------------------------------


class Refusal(Message):
    """Why a pause was refused: a stable code, a sentence, and the figures needed to act."""

    code: str
    message: str
    figures: dict[str, Figure] = Field(default_factory=dict)


class NextEvent(Message):
    """What comes next.

    `resume`, `close`, `fee`, `collect_again`, `look_up`, `stop_routing` or `remind`.
    """

    kind: str
    at: datetime


class ChargeStatus(Compact):
    """One billing date of the pause and where its fee stands.

    `decline_code` says why the last attempt was declined; old runs do not tell.
    """

    billing_on: date
    due_at: datetime
    amount_minor: int
    currency: str
    state: ChargeState
    decline_code: str | None = None


class Status(Message):
    """Query `status`, and the result of a run: where the pause stands."""

    pause_id: str
    account_id: str
    state: PauseState
    paused_at: datetime | None = None
    resume_on: date | None = None
    resume_at: datetime | None = None
    ended_at: datetime | None = None
    retained_numbers: int = 0
    next_event: NextEvent | None = None
    charges: list[ChargeStatus] = Field(default_factory=list)
    past_due: bool = False
    needs_operator: str | None = None
    refusal: Refusal | None = None
    terms: Terms | None = None


# --- What activities take and give ---------------------------------------------------------------


class Step(Compact):
    """One step of an act on an account, at the business time `at`.

    `act_id` is the pause's or close's id; with the step's name it makes the idempotency key.
    Between workflow and activity `account_id` is left out where the run's id names it; systems
    always get it.
    """

    act_id: str
    account_id: str = ""
    at: datetime


class BeginPause(Step):
    """See `Accounts.begin_pause`."""

    requested_by: str
    resume_on: date | None = None
    terms_version: str | None = None


class PauseBegun(Compact):
    """The pinned terms and how many numbers will be kept.

    A run that was started over finds the pause as it stands: `timeline` once it is in effect,
    `ends_as` and `ends_at` once its end has begun, `ended` when it is over.
    """

    terms: Terms
    retained_numbers: int
    timeline: Timeline | None = None
    ends_as: PauseState | None = None
    ends_at: datetime | None = None
    ended: Status | None = None


class SuspendPlan(Step):
    """See `Billing.suspend_plan`; `at` is the pause's `paused_at`."""

    terms: Terms


class PlanSuspended(Message):
    """The first billing date that the plan has not taken: the fee's, if due inside the pause.

    `paused_at` is the instant as of which the plan was suspended, once and for all.
    """

    first_billing_on: date
    paused_at: datetime


class MarkPaused(Step):
    """See `Accounts.mark_paused`; `at` is the pause's `paused_at`."""

    first_billing_on: date
    resume_on: date | None = None


class Paused(Message):
    """The course of the pause as it took effect, and how many numbers are kept."""

    timeline: Timeline
    retained_numbers: int


class ChangeResumeDate(Step):
    """See `Accounts.change_resume_date`."""

    requested_by: str
    resume_on: date | None = None


class SendReminder(Step):
    """See `Accounts.send_reminder`."""

    reminder: Reminder


class BeginEnd(Step):
    """See `Accounts.begin_resume` and `begin_close`. `requested_by` None: nobody in particular did.

    `is_planned` tells a planned resume, or a ladder's close, from an operator's act.
    """

    requested_by: str | None = None
    is_planned: bool = False


class MarkRefused(Step):
    """See `Accounts.mark_refused`."""

    code: str


class Resumed(Message):
    """How many things differ from the snapshot taken at the pause; 0 is what should be."""

    differences: int = 0


class CollectFee(Step):
    """See `Billing.collect_fee`; `at` is when the attempt is made.

    `attempt` numbers the attempts of this date from 1. `rung` is the ladder's rung that it takes,
    None for an attempt on a new card, which moves no ladder.
    """

    billing_on: date
    due_at: datetime
    attempt: int = 1
    rung: int | None = 0


class FeeAnswer(Compact):
    """What collecting came to; see `domain.agenda.Answer`. Old runs have no `decline_code`."""

    state: ChargeState
    rung: int | None = None
    rung_at: datetime | None = None
    look_up_at: datetime | None = None
    decline_code: str | None = None


class Settled(Message):
    """The unpaid dates that the end of the pause settled: moved or written off."""

    billing_on: list[date] = Field(default_factory=list)


class ReconcilePayments(ReconcileInput):
    """See `Reconciler.reconcile`; the run began at `at`."""

    at: datetime


class Reconciled(Message):
    """What one run of the reconciliation has compared, found and done, in counts.

    `found` are all differences that it met, `waiting` those that an operator has to look at, of
    which `new` were not there before. `vanished` ones had been waiting and are no more. `foreign`
    are payments and refunds of another product at the gateway.
    """

    since: datetime
    until: datetime
    payments: int = 0
    refunds: int = 0
    foreign: int = 0
    found: int = 0
    settled: int = 0
    refunded: int = 0
    vanished: int = 0
    new: int = 0
    waiting: int = 0


class Count(Message):
    """How many things a step reached."""

    count: int


class AccountRecord(Message):
    """What other systems may know of an account: no names."""

    account_id: str
    status: AccountStatus
    time_zone: str
