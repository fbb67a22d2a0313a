"""What a process counts about itself, by name; `docs/observability.md` tells what each means.

Labels are words of ours, few of each: no id, no address, nothing that a caller sent (R17).
"""

from temporalio.common import MetricMeter

PREFIX = "account_pause_"

REQUEST_SECONDS = f"{PREFIX}http_request_duration_seconds"


class Metrics:
    """The counters. Made without a meter they count nothing and cost nothing."""

    def __init__(self, meter: MetricMeter = MetricMeter.noop) -> None:
        """Record with `meter`."""
        self._requests = meter.create_counter(
            f"{PREFIX}http_requests", "Answered requests by route, method and status."
        )
        self._request_seconds = meter.create_histogram_float(
            REQUEST_SECONDS, "How long requests took until the answer was sent."
        )
        self._swept = meter.create_counter(
            f"{PREFIX}swept", "What the sweeper found wrong, each time that it found it."
        )
        self._log_records = meter.create_counter(
            f"{PREFIX}log_records", "Logged warnings and errors, by logger and level."
        )
        self._ready = meter.create_gauge(
            f"{PREFIX}ready", "1 if the process could work when it was last asked, else 0."
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is the template, such as `/pauses/{id}`."""
        self._requests.add(1, {"route": route, "method": method, "status": str(status)})
        self._request_seconds.record(seconds, {"route": route, "method": method})

    def swept(self, finding: str, count: int) -> None:
        """The sweeper found `finding`, a word for what was wrong, `count` times.

        With 0 it is told that there is none yet: what has never been told cannot rise.
        """
        self._swept.add(count, {"finding": finding})

    def logged(self, logger: str, level: str) -> None:
        """Something was logged that somebody may have to look at."""
        self._log_records.add(1, {"logger": logger, "level": level.lower()})

    def ready(self, *, is_ready: bool) -> None:
        """Whether the process can work."""
        self._ready.set(int(is_ready))
