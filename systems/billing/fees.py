"""The fee of one billing date: whether it is owed, and the attempt to collect it (R7, R13).

All functions here expect the account's lock to be held.
"""

from sqlalchemy.orm import Session

from domain.calendar import billing_date
from domain.errors import InvariantViolated
from domain.messages import CollectFee, FeeAnswer
from domain.states import ChargeState
from systems.billing.collecting import Pending, begin_attempt
from systems.billing.plan import invoice_of, subscription_of, take_for_fee, terms_of
from systems.billing.suspension import is_owed
from systems.tables import InvoiceRow, SuspensionRow


def begin_fee(session: Session, step: CollectFee) -> FeeAnswer | Pending:
    """Take the date if it is owed and nobody has it; then the attempt, or what became of it."""
    invoice = _taken(session, step)
    if invoice is None:
        return FeeAnswer(state=ChargeState.NOT_OWED)
    return begin_attempt(session, invoice, step.act_id, step.attempt, step.rung, step.at)


def _taken(session: Session, step: CollectFee) -> InvoiceRow | None:
    """This pause's invoice of the date, None if the date is not this pause's."""
    invoice = invoice_of(session, step.account_id, step.billing_on)
    if invoice is not None:
        return invoice if invoice.act_id == step.act_id else None
    suspension = session.get(SuspensionRow, step.act_id)
    if suspension is None or not is_owed(suspension, step.due_at):
        return None
    subscription = subscription_of(session, step.account_id)
    billing_day = terms_of(suspension).billing_day
    day = step.billing_on
    is_regular = day == billing_date(day.year, day.month, billing_day)
    if not is_regular or day < subscription.next_billing_on:
        raise InvariantViolated(
            f"account {step.account_id}: {day} is no billing date that pause {step.act_id} can take"
        )
    return take_for_fee(session, subscription, suspension, day, step.due_at)
