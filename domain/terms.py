"""The terms of a pause: read once when it begins, then pinned for its whole life (R18)."""

from dataclasses import asdict, dataclass

from domain.money import CURRENCY
from domain.states import LadderEnd


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What the company offers to everybody at the moment; settings may change it for later pauses.

    `drain_minutes` is how long calls are still routed after the pause (R3). `ladder_days` are days
    after a date's first decline, the last of them the final notice; `last_attempt_day` is the last
    step, after which `ladder_end` applies (R13). `reminder_days` are days before a planned resume.
    """

    version: str = "2026-11"
    fee_minor: int = 500
    currency: str = CURRENCY
    max_numbers: int = 50
    months: int = 6
    drain_minutes: int = 60
    ladder_days: tuple[int, ...] = (1, 5, 10, 15)
    last_attempt_day: int = 25
    ladder_end: LadderEnd = LadderEnd.CLOSE
    reminder_days: tuple[int, ...] = (30, 14, 3)

    def for_account(self, time_zone: str, billing_day: int) -> "Terms":
        """The offer applied to one account: this is what gets pinned."""
        return Terms(**asdict(self), time_zone=time_zone, billing_day=billing_day)


@dataclass(frozen=True, kw_only=True)
class Terms(Offer):
    """An offer with the account's IANA `time_zone` and billing anchor `billing_day` (1-31)."""

    time_zone: str
    billing_day: int
