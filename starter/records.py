"""What is on record of an account, asked in threads: the event loop waits for no database."""

from asyncio import to_thread

from domain.errors import Code, Rejected
from domain.ids import Prefix, checked_id
from domain.policy import check_administrator
from domain.ports import Accounts, Act
from domain.states import AccountStatus, ActKind, PauseState


class Records:
    """Asks the accounts system for whoever talks to Temporal."""

    def __init__(self, accounts: Accounts) -> None:
        """Ask `accounts`, whose methods block."""
        self._accounts = accounts

    async def check_account(self, account_id: str) -> None:
        """Let an account through that exists.

        Raises:
            Rejected: `account_not_found`.
        """
        await to_thread(self._accounts.account, account_id)

    async def check_administrator(self, account_id: str, user_id: str) -> None:
        """Let an administrator of the account through (R1).

        Raises:
            Rejected: `account_not_found`, `not_an_administrator`.
        """
        await self.check_account(account_id)
        check_administrator(account_id, await to_thread(self._accounts.role, account_id, user_id))

    async def has_closed(self, act: Act) -> bool:
        """Whether the act has closed its account, which was not reopened since."""
        if act.state is not PauseState.CLOSED:
            return False
        account = await to_thread(self._accounts.account, act.account_id)
        return account.status is AccountStatus.CLOSED

    async def act(self, act_id: str) -> Act | None:
        """The pause or close with this id."""
        return await to_thread(self._accounts.act, act_id)

    async def now(self, act: Act) -> Act:
        """The act as it stands now."""
        return await self.act(act.act_id) or act

    async def open_act(self, account_id: str) -> Act | None:
        """The one pause or close that is open on the account."""
        return await to_thread(self._accounts.open_act, account_id)

    async def last_act(self, account_id: str) -> Act | None:
        """The open act, else the one that was begun last."""
        return await to_thread(self._accounts.last_act, account_id)

    async def known_pause(self, account_id: str, pause_id: str) -> Act | None:
        """The account's pause with this id, if there ever was one.

        Raises:
            Rejected: `validation_failed` for what is no pause's id; `pause_not_found` for one of
                another account.
        """
        act = await self.act(checked_id(Prefix.PAUSE, pause_id))
        if act is not None and act.account_id != account_id:
            raise _no_such_pause(account_id, pause_id)
        return act

    async def pause_meant(self, account_id: str, pause_id: str | None) -> Act:
        """The pause with this id; without one the open pause, else the last.

        Raises:
            Rejected: `account_not_paused`, `pause_not_found`.
        """
        act = await (self.act(pause_id) if pause_id else self.last_act(account_id))
        if act is None and pause_id is None:
            raise Rejected(Code.ACCOUNT_NOT_PAUSED, f"Account {account_id} is not paused.")
        if act is None or act.account_id != account_id:
            raise _no_such_pause(account_id, pause_id)
        if act.kind is not ActKind.PAUSE:
            raise not_paused(account_id, act)
        return act


def not_paused(account_id: str, act: Act) -> Rejected:
    """The answer to whoever takes the act for a pause that is in effect."""
    when = f" since {act.ended_at:%Y-%m-%d}" if act.ended_at else ""
    return Rejected(
        Code.ACCOUNT_NOT_PAUSED, f"Account {account_id} is not paused: {act.state}{when}."
    )


def _no_such_pause(account_id: str, pause_id: str | None) -> Rejected:
    return Rejected(Code.PAUSE_NOT_FOUND, f"Account {account_id} has no pause {pause_id}.")
