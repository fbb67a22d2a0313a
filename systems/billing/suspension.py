"""The plan's suspension by a pause, its end, and the end of the plan itself (R7, R9, R13, R14).

    plan  ----------[paused_at ========== fee ========== end)----------  plan
                    suspend                              restore

All functions here expect the account's lock to be held.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import Code, InvariantViolated, Rejected
from domain.messages import PlanSuspended, Settled, Step, SuspendPlan
from domain.period import period_left
from systems.accounts.act_rows import TERMS, dumped
from systems.billing.plan import (
    Line,
    pending_lines,
    put_down,
    remaining_days,
    subscription_of,
    take_due,
)
from systems.billing.settling import move, moved_key, unpaid_fee, write_off
from systems.tables import (
    ActRow,
    InvoiceRow,
    InvoiceState,
    LineKind,
    Outcome,
    SubscriptionRow,
    SuspensionRow,
)


def suspend(session: Session, step: SuspendPlan) -> PlanSuspended:
    """The plan takes what is due before the pause, then nothing more until `restore`."""
    subscription = subscription_of(session, step.account_id)
    if subscription.ended_at is not None:
        raise Rejected(Code.ACCOUNT_CLOSED, f"The plan of account {step.account_id} has ended.")
    if subscription.suspended_by is not None:
        raise InvariantViolated(
            f"account {step.account_id}: pause {step.act_id} cannot suspend the plan, pause"
            f" {subscription.suspended_by} has done so"
        )
    take_due(session, subscription, step.at)
    subscription.suspended_by = step.act_id
    session.add(
        SuspensionRow(
            act_id=step.act_id,
            account_id=step.account_id,
            paused_at=step.at,
            terms=dumped(TERMS, step.terms),
        )
    )
    return PlanSuspended(first_billing_on=subscription.next_billing_on, paused_at=step.at)


def restore(session: Session, step: Step) -> Settled:
    """The suspension ends as of `step.at`; unpaid fees move, remaining days become a line."""
    suspension = _suspension(session, step)
    if suspension is None or suspension.ended_at is not None:
        return Settled()
    subscription = subscription_of(session, step.account_id)
    subscription.suspended_by = None
    end = _end_at(session, suspension, step.at)
    take_due(session, subscription, end, suspension)
    suspension.ended_at, suspension.outcome = end, Outcome.RESUMED
    remaining = _remaining_days(session, subscription, suspension, end)
    if remaining is not None:
        key = f"{step.act_id}:{LineKind.REMAINING_DAYS}"
        put_down(session, step.account_id, key, remaining)
    unpaid = _past_due_fees(session, step.act_id)
    for invoice in unpaid:
        move(session, invoice, step.at)
    return Settled(billing_on=[invoice.billing_on for invoice in unpaid])


def close(session: Session, step: Step) -> Settled:
    """The plan ends, paused or not, as of when the close began; what is unpaid is given up."""
    subscription = subscription_of(session, step.account_id)
    if subscription.ended_at is not None:
        return Settled()
    suspension = _suspension(session, step)
    if suspension is not None and suspension.ended_at is not None:
        suspension = None
    at = _close_begun_at(session, step)
    take_due(session, subscription, at, suspension)
    subscription.suspended_by, subscription.ended_at = None, at
    _give_up_waiting(session, step)
    if suspension is None:
        return Settled()
    suspension.ended_at, suspension.outcome = at, Outcome.CLOSED
    unpaid = _past_due_fees(session, step.act_id)
    for invoice in unpaid:
        write_off(session, invoice, step.at)
    return Settled(billing_on=[invoice.billing_on for invoice in unpaid])


def _give_up_waiting(session: Session, step: Step) -> None:
    """No plan invoice comes any more for the lines that wait for one: nothing more is charged."""
    moved = session.scalars(
        select(InvoiceRow).where(
            InvoiceRow.account_id == step.account_id, InvoiceRow.state == InvoiceState.MOVED
        )
    )
    fees = {moved_key(invoice): invoice for invoice in moved}
    for line in pending_lines(session, step.account_id):
        if line.key in fees:
            write_off(session, fees[line.key], step.at)
        session.delete(line)


def _close_begun_at(session: Session, step: Step) -> datetime:
    """A run that was lost and started anew asks later; no date since then is the plan's (R10)."""
    act = session.get(ActRow, step.act_id)
    return (act.ends_at if act else None) or step.at


def _suspension(session: Session, step: Step) -> SuspensionRow | None:
    suspension = session.get(SuspensionRow, step.act_id)
    if suspension is not None and suspension.account_id != step.account_id:
        raise InvariantViolated(f"pause {step.act_id} is not one of account {step.account_id}")
    return suspension


def lines_at_resume(session: Session, account_id: str, at: datetime) -> list[Line]:
    """What `restore` at `at` would have the plan's next invoice say, without doing it."""
    subscription = subscription_of(session, account_id)
    if subscription.suspended_by is None:
        return []
    suspension = session.get_one(SuspensionRow, subscription.suspended_by)
    end = _end_at(session, suspension, at)
    remaining = _remaining_days(session, subscription, suspension, end)
    unpaid = [unpaid_fee(invoice) for invoice in _past_due_fees(session, suspension.act_id)]
    return [*unpaid, *([remaining] if remaining else [])]


def is_owed(suspension: SuspensionRow, due_at: datetime) -> bool:
    """Whether a date due at `due_at` is the fee's: ``[paused_at, end)`` (R7)."""
    has_ended = suspension.ended_at is not None and suspension.ended_at <= due_at
    return suspension.paused_at <= due_at and not has_ended


def _end_at(session: Session, suspension: SuspensionRow, at: datetime) -> datetime:
    """When the suspension ends if it is restored as of `at`.

    One that never took effect ends as it began, so that no date is the fee's: an undo says so by
    its instant, and the accounts' record by having no `paused_at`.
    """
    act = session.get(ActRow, suspension.act_id)
    if act is not None and act.paused_at is None:
        return suspension.paused_at
    return max(at, suspension.paused_at)


def _remaining_days(
    session: Session, subscription: SubscriptionRow, suspension: SuspensionRow, at: datetime
) -> Line | None:
    """The plan's share of the days left of a period that this pause's fee has taken (R9)."""
    left = period_left(
        subscription.billing_day,
        subscription.time_zone,
        suspension.paused_at,
        at,
        subscription.next_billing_on,
    )
    return remaining_days(session, subscription, left) if left else None


def _past_due_fees(session: Session, act_id: str) -> list[InvoiceRow]:
    query = select(InvoiceRow).where(
        InvoiceRow.act_id == act_id, InvoiceRow.state == InvoiceState.PAST_DUE
    )
    return list(session.scalars(query.order_by(InvoiceRow.billing_on)))
