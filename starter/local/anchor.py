"""Choosing the billing day of the demonstration's account."""

from datetime import datetime, timedelta

from domain.calendar import local_date


def billing_day_for_six_fees(now: datetime, time_zone: str) -> int:
    """The billing day with which a six-month pause from `now` on pays six fees, whatever day it is.

    It is tomorrow's day of the month: the first fee falls due tomorrow at 09:00, and the seventh
    date, six months later, comes after the resume, which is at 00:00 of today's date at the latest.

        ---[=$=====$=====$=====$=====$=====$=====)P--
           today                                 six months later
    """
    return (local_date(now, time_zone) + timedelta(days=1)).day
