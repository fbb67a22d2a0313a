"""What the fake billing keeps of each account, and the rules that need no gateway."""

from dataclasses import dataclass, field
from datetime import date, datetime

from domain.calendar import billing_dates_from, due_instant, local_date, previous_billing_date
from domain.errors import InvariantViolated
from domain.messages import CollectFee, FeeAnswer, Settled, Step
from domain.money import share_of_period
from domain.payments import Order, Payment
from domain.states import ChargeState
from domain.terms import Terms


@dataclass
class FakeAttempt:
    """One attempt; `answer` None: not answered yet."""

    key: str
    number: int
    rung: int | None
    token: str | None
    payment_id: str | None = None
    answer: FeeAnswer | None = None
    first_unknown_at: datetime | None = None
    was_asked_for: bool = False


@dataclass
class FakeInvoice:
    """One date that was taken, by the pause `act_id` or (None) by the plan."""

    billing_on: date
    act_id: str | None
    amount_minor: int
    state: ChargeState = ChargeState.COLLECTING
    answered_at: datetime | None = None
    attempts: list[FakeAttempt] = field(default_factory=list)


@dataclass
class FakePause:
    """What a pause suspended. `ended_by` is the verb that ended it."""

    terms: Terms
    paused_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None

    def owns(self, due_at: datetime) -> bool:
        return self.paused_at <= due_at and (self.ended_at is None or due_at < self.ended_at)


@dataclass
class FakeAccount:
    """All that billing knows of one account."""

    account_id: str
    plan: str
    amount_minor: int
    time_zone: str
    billing_day: int
    next_billing_on: date
    add_ons: tuple[tuple[str, int], ...]
    currency: str
    card: tuple[str, str] | None = None
    invoices: dict[date, FakeInvoice] = field(default_factory=dict)
    pending: dict[str, tuple[str, int]] = field(default_factory=dict)
    pauses: dict[str, FakePause] = field(default_factory=dict)
    has_ended: bool = False

    @property
    def monthly_minor(self) -> int:
        return self.amount_minor + sum(amount for _, amount in self.add_ons)

    def take(self, billing_on: date, act_id: str | None, amount_minor: int) -> FakeInvoice:
        invoice = FakeInvoice(billing_on, act_id, amount_minor)
        self.invoices[billing_on] = invoice
        self.next_billing_on = next(
            day
            for day in billing_dates_from(self.billing_day, self.next_billing_on)
            if day not in self.invoices
        )
        return invoice

    def give_up_waiting(self) -> None:
        for invoice in self.invoices.values():
            if f"{invoice.act_id}:{invoice.billing_on}" in self.pending:
                invoice.state = ChargeState.WRITTEN_OFF
        self.pending.clear()

    def take_due(self, before: datetime, act_id: str | None) -> None:
        pause = self.pauses.get(act_id or "")
        while (due_at := due_instant(self.next_billing_on, self.time_zone)) < before:
            if pause is not None and pause.paused_at <= due_at:
                self.take(self.next_billing_on, act_id, pause.terms.fee_minor)
                continue
            moved_here = sum(amount for _, amount in self.pending.values())
            self.pending.clear()
            self.take(self.next_billing_on, None, self.monthly_minor + moved_here)


def owed(account: FakeAccount, step: CollectFee) -> FakeInvoice | None:
    invoice, pause = account.invoices.get(step.billing_on), account.pauses.get(step.act_id)
    if invoice is not None:
        return invoice if invoice.act_id == step.act_id else None
    if pause is None or not pause.owns(step.due_at):
        return None
    return account.take(step.billing_on, step.act_id, pause.terms.fee_minor)


def settled(account: FakeAccount, act_id: str, at: datetime) -> Settled:
    unpaid = sorted(
        (
            invoice
            for invoice in account.invoices.values()
            if invoice.act_id == act_id and invoice.state is ChargeState.DECLINED
        ),
        key=lambda invoice: invoice.billing_on,
    )
    for invoice in unpaid:
        give_up(account, invoice, account.pauses[act_id], at)
    return Settled(billing_on=[invoice.billing_on for invoice in unpaid])


def give_up(account: FakeAccount, invoice: FakeInvoice, pause: FakePause, at: datetime) -> None:
    invoice.answered_at = at
    if pause.ended_by == "restore_plan" and not account.has_ended:
        invoice.state = ChargeState.MOVED
        key = f"{invoice.act_id}:{invoice.billing_on}"
        account.pending[key] = ("unpaid_fee", invoice.amount_minor)
    else:
        invoice.state = ChargeState.WRITTEN_OFF


def charge_remaining_days(account: FakeAccount, step: Step, pause: FakePause) -> None:
    ends_on = account.next_billing_on
    began_on = previous_billing_date(account.billing_day, ends_on)
    if not pause.paused_at <= due_instant(began_on, account.time_zone) < step.at:
        return
    days = (ends_on - local_date(step.at, account.time_zone)).days
    share = share_of_period(account.monthly_minor, days, (ends_on - began_on).days)
    if share:
        account.pending[f"{step.act_id}:remaining_days"] = ("remaining_days", share)


def checked(payment: Payment, order: Order) -> Payment:
    if (payment.account_id, payment.amount_minor, payment.currency) != (
        order.account_id,
        order.amount_minor,
        order.currency,
    ):
        raise InvariantViolated(f"payment {payment.payment_id} is not what was ordered")
    return payment
