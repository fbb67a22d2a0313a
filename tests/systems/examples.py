"""One account and one pause that the tests of the systems talk about."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from domain.messages import (
    BeginEnd,
    BeginPause,
    ChangeResumeDate,
    MarkPaused,
    MarkRefused,
    SendReminder,
    Step,
)
from domain.ports import PlanQuote
from domain.states import Role, TrackerType
from domain.terms import Offer
from domain.timeline import Reminder, Timeline, plan_timeline
from systems.db import Database
from systems.sample.parts import (
    Blueprint,
    CompanyPlan,
    TrackerPlan,
    account_id,
    build,
    user_id,
)

AT = datetime(2026, 1, 10, 14, tzinfo=UTC)
LATER = AT + timedelta(days=30)

KEY = "example"
ACCOUNT = account_id(KEY)
OTHER_KEY = "other"
OTHER = account_id(OTHER_KEY)
ADMIN = user_id(KEY, Role.ADMIN)
ROLES = {user_id(KEY, role): role for role in Role}

PAUSE = "PAU" + "1" * 32
NEXT_PAUSE = "PAU" + "2" * 32
CLOSE = "CLO" + "1" * 32

TERMS = Offer().for_account("UTC", 15)
QUOTE = PlanQuote(9_500, "USD", date(2026, 7, 15), 15, "4242")

Message = TypeVar("Message", bound=Step)


def message(
    kind: type[Message],
    act_id: str = PAUSE,
    account_id: str = ACCOUNT,
    at: datetime = AT,
    **fields: Any,
) -> Message:
    """A message about the example's pause, unless said otherwise."""
    return kind.model_validate({"act_id": act_id, "account_id": account_id, "at": at, **fields})


def step(act_id: str = PAUSE, at: datetime = AT, account_id: str = ACCOUNT) -> Step:
    """A step of the example's pause, unless said otherwise."""
    return message(Step, act_id, account_id, at)


def begin_pause(act_id: str = PAUSE, **fields: Any) -> BeginPause:
    """An administrator asks for the pause."""
    return message(BeginPause, act_id, requested_by=ADMIN, **fields)


def mark_paused(act_id: str = PAUSE) -> MarkPaused:
    """The effects stand."""
    return message(MarkPaused, act_id, first_billing_on=date(2026, 1, 15))


def mark_refused(act_id: str = PAUSE) -> MarkRefused:
    """Nothing stands."""
    return message(MarkRefused, act_id, code="pausing_failed")


def change_resume_date(resume_on: date, **fields: Any) -> ChangeResumeDate:
    """An administrator chooses another date."""
    return message(ChangeResumeDate, requested_by=ADMIN, resume_on=resume_on, **fields)


def send_reminder(reminder: Reminder) -> SendReminder:
    """The reminder is due."""
    return message(SendReminder, at=reminder.at, reminder=reminder)


def end(act_id: str = PAUSE, requested_by: str | None = ADMIN, **fields: Any) -> BeginEnd:
    """Somebody resumes or closes."""
    return message(BeginEnd, act_id, at=LATER, requested_by=requested_by, **fields)


def timeline(resume_on: date | None = None) -> Timeline:
    """The course of the example's pause."""
    return plan_timeline(TERMS, AT, date(2026, 1, 15), resume_on)


def blueprint(key: str = KEY, numbers: int = 3) -> Blueprint:
    """An account with two companies and `numbers` numbers, all but one of them in a pool."""
    source = TrackerPlan("Google Ads", "google_ads")
    pool = TrackerPlan("Visitors", "all_visitors", TrackerType.SESSION, numbers - 1)
    return Blueprint(
        key=key,
        name="Example Dental",
        time_zone="UTC",
        billing_day=15,
        created_at=AT - timedelta(days=100),
        companies=(
            CompanyPlan("one", "Example Dental", (source, pool)[: min(numbers, 2)]),
            CompanyPlan("two", "Example Ortho", ()),
        ),
    )


def add_account(database: Database, key: str = KEY, numbers: int = 3) -> str:
    """Put an account into the database."""
    with database.transaction() as session:
        build(session, blueprint(key, numbers), AT)
    return account_id(key)
