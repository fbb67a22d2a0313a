"""Random pauses over two years, with the plan's job running whenever it likes (R7, R9, M1, M3).

Whatever the order: every billing date is invoiced once, by whom R7 says; money moves once at most
for each; and what a pause leaves behind is on the plan's invoices exactly once.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from domain.calendar import billing_date, due_instant, local_date, next_billing_date
from systems.billing.invoices import InvoiceView
from systems.db import Database, make_engine
from systems.tables import InvoiceKind, InvoiceState, LineKind
from tests.fakes.gateway import FakeGateway
from tests.systems.billing_shop import SqlShop, add_account, new_pause, succeeded, use_card

BEGIN = datetime(2026, 3, 10, tzinfo=UTC)
END = datetime(2028, 3, 10, tzinfo=UTC)  # past a 29 February
TOTAL_MINOR = 4999
FEE_MINOR = 500

ZONES = [
    "America/New_York",
    "America/Santiago",
    "Europe/Berlin",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
]
FEE_CARDS = ["visa", "declined", "times_out", "times_out_declined", "processing"]
# How long a step may take to reach billing, or a job to come, after its business time.
SOON = st.integers(0, 20).map(lambda minutes: timedelta(minutes=minutes))


@dataclass(frozen=True)
class Stay:
    """One pause: ``[begins_at, ends_at)``, or one that is undone before it took effect."""

    begins_at: datetime
    ends_at: datetime
    card_name: str
    is_undone: bool
    collects: bool
    delay: timedelta

    def owns(self, due_at: datetime) -> bool:
        return not self.is_undone and self.begins_at <= due_at < self.ends_at


@dataclass(frozen=True)
class Course:
    """Two years of one account."""

    zone: str
    billing_day: int
    stays: tuple[Stay, ...]
    jobs_at: tuple[datetime, ...]

    @property
    def dates(self) -> list[date]:
        return dates_of(self.zone, self.billing_day)

    def owner(self, billing_on: date) -> str:
        due_at = due_instant(billing_on, self.zone)
        return "fee" if any(stay.owns(due_at) for stay in self.stays) else "plan"


def dates_of(zone: str, billing_day: int) -> list[date]:
    """The billing dates that fall due in the two years."""
    days = [billing_date(2026, 3, billing_day)]
    while due_instant(days[-1], zone) < END + timedelta(days=31):
        days.append(next_billing_date(billing_day, days[-1]))
    return [day for day in days if BEGIN <= due_instant(day, zone) < END]


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """Pauses that begin and end at any time, often within a second of a due instant."""
    zone = draw(st.sampled_from(ZONES))
    billing_day = draw(st.one_of(st.integers(1, 28), st.sampled_from([29, 30, 31])))
    due = st.sampled_from(dates_of(zone, billing_day)).map(lambda day: due_instant(day, zone))
    beside = st.tuples(due, st.integers(-1, 1)).map(lambda it: it[0] + timedelta(seconds=it[1]))
    anywhere = st.integers(0, int((END - BEGIN).total_seconds() // 60)).map(
        lambda minutes: BEGIN + timedelta(minutes=minutes)
    )
    moment = st.one_of(anywhere, beside)
    moments = sorted(draw(st.lists(moment, max_size=14, unique=True)))
    stays: list[Stay] = []
    for begins_at, ends_at in pairwise(moments):
        earliest = stays[-1].ends_at + timedelta(hours=1) if stays else BEGIN
        if begins_at >= earliest and ends_at < END - timedelta(days=1) and draw(st.booleans()):
            stays.append(
                Stay(
                    begins_at,
                    ends_at,
                    draw(st.sampled_from(FEE_CARDS)),
                    draw(st.sampled_from([False, False, False, True])),
                    draw(st.booleans()),
                    draw(SOON),
                )
            )
    jobs_at = draw(st.lists(moment, max_size=12))
    return Course(zone, billing_day, tuple(stays), tuple(jobs_at))


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(course=courses())
def test_every_date_is_invoiced_once_and_every_line_is_right(
    course: Course, sqlite_template: Path, tmp_path: Path
) -> None:
    with fresh_shop(sqlite_template, tmp_path) as shop:
        account_id = live(shop, course)
        invoices = shop.sql.invoices(account_id)

        owners = [(day, course.owner(day)) for day in course.dates]
        assert owners == [(it.billing_on, it.kind.value) for it in invoices]
        check_money(shop, account_id, invoices)
        check_fees(course, invoices)
        check_lines(course, shop, account_id, invoices)


def check_money(shop: SqlShop, account_id: str, invoices: list[InvoiceView]) -> None:
    """M1: one successful payment for each invoice that is paid, none for any other."""
    charged = Counter(it.key.split(":")[1] for it in succeeded(shop, account_id) if it.key)
    paid = [it for it in invoices if it.state is InvoiceState.PAID]
    assert {it.billing_on.isoformat(): 1 for it in paid} == charged
    assert not [it for it in invoices if it.state in (InvoiceState.OPEN, InvoiceState.UNKNOWN)]


def check_fees(course: Course, invoices: list[InvoiceView]) -> None:
    """Each fee is the pinned fee, and paid or moved as its pause's card had it."""
    for invoice in invoices:
        if invoice.kind is InvoiceKind.FEE:
            [stay] = [each for each in course.stays if each.owns(invoice.due_at)]
            # What nobody collected in the pause is collected afterwards, by a card that works.
            is_paid = not stay.collects or "declined" not in stay.card_name
            assert (FEE_MINOR, InvoiceState.PAID if is_paid else InvoiceState.MOVED) == (
                invoice.amount_minor,
                invoice.state,
            )


def check_lines(
    course: Course, shop: SqlShop, account_id: str, invoices: list[InvoiceView]
) -> None:
    """What pauses left is on plan invoices, or waits for the next, once; the plan is on each."""
    plans = [it for it in invoices if it.kind is InvoiceKind.PLAN]
    for invoice in plans:
        assert invoice.amount_minor == sum(line.amount_minor for line in invoice.lines)
        regular = [line for line in invoice.lines if line.kind in (LineKind.PLAN, LineKind.ADD_ON)]
        assert TOTAL_MINOR == sum(line.amount_minor for line in regular)
    left = [(line.kind.value, line.amount_minor) for it in plans for line in it.lines]
    left = [line for line in left if line[0] not in ("plan", "add_on")]
    left += shop.pending(account_id)
    moved = [("unpaid_fee", FEE_MINOR) for it in invoices if it.state is InvoiceState.MOVED]
    assert sorted([*moved, *remaining_days(course)]) == sorted(left)


def remaining_days(course: Course) -> Iterator[tuple[str, int]]:
    """R9, said once more: what the fee's period leaves, in whole days, half a cent up."""
    for stay in course.stays:
        due = [(due_instant(day, course.zone), day) for day in course.dates]
        taken = [day for due_at, day in due if due_at < stay.ends_at]
        if not taken or not stay.owns(due_instant(taken[-1], course.zone)):
            continue
        ends_on = next_billing_date(course.billing_day, taken[-1])
        days = (ends_on - local_date(stay.ends_at, course.zone)).days
        share = Decimal(TOTAL_MINOR) * days / (ends_on - taken[-1]).days
        if days:
            yield "remaining_days", int(share.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def live(shop: SqlShop, course: Course) -> str:
    """Two years of the account, each thing at its time; returns the account's id."""
    account_id = add_account(
        shop,
        zone=course.zone,
        billing_day=course.billing_day,
        next_billing_on=course.dates[0],
        amount_minor=TOTAL_MINOR - 1000,
        add_ons=(("Recording", 1000),),
    )
    steps = [step for stay in course.stays for step in pause_steps(shop, account_id, course, stay)]
    steps += [
        (at, lambda at=at: shop.sql.invoice_plans_due(at, 100)) for at in (*course.jobs_at, END)
    ]
    for _, do in sorted(steps, key=lambda step: step[0]):
        do()
    for n in range(4):
        shop.sql.settle_unknown(END + timedelta(days=n))
    return account_id


def pause_steps(
    shop: SqlShop, account_id: str, course: Course, stay: Stay
) -> list[tuple[datetime, Any]]:
    """What the pause's workflow asks of billing, and when it gets round to it."""
    pause = new_pause(shop, account_id, zone=course.zone, billing_day=course.billing_day)
    resumed_at = stay.begins_at if stay.is_undone else stay.ends_at
    fees = [day for day in course.dates if stay.owns(due_instant(day, course.zone))]

    def begin() -> None:
        use_card(shop, account_id, stay.card_name, at=stay.begins_at)
        shop.open_act(pause, stay.begins_at)

    def suspend() -> None:
        pause.suspend(stay.begins_at)
        if not stay.is_undone:
            shop.change_act(pause, paused_at=stay.begins_at)

    def resume() -> None:
        preview = shop.sql.resume_lines(account_id, resumed_at)
        before = shop.pending(account_id)
        pause.restore(resumed_at)
        shown = [(line.kind.value, line.amount_minor) for line in preview]
        assert sorted([*before, *shown]) == shop.pending(account_id)

    def end() -> None:
        use_card(shop, account_id, "visa", at=stay.ends_at)
        shop.change_act(pause, ended_at=stay.ends_at)

    collects = [
        (due_instant(day, course.zone) + stay.delay, lambda day=day: pause.collect(day))
        for day in fees
        if stay.collects
    ]
    return [
        (stay.begins_at, begin),
        (stay.begins_at + stay.delay / 2, suspend),
        *((max(at, stay.begins_at + stay.delay), do) for at, do in collects),
        (stay.ends_at + stay.delay, resume),
        (stay.ends_at + stay.delay * 2, end),
    ]


@contextmanager
def fresh_shop(template: Path, folder: Path) -> Iterator[SqlShop]:
    """A shop on a database of its own; nothing here has to outlive the process."""
    file = folder / "properties.db"
    for leftover in folder.glob("properties.db*"):
        leftover.unlink()
    shutil.copyfile(template, file)
    engine = make_engine(f"sqlite:///{file}")
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
    try:
        yield SqlShop(Database(engine), FakeGateway())
    finally:
        engine.dispose()
