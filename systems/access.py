"""What the users of an account may do at the moment, behind the port `Access`."""

from datetime import datetime

from sqlalchemy.orm import Session

from domain.messages import Step
from domain.names import Activity
from domain.policy import Action, check_access
from domain.states import AccountStatus
from systems import audit
from systems.db import Database, account_row, lock_account
from systems.effects import is_recorded, once
from systems.tables import AccessRow

NOTHING = type(None)


class SqlAccess:
    """The port `Access` on the database, and what the product backend asks beside it."""

    def __init__(self, db: Database) -> None:
        """Work on `db`."""
        self._db = db

    def suspend_access(self, step: Step) -> None:
        """See the port. Too late, after a close by the same act: nothing is suspended either."""
        with self._db.transaction() as session:
            once(
                session,
                Activity.SUSPEND_ACCESS,
                step,
                NOTHING,
                lambda: _suspend(session, step),
                undone_by=Activity.RESTORE_ACCESS,
            )

    def restore_access(self, step: Step) -> None:
        """See the port. What is closed stays closed."""
        with self._db.transaction() as session:
            once(
                session,
                Activity.RESTORE_ACCESS,
                step,
                NOTHING,
                lambda: _change(session, step, AccountStatus.PAUSED, AccountStatus.ACTIVE),
            )

    def close_access(self, step: Step) -> None:
        """See the port."""
        with self._db.transaction() as session:
            once(session, Activity.CLOSE_ACCESS, step, NOTHING, lambda: _close(session, step))

    def check(self, account_id: str, action: Action) -> None:
        """Let `action` through if the account's users may do it now.

        Raises:
            Rejected: `account_not_found`, `account_paused` or `account_closed`.
        """
        with self._db.transaction() as session:
            account_row(session, account_id)
            row = session.get(AccessRow, account_id)
            status = row.status if row is not None else AccountStatus.ACTIVE
        check_access(account_id, status, action)

    def reopen(self, account_id: str, at: datetime) -> None:
        """Access to a closed account is open again (R14). Safe to repeat."""
        with self._db.transaction() as session:
            lock_account(session, account_id)
            row = _row(session, account_id)
            if row.status is AccountStatus.CLOSED:
                row.status = AccountStatus.ACTIVE
                audit.write(session, account_id=account_id, at=at, what="access_reopened")


def _suspend(session: Session, step: Step) -> None:
    if not is_recorded(session, step.act_id, Activity.CLOSE_ACCESS):
        _change(session, step, AccountStatus.ACTIVE, AccountStatus.PAUSED)


def _close(session: Session, step: Step) -> None:
    _change(session, step, _row(session, step.account_id).status, AccountStatus.CLOSED)


def _change(session: Session, step: Step, old: AccountStatus, new: AccountStatus) -> None:
    row = _row(session, step.account_id)
    if row.status is not old:
        return
    row.status = new
    audit.write(
        session,
        account_id=step.account_id,
        act_id=step.act_id,
        at=step.at,
        what=f"access_{new.value}",
    )


def _row(session: Session, account_id: str) -> AccessRow:
    """The account's row, made on first use; the caller holds the account's lock."""
    row = session.get(AccessRow, account_id)
    if row is None:
        row = AccessRow(account_id=account_id, status=AccountStatus.ACTIVE)
        session.add(row)
        session.flush()
    return row
