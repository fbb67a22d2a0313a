"""What is left of the billing period that runs when a pause ends (R9)."""

from dataclasses import dataclass
from datetime import date, datetime

from domain.calendar import billing_dates_from, due_instant, local_date, previous_billing_date


@dataclass(frozen=True)
class PeriodLeft:
    """The days ``[from_on, ends_on)`` of the period ``[began_on, ends_on)``."""

    from_on: date
    began_on: date
    ends_on: date

    @property
    def days(self) -> int:
        """How many whole days are left."""
        return (self.ends_on - self.from_on).days

    @property
    def length(self) -> int:
        """How many days the period has."""
        return (self.ends_on - self.began_on).days


def period_left(
    billing_day: int, zone: str, paused_at: datetime, resume_at: datetime, not_later_than: date
) -> PeriodLeft | None:
    """What is left at `resume_at` of a period that the pause's fee has taken; None if it has not.

    `not_later_than` is a billing date from which the plan's next one is looked for, such as the
    earliest that nobody has taken.

    ----[===$=======)~~~~~P----   ~ is what is left: from the resume to the plan's next date
    """
    dates = billing_dates_from(billing_day, not_later_than)
    ends_on = next(day for day in dates if due_instant(day, zone) >= resume_at)
    began_on = previous_billing_date(billing_day, ends_on)
    if not paused_at <= due_instant(began_on, zone) < resume_at:
        return None
    return PeriodLeft(local_date(resume_at, zone), began_on, ends_on)
