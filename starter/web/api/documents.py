"""What callers get: the documents of the API. Like messages they only grow.

Instants are RFC 3339 in UTC, `_on` fields are days in the account's time zone, money is in cents.
"""

from datetime import date, datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from domain.messages import Refusal
from domain.states import (
    AccountStatus,
    ChargeState,
    PauseState,
    Role,
    TrackerType,
)
from domain.terms import Terms
from domain.timeline import Timeline
from starter.web.api.paging import Page
from systems.numbers.trackers import TrackerStatus
from systems.tables import AttemptState, InvoiceKind, InvoiceState, LineKind

# `describing.py` shows it.
PAUSE_EXAMPLE: dict[str, Any] = {
    "pause_id": "PAU0d5db1940281569db722616986b09693",
    "account_id": "ACC0d5db1940281569db722616986b09693",
    "state": "paused",
    "paused_at": "2026-11-25T14:03:11Z",
    "resume_on": "2027-01-10",
    "resume_at": "2027-01-10T06:00:00Z",
    "ended_at": None,
    "retained_numbers": 14,
    "charges": [
        {
            "billing_on": "2026-12-15",
            "due_at": "2026-12-15T15:00:00Z",
            "amount_minor": 500,
            "currency": "USD",
            "state": "scheduled",
            "decline_code": None,
        }
    ],
    "past_due": False,
    "refusal": None,
    "terms": None,
}


class Document(BaseModel):
    """Reads itself from what the rest of the product works with, field by field."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    @classmethod
    def of(cls, value: object, **more: Any) -> Self:
        """The document of `value`, some of whose fields have other names there: `more`."""
        fields = {name: getattr(value, name) for name in cls.model_fields if name not in more}
        return cls.model_validate({**fields, **more})


class Me(Document):
    """Who is asking. `csrf_token` and `ends_at` are the session's; an API key has neither."""

    user_id: str
    account_id: str
    role: Role
    name: str
    email: str
    csrf_token: str | None
    ends_at: datetime | None


class Account(Document):
    """An account, and whether it works, rests or is gone."""

    account_id: str
    name: str
    status: AccountStatus
    time_zone: str
    created_at: datetime
    closed_at: datetime | None


class Charge(Document):
    """One billing date of a pause and where its fee stands."""

    billing_on: date
    due_at: datetime
    amount_minor: int
    currency: str
    state: ChargeState
    decline_code: str | None


class Pause(Document):
    """A pause, or the close of an active account: the open one, else the last.

    `resume_on` and `resume_at` are the planned end; `past_due` says that a fee is unpaid.
    """

    pause_id: str
    account_id: str
    state: PauseState
    paused_at: datetime | None
    resume_on: date | None
    resume_at: datetime | None
    ended_at: datetime | None
    retained_numbers: int
    charges: tuple[Charge, ...]
    past_due: bool
    refusal: Refusal | None
    terms: Terms | None


class Line(Document):
    """One line of an invoice."""

    kind: LineKind
    description: str
    amount_minor: int


class Stop(Document):
    """What stops, and when: `plan`, `script`, `access`, `routing`."""

    what: str
    at: datetime


class Preview(Document):
    """What a pause that begins now would do; while one is open, what it does.

    `refusal` says why none may begin now. After the planned resume, or one right now while paused,
    the plan's next invoice is that of `plan_resumes_on` over `plan_amount_minor`, `resume_lines`
    included.
    """

    account_id: str
    account_status: AccountStatus
    at: datetime
    pause_id: str | None
    refusal: Refusal | None
    terms: Terms
    timeline: Timeline
    retained_numbers: int
    stops: tuple[Stop, ...]
    plan_resumes_on: date
    plan_amount_minor: int
    currency: str
    card_last4: str | None
    resume_lines: tuple[Line, ...]


class Tracker(Document):
    """A tracker; a disabled one with the numbers it had."""

    tracker_id: str
    company_id: str
    company: str
    name: str
    type: TrackerType
    status: TrackerStatus
    source: str
    destination_number: str
    call_flow_id: str
    call_flow: str
    tracking_numbers: tuple[str, ...]
    swap_targets: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None


class TrackerPage(Page[Tracker]):
    """Trackers by company, the oldest first."""


class Attempt(Document):
    """One attempt to have an invoice paid."""

    attempt: int
    state: AttemptState
    card_last4: str | None
    decline_code: str | None
    began_at: datetime
    answered_at: datetime | None


class Invoice(Document):
    """One invoice: the plan's, or (`pause_id`) a pause's fee."""

    invoice_id: str
    billing_on: date
    due_at: datetime
    kind: InvoiceKind
    pause_id: str | None
    amount_minor: int
    currency: str
    state: InvoiceState
    lines: tuple[Line, ...]
    attempts: tuple[Attempt, ...]


class InvoicePage(Page[Invoice]):
    """Invoices, the latest first."""


class Card(Document):
    """What one recognises the card on file by; no more of it is known here."""

    brand: str
    last4: str
    expires_month: int
    expires_year: int
    entered_at: datetime


class PaymentMethod(Document):
    """The card on file, if there is one."""

    card: Card | None


class CardPage(Document):
    """A page of the gateway's: `url` is for a browser, `token` for `setPaymentMethod`."""

    token: str
    url: str
    expires_at: datetime


class Call(Document):
    """One call of the activity log."""

    call_id: str
    tracker_id: str
    company_id: str
    tracking_number: str
    caller: str
    source: str
    at: datetime
    duration_seconds: int
    is_answered: bool


class CallPage(Page[Call]):
    """Calls, the latest first."""


class Tally(Document):
    """How many calls, and of what kind. `answered_share`: 0 to 1, null without any call."""

    calls: int
    answered: int
    answered_share: float | None
    unique_callers: int
    talk_seconds: int


class DayTally(Document):
    """The calls of one day."""

    on: date
    tally: Tally


class GroupTally(Document):
    """The calls of one source, or of one tracker by its id."""

    name: str
    tally: Tally


class Report(Document):
    """The calls of the days in ``[since_on, until_on)``, by the account's own days."""

    since_on: date
    until_on: date
    time_zone: str
    total: Tally
    by_day: tuple[DayTally, ...]
    by_source: tuple[GroupTally, ...]
    by_tracker: tuple[GroupTally, ...]
