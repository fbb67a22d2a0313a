"""What is known of one pause or close, and the lines in which it is explained."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from domain.ports import Act
from domain.states import PauseState
from starter.explaining.rules import Rule
from systems.accounts.views import AuditEntry
from systems.billing.books import Books
from systems.notices.outbox import NoticeView


class EvidenceKind(StrEnum):
    """Where something is on record. `history`: an event of a run, as `RUN_ID/EVENT_ID`."""

    AUDIT = "audit"
    INVOICE = "invoice"
    LEDGER = "ledger"
    PAYMENT = "payment"
    REFUND = "refund"
    NOTICE = "notice"
    HISTORY = "history"


@dataclass(frozen=True)
class Evidence:
    """A reference under which anybody finds the record itself."""

    kind: EvidenceKind
    reference: str


@dataclass(frozen=True)
class Line:
    """One thing that happened, or did not. `actor`: a user id, `operator` or a name, `system`."""

    at: datetime
    what: str
    text: str
    rule: Rule
    actor: str
    evidence: tuple[Evidence, ...]


class EventKind(StrEnum):
    """What an event of a history is about; all others say nothing that the records do not."""

    STARTED = "started"
    STEP = "step"
    STEP_FAILED = "step_failed"
    SIGNAL = "signal"
    CANCEL = "cancel"
    ENDED = "ended"


@dataclass(frozen=True)
class HistoryFact:
    """One event of a run. `detail` is what was sent: ids, counts, dates and amounts only (R17).

    `name` is the step's or the signal's, `attempts` how often a step was tried until it was done.
    """

    run_id: str
    event_id: int
    at: datetime
    kind: EventKind
    name: str
    detail: Mapping[str, Any]
    attempts: int = 1

    @property
    def evidence(self) -> Evidence:
        """Where it stands."""
        return Evidence(EvidenceKind.HISTORY, f"{self.run_id}/{self.event_id}")


@dataclass(frozen=True)
class Facts:
    """All records of one pause or close.

    `act` is None for one that was refused at once: what is known of it stands in its run only.
    `audit` and `books` are the account's whole, `now` is the account's time. `history` has the
    runs that Temporal still keeps; `history_note` says why there may be less than has happened.
    """

    account_id: str
    act_id: str
    now: datetime
    act: Act | None
    audit: tuple[AuditEntry, ...]
    books: Books
    notices: tuple[NoticeView, ...]
    history: tuple[HistoryFact, ...] = ()
    history_note: str | None = None

    @property
    def zone(self) -> str:
        """The account's time zone: the pinned one, while there is one (R18)."""
        terms = self.act.terms if self.act else None
        return terms.time_zone if terms else self.books.time_zone

    @property
    def ends_at(self) -> datetime | None:
        """As of when the act has ended, or is ending."""
        return (self.act.ended_at or self.act.ends_at) if self.act else None

    @property
    def is_closed(self) -> bool:
        """Whether the account is closed by it."""
        ends = (PauseState.CLOSING, PauseState.CLOSED)
        return self.act is not None and self.act.state in ends

    @property
    def refusal(self) -> tuple[HistoryFact, str] | None:
        """The end of a run that a rule has refused at once, and its code: no record was made."""
        for fact in self.history:
            refusal = fact.detail.get("refusal") if fact.kind is EventKind.ENDED else None
            if refusal and self.act is None:
                return fact, str(refusal.get("code"))
        return None

    def steps(self, name: str, **detail: Any) -> list[HistoryFact]:
        """The steps of that name which were asked for with that detail."""
        return [
            fact
            for fact in self.history
            if fact.kind is EventKind.STEP
            and fact.name == name
            and detail.items() <= fact.detail.items()
        ]


@dataclass(frozen=True)
class Explanation:
    """What the command answers. `answers` are those to the question about `asked_on`."""

    account_id: str
    pause_id: str
    state: PauseState
    time_zone: str
    asked_on: date | None
    answers: tuple[Line, ...]
    lines: tuple[Line, ...]
    history_note: str | None
