"""A payment gateway in memory, and a wrapper that makes any gateway fail on demand."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Literal

from domain.errors import InvariantViolated, Transient
from domain.ports import Order, Payment, PaymentGateway, PaymentState
from systems.gateways.sandbox import LOOK_UPS_PROCESSING, Manner, SandboxPayment, card_of

Method = Literal["create_payment", "confirm_payment", "get_payment"]
When = Literal["before", "after"]


@dataclass
class _Record:
    order: Order
    payment: SandboxPayment
    look_ups: int = 0


class FakeGateway:
    """Answers to the sandbox's test cards as the sandbox does."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._by_key: dict[str, _Record] = {}

    def create_payment(self, key: str, order: Order) -> Payment:
        if card_of(order.card_token).manner is Manner.AWAY:
            raise Transient("the payment gateway did not answer")
        with self._lock:
            if key not in self._by_key:
                self._by_key[key] = _Record(order, self._new_payment(key, order))
            record = self._by_key[key]
        if record.order != order:
            raise InvariantViolated(f"the payment key {key} was used for another order")
        return record.payment

    def confirm_payment(self, payment_id: str) -> Payment:
        with self._lock:
            record = self._record(payment_id)
            card = card_of(record.order.card_token)
            if record.payment.state is PaymentState.CREATED:
                record.payment = replace(
                    record.payment, state=card.confirmed, decline_code=card.decline_code
                )
            payment = record.payment
        if card.manner is Manner.LOST:
            raise Transient(f"the answer about payment {payment_id} was lost")
        return payment

    def get_payment(self, payment_id: str) -> Payment:
        with self._lock:
            record = self._record(payment_id)
            if record.payment.state is PaymentState.PROCESSING:
                record.look_ups += 1
                if record.look_ups > LOOK_UPS_PROCESSING:
                    record.payment = replace(record.payment, state=PaymentState.SUCCEEDED)
            return record.payment

    def payments(self, account_id: str | None = None) -> list[SandboxPayment]:
        with self._lock:
            payments = [record.payment for record in self._by_key.values()]
        return [each for each in payments if account_id in (None, each.account_id)]

    def _new_payment(self, key: str, order: Order) -> SandboxPayment:
        return SandboxPayment(
            payment_id=f"pay_{len(self._by_key) + 1}",
            account_id=order.account_id,
            amount_minor=order.amount_minor,
            currency=order.currency,
            state=PaymentState.CREATED,
            key=key,
        )

    def _record(self, payment_id: str) -> _Record:
        for record in self._by_key.values():
            if record.payment.payment_id == payment_id:
                return record
        raise InvariantViolated(f"the gateway knows no payment {payment_id}")


@dataclass
class FaultyGateway:
    """Passes calls on to `gateway` with the faults that a test asks for; `calls` names them."""

    gateway: PaymentGateway
    calls: list[str] = field(default_factory=list)
    _faults: list[tuple[Method, When]] = field(default_factory=list)

    def fail_next(self, method: Method, when: When, times: int = 1) -> None:
        """The next calls of `method` raise `Transient`, `before` or `after` their effect."""
        self._faults += [(method, when)] * times

    def create_payment(self, key: str, order: Order) -> Payment:
        return self._passed("create_payment", lambda: self.gateway.create_payment(key, order))

    def confirm_payment(self, payment_id: str) -> Payment:
        return self._passed("confirm_payment", lambda: self.gateway.confirm_payment(payment_id))

    def get_payment(self, payment_id: str) -> Payment:
        return self._passed("get_payment", lambda: self.gateway.get_payment(payment_id))

    def _passed(self, method: Method, call: Callable[[], Payment]) -> Payment:
        self.calls.append(method)
        self._fail_if_asked(method, "before")
        payment = call()
        self._fail_if_asked(method, "after")
        return payment

    def _fail_if_asked(self, method: Method, when: When) -> None:
        if (method, when) in self._faults:
            self._faults.remove((method, when))
            raise Transient(f"{method} failed {when} its effect, as the test asked")
