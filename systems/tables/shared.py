"""What every system uses: recorded effects and queued mails."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from systems.tables.base import Base


class EffectRow(Base):
    """What a step did, under its idempotency key."""

    __tablename__ = "effects"

    key: Mapped[str] = mapped_column(primary_key=True)
    act_id: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]
    request: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None]


class NoticeRow(Base):
    """A mail to the administrators, queued by the transaction that causes it.

    `data` holds what the mail says: dates, amounts, the card's last four digits. Whom it goes to is
    decided when it is sent. `delivered_to` names users who have it, for a relay that is cut off.
    """

    __tablename__ = "notices"

    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    delivered_to: Mapped[list[Any]] = mapped_column(default=list)
    failures: Mapped[int] = mapped_column(default=0)
    try_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None] = mapped_column(index=True)
