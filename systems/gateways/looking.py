"""A gateway that is only looked at: for whoever writes down what has happened there already."""

from collections.abc import Iterator
from datetime import datetime

from domain.errors import Transient
from domain.payments import Order, Payment, PaymentGateway, Refund


class OnlyLooks:
    """A `PaymentGateway` by which no money can move: what is not there yet is not made.

    What would have to be made has no clear answer, so that it is on record as unknown and somebody
    else finds out.
    """

    def __init__(self, gateway: PaymentGateway) -> None:
        """Look at `gateway`."""
        self._gateway = gateway

    @property
    def name(self) -> str:
        """See `PaymentGateway.name`."""
        return self._gateway.name

    def create_payment(self, key: str, order: Order) -> Payment:
        """The payment that was made under the key.

        Raises:
            Transient: there is none, or the gateway did not answer.
        """
        found = self._gateway.find_payment(key, order)
        if found is None:
            raise Transient(f"the gateway has no payment under the key {key}; none was made")
        return found

    def find_payment(self, key: str, order: Order) -> Payment | None:
        """See `PaymentGateway.find_payment`."""
        return self._gateway.find_payment(key, order)

    def confirm_payment(self, payment_id: str) -> Payment:
        """The payment as it stands, which may be unconfirmed."""
        return self._gateway.get_payment(payment_id)

    def get_payment(self, payment_id: str) -> Payment:
        """See `PaymentGateway.get_payment`."""
        return self._gateway.get_payment(payment_id)

    def refund_payment(self, key: str, payment_id: str, amount_minor: int) -> Refund:
        """The refund that was made under the key, if it is of that amount.

        Raises:
            Transient: there is none such, or the gateway did not answer.
        """
        found = self._gateway.find_refund(key, payment_id)
        if found is None or found.amount_minor != amount_minor:
            raise Transient(f"the gateway has no refund under the key {key}; none was made")
        return found

    def find_refund(self, key: str, payment_id: str) -> Refund | None:
        """See `PaymentGateway.find_refund`."""
        return self._gateway.find_refund(key, payment_id)

    def get_refund(self, refund_id: str) -> Refund:
        """See `PaymentGateway.get_refund`."""
        return self._gateway.get_refund(refund_id)

    def payments_between(self, since: datetime, until: datetime) -> Iterator[Payment]:
        """See `PaymentGateway.payments_between`."""
        return self._gateway.payments_between(since, until)

    def refunds_between(self, since: datetime, until: datetime) -> Iterator[Refund]:
        """See `PaymentGateway.refunds_between`."""
        return self._gateway.refunds_between(since, until)
