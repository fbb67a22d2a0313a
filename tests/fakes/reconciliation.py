"""A reconciliation that finds what it is told to find."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.messages import Reconciled

Asked = tuple[datetime, datetime | None, datetime | None]


def _nobody(_: int) -> None:
    pass


@dataclass
class FakeReconciler:
    """Answers with `waiting` differences; beats `beats` times on the way."""

    waiting: int = 0
    beats: int = 1
    asked: list[Asked] = field(default_factory=list)

    def reconcile(
        self,
        now: datetime,
        since: datetime | None = None,
        until: datetime | None = None,
        progress: Callable[[int], object] = _nobody,
    ) -> Reconciled:
        self.asked.append((now, since, until))
        for count in range(1, self.beats + 1):
            progress(count)
        return Reconciled(
            since=since or now - timedelta(days=1),
            until=until or now,
            payments=self.beats,
            found=self.waiting,
            new=self.waiting,
            waiting=self.waiting,
        )
