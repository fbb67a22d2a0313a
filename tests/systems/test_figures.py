"""The figures that the gauges show: each thing counted once, and nothing that has ended."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from domain.differences import DifferenceKind
from domain.states import ActKind, PauseState
from systems.db import Database
from systems.figures import LATE, STUCK_FAILURES, Figures, read_figures
from systems.tables import (
    AccountRow,
    ActRow,
    AttemptRow,
    AttemptState,
    Base,
    DifferenceRow,
    DifferenceState,
    GatewayEventRow,
    InvoiceKind,
    InvoiceRow,
    InvoiceState,
    NoticeRow,
    ReconciliationRow,
    RefundRow,
    RefundRowState,
    SubscriptionRow,
)

NOW = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NUMBERS = count()

OPEN, UNKNOWN, PAST_DUE = InvoiceState.OPEN, InvoiceState.UNKNOWN, InvoiceState.PAST_DUE


def figures(database: Database, *rows: Base | Iterable[Base]) -> Figures:
    """What is read once these rows are there, each with the account that it belongs to."""
    flat = [row for each in rows for row in ([each] if isinstance(each, Base) else each)]
    accounts = {account_id for row in flat if (account_id := getattr(row, "account_id", None))}
    with database.transaction() as session:
        for account_id in accounts:
            session.add(
                AccountRow(id=account_id, name="Brightside", time_zone="UTC", created_at=NOW)
            )
        session.flush()
        for row in flat:
            session.add(row)
            session.flush()
    return read_figures(database, NOW)


def test_nothing_is_there_with_zeros(database: Database) -> None:
    read = figures(database)

    assert set(read.pauses) == {state for state in PauseState if not state.is_final}
    assert len(InvoiceKind) * 3 == len(read.charges)
    assert set(DifferenceKind) == set(read.differences)
    for counts in (read.pauses, read.charges, read.due, read.overdue, read.differences):
        assert {0} == set(counts.values())
    assert 0 == read.closes == read.refunds_pending == read.events_waiting == read.notices_waiting
    assert timedelta(0) == read.unknown_for == read.notices_late_by
    assert read.reconciled_at is None


def test_open_pauses_are_counted_by_state_and_closes_apart(database: Database) -> None:
    read = figures(
        database,
        act(PauseState.PAUSED),
        act(PauseState.PAUSED),
        act(PauseState.RESUMING),
        act(PauseState.CLOSING, kind=ActKind.CLOSE),
        act(PauseState.RESUMED, ended_at=NOW),
    )

    assert 2 == read.pauses[PauseState.PAUSED]
    assert 1 == read.pauses[PauseState.RESUMING]
    assert 0 == read.pauses[PauseState.CLOSING]
    assert 1 == read.closes


@pytest.mark.parametrize(
    ("due_on", "due", "overdue"),
    [("2026-11-15", 1, 1), ("2026-11-16", 1, 1), ("2026-11-17", 0, 0)],
)
def test_a_billing_date_that_nobody_took_is_due_at_nine_and_overdue_an_hour_later(
    database: Database, due_on: str, due: int, overdue: int
) -> None:
    read = figures(database, subscription(due_on))

    assert {InvoiceKind.PLAN: due, InvoiceKind.FEE: 0} == read.due
    assert {InvoiceKind.PLAN: overdue, InvoiceKind.FEE: 0} == read.overdue


def test_within_the_first_hour_it_is_due_and_not_overdue(database: Database) -> None:
    # 09:00 in Lisbon is 09:00 UTC in winter; half an hour later nothing is late.
    figures(database, subscription("2026-11-16"))

    read = read_figures(database, NOW.replace(hour=9, minute=30))

    assert (1, 0) == (read.due[InvoiceKind.PLAN], read.overdue[InvoiceKind.PLAN])


def test_under_a_pause_the_date_is_the_fees_and_after_an_end_nobodys(database: Database) -> None:
    read = figures(
        database,
        subscription("2026-11-15", suspended_by="PAU1"),
        subscription("2026-11-15", ended_at=NOW),
    )

    assert {InvoiceKind.PLAN: 0, InvoiceKind.FEE: 1} == read.overdue


@pytest.mark.parametrize(
    ("state", "age", "is_held", "due", "overdue"),
    [
        (OPEN, HOUR / 2, False, 1, 0),
        (OPEN, LATE, False, 1, 1),
        (OPEN, -HOUR, False, 0, 0),
        # A look-up or a ladder is under way, unless the invoice is held for an operator.
        (UNKNOWN, DAY, False, 0, 0),
        (PAST_DUE, DAY, False, 0, 0),
        (UNKNOWN, HOUR / 2, True, 1, 1),
        (InvoiceState.PAID, DAY, False, 0, 0),
        (InvoiceState.PAID, DAY, True, 0, 0),
    ],
)
def test_an_invoice_is_overdue_when_it_is_late_and_nothing_is_under_way(
    database: Database, state: InvoiceState, age: timedelta, is_held: bool, due: int, overdue: int
) -> None:
    held_at = NOW if is_held else None

    read = figures(database, invoice(state, due_at=NOW - age, held_at=held_at))

    assert (due, overdue) == (read.due[InvoiceKind.FEE], read.overdue[InvoiceKind.FEE])


def test_unpaid_fees_stand_on_the_step_that_was_tried_last(database: Database) -> None:
    read = figures(
        database,
        with_attempts(invoice(PAST_DUE), 0),
        with_attempts(invoice(PAST_DUE), 0, 1, 2),
        with_attempts(invoice(PAST_DUE), 0, 1, 2),
        with_attempts(invoice(InvoiceState.PAID), 0, 1),
        with_attempts(invoice(PAST_DUE, kind=InvoiceKind.PLAN), None),
    )

    assert {0: 1, 2: 2} == read.rungs
    assert 3 == read.charges[InvoiceKind.FEE, PAST_DUE]
    assert 1 == read.charges[InvoiceKind.PLAN, PAST_DUE]


def test_the_oldest_unknown_charge_says_how_long_it_is_so(database: Database) -> None:
    read = figures(
        database,
        invoice(UNKNOWN, first_unknown_at=NOW - HOUR),
        invoice(UNKNOWN, first_unknown_at=NOW - DAY),
        invoice(InvoiceState.PAID, first_unknown_at=NOW - 9 * DAY),
    )

    assert 2 == read.charges[InvoiceKind.FEE, UNKNOWN]
    assert DAY == read.unknown_for


def test_what_a_clock_ahead_of_ours_has_queued_is_not_late(database: Database) -> None:
    read = figures(database, notice(at=NOW + DAY), invoice(UNKNOWN, first_unknown_at=NOW + DAY))

    assert timedelta(0) == read.notices_late_by == read.unknown_for


def test_notices_wait_are_tried_again_and_are_stuck(database: Database) -> None:
    read = figures(
        database,
        notice(at=NOW - HOUR),
        notice(at=NOW - 2 * HOUR, failures=1),
        notice(at=NOW - 3 * HOUR, failures=STUCK_FAILURES),
        notice(at=NOW - DAY, failures=STUCK_FAILURES, sent_at=NOW),
    )

    assert (3, 2, 1) == (read.notices_waiting, read.notices_retried, read.notices_stuck)
    assert 3 * HOUR == read.notices_late_by


def test_what_waits_at_the_gateway_and_for_operators_is_counted(database: Database) -> None:
    read = figures(
        database,
        difference(DifferenceState.OPEN),
        difference(DifferenceState.ACKNOWLEDGED),
        refund(RefundRowState.RESERVED),
        refund(RefundRowState.SUCCEEDED),
        event(handled_at=None),
        event(handled_at=NOW),
        reconciliation(ended_at=NOW - DAY),
        reconciliation(ended_at=None),
    )

    assert 1 == read.differences[DifferenceKind.MISSING_HERE]
    assert (1, 1) == (read.refunds_pending, read.events_waiting)
    assert NOW - DAY == read.reconciled_at


# --- rows ----------------------------------------------------------------------------------------


def name(prefix: str) -> str:
    return f"{prefix}{next(NUMBERS):032x}"


def act(
    state: PauseState, *, kind: ActKind = ActKind.PAUSE, ended_at: datetime | None = None
) -> ActRow:
    return ActRow(
        id=name("PAU"),
        account_id=name("ACC"),
        kind=kind,
        state=state,
        began_at=NOW,
        ended_at=ended_at,
    )


def subscription(
    next_billing_on: str, suspended_by: str | None = None, ended_at: datetime | None = None
) -> SubscriptionRow:
    return SubscriptionRow(
        account_id=name("ACC"),
        plan="Pro",
        amount_minor=4500,
        currency="USD",
        time_zone="Europe/Lisbon",
        billing_day=15,
        next_billing_on=datetime.fromisoformat(next_billing_on).date(),
        suspended_by=suspended_by,
        ended_at=ended_at,
    )


def invoice(
    state: InvoiceState,
    *,
    kind: InvoiceKind = InvoiceKind.FEE,
    due_at: datetime = NOW - DAY,
    first_unknown_at: datetime | None = None,
    held_at: datetime | None = None,
) -> InvoiceRow:
    return InvoiceRow(
        id=name("INV"),
        account_id=name("ACC"),
        billing_on=due_at.date(),
        due_at=due_at,
        kind=kind,
        amount_minor=500,
        currency="USD",
        state=state,
        first_unknown_at=first_unknown_at,
        held_at=held_at,
    )


def with_attempts(row: InvoiceRow, *rungs: int | None) -> list[Base]:
    attempts = [
        AttemptRow(
            key=name("key"),
            invoice_id=row.id,
            attempt=number,
            rung=rung,
            state=AttemptState.DECLINED,
            began_at=NOW,
        )
        for number, rung in enumerate(rungs)
    ]
    return [row, *attempts]


def notice(*, at: datetime, failures: int = 0, sent_at: datetime | None = None) -> NoticeRow:
    return NoticeRow(
        id=name("NOT"),
        key=name("key"),
        account_id=name("ACC"),
        kind="paused",
        data={},
        at=at,
        failures=failures,
        sent_at=sent_at,
    )


def difference(state: DifferenceState) -> DifferenceRow:
    return DifferenceRow(
        key=name("key"),
        kind=DifferenceKind.MISSING_HERE,
        object_id=name("pay"),
        detail={},
        state=state,
        found_at=NOW,
        seen_at=NOW,
    )


def refund(state: RefundRowState) -> RefundRow:
    return RefundRow(
        key=name("key"),
        account_id=name("ACC"),
        payment_id=name("pay"),
        amount_minor=500,
        currency="USD",
        gateway="sandbox",
        state=state,
        actor="operator",
        began_at=NOW,
    )


def event(*, handled_at: datetime | None) -> GatewayEventRow:
    return GatewayEventRow(
        event_id=name("evt"),
        kind="payment_intent.succeeded",
        object_id=name("pay"),
        received_at=NOW,
        handled_at=handled_at,
    )


def reconciliation(*, ended_at: datetime | None) -> ReconciliationRow:
    return ReconciliationRow(
        gateway="sandbox", since=NOW - DAY, until=NOW, began_at=NOW, ended_at=ended_at
    )
