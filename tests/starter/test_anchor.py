"""The demonstration's account: six fees, whatever day it runs."""

from datetime import UTC, date, datetime, timedelta

import pytest

from domain.calendar import next_billing_date
from domain.terms import Offer
from domain.timeline import plan_timeline
from starter.local.anchor import billing_day_for_six_fees

FOUR_YEARS = 4 * 365 + 1
FIRST = date(2027, 1, 1)
ZONES = ("America/Chicago", "Pacific/Apia", "Asia/Kathmandu")
# Just after midnight, before and after nine, late: by UTC, so at all sorts of local times.
HOURS = (0, 8, 15, 23)


@pytest.mark.parametrize("zone", ZONES)
def test_six_fees_fall_whatever_day_of_four_years_it_is(zone: str) -> None:
    days = (FIRST + timedelta(days=number) for number in range(FOUR_YEARS))
    moments = [
        datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for day in days for hour in HOURS
    ]

    wrong = [now for now in moments if _fees(now, zone) != 6]

    assert [] == wrong


def _fees(now: datetime, zone: str) -> int:
    billing_day = billing_day_for_six_fees(now, zone)
    terms = Offer().for_account(zone, billing_day)
    first_billing_on = next_billing_date(billing_day, now.date() - timedelta(days=1))
    timeline = plan_timeline(terms, now, first_billing_on)
    is_ahead = all(fee.due_at > now for fee in timeline.fees)
    return len(timeline.fees) if is_ahead else 0
