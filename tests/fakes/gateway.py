"""A payment gateway in memory, and wrappers that make any gateway do otherwise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Literal, TypeVar

from domain.errors import Code, InvariantViolated, Rejected, Transient
from domain.payments import (
    CardPage,
    EnteredCard,
    Gateway,
    Order,
    PageAnswer,
    PageState,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)
from systems.gateways.sandbox import LOOK_UPS_PROCESSING, NAME, Manner, SandboxCard, card, card_of

Method = Literal[
    "create_payment",
    "find_payment",
    "confirm_payment",
    "get_payment",
    "refund_payment",
    "find_refund",
    "get_refund",
    "payments_between",
    "refunds_between",
    "open_page",
    "look_up_page",
]
When = Literal["before", "after"]
Result = TypeVar("Result")

PAGE_LASTS = timedelta(hours=24)


@dataclass
class _Record:
    order: Order
    payment: Payment
    look_ups: int = 0
    refunds: dict[str, Refund] = field(default_factory=dict)

    @property
    def card(self) -> SandboxCard:
        return card_of(self.order.card_token)


@dataclass
class _Page:
    page: CardPage
    asked: tuple[str, str | None, str]
    card: EnteredCard | None = None


class FakeGateway:
    """Answers to the sandbox's test cards as the sandbox does."""

    name = NAME

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._lock = RLock()
        self._by_key: dict[str, _Record] = {}
        self._pages: dict[str, _Page] = {}
        self._look_ups_of_refunds: dict[str, int] = {}

    def check(self) -> None:
        pass

    # --- payments --------------------------------------------------------------------------------

    def create_payment(self, key: str, order: Order) -> Payment:
        _check_is_there(order)
        with self._lock:
            if key not in self._by_key:
                self._by_key[key] = _Record(order, self._new_payment(key, order))
            record = self._by_key[key]
        if record.order != order:
            raise InvariantViolated(f"the payment key {key} was used for another order")
        return record.payment

    def find_payment(self, key: str, order: Order) -> Payment | None:
        _check_is_there(order)
        record = self._by_key.get(key)
        return record.payment if record else None

    def confirm_payment(self, payment_id: str) -> Payment:
        with self._lock:
            record = self._record(payment_id)
            card = record.card
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

    def payments_between(self, since: datetime, until: datetime) -> Iterator[Payment]:
        return (it for it in self.payments() if it.created_at and since <= it.created_at < until)

    # --- refunds ---------------------------------------------------------------------------------

    def refund_payment(self, key: str, payment_id: str, amount_minor: int) -> Refund:
        with self._lock:
            record = self._record(payment_id)
            if key not in record.refunds:
                record.refunds[key] = self._new_refund(key, record, amount_minor)
            refund = record.refunds[key]
        if refund.amount_minor != amount_minor:
            raise InvariantViolated(f"the refund key {key} was used for another refund")
        if record.card.manner is Manner.LOST:
            raise Transient(f"the answer about a refund of payment {payment_id} was lost")
        return refund

    def find_refund(self, key: str, payment_id: str) -> Refund | None:
        records = (it for it in self._by_key.values() if it.payment.payment_id == payment_id)
        return next((it.refunds.get(key) for it in records), None)

    def get_refund(self, refund_id: str) -> Refund:
        with self._lock:
            for record in self._by_key.values():
                for key, refund in record.refunds.items():
                    if refund.refund_id == refund_id:
                        record.refunds[key] = self._looked_up(refund)
                        return record.refunds[key]
        raise InvariantViolated(f"the gateway knows no refund {refund_id}")

    def refunds_between(self, since: datetime, until: datetime) -> Iterator[Refund]:
        return (it for it in self.refunds() if it.created_at and since <= it.created_at < until)

    # --- card pages ------------------------------------------------------------------------------

    def open_page(
        self, key: str, account_id: str, customer_id: str | None, return_url: str
    ) -> CardPage:
        asked = (account_id, customer_id or f"cus_{account_id}", return_url)
        with self._lock:
            if key not in self._pages:
                page_id = f"page_{len(self._pages) + 1}"
                url = f"{return_url}#{page_id}"
                page = CardPage(page_id, url, asked[1], self._clock() + PAGE_LASTS)
                self._pages[key] = _Page(page, asked)
        if self._pages[key].asked != asked:
            raise InvariantViolated(f"the page key {key} was used for another page")
        return self._pages[key].page

    def look_up_page(self, page_id: str) -> PageAnswer:
        it = self._page(page_id)
        if it.card is not None:
            return PageAnswer(PageState.ENTERED, it.card)
        is_over = it.page.expires_at <= self._clock()
        return PageAnswer(PageState.EXPIRED if is_over else PageState.OPEN)

    def enter_card(self, page_id: str, card_name: str) -> EnteredCard:
        """Play the person who enters the test card on the page."""
        it, entered = self._page(page_id), card(card_name)
        state = self.look_up_page(page_id).state
        if state is not PageState.OPEN:
            raise Rejected(Code.VALIDATION_FAILED, f"The page {page_id} is {state}.")
        it.card = entered.entered(it.page.customer_id)
        return it.card

    # --- the record laid open --------------------------------------------------------------------

    def payments(self, account_id: str | None = None) -> list[Payment]:
        with self._lock:
            payments = [record.payment for record in self._by_key.values()]
        return [each for each in payments if account_id in (None, each.account_id)]

    def refunds(self, account_id: str | None = None) -> list[Refund]:
        with self._lock:
            return [
                refund
                for record in self._by_key.values()
                for refund in record.refunds.values()
                if account_id in (None, record.order.account_id)
            ]

    def _new_payment(self, key: str, order: Order) -> Payment:
        return Payment(
            payment_id=f"pay_{len(self._by_key) + 1}",
            account_id=order.account_id,
            amount_minor=order.amount_minor,
            currency=order.currency,
            state=PaymentState.CREATED,
            key=key,
            billing_on=order.billing_on,
            customer_id=order.customer_id,
            created_at=self._clock(),
        )

    def _new_refund(self, key: str, record: _Record, amount_minor: int) -> Refund:
        payment = record.payment
        received = payment.amount_minor if payment.state is PaymentState.SUCCEEDED else 0
        left = received - sum(refund.amount_minor for refund in record.refunds.values())
        if not 0 < amount_minor <= left:
            raise Rejected(Code.VALIDATION_FAILED, f"{left} cents are left of the payment")
        is_slow = record.card.manner is Manner.LATER
        return Refund(
            refund_id=f"ref_{len(self.refunds()) + 1}",
            payment_id=payment.payment_id,
            amount_minor=amount_minor,
            currency=payment.currency,
            state=RefundState.PENDING if is_slow else RefundState.SUCCEEDED,
            key=key,
            created_at=self._clock(),
        )

    def _looked_up(self, refund: Refund) -> Refund:
        look_ups = self._look_ups_of_refunds.get(refund.refund_id, 0) + 1
        self._look_ups_of_refunds[refund.refund_id] = look_ups
        return (
            replace(refund, state=RefundState.SUCCEEDED)
            if look_ups > LOOK_UPS_PROCESSING
            else refund
        )

    def _record(self, payment_id: str) -> _Record:
        for record in self._by_key.values():
            if record.payment.payment_id == payment_id:
                return record
        raise InvariantViolated(f"the gateway knows no payment {payment_id}")

    def _page(self, page_id: str) -> _Page:
        for it in self._pages.values():
            if it.page.page_id == page_id:
                return it
        raise InvariantViolated(f"the gateway knows no card page {page_id}")


def _check_is_there(order: Order) -> None:
    if card_of(order.card_token).manner is Manner.AWAY:
        raise Transient("the payment gateway did not answer")


class PassedOn:
    """Passes every call on to `gateway`, through `_called`: what wrappers begin with."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def check(self) -> None:
        self.gateway.check()

    @property
    def name(self) -> str:
        return self.gateway.name

    def create_payment(self, key: str, order: Order) -> Payment:
        return self._called("create_payment", lambda: self.gateway.create_payment(key, order))

    def find_payment(self, key: str, order: Order) -> Payment | None:
        return self._called("find_payment", lambda: self.gateway.find_payment(key, order))

    def confirm_payment(self, payment_id: str) -> Payment:
        return self._called("confirm_payment", lambda: self.gateway.confirm_payment(payment_id))

    def get_payment(self, payment_id: str) -> Payment:
        return self._called("get_payment", lambda: self.gateway.get_payment(payment_id))

    def refund_payment(self, key: str, payment_id: str, amount_minor: int) -> Refund:
        return self._called(
            "refund_payment", lambda: self.gateway.refund_payment(key, payment_id, amount_minor)
        )

    def find_refund(self, key: str, payment_id: str) -> Refund | None:
        return self._called("find_refund", lambda: self.gateway.find_refund(key, payment_id))

    def get_refund(self, refund_id: str) -> Refund:
        return self._called("get_refund", lambda: self.gateway.get_refund(refund_id))

    def payments_between(self, since: datetime, until: datetime) -> Iterator[Payment]:
        return self._called(
            "payments_between", lambda: iter([*self.gateway.payments_between(since, until)])
        )

    def refunds_between(self, since: datetime, until: datetime) -> Iterator[Refund]:
        return self._called(
            "refunds_between", lambda: iter([*self.gateway.refunds_between(since, until)])
        )

    def open_page(
        self, key: str, account_id: str, customer_id: str | None, return_url: str
    ) -> CardPage:
        return self._called(
            "open_page", lambda: self.gateway.open_page(key, account_id, customer_id, return_url)
        )

    def look_up_page(self, page_id: str) -> PageAnswer:
        return self._called("look_up_page", lambda: self.gateway.look_up_page(page_id))

    def _called(self, method: Method, call: Callable[[], Result]) -> Result:
        return call()


class FaultyGateway(PassedOn):
    """Passes calls on with the faults that a test asks for; `calls` names them."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self.calls: list[str] = []
        self._faults: list[tuple[Method, When]] = []

    def fail_next(self, method: Method, when: When, times: int = 1) -> None:
        """The next calls of `method` raise `Transient`, `before` or `after` their effect."""
        self._faults += [(method, when)] * times

    def _called(self, method: Method, call: Callable[[], Result]) -> Result:
        self.calls.append(method)
        self._fail_if_asked(method, "before")
        result = call()
        self._fail_if_asked(method, "after")
        return result

    def _fail_if_asked(self, method: Method, when: When) -> None:
        if (method, when) in self._faults:
            self._faults.remove((method, when))
            raise Transient(f"{method} failed {when} its effect, as the test asked")
