"""Notices to administrators: queued by the transaction that causes them, sent by a relay.

A notice that was queued is sent, however often the relay or the mail server goes away. Each
administrator gets it once; a crash between a delivery and its record repeats that one mail, under
the same message id.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from domain.errors import InvariantViolated, Transient
from domain.ids import Prefix, make_id
from domain.ports import Mail, Mailer
from domain.states import Role
from systems.db import Database
from systems.tables import AccountRow, NoticeRow, UserRow

logger = logging.getLogger(__name__)

# A relay that claims a notice has this long to send it before another relay may try. Longer than a
# mail server's time-out (10 s) for each of the fifty administrators that an account may well have.
LEASE = timedelta(minutes=15)

# Waits after failures: a minute, doubled each time, at most six hours. A notice is never given up.
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)

# Fixed for ever: a notice's id, and with it the message id, is derived from its key.
NAMESPACE = UUID("6f1c9a52-1c8e-4d0c-9d8a-0f4b8d1f7e21")


class NoticeKind(StrEnum):
    """What a mail is about. Above each kind: what its `data` holds; `?` marks what may be missing.

    Dates are ISO strings, amounts are in minor units, `last4` belongs to the card on file. `by` is
    `administrator`, `planned`, `ladder` or `operator`, `requested_by` the user's id.
    """

    # retained_numbers, amount_minor, currency, next_fee_on?, resume_on, requested_by?
    PAUSED = "paused"
    # billing_on, amount_minor, currency, last4
    RECEIPT = "receipt"
    # billing_on, amount_minor, currency, last4?, rung, day, next_on?, closes_on?, decline_code?
    DECLINED = "declined"
    # the same
    FINAL_NOTICE = "final_notice"
    # resume_on, days_before, amount_minor, currency, next_billing_on, last4?
    REMINDER = "reminder"
    # by, requested_by?, amount_minor, currency, next_billing_on, last4?, lines (of words,
    # amount_minor and currency; they are in the amount)
    RESUMED = "resumed"
    # by, requested_by?
    CLOSED = "closed"
    # billing_on?, amount_minor, currency
    REFUNDED = "refunded"
    # the same: it had succeeded, and the bank has sent it back
    REFUND_RETURNED = "refund_returned"


@dataclass(frozen=True)
class Letter:
    """What a mail to one administrator is written from, names as they are at sending time."""

    kind: NoticeKind
    account_id: str
    account_name: str
    recipient_name: str
    requested_by_name: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Text:
    """A mail's words; `html` holds the same ones, if there is one."""

    subject: str
    text: str
    html: str | None = None


Render = Callable[[Letter], Text]


def enqueue(
    session: Session,
    *,
    key: str,
    account_id: str,
    kind: NoticeKind,
    data: Mapping[str, Any],
    at: datetime,
) -> None:
    """Queue a notice unless one with this key was queued before.

    `at` is the business time of what it tells. The caller holds the account's lock.
    """
    if session.scalar(select(NoticeRow.id).where(NoticeRow.key == key)) is not None:
        return
    session.add(
        NoticeRow(
            id=make_id(Prefix.NOTICE, uuid5(NAMESPACE, key)),
            key=key,
            account_id=account_id,
            kind=kind.value,
            data=dict(data),
            at=at,
        )
    )
    # Flushed, so that the next look in this transaction finds it.
    session.flush()


class Relay:
    """Sends what is queued. Any number of relays may run at once."""

    def __init__(
        self,
        db: Database,
        mailer: Mailer,
        render: Render,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send through `mailer` what `render` writes; `clock` counts seconds."""
        self._db = db
        self._mailer = mailer
        self._render = render
        self._clock = clock

    def deliver_due(self, now: datetime) -> int:
        """Send every notice whose turn it is; return how many mails were delivered.

        A notice whose turn it is has not been sent and waits for no retry. Its business time does
        not matter: the clock of an account on a local stack may run ahead of `now`.
        """
        delivered, began = 0, self._clock()
        while (notice_id := self._claim(now, self._clock() - began)) is not None:
            delivered += self._deliver(notice_id, now)
        return delivered

    def _claim(self, now: datetime, seconds: float) -> str | None:
        """Lease the oldest notice to this relay: no transaction stays open while it is sent.

        The lease counts from this moment, which is `seconds` into the round: a slow mail server
        makes a round longer than a lease, and the last notice must not be another relay's too.
        """
        is_due = or_(NoticeRow.try_at.is_(None), NoticeRow.try_at <= now)
        with self._db.transaction() as session:
            notice = session.scalar(
                select(NoticeRow)
                .where(NoticeRow.sent_at.is_(None), is_due)
                .order_by(NoticeRow.at, NoticeRow.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            if notice is None:
                return None
            notice.try_at = now + timedelta(seconds=seconds) + LEASE
            return notice.id

    def _deliver(self, notice_id: str, now: datetime) -> int:
        delivered = 0
        recipients = self._recipients(notice_id)
        for user_id in recipients:
            if self._deliver_to(notice_id, user_id):
                self._record(notice_id, user_id)
                delivered += 1
        self._finish(notice_id, now, has_failed=delivered < len(recipients))
        return delivered

    def _recipients(self, notice_id: str) -> list[str]:
        """Every administrator of the account who does not have it yet."""
        with self._db.transaction() as session:
            notice = _notice(session, notice_id)
            administrators = session.scalars(
                select(UserRow.id)
                .where(UserRow.account_id == notice.account_id, UserRow.role == Role.ADMIN)
                .order_by(UserRow.id)
            )
            return [user_id for user_id in administrators if user_id not in notice.delivered_to]

    def _deliver_to(self, notice_id: str, user_id: str) -> bool:
        try:
            self._mailer.deliver(self._mail(notice_id, user_id))
        except Transient as error:
            logger.warning("notice %s waits: %s", notice_id, error)
            return False
        except Exception:
            # Whatever is wrong with this one must not hold up the others; it is tried again.
            logger.exception("notice %s cannot be sent", notice_id)
            return False
        return True

    def _mail(self, notice_id: str, user_id: str) -> Mail:
        with self._db.transaction() as session:
            notice = _notice(session, notice_id)
            user = session.get_one(UserRow, user_id)
            text = self._render(_letter(session, notice, user))
            message_id = f"<{notice.id}.{user.id}@notices.account-pause>"
            return Mail(message_id, user.email, text.subject, text.text, text.html)

    def _record(self, notice_id: str, user_id: str) -> None:
        with self._db.transaction() as session:
            notice = _notice(session, notice_id)
            notice.delivered_to = sorted({*notice.delivered_to, user_id})

    def _finish(self, notice_id: str, now: datetime, *, has_failed: bool) -> None:
        with self._db.transaction() as session:
            notice = _notice(session, notice_id)
            if has_failed:
                notice.failures += 1
                notice.try_at = now + _wait_after(notice.failures)
            else:
                notice.sent_at = now


def _notice(session: Session, notice_id: str) -> NoticeRow:
    notice = session.scalar(select(NoticeRow).where(NoticeRow.id == notice_id).with_for_update())
    if notice is None:
        raise InvariantViolated(f"notice {notice_id} is gone; notices are never deleted")
    return notice


def _letter(session: Session, notice: NoticeRow, recipient: UserRow) -> Letter:
    requested_by = session.get(UserRow, notice.data.get("requested_by") or "")
    return Letter(
        kind=NoticeKind(notice.kind),
        account_id=notice.account_id,
        account_name=session.get_one(AccountRow, notice.account_id).name,
        recipient_name=recipient.name,
        requested_by_name=requested_by.name if requested_by else None,
        data=notice.data,
    )


def _wait_after(failures: int) -> timedelta:
    # The exponent is capped before it grows beyond what a timedelta can hold.
    doublings = min(failures - 1, 10)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)
