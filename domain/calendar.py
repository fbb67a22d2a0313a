"""Calendar arithmetic: billing dates, months, and local times turned into UTC instants.

Dates are `date`, instants are aware UTC `datetime`. Every function is total over the zones of the
IANA database; a zone that does not exist raises `zoneinfo.ZoneInfoNotFoundError`.
"""

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

# The local time of day at which a billing date falls due (R7) and people are written to (R12).
NINE = time(9)
MIDNIGHT = time(0)

# No place on earth is further ahead of UTC, so no later local date can have begun.
FURTHEST_AHEAD = timedelta(hours=14)


def billing_date(year: int, month: int, billing_day: int) -> date:
    """The billing date in one month: `billing_day` (1-31), or the month's last day if earlier."""
    return date(year, month, min(billing_day, monthrange(year, month)[1]))


def next_billing_date(billing_day: int, after: date) -> date:
    """The first billing date strictly after `after`.

    Always computed from the anchor day, so a short month never shifts the ones that follow:
    31 Jan, 28 Feb, 31 Mar. Source: R7.
    """
    in_this_month = billing_date(after.year, after.month, billing_day)
    if in_this_month > after:
        return in_this_month
    following = after.replace(day=1) + relativedelta(months=1)
    return billing_date(following.year, following.month, billing_day)


def billing_dates_from(billing_day: int, first: date) -> Iterator[date]:
    """All billing dates on and after `first`, in order, without end."""
    current = next_billing_date(billing_day, first - timedelta(days=1))
    while True:
        yield current
        current = next_billing_date(billing_day, current)


def previous_billing_date(billing_day: int, before: date) -> date:
    """The last billing date strictly before `before`."""
    in_this_month = billing_date(before.year, before.month, billing_day)
    if in_this_month < before:
        return in_this_month
    preceding = before.replace(day=1) - relativedelta(months=1)
    return billing_date(preceding.year, preceding.month, billing_day)


def add_months(day: date, months: int) -> date:
    """`day` plus calendar months, clamped to the end of the month reached."""
    return day + relativedelta(months=months)


def local_date(at: datetime, zone: str) -> date:
    """The calendar date that people in `zone` read at the instant `at`."""
    return at.astimezone(ZoneInfo(zone)).date()


def instant(day: date, clock: time, zone: str) -> datetime:
    """The UTC instant at which clocks in `zone` show `clock` on `day`.

    A local time that happens twice means its first occurrence. One that a clock change skips means
    the first instant after the gap, be the gap an hour or (Samoa, 2011) a whole day. Source: R11.
    """
    local = datetime.combine(day, clock, tzinfo=ZoneInfo(zone))
    first = local.replace(fold=0).astimezone(UTC)
    if first.astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None):
        return first
    return _end_of_gap(local)


def due_instant(billing_on: date, zone: str) -> datetime:
    """The one instant at which the billing date `billing_on` falls due: 09:00 local time (R7)."""
    return instant(billing_on, NINE, zone)


def _end_of_gap(skipped: datetime) -> datetime:
    # In a gap fold=1 reads the clock with the offset after the change and so lands before it;
    # fold=0 lands after it. The change itself is the first second with the later offset.
    before = skipped.replace(fold=1).astimezone(UTC)
    after = skipped.replace(fold=0).astimezone(UTC)
    zone = skipped.tzinfo
    seconds = range(int((after - before).total_seconds()) + 1)
    new_offset = after.astimezone(zone).utcoffset()
    change = bisect_left(
        seconds,
        True,
        key=lambda s: (before + timedelta(seconds=s)).astimezone(zone).utcoffset() == new_offset,
    )
    return before + timedelta(seconds=change)
