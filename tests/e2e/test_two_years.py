"""Two years of an account with several pauses: each billing date is invoiced once, by whom R7 says.

plan  $                 $   $                        $   $       $             late $   $   $ ...
fee       [ =$= =$= = )       [ =$= =$= ... =$= )          [=$=)   [ =$= =$= )   .       [=)
pause      planned             six months              two days    workers were down   an hour
"""

import calendar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from domain import names
from domain.messages import Status
from domain.states import PauseState
from systems.tables import InvoiceKind, InvoiceState
from tests.temporal import TemporalServer
from tests.workflows.stage import TIME_ZONE, PauseHandle, Stage, open_stage

# Clamped in every second month: the anchor must not wander.
BILLING_DAY = 31
MONTHS = 24

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def test_over_two_years_each_billing_date_is_invoiced_exactly_once(
    temporal_server: TemporalServer, database_url: str, tmp_path: Path
) -> None:
    gateway_url = f"sqlite:///{tmp_path / 'gateway.db'}"
    async with open_stage(
        temporal_server,
        database_url,
        gateway_url,
        created_at=datetime.now(UTC),
        billing_day=BILLING_DAY,
    ) as stage:
        years = TwoYears(stage)
        async with stage.worker():
            await years.go_by()

        invoices = stage.systems.billing.invoices(stage.account_id)
        by_whom = [(invoice.billing_on, invoice.kind) for invoice in invoices]
        fees = [one for one in by_whom if one[1] is InvoiceKind.FEE]
        assert years.expected() == by_whom
        assert len(fees) == 2 + 5 + 1 + 2
        assert {InvoiceState.PAID} == {invoice.state for invoice in invoices}
        assert sorted(stage.paid()) == sorted(invoice.amount_minor for invoice in invoices)


def test_the_years_begin_and_end_where_the_picture_says() -> None:
    dates = billing_dates(date(2027, 1, 31))

    assert [date(2027, 1, 31), date(2027, 2, 28), date(2027, 3, 31)] == dates[:3]
    assert all(27 < (later - earlier).days < 32 for earlier, later in pairwise(dates))


@dataclass
class TwoYears:
    """The years as they go by: pauses on clocks of their own, the plan's job at the same times.

    `pauses` holds how each of them ended.
    """

    stage: Stage
    pauses: list[Status] = field(default_factory=list)

    def __post_init__(self) -> None:
        first = self.stage.systems.billing.quote(self.stage.account_id).next_billing_on
        self.dates = billing_dates(first)
        self.due = [due_at(day) for day in self.dates]
        self._billed_until = self.due[0] - HOUR

    async def go_by(self) -> None:
        due = self.due
        await self.planned(due[1] - HOUR, resume_on=self.dates[3])
        await self.planned(due[4] + HOUR)
        await self.resumed(due[12] - DAY, due[12] + DAY)
        await self.overlooked(due[14] + DAY, self.dates[16] + 3 * DAY, due[17] + 2 * DAY)
        await self.resumed(due[19] - 2 * HOUR, due[19] - HOUR)
        self.bill_until(due[-1] + HOUR)

    async def planned(self, at: datetime, resume_on: date | None = None) -> None:
        """A pause that begins at `at` and is left to itself."""
        self.bill_until(at)
        handle = await self._start(at, skipping=True, resume_on=resume_on)
        self._ended(await handle.result())

    async def resumed(self, at: datetime, resumed_at: datetime) -> None:
        """A pause that an administrator ends; the plan's job runs meanwhile, in vain."""
        self.bill_until(at)
        handle = await self._start(at, skipping=False)
        # The server reckons the delay from when it got the request, a moment later than we did.
        await self.stage.move_to(handle, at + MINUTE)
        await self.stage.until_state(handle, PauseState.PAUSED)
        await self.stage.move_to(handle, resumed_at)
        assert 0 == self._bill(resumed_at)
        stage = self.stage
        self._ended(
            await stage.pauses.resume(
                stage.account_id, stage.administrator, requested_at=resumed_at
            )
        )

    async def overlooked(self, at: datetime, resume_on: date, workers_at: datetime) -> None:
        """A pause whose fees and planned resume fall due while no worker runs."""
        self.bill_until(at)
        pause_id = self.stage.pause_in_the_past(at, resume_on)
        assert 0 == self.bill_until(workers_at)
        handle = await self._start(workers_at, skipping=True, pause_id=pause_id)
        self._ended(await handle.result())
        assert 1 == self._bill(workers_at)

    def bill_until(self, at: datetime) -> int:
        """Run the plan's job around every due instant before `at`; returns how many it took."""
        due = [instant for instant in self.due if self._billed_until <= instant < at]
        self._billed_until = at
        taken = 0
        for instant in due:
            assert self._bill(instant - MINUTE) == 0, "a date was invoiced before it was due"
            taken += self._bill(instant + MINUTE)
        return taken

    def expected(self) -> list[tuple[date, InvoiceKind]]:
        """Whose each date is, by the rule and nothing else."""
        return [
            (day, InvoiceKind.FEE if self._is_paused(due_at(day)) else InvoiceKind.PLAN)
            for day in self.dates
        ]

    async def _start(self, at: datetime, *, skipping: bool, **fields: object) -> PauseHandle:
        """Start a pause whose own clock shows `at` when it begins."""
        stage = self.stage
        client = stage.skipper.client if skipping else stage.client
        request = {"account_id": stage.account_id, "requested_by": stage.administrator, **fields}
        await client.start_workflow(
            names.ACCOUNT_PAUSE,
            request,
            id=names.pause_workflow_id(stage.account_id),
            task_queue=names.TASK_QUEUE,
            start_delay=at - datetime.now(UTC),
        )
        return stage.handle()

    def _ended(self, status: Status) -> None:
        assert status.state is PauseState.RESUMED
        assert status.ended_at is not None
        self.pauses.append(status)
        self._billed_until = max(self._billed_until, status.ended_at)

    def _bill(self, now: datetime) -> int:
        return self.stage.systems.billing.invoice_plans_due(now, limit=10)

    def _is_paused(self, at: datetime) -> bool:
        return any(
            pause.paused_at <= at < pause.ended_at
            for pause in self.pauses
            if pause.paused_at and pause.ended_at
        )


def billing_dates(first: date) -> list[date]:
    """The regular billing dates of the two years, reckoned without the product's calendar."""
    months = [divmod(first.month - 1 + count, 12) for count in range(MONTHS)]
    return [
        date(first.year + years, month + 1, _clamped(first.year + years, month + 1))
        for years, month in months
    ]


def due_at(day: date) -> datetime:
    """09:00 in the account's time zone, in UTC."""
    return datetime.combine(day, time(9), ZoneInfo(TIME_ZONE)).astimezone(UTC)


def _clamped(year: int, month: int) -> int:
    return min(BILLING_DAY, calendar.monthrange(year, month)[1])
