"""How often somebody may ask, and how often a password may be tried.

Counted in this process's memory: with several processes each allows its share, which is enough
against floods and guessing, and nothing has to be asked that may be away.
"""

import math
import time
from dataclasses import dataclass
from http import HTTPStatus

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from domain.errors import Code
from starter.web.problems import Problem


@dataclass(frozen=True)
class Quotas:
    """How many requests a principal has per minute, and tries a log-in has per quarter of an hour.

    `strangers` is for one address: whoever shows no key or session, or a wrong one.
    `tries_per_email` is for all addresses together, `tries_per_email_here` for each of them.
    """

    principals: int = 600
    strangers: int = 600
    tries_per_address: int = 50
    tries_per_email_here: int = 10
    tries_per_email: int = 100
    tries_per_device: int = 20


class Throttle:
    """Counts, and refuses what is too much."""

    def __init__(self, quotas: Quotas | None = None) -> None:
        """Start with nothing counted."""
        quotas = quotas or Quotas()
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._principals = RateLimitItemPerMinute(quotas.principals, namespace="principal")
        self._strangers = RateLimitItemPerMinute(quotas.strangers, namespace="stranger")
        self._address = RateLimitItemPerMinute(quotas.tries_per_address, 15, "tries-address")
        self._here = RateLimitItemPerMinute(quotas.tries_per_email_here, 15, "tries-here")
        self._email = RateLimitItemPerMinute(quotas.tries_per_email, 15, "tries-email")
        self._device = RateLimitItemPerMinute(quotas.tries_per_device, 15, "tries-device")

    def count_request(self, user_id: str) -> None:
        """One more request of this user.

        Raises:
            Problem: 429 `rate_limited`.
        """
        self._count(self._principals, user_id)

    def count_stranger(self, address: str) -> None:
        """One more request from this address by nobody that we know.

        Raises:
            Problem: 429 `rate_limited`.
        """
        self._count(self._strangers, address)

    def count_log_in(self, address: str, email: str, known_device: str | None) -> None:
        """One more try of a password.

        Guessing is slowed down per address, per e-mail from one address, and per e-mail from all of
        them, or it could be done from many. Nobody can lock an administrator out by guessing
        wrongly on purpose: one address uses up its own share of an e-mail's tries and no other's,
        and a browser from which that user has logged in before (`known_device`) has a count of its
        own, which no stranger can use up, from however many addresses.
        Source: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".

        Raises:
            Problem: 429 `rate_limited`.
        """
        if known_device is not None:
            self._count(self._device, known_device)
            return
        self._count(self._address, address)
        self._count(self._here, address, email)
        self._count(self._email, email)

    def _count(self, quota: RateLimitItem, *who: str) -> None:
        if self._limiter.hit(quota, *who):
            return
        ends_at = self._limiter.get_window_stats(quota, *who).reset_time
        seconds = max(1, math.ceil(ends_at - time.time()))
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            Code.RATE_LIMITED,
            f"That was too often; please try again in {seconds} seconds.",
            {"retry_after_seconds": seconds},
            {"Retry-After": str(seconds)},
        )
