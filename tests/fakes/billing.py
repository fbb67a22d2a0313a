"""Billing in memory: an independent, simple model of the port, held to the same contract suite."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from threading import RLock
from typing import Any, TypeVar

from domain.errors import Code, InvariantViolated, Rejected, Transient
from domain.ladder import final_notice_rung, last_rung, next_look_up_at, next_rung_at
from domain.messages import CollectFee, FeeAnswer, PlanSuspended, Settled, Step, SuspendPlan
from domain.money import CURRENCY
from domain.payments import Order, Payment, PaymentGateway, PaymentState
from domain.ports import PlanQuote, Snapshot
from domain.states import ChargeState, LadderEnd
from tests.fakes.billing_books import (
    FakeAccount,
    FakeAttempt,
    FakeInvoice,
    FakePause,
    charge_remaining_days,
    checked,
    give_up,
    owed,
    settled,
)
from tests.fakes.gateway import FakeGateway

Result = TypeVar("Result")
FINAL = frozenset({ChargeState.PAID, ChargeState.MOVED, ChargeState.WRITTEN_OFF})


class FakeBilling:
    """The port `Billing`. Charges at `gateway`, outside its lock, like the real one."""

    def __init__(self, gateway: PaymentGateway | None = None) -> None:
        self.gateway: PaymentGateway = gateway or FakeGateway()
        self.accounts: dict[str, FakeAccount] = {}
        self.notices: list[tuple[str, str, date]] = []
        self._effects: dict[str, tuple[Any, Any]] = {}
        self._lock = RLock()

    def create_subscription(
        self,
        account_id: str,
        plan: str,
        amount_minor: int,
        time_zone: str,
        billing_day: int,
        next_billing_on: date,
        add_ons: tuple[tuple[str, int], ...] = (),
        currency: str = CURRENCY,
    ) -> None:
        """Put an account on its plan, as the real one does."""
        self.accounts[account_id] = FakeAccount(
            account_id,
            plan,
            amount_minor,
            time_zone,
            billing_day,
            next_billing_on,
            add_ons,
            currency,
        )

    def replace_card(
        self,
        account_id: str,
        token: str,
        brand: str,
        last4: str,
        expires_month: int,
        expires_year: int,
        at: datetime,
    ) -> None:
        """Put a card on file."""
        with self._of(account_id) as account:
            account.card = (token, last4)

    def has_card(self, account_id: str) -> bool:
        account = self.accounts.get(account_id)
        return account is not None and account.card is not None

    def quote(self, account_id: str) -> PlanQuote:
        with self._of(account_id) as account:
            return PlanQuote(
                account.monthly_minor + sum(amount for _, amount in account.pending.values()),
                account.currency,
                account.next_billing_on,
                account.billing_day,
                account.card[1] if account.card else None,
                tuple(account.pending.values()),
            )

    def snapshot(self, account_id: str) -> Snapshot:
        with self._of(account_id) as account:
            return {"plan": [account.plan, account.amount_minor], "add_ons": list(account.add_ons)}

    def suspend_plan(self, step: SuspendPlan) -> PlanSuspended:
        def suspend(account: FakeAccount) -> PlanSuspended:
            # Undone before it was done: a late retry changes nothing.
            if f"{step.act_id}:restore_plan" not in self._effects:
                if account.has_ended:
                    raise Rejected(Code.ACCOUNT_CLOSED, f"Account {account.account_id} is closed.")
                account.take_due(step.at, None)
                account.pauses[step.act_id] = FakePause(step.terms, step.at)
            return PlanSuspended(first_billing_on=account.next_billing_on, paused_at=step.at)

        return self._once("suspend_plan", step, suspend)

    def restore_plan(self, step: Step) -> Settled:
        def restore(account: FakeAccount) -> Settled:
            pause = account.pauses.get(step.act_id)
            if pause is None or pause.ended_at is not None:
                return Settled()
            if pause.paused_at < step.at:
                account.take_due(step.at, step.act_id)
                charge_remaining_days(account, step, pause)
            pause.ended_at, pause.ended_by = max(step.at, pause.paused_at), "restore_plan"
            return settled(account, step.act_id, step.at)

        return self._once("restore_plan", step, restore)

    def close_billing(self, step: Step) -> Settled:
        def close(account: FakeAccount) -> Settled:
            pause = account.pauses.get(step.act_id)
            account.take_due(step.at, step.act_id)
            account.has_ended = True
            account.give_up_waiting()
            if pause is not None:
                pause.ended_at, pause.ended_by = step.at, "close_billing"
            return settled(account, step.act_id, step.at)

        return self._once("close_billing", step, close)

    def collect_fee(self, step: CollectFee) -> FeeAnswer:
        with self._of(step.account_id) as account:
            invoice = owed(account, step)
            if invoice is None:
                return FeeAnswer(state=ChargeState.NOT_OWED)
            begun = self._begin(account, invoice, step)
        if isinstance(begun, FeeAnswer):
            return begun
        said = self._charge(account, invoice, begun)
        with self._of(step.account_id):
            return begun.answer or self._settle(account, invoice, begun, said, step.at)

    def _begin(
        self, account: FakeAccount, invoice: FakeInvoice, step: CollectFee
    ) -> FeeAnswer | FakeAttempt:
        if invoice.state in FINAL:
            return FeeAnswer(state=invoice.state)
        for attempt in invoice.attempts:
            if attempt.answer is None:
                return attempt
        for attempt in invoice.attempts:
            if attempt.number >= step.attempt and attempt.answer is not None:
                return attempt.answer
        token = account.card[0] if account.card else None
        key = f"{step.act_id}:{step.billing_on}:{step.attempt}"
        attempt = FakeAttempt(key, step.attempt, step.rung, token)
        invoice.attempts.append(attempt)
        invoice.state = ChargeState.COLLECTING
        if token is None:
            return self._decline(account, invoice, attempt, "no_card", step.at)
        return attempt

    def _charge(
        self, account: FakeAccount, invoice: FakeInvoice, attempt: FakeAttempt
    ) -> Payment | str | None:
        """The payment, why none could be prepared, or None without a clear answer."""
        order = Order(
            account.account_id,
            attempt.token or "",
            invoice.amount_minor,
            account.currency,
            billing_on=invoice.billing_on,
        )
        try:
            payment = checked(self._prepared(attempt, order), order)
            attempt.payment_id = payment.payment_id
            if payment.state is PaymentState.CREATED:
                payment = checked(self.gateway.confirm_payment(payment.payment_id), order)
        except Transient:
            return None
        except Rejected:
            return "card_removed"
        return payment

    def _prepared(self, attempt: FakeAttempt, order: Order) -> Payment:
        if attempt.payment_id is not None:
            return self.gateway.get_payment(attempt.payment_id)
        found = self.gateway.find_payment(attempt.key, order) if attempt.was_asked_for else None
        attempt.was_asked_for = True
        return found or self.gateway.create_payment(attempt.key, order)

    def _settle(
        self,
        account: FakeAccount,
        invoice: FakeInvoice,
        attempt: FakeAttempt,
        said: Payment | str | None,
        at: datetime,
    ) -> FeeAnswer:
        if isinstance(said, str):
            return self._decline(account, invoice, attempt, said, at)
        if said is not None and said.state is PaymentState.SUCCEEDED:
            invoice.state, invoice.answered_at = ChargeState.PAID, at
            attempt.answer = FeeAnswer(state=ChargeState.PAID)
            self.notices.append((account.account_id, "receipt", invoice.billing_on))
            return attempt.answer
        if said is not None and said.state is PaymentState.DECLINED:
            code = said.decline_code or "declined"
            return self._decline(account, invoice, attempt, code, at)
        invoice.state = ChargeState.UNKNOWN
        attempt.first_unknown_at = attempt.first_unknown_at or at
        look_up_at = next_look_up_at(attempt.first_unknown_at, at)
        return FeeAnswer(state=ChargeState.UNKNOWN, look_up_at=look_up_at)

    def _decline(
        self,
        account: FakeAccount,
        invoice: FakeInvoice,
        attempt: FakeAttempt,
        code: str,
        at: datetime,
    ) -> FeeAnswer:
        pause = account.pauses[invoice.act_id or ""]
        terms, rung = pause.terms, attempt.rung
        invoice.state = ChargeState.DECLINED
        rung_at = None if rung is None else next_rung_at(terms, rung, at)
        if pause.ended_at is not None:
            give_up(account, invoice, pause, at)
        elif rung == last_rung(terms) and terms.ladder_end is LadderEnd.KEEP:
            invoice.state, invoice.answered_at = ChargeState.WRITTEN_OFF, at
        elif rung is not None and 1 <= rung <= final_notice_rung(terms):
            kind = "final_notice" if rung == final_notice_rung(terms) else "declined"
            self.notices.append((account.account_id, kind, invoice.billing_on))
        attempt.answer = (
            FeeAnswer(state=invoice.state)
            if invoice.state in FINAL
            else FeeAnswer(state=invoice.state, rung=rung, rung_at=rung_at, decline_code=code)
        )
        return attempt.answer

    def _once(self, verb: str, step: Step, effect: Callable[[FakeAccount], Result]) -> Result:
        key, request = f"{step.act_id}:{verb}", step.model_dump(exclude={"at"})
        with self._of(step.account_id) as account:
            if key not in self._effects:
                self._effects[key] = (request, effect(account))
            recorded_request, result = self._effects[key]
            if recorded_request != request:
                raise InvariantViolated(f"{key} is on record for another request")
            kept: Result = result
            return kept

    @contextmanager
    def _of(self, account_id: str) -> Iterator[FakeAccount]:
        with self._lock:
            if account_id not in self.accounts:
                raise Rejected(Code.ACCOUNT_NOT_FOUND, f"There is no account {account_id}.")
            yield self.accounts[account_id]
