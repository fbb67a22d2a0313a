"""What follows a charge that was not paid: the ladder of a decline, the look-ups of an unknown.

Each unpaid date climbs its own ladder, counted from its first definite decline (rung 0):

    rung       0        1       2       3        4            5
    day        0        1       5      10       15           25
               declined mail    mail    mail     final notice last attempt, then close or keep

A rung is taken at 09:00 local time. Source: R13.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from domain.calendar import NINE, instant, local_date
from domain.terms import Terms

# A step within an hour of its plan counts as taken on plan; a later one shifts what follows.
ON_TIME = timedelta(hours=1)

# When an unknown charge is looked up: after five minutes, after an hour, then every day (R13).
LOOK_UPS = (timedelta(minutes=5), timedelta(hours=1))
DAILY = timedelta(days=1)


def last_rung(terms: Terms) -> int:
    """The rung whose decline ends the ladder."""
    return len(terms.ladder_days) + 1


def final_notice_rung(terms: Terms) -> int:
    """The rung whose mail says that the account will be closed."""
    return len(terms.ladder_days)


def rung_day(terms: Terms, rung: int) -> int:
    """Days from the first decline to `rung`."""
    return (0, *terms.ladder_days, terms.last_attempt_day)[rung]


def next_rung_at(terms: Terms, rung: int, taken_at: datetime) -> datetime | None:
    """When the rung after `rung` is due, if `rung` was taken (and declined) at `taken_at`.

    None after the last rung. The first decline is day 0 whenever it comes, and a rung taken at its
    planned 09:00 leads to 09:00 of the day that the ladder names. One taken later leads to the
    first 09:00 that leaves the whole gap in between, so that nobody has less time between the final
    notice and the close than the terms say.
    """
    if rung >= last_rung(terms):
        return None
    gap = timedelta(days=rung_day(terms, rung + 1) - rung_day(terms, rung))
    zone = terms.time_zone
    taken_on = local_date(taken_at, zone)
    planned = instant(taken_on + gap, NINE, zone)
    is_on_time = timedelta(0) <= taken_at - instant(taken_on, NINE, zone) <= ON_TIME
    # Wall-clock days: a gap that spans a clock change is still counted in mornings.
    earliest = taken_at.astimezone(ZoneInfo(zone)) + gap
    is_first = rung == 0 < final_notice_rung(terms)
    if is_first or is_on_time or planned >= earliest:
        return planned
    return instant(taken_on + gap + timedelta(days=1), NINE, zone)


def next_look_up_at(first_unknown_at: datetime, looked_up_at: datetime) -> datetime:
    """When to look up a charge next that has been unknown since `first_unknown_at`.

    Counted from the first doubt, so that a look-up which came late does not delay the others.
    """
    for delay in LOOK_UPS:
        if first_unknown_at + delay > looked_up_at:
            return first_unknown_at + delay
    days = (looked_up_at - first_unknown_at) // DAILY + 1
    return first_unknown_at + days * DAILY
