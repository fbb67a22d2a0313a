"""The accounts that are paused, in memory or in a database, the same in worker and benchmark."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from temporalio import activity

from domain.calendar import local_date
from domain.ids import Prefix, make_id
from domain.messages import CollectFee, FeeAnswer
from domain.names import Activity
from domain.payments import Order, Payment, PaymentState
from domain.states import ChargeState, Role
from domain.terms import Offer
from systems.billing import SqlBilling
from systems.gateways.sandbox import CARDS, NAME
from systems.sample import create_account
from systems.wiring import Systems, open_systems
from tests.fakes.access import FakeAccess
from tests.fakes.accounts import FakeAccounts
from tests.fakes.billing import FakeBilling
from tests.fakes.dni import FakeDni
from tests.fakes.gateway import FakeGateway
from tests.fakes.numbers import FakeNumbers
from tests.fakes.reconciliation import FakeReconciler
from worker import activities

MEMORY = "memory"
TIME_ZONE = "America/New_York"
PLAN_MINOR = 9_500
NUMBERS = 3
FEE_ANSWERED = "fee answered\n"

# The first fee falls ten days from now, so six months have six fees.
FIRST_FEE_AFTER = timedelta(days=10)

Step = Callable[..., Any]


def memory_ids(number: int) -> tuple[str, str]:
    """The account in memory of that number, and its administrator."""
    return (
        make_id(Prefix.ACCOUNT, uuid5(NAMESPACE_OID, f"account {number}")),
        make_id(Prefix.USER, uuid5(NAMESPACE_OID, f"administrator {number}")),
    )


def steps_in_memory(accounts: int) -> list[Step]:
    """All steps on systems that answer from memory, with as many accounts."""
    known, billing = FakeAccounts(), FakeBilling()
    numbers, dni, access = FakeNumbers(), FakeDni(), FakeAccess()
    now = datetime.now(UTC)
    first, card = local_date(now + FIRST_FEE_AFTER, TIME_ZONE), CARDS["visa"]
    for number in range(accounts):
        account_id, administrator = memory_ids(number)
        known.add(account_id, {administrator: Role.ADMIN}, TIME_ZONE)
        for system in (numbers, dni, access):
            system.add(account_id)
        billing.create_subscription(
            account_id, "Call tracking", PLAN_MINOR, TIME_ZONE, first.day, first
        )
        billing.replace_card(
            *(account_id, card.token, card.brand, card.last4),
            *(card.expires_month, card.expires_year, now),
        )
    return activities(known, numbers, dni, access, billing, Offer(), FakeReconciler())


def steps_on(database_url: str) -> list[Step]:
    """All steps on the real systems; the gateway alone costs nothing."""
    systems = open_systems(database_url, "sqlite://")
    return activities(
        *(systems.accounts, systems.numbers, systems.dni, systems.access),
        SqlBilling(systems.db, InstantGateway()),
        Offer(),
        systems.reconciliation,
    )


def accounts_in(systems: Systems, first: int, count: int) -> Iterator[tuple[str, str]]:
    """Healthy accounts in a database, each with its administrator."""
    now = datetime.now(UTC)
    for number in range(first, first + count):
        account = create_account(
            systems,
            key=f"benchmark-{number}",
            name=f"Account {number}",
            time_zone=TIME_ZONE,
            billing_day=local_date(now + FIRST_FEE_AFTER, TIME_ZONE).day,
            created_at=now - timedelta(days=1),
            numbers=NUMBERS,
        )
        yield account.account_id, account.administrator_id


def noting_fees(step: Step, *, without_billing: bool) -> Step:
    """The step, which says of each fee that it is answered; anything but a fee as it is.

    `without_billing`: every fee is answered with "paid", and nobody is asked.
    """
    if step.__name__ != Activity.COLLECT_FEE:
        return step

    @activity.defn(name=Activity.COLLECT_FEE)
    def collect_fee(request: CollectFee) -> FeeAnswer:
        answer = FeeAnswer(state=ChargeState.PAID) if without_billing else step(request)
        print(FEE_ANSWERED, end="", flush=True)
        return answer

    return collect_fee


class InstantGateway(FakeGateway):
    """Every payment succeeds at once: a gateway is a process of somebody else's."""

    name = NAME

    def __init__(self) -> None:
        """Nothing was paid yet."""
        super().__init__()
        self._payments: dict[str, Payment] = {}
        self._writing = Lock()

    def create_payment(self, key: str, order: Order) -> Payment:
        """Found in one look, however many there are."""
        payment = Payment(
            payment_id=f"pay_{key}",
            account_id=order.account_id,
            amount_minor=order.amount_minor,
            currency=order.currency,
            state=PaymentState.CREATED,
            key=key,
            billing_on=order.billing_on,
            customer_id=order.customer_id,
            created_at=datetime.now(UTC),
        )
        with self._writing:
            return self._payments.setdefault(payment.payment_id, payment)

    def find_payment(self, key: str, order: Order) -> Payment | None:
        """The payment of that key."""
        return self._payments.get(f"pay_{key}")

    def get_payment(self, payment_id: str) -> Payment:
        """The payment of that id."""
        return self._payments[payment_id]

    def confirm_payment(self, payment_id: str) -> Payment:
        """It is paid."""
        with self._writing:
            paid = replace(self._payments[payment_id], state=PaymentState.SUCCEEDED)
            self._payments[payment_id] = paid
        return paid
