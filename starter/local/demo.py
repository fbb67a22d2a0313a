"""A whole pause of a fresh account on the real server's virtual clock, and how it is judged."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio.client import Client

from domain.errors import InvariantViolated, Transient
from domain.messages import ChargeStatus
from domain.payments import PaymentState
from domain.ports import Act, PlanQuote
from domain.snapshot import differences
from domain.states import ChargeState, PauseState
from settings import Settings
from starter.client import PauseClient
from starter.local.anchor import billing_day_for_six_fees
from starter.local.clock import note_clock, skipper_of
from starter.local.processes import free_port
from starter.local.stack import Plan, Stack, StackFailed, ephemeral
from starter.preview import monthly_minor
from starter.story import Event, story_of
from systems.migrate import upgrade
from systems.notices import NoticeKind
from systems.notices.outbox import NoticeView, notices
from systems.sample import SampleAccount, create_account
from systems.tables import AttemptState
from systems.wiring import Systems, open_systems

TIME_ZONE = "America/Chicago"
FEES = 6
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 30
CONNECTIONS = 5
STARTS = 3

# In the end every mail has gone: one at the pause, a receipt per fee, three reminders, one at the
# resume.
MAILS = {
    NoticeKind.PAUSED: 1,
    NoticeKind.RECEIPT: FEES,
    NoticeKind.REMINDER: 3,
    NoticeKind.RESUMED: 1,
}


@dataclass(frozen=True)
class Stage:
    """Where the demonstration takes place."""

    client: Client
    systems: Systems


@dataclass(frozen=True)
class SystemCheck:
    """How many settings of one system were compared with the snapshot, and which differ."""

    system: str
    compared: int
    differing: tuple[str, ...]


@dataclass(frozen=True)
class DemoResult:
    """What came of it. `problems` is empty when everything is as it should be.

    `remaining_days_minor` is the part of the plan's next invoice, `quote`, for the days that the
    last fee did not pay the plan for (R9).
    """

    account: SampleAccount
    pause_id: str
    state: PauseState
    paused_at: datetime | None
    ended_at: datetime | None
    charges: tuple[ChargeStatus, ...]
    payments: int
    mails: tuple[NoticeView, ...]
    checks: tuple[SystemCheck, ...]
    quote: PlanQuote
    remaining_days_minor: int
    problems: tuple[str, ...]


Tell = Callable[[Event], Awaitable[None]]


async def demonstrate(stage: Stage, settings: Settings, tell: Tell) -> DemoResult:
    """Take a fresh account through a pause of six months; `tell` hears of each event in order.

    Raises:
        Transient: it does not come to its end.
    """
    account = _fresh_account(stage.systems)
    pauses = PauseClient(skipper_of(stage.client).client, stage.systems.accounts)
    status = await pauses.pause(
        account.account_id, account.administrator_id, terms_version=settings.offer.version
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            act = await _followed(stage.systems, status.pause_id, tell)
            await _until_mails_are_sent(stage.systems, account.account_id)
    except TimeoutError:
        raise Transient(
            f"The demonstration does not come to its end; see `account-pause status"
            f" {account.account_id}` and the worker's log."
        ) from None
    note_clock(stage.systems, act, act.ended_at or datetime.now(UTC))
    return _judged(stage.systems, account, act)


@asynccontextmanager
async def own_stage(settings: Settings, say: Callable[[str], None]) -> AsyncIterator[Stage]:
    """A server and a worker of its own in a temporary directory; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="account-pause-demo-") as directory:
        plan = ephemeral(Plan(settings, free_port(), None), Path(directory))
        plan = replace(plan, settings=plan.settings.model_copy(update={"job_seconds": 0.2}))
        systems = open_systems(plan.settings.database, plan.settings.gateway, CONNECTIONS)
        try:
            upgrade(systems.engine)
            async with _running(plan, say) as client:
                yield Stage(client, systems)
        finally:
            systems.close()


@asynccontextmanager
async def _running(plan: Plan, say: Callable[[str], None]) -> AsyncIterator[Client]:
    stack, client = Stack(plan, say), None
    try:
        for start in range(1, STARTS + 1):
            try:
                client = await stack.start()
                break
            except StackFailed:
                if start == STARTS:
                    raise
                # A port that was free is not kept for us until the server takes it.
                await stack.stop()
                stack = Stack(replace(plan, port=free_port()), say)
        assert client is not None
        yield client
    finally:
        await stack.stop()


def _fresh_account(systems: Systems) -> SampleAccount:
    now = datetime.now(UTC)
    return create_account(
        systems,
        key=f"demo-{uuid4()}",
        name=f"Demo {now:%Y-%m-%d %H:%M:%S}",
        time_zone=TIME_ZONE,
        billing_day=billing_day_for_six_fees(now, TIME_ZONE),
        created_at=now,
        numbers=12,
    )


async def _followed(systems: Systems, pause_id: str, tell: Tell) -> Act:
    """The pause once it has ended; each event was told as it appeared."""
    told: list[Event] = []
    while True:
        act = systems.accounts.act(pause_id)
        if act is None:
            raise InvariantViolated(f"pause {pause_id} has no record")
        for event in story_of(systems, act.account_id):
            if event not in told:
                await tell(event)
                told.append(event)
        if act.ended_at is not None:
            return act
        await asyncio.sleep(POLL_SECONDS)


async def _until_mails_are_sent(systems: Systems, account_id: str) -> None:
    while any(mail.sent_at is None for mail in notices(systems.db, account_id)):
        await asyncio.sleep(POLL_SECONDS)


# --- judging -------------------------------------------------------------------------------------


def _judged(systems: Systems, account: SampleAccount, act: Act) -> DemoResult:
    account_id = account.account_id
    charges = tuple(systems.billing.charges(account_id, act.act_id))
    mails = tuple(notices(systems.db, account_id))
    checks = _checks(systems, act)
    quote = systems.billing.quote(account_id)
    return DemoResult(
        account=account,
        pause_id=act.act_id,
        state=act.state,
        paused_at=act.paused_at,
        ended_at=act.ended_at,
        charges=charges,
        payments=len(_paid(systems, account_id)),
        mails=mails,
        checks=checks,
        quote=quote,
        remaining_days_minor=quote.amount_minor - monthly_minor(systems, account_id),
        problems=(
            *_problems_with_state(act),
            *_problems_with_money(systems, act, charges),
            *_problems_with_mails(mails),
            *(f"{check.system} differs at {path}" for check in checks for path in check.differing),
        ),
    )


def _problems_with_state(act: Act) -> list[str]:
    problems = []
    if act.state is not PauseState.RESUMED:
        problems.append(f"the pause ended {act.state} and not resumed")
    if act.timeline is None or act.ended_at != act.timeline.resume_at:
        problems.append("the account did not come back at the planned instant")
    return problems


def _problems_with_money(
    systems: Systems, act: Act, charges: tuple[ChargeStatus, ...]
) -> list[str]:
    problems = []
    paid = [charge for charge in charges if charge.state is ChargeState.PAID]
    if len(paid) != FEES or len(charges) != FEES:
        problems.append(f"{len(paid)} of {len(charges)} fees were paid, there should be {FEES}")
    planned = [fee.billing_on for fee in act.timeline.fees] if act.timeline else []
    if [charge.billing_on for charge in charges] != planned:
        problems.append("the fees are not on the dates that were promised")
    if _paid(systems, act.account_id) != _booked(systems, act.account_id):
        problems.append("the gateway's record and the invoices do not match")
    return problems


def _problems_with_mails(mails: tuple[NoticeView, ...]) -> list[str]:
    return [
        f"{count} mails of the kind {kind} were to be sent"
        for kind, count in MAILS.items()
        if sum(mail.kind is kind and mail.recipients > 0 for mail in mails) != count
    ]


def _paid(systems: Systems, account_id: str) -> dict[str, int]:
    """What the gateway says was paid, by payment id, in cents."""
    return {
        payment.payment_id: payment.amount_minor
        for payment in systems.sandbox.payments(account_id)
        if payment.state is PaymentState.SUCCEEDED
    }


def _booked(systems: Systems, account_id: str) -> dict[str, int]:
    """What the invoices say was paid, by payment id, in cents."""
    return {
        attempt.payment_id or "": invoice.amount_minor
        for invoice in systems.billing.invoices(account_id)
        for attempt in invoice.attempts
        if attempt.state is AttemptState.PAID
    }


def _checks(systems: Systems, act: Act) -> tuple[SystemCheck, ...]:
    """Every setting that the snapshot holds, compared with what it is now (A2)."""
    before = systems.accounts.snapshot_of(act.act_id) or {}
    now = {
        "numbers": systems.numbers.snapshot(act.account_id),
        "dni": systems.dni.snapshot(act.account_id),
        "billing": systems.billing.snapshot(act.account_id),
    }
    return tuple(
        SystemCheck(
            system,
            _count_settings(before.get(system)),
            tuple(differences(before.get(system), after)),
        )
        for system, after in now.items()
    )


def _count_settings(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(_count_settings(each) for each in value.values())
    if isinstance(value, list):
        return sum(_count_settings(each) for each in value)
    return 1
