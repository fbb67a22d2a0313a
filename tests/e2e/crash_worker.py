"""A worker that stops dead at chosen moments, so that a test can kill it there.

`--hold MOMENT:ACCOUNT` names an activity, whose effect is done and not reported yet, or `charge`:
the gateway has taken the money and nothing of it is on record. When it is reached, a file of that
name appears in `--markers`, and the thread waits for ever. From then on the account gets no answer
from this worker, however long the test takes to kill it.

`--key-per-attempt` is the control: a billing system that charges under a key of its own each time
it is asked, as a first draft might.
"""

import argparse
import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any
from uuid import uuid4

import temporalio.client
import temporalio.worker
from temporalio import activity
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

from domain.errors import Code
from domain.messages import CollectFee, FeeAnswer
from domain.names import account_id_of
from domain.payments import Gateway, Order, Payment, PaymentGateway
from domain.states import ChargeState
from settings import Settings
from systems.billing import SqlBilling
from systems.gateways.sandbox import CARDS
from systems.wiring import Systems, open_systems
from tests.fakes.gateway import PassedOn
from worker import IDENTITY, activities, build_worker

CHARGE = "charge"
FEE_MINOR = 500

# How long a step of a worker that was killed is waited for. In production it is longer, see
# workflows/options.py; a test has no time for that.
PATIENCE = timedelta(seconds=3)


@dataclass(frozen=True)
class Holds:
    """The moments at which to stop, as ``moment:account``."""

    wanted: frozenset[str]
    markers: Path
    held: set[str] = field(default_factory=set)

    def at(self, moment: str, account_id: str) -> None:
        """Wait for ever if this is one of the moments."""
        if f"{moment}:{account_id}" in self.wanted:
            self.held.add(account_id)
            (self.markers / moment).touch()
            threading.Event().wait()

    def refuse_held(self, account_id: str) -> None:
        """Have a step tried again later, by the next worker, if the account stands still here."""
        if account_id in self.held:
            raise ApplicationError("this worker stands still", type=Code.UNAVAILABLE)


class HoldingGateway(PassedOn):
    """A gateway that answers too late: the money is taken, nobody hears of it."""

    def __init__(self, gateway: Gateway, holds: Holds) -> None:
        super().__init__(gateway)
        self._holds = holds

    def confirm_payment(self, payment_id: str) -> Payment:
        payment = super().confirm_payment(payment_id)
        self._holds.at(CHARGE, payment.account_id)
        return payment


class KeyPerAttempt(SqlBilling):
    """Billing without a record of what it is about to do, the control of this test."""

    def __init__(self, systems: Systems, gateway: PaymentGateway) -> None:
        super().__init__(systems.db, gateway)
        self._naive_gateway = gateway

    def collect_fee(self, step: CollectFee) -> FeeAnswer:
        order = Order(step.account_id, CARDS["visa"].token, FEE_MINOR, "USD")
        payment = self._naive_gateway.create_payment(uuid4().hex, order)
        self._naive_gateway.confirm_payment(payment.payment_id)
        return FeeAnswer(state=ChargeState.PAID)


class Impatient(temporalio.client.Interceptor, temporalio.worker.Interceptor):
    """Waits for the steps of a dead worker no longer than a test can."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        return _ImpatientInbound


class _ImpatientInbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_ImpatientOutbound(outbound))


class _ImpatientOutbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        input.start_to_close_timeout = PATIENCE
        return super().start_activity(input)


def with_holds(method: Callable[..., Any], holds: Holds) -> Callable[..., Any]:
    """The activity `method`, which may never come to report what it has done."""

    @wraps(method)
    def run(request: Any) -> Any:
        account_id = account_id_of(activity.info().workflow_id or "")
        holds.refuse_held(account_id)
        result = method(request)
        holds.at(method.__name__, account_id)
        return result

    vars(run).pop("__temporal_activity_definition")
    return activity.defn(name=method.__name__)(run)


def billing(systems: Systems, holds: Holds, *, has_key_per_attempt: bool) -> SqlBilling:
    """Billing on a gateway that may answer too late."""
    gateway = HoldingGateway(systems.gateway, holds)
    return (
        KeyPerAttempt(systems, gateway) if has_key_per_attempt else SqlBilling(systems.db, gateway)
    )


async def main(address: str, holds: Holds, *, has_key_per_attempt: bool) -> None:
    """Run until killed."""
    settings = Settings.load()
    systems = open_systems(settings.database, settings.gateway, stripe=settings.stripe)
    systems = replace(
        systems, billing=billing(systems, holds, has_key_per_attempt=has_key_per_attempt)
    )
    client = await temporalio.client.Client.connect(
        address,
        identity=IDENTITY,
        data_converter=pydantic_data_converter,
        interceptors=[Impatient()],
    )
    steps = activities(
        systems.accounts,
        systems.numbers,
        systems.dni,
        systems.access,
        systems.billing,
        settings.offer,
        systems.reconciliation,
    )
    with ThreadPoolExecutor(settings.worker_slots) as executor:
        async with build_worker(
            client,
            [with_holds(step, holds) for step in steps],
            executor,
            slots=settings.worker_slots,
            # Nothing is kept for a worker that will not come back.
            cached_workflows=0,
            graceful_shutdown=settings.graceful_shutdown,
        ):
            print("ready", flush=True)
            await asyncio.Event().wait()


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--hold", action="append", default=[])
    parser.add_argument("--markers", type=Path, required=True)
    parser.add_argument("--key-per-attempt", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parsed()
    asyncio.run(
        main(
            arguments.address,
            Holds(frozenset(arguments.hold), arguments.markers),
            has_key_per_attempt=arguments.key_per_attempt,
        )
    )
