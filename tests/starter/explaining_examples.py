"""One pause in facts, as the tests of explanations change it: a billing day of 31, at 09:00 UTC.

plan 31 Dec   [paused 10 Jan ======= $ 31 Jan ======= $ 28 Feb ======= resumed 10 Mar)   plan
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from domain.ports import Act
from domain.states import ActKind, PauseState
from domain.terms import Offer
from domain.timeline import plan_timeline
from starter.explaining import Facts
from starter.explaining.facts import EventKind, HistoryFact
from systems.accounts.views import AuditEntry
from systems.billing.books import Books
from systems.billing.invoices import AttemptView, InvoiceView
from systems.billing.ledger import LedgerEntry
from systems.billing.plan import Line as InvoiceLine
from systems.notices import NoticeKind
from systems.notices.outbox import NoticeView
from systems.tables import AttemptState, InvoiceKind, InvoiceState, LedgerAccount, LedgerKind

ACCOUNT, PAUSE, OTHER_PAUSE = "ACC1", "PAU1", "PAU2"
ADMIN, RUN = "USR1", "run-1"
PAUSED_AT = datetime(2026, 1, 10, 14, tzinfo=UTC)
RESUMED_AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
NOW = datetime(2026, 4, 10, 12, tzinfo=UTC)
DEC, JAN, FEB, MAR = date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)
TERMS = Offer().for_account("UTC", 31)
TIMELINE = plan_timeline(TERMS, PAUSED_AT, JAN)


def act(**changes: Any) -> Act:
    """The pause, which an administrator has resumed."""
    ended = Act(
        act_id=PAUSE,
        account_id=ACCOUNT,
        kind=ActKind.PAUSE,
        state=PauseState.RESUMED,
        requested_by=ADMIN,
        began_at=PAUSED_AT,
        terms=TERMS,
        resume_on=TIMELINE.resume_on,
        timeline=TIMELINE,
        paused_at=PAUSED_AT,
        ends_at=RESUMED_AT,
        ended_at=RESUMED_AT,
    )
    return replace(ended, **changes)


def still_open(**changes: Any) -> Act:
    """The pause while it is in effect."""
    return act(**{"state": PauseState.PAUSED, "ends_at": None, "ended_at": None, **changes})


def closed(**changes: Any) -> Act:
    """The pause when it has ended with a close."""
    return act(state=PauseState.CLOSED, **changes)


def due(on: date) -> datetime:
    """Its due instant."""
    return datetime(on.year, on.month, on.day, 9, tzinfo=UTC)


def invoice(
    on: date,
    state: InvoiceState = InvoiceState.PAID,
    attempts: tuple[AttemptView, ...] | None = None,
    **changes: Any,
) -> InvoiceView:
    """The fee of that date; paid at once unless said otherwise."""
    paid = InvoiceView(
        invoice_id=f"INV-{on}",
        billing_on=on,
        due_at=due(on),
        kind=InvoiceKind.FEE,
        act_id=PAUSE,
        amount_minor=500,
        currency="USD",
        state=state,
        held_at=None,
        answered_at=due(on),
        lines=(),
        attempts=(attempt(on),) if attempts is None else attempts,
    )
    return replace(paid, **changes)


def plan_invoice(on: date, *lines: InvoiceLine) -> InvoiceView:
    """The plan's invoice of that date, paid."""
    return invoice(on, kind=InvoiceKind.PLAN, act_id=None, amount_minor=9500, lines=lines)


def attempt(
    on: date, number: int = 1, state: AttemptState = AttemptState.PAID, **changes: Any
) -> AttemptView:
    """An attempt on the card ending 4242, made when the date was due."""
    made = AttemptView(
        key=f"{PAUSE}:{on}:{number}",
        attempt=number,
        rung=number - 1,
        state=state,
        card_last4="4242",
        payment_id=f"pay-{on}-{number}",
        decline_code="insufficient_funds" if state is AttemptState.DECLINED else None,
        began_at=due(on),
        answered_at=due(on),
    )
    return replace(made, **changes)


def booked(
    on: date, entry_id: int, kind: LedgerKind = LedgerKind.CHARGE, **changes: Any
) -> LedgerEntry:
    """A transaction on the invoice of that date."""
    entry = LedgerEntry(
        key=f"key-{entry_id}",
        account_id=ACCOUNT,
        kind=kind,
        debit=LedgerAccount.GATEWAY,
        credit=LedgerAccount.RECEIVABLE,
        amount_minor=500,
        currency="USD",
        at=due(on),
        invoice_id=f"INV-{on}",
        payment_id=f"pay-{on}-1",
        refund_id=None,
        entry_id=entry_id,
    )
    return replace(entry, **changes)


def audited(
    what: str, at: datetime = PAUSED_AT, actor: str = "system", entry_id: int = 7, **changes: Any
) -> AuditEntry:
    """A line of the audit about the pause."""
    entry = AuditEntry(at, actor, what, PAUSE, {}, None, entry_id)
    return replace(entry, **changes)


def mail(kind: NoticeKind, at: datetime = PAUSED_AT, **data: Any) -> NoticeView:
    """A mail about the pause that one administrator has."""
    return NoticeView("NOT1", f"{PAUSE}:{kind}", kind, at, data, 1, at)


def event(kind: EventKind, name: str = "", event_id: int = 5, **changes: Any) -> HistoryFact:
    """An event of the pause's run."""
    return replace(HistoryFact(RUN, event_id, PAUSED_AT, kind, name, {"act_id": PAUSE}), **changes)


def facts(
    pause: Act | None = None,
    *,
    invoices: tuple[InvoiceView, ...] = (),
    entries: tuple[LedgerEntry, ...] = (),
    moved_to: dict[str, date | None] | None = None,
    **changes: Any,
) -> Facts:
    """All that is known: of the resumed pause, unless another is given."""
    books = Books(
        account_id=ACCOUNT,
        time_zone="UTC",
        invoices=invoices,
        entries=entries,
        refunds=(),
        pauses=(),
        moved_to=moved_to or {},
        held=frozenset(),
        gateways={},
    )
    known = Facts(ACCOUNT, PAUSE, NOW, pause or act(), (), books, ())
    return replace(known, **changes)
