"""What mails an account has caused, for whoever looks after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from systems.db import Database
from systems.notices.queue import NoticeKind
from systems.tables import NoticeRow


@dataclass(frozen=True)
class NoticeView:
    """A notice to the administrators. `at` is the business time of what it tells.

    `recipients` counts those who have it; `sent_at` is None until all do. `key` begins with the id
    of the pause or close that has caused it.
    """

    notice_id: str
    key: str
    kind: NoticeKind
    at: datetime
    data: Mapping[str, Any]
    recipients: int
    sent_at: datetime | None


def notices(db: Database, account_id: str) -> list[NoticeView]:
    """The account's notices, in the order of what they tell."""
    query = (
        select(NoticeRow)
        .where(NoticeRow.account_id == account_id)
        .order_by(NoticeRow.at, NoticeRow.id)
    )
    with db.transaction() as session:
        return [
            NoticeView(
                notice_id=row.id,
                key=row.key,
                kind=NoticeKind(row.kind),
                at=row.at,
                data=row.data,
                recipients=len(row.delivered_to),
                sent_at=row.sent_at,
            )
            for row in session.scalars(query)
        ]
