"""What each step does to an act and its account, inside the transaction that records the step.

Every function takes the session first; the caller holds the account's lock. What it promises is in
the port `Accounts`.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from domain.errors import Code, InvariantViolated, Rejected
from domain.messages import (
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
from domain.states import AccountStatus, ActKind, PauseState, moved
from domain.terms import Terms
from domain.timeline import Timeline
from systems import audit
from systems.accounts.act_rows import (
    TERMS,
    TIMELINE,
    act_row,
    dumped,
    existing_act_row,
    open_act_row,
    to_act,
)
from systems.effects import is_recorded, recorded_keys
from systems.notices import NoticeKind, enqueue
from systems.tables import AccountRow, ActRow, EffectRow

HAS_RESUMED = (PauseState.RESUMING, PauseState.RESUMED, PauseState.REFUSED)
UNDOING = (Activity.RESTORE_ACCESS, Activity.ENABLE_SCRIPT, Activity.RESTORE_PLAN)
# What must not stand any more without the other when an account is said to be back, or closed.
UNDONE_BY = {
    Activity.SUSPEND_PLAN: Activity.RESTORE_PLAN,
    Activity.DISABLE_SCRIPT: Activity.ENABLE_SCRIPT,
    Activity.SUSPEND_ACCESS: Activity.RESTORE_ACCESS,
    Activity.RETAIN_NUMBERS: Activity.REACTIVATE_NUMBERS,
}
COMPLETED_BY = {Activity.CLOSE_BILLING: Activity.RELEASE_NUMBERS}
HAS_CLOSED = (PauseState.CLOSING, PauseState.CLOSED, PauseState.REFUSED)


def begin_pause(session: Session, step: BeginPause, terms: Terms, retained_numbers: int) -> Act:
    """Open the pause. After its own refusal or end, this only says that it is over."""
    row = ActRow(
        id=step.act_id,
        account_id=step.account_id,
        kind=ActKind.PAUSE,
        state=PauseState.PAUSING,
        requested_by=step.requested_by,
        began_at=step.at,
        terms=dumped(TERMS, terms),
        resume_on=step.resume_on,
        retained_numbers=retained_numbers,
    )
    if _is_over(session, step.act_id):
        row.state, row.ended_at = moved(row.state, PauseState.REFUSED), step.at
        return to_act(row)
    if open_act_row(session, step.account_id) is not None:
        raise already_paused(step.account_id)
    if session.get_one(AccountRow, step.account_id).status is AccountStatus.CLOSED:
        raise _closed(step.account_id)
    session.add(row)
    detail = {"terms_version": step.terms_version, "retained_numbers": retained_numbers}
    _audit(session, step, "pause_begun", step.requested_by, **detail)
    return to_act(row)


def mark_paused(
    session: Session,
    step: MarkPaused,
    timeline: Timeline,
    retained_numbers: int,
    snapshot: Snapshot,
) -> None:
    """The pause is in effect, unless it has been undone meanwhile."""
    row = existing_act_row(session, step.act_id, step.account_id)
    if row.state is not PauseState.PAUSING:
        return
    if any(is_recorded(session, step.act_id, verb) for verb in UNDOING):
        raise Rejected(Code.PAUSING_FAILED, f"Pause {step.act_id} is being undone.")
    row.state = moved(row.state, PauseState.PAUSED)
    row.paused_at = step.at
    row.retained_numbers = retained_numbers
    row.snapshot = dict(snapshot)
    _keep_timeline(row, timeline)
    session.get_one(AccountRow, step.account_id).status = AccountStatus.PAUSED
    _audit(session, step, "paused", resume_on=timeline.resume_on.isoformat())
    _notify(session, step, NoticeKind.PAUSED, _paused_data(row, timeline))


def mark_refused(session: Session, step: MarkRefused) -> None:
    """The act ends refused if it is open; the audit tells of one that was never begun too."""
    row = act_row(session, step.act_id, step.account_id)
    if row is not None:
        if row.ended_at is not None:
            return
        row.state = moved(row.state, PauseState.REFUSED)
        row.ended_at = step.at
        row.refusal = step.code
    _audit(session, step, "pause_refused", code=step.code)


def change_resume_date(session: Session, step: ChangeResumeDate, timeline: Timeline) -> None:
    """Another timeline; repeating the one that stands leaves no second line in the audit."""
    row = act_row(session, step.act_id, step.account_id)
    if row is None or row.state is not PauseState.PAUSED:
        raise _not_paused(step)
    if row.timeline == dumped(TIMELINE, timeline):
        return
    _keep_timeline(row, timeline)
    resume_on = timeline.resume_on.isoformat()
    _audit(session, step, "resume_date_changed", step.requested_by, resume_on=resume_on)


def remind(session: Session, step: SendReminder, quote: PlanQuote) -> None:
    """Queue the reminder, unless the pause has ended or has another date meanwhile."""
    row = existing_act_row(session, step.act_id, step.account_id)
    reminder = step.reminder
    if row.state is not PauseState.PAUSED or row.resume_on != reminder.resume_on:
        return
    which: dict[str, Any] = {
        "resume_on": reminder.resume_on.isoformat(),
        "days_before": reminder.days_before,
    }
    _audit(session, step, "reminded", **which)
    part = reminder_part(reminder.resume_on, reminder.days_before)
    _notify(session, step, NoticeKind.REMINDER, {**which, **_quoted(quote)}, part)


def reminder_part(resume_on: date, days_before: int) -> str:
    """Which reminder of a pause: once per resume date and rung (R12)."""
    return f"{resume_on.isoformat()}:{days_before}"


def begin_resume(session: Session, step: BeginEnd) -> None:
    """The act is resuming; one that was never begun stays so."""
    row = act_row(session, step.act_id, step.account_id)
    if row is None:
        return
    if row.state in HAS_CLOSED:
        raise _not_paused(step)
    row.state = moved(row.state, PauseState.RESUMING)
    row.ends_at = step.at
    _audit(session, step, "resume_begun", _who(step))


def mark_resumed(session: Session, step: Step, differences: int, quote: PlanQuote) -> None:
    """The act ends resumed; one that was never begun stays so."""
    row = act_row(session, step.act_id, step.account_id)
    if row is None:
        return
    _check_on_record(session, step, UNDONE_BY)
    row.state = moved(row.state, PauseState.RESUMED)
    row.ended_at = step.at
    session.get_one(AccountRow, step.account_id).status = AccountStatus.ACTIVE
    _audit(session, step, "resumed", differences=differences)
    asked = _asked(session, step, Activity.BEGIN_RESUME, planned="planned")
    lines = [
        {"words": words, "amount_minor": amount, "currency": quote.currency}
        for words, amount in quote.pending
    ]
    _notify(session, step, NoticeKind.RESUMED, {**asked, **_quoted(quote), "lines": lines})


def begin_close(session: Session, step: BeginEnd) -> None:
    """The pause is closing, or the close of an active account is opened."""
    if session.get_one(AccountRow, step.account_id).status is AccountStatus.CLOSED:
        raise _closed(step.account_id)
    row = act_row(session, step.act_id, step.account_id) or _opened_close(session, step)
    if row.state in HAS_RESUMED:
        raise _not_paused(step)
    row.state = moved(row.state, PauseState.CLOSING)
    row.ends_at = step.at
    _audit(session, step, "close_begun", _who(step))


def mark_closed(session: Session, step: Step) -> None:
    """The act ends closed, and so does the account."""
    row = existing_act_row(session, step.act_id, step.account_id)
    _check_on_record(session, step, COMPLETED_BY)
    row.state = moved(row.state, PauseState.CLOSED)
    row.ended_at = step.at
    account = session.get_one(AccountRow, step.account_id)
    account.status, account.closed_at = AccountStatus.CLOSED, step.at
    _audit(session, step, "closed")
    asked = _asked(session, step, Activity.BEGIN_CLOSE, planned="ladder")
    _notify(session, step, NoticeKind.CLOSED, asked)


def already_paused(account_id: str) -> Rejected:
    """The answer while another act is open."""
    return Rejected(
        Code.ACCOUNT_ALREADY_PAUSED,
        f"Account {account_id} is already paused, or is being paused, resumed or closed.",
    )


def _opened_close(session: Session, step: BeginEnd) -> ActRow:
    if open_act_row(session, step.account_id) is not None:
        raise already_paused(step.account_id)
    row = ActRow(
        id=step.act_id,
        account_id=step.account_id,
        kind=ActKind.CLOSE,
        state=PauseState.CLOSING,
        requested_by=step.requested_by,
        began_at=step.at,
    )
    session.add(row)
    return row


def _is_over(session: Session, act_id: str) -> bool:
    return any(
        is_recorded(session, act_id, verb)
        for verb in (Activity.MARK_REFUSED, Activity.MARK_RESUMED)
    )


def _keep_timeline(row: ActRow, timeline: Timeline) -> None:
    row.timeline = dumped(TIMELINE, timeline)
    row.resume_on = timeline.resume_on


def _paused_data(row: ActRow, timeline: Timeline) -> dict[str, Any]:
    terms = TERMS.validate_python(row.terms)
    return {
        "retained_numbers": row.retained_numbers,
        "amount_minor": terms.fee_minor,
        "currency": terms.currency,
        "next_fee_on": timeline.fees[0].billing_on.isoformat() if timeline.fees else None,
        "resume_on": timeline.resume_on.isoformat(),
        "requested_by": row.requested_by,
    }


def _check_on_record(session: Session, step: Step, pairs: Mapping[Activity, Activity]) -> None:
    """Stop where the database has lost what the run has done: it is a copy, older by moments."""
    known = recorded_keys(session, step.act_id)
    lost = [
        second
        for first, second in pairs.items()
        if f"{step.act_id}:{first}" in known and f"{step.act_id}:{second}" not in known
    ]
    if lost:
        raise InvariantViolated(
            f"account {step.account_id}: {', '.join(lost)} of {step.act_id} is not on record,"
            " though its run has done it; the database is an older copy. `account-pause redo"
            f" {step.account_id}` does it again, then `account-pause retry {step.account_id}`"
        )


def _quoted(quote: PlanQuote) -> dict[str, Any]:
    return {
        "amount_minor": quote.amount_minor,
        "currency": quote.currency,
        "next_billing_on": quote.next_billing_on.isoformat(),
        "last4": quote.card_last4,
    }


def _asked(session: Session, step: Step, verb: str, planned: str) -> dict[str, Any]:
    """Who asked for what is ending now, as the step that began the end has recorded it."""
    begun = session.get(EffectRow, f"{step.act_id}:{verb}")
    request = begun.request if begun is not None else {}
    requested_by = request.get("requested_by")
    if requested_by is not None:
        return {"by": "administrator", "requested_by": requested_by}
    return {"by": planned if request.get("is_planned") else "operator"}


def _who(step: BeginEnd) -> str:
    return audit.actor_of(step.requested_by, is_planned=step.is_planned)


def _audit(
    session: Session, step: Step, what: str, actor: str = audit.SYSTEM, **detail: Any
) -> None:
    audit.write(
        session,
        account_id=step.account_id,
        act_id=step.act_id,
        at=step.at,
        what=what,
        actor=actor,
        **detail,
    )


def _notify(
    session: Session, step: Step, kind: NoticeKind, data: dict[str, Any], part: str = ""
) -> None:
    key = ":".join(filter(None, (step.act_id, kind.value, part)))
    enqueue(session, key=key, account_id=step.account_id, kind=kind, data=data, at=step.at)


def _closed(account_id: str) -> Rejected:
    return Rejected(Code.ACCOUNT_CLOSED, f"Account {account_id} is closed.")


def _not_paused(step: Step) -> Rejected:
    return Rejected(Code.ACCOUNT_NOT_PAUSED, f"{step.act_id} is not a pause that is in effect.")
