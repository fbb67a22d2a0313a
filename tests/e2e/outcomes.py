"""What must have become of a pause, reckoned from the outside: from its two instants alone."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from dateutil.rrule import MONTHLY, rrule

from domain.states import NumberState, PauseState
from systems.notices.queue import NoticeKind

FEE_MINOR = 500
ENDED_BY = {PauseState.RESUMED: NoticeKind.RESUMED, PauseState.CLOSED: NoticeKind.CLOSED}
LEFT_WITH = {PauseState.RESUMED: NumberState.ACTIVE, PauseState.CLOSED: NumberState.RELEASED}


@dataclass(frozen=True)
class Outcome:
    """A pause that is over, as the gateway's, our and the accounts system's records have it.

    It was paused in `[paused_at, ended_at)`; `billing_day` is at most 28, and no date before
    `billed_from` is the account's to pay. `charged` are the billing dates and cents that moved at
    the gateway, `paid_on` the dates that our books call paid.
    """

    account_id: str
    state: PauseState
    paused_at: datetime
    ended_at: datetime
    billing_day: int
    billed_from: date
    time_zone: str
    numbers: Counter[NumberState]
    charged: list[tuple[date, int]]
    paid_on: list[date]
    notices: Counter[str]
    is_running: bool


def differences(outcome: Outcome, ends_as: PauseState, numbers: int, *, pays: bool) -> list[str]:
    """How an outcome differs from what it must be, a line each; none if it is right.

    `pays` is whether the card is good.
    """
    owed = owed_on(outcome) if pays else []
    expected = {
        "state": (ends_as, outcome.state),
        "charges": ([(day, FEE_MINOR) for day in owed], outcome.charged),
        "dates": (owed, outcome.paid_on),
        "numbers": (Counter({LEFT_WITH[ends_as]: numbers}), outcome.numbers),
        "paused": (1, outcome.notices[NoticeKind.PAUSED]),
        "ended": (1, outcome.notices[ENDED_BY[ends_as]]),
        "receipts": (len(owed), outcome.notices[NoticeKind.RECEIPT]),
        "running": (False, outcome.is_running),
    }
    return [
        f"{what}: {outcome.account_id} should have {wanted} and has {found}"
        for what, (wanted, found) in expected.items()
        if wanted != found
    ]


def owed_on(outcome: Outcome) -> list[date]:
    """The billing dates whose 09:00 lies in the pause, reckoned without the product's calendar."""
    zone = ZoneInfo(outcome.time_zone)
    first = outcome.paused_at.date() - relativedelta(months=1)
    days = rrule(MONTHLY, dtstart=first, bymonthday=outcome.billing_day, count=10)
    return [
        day.date()
        for day in days
        if day.date() >= outcome.billed_from
        and outcome.paused_at <= datetime.combine(day, time(9), zone) < outcome.ended_at
    ]
