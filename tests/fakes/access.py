from domain.messages import Step
from domain.policy import Action, check_access
from domain.states import AccountStatus
from tests.fakes.effects import FakeSystem


class FakeAccess(FakeSystem):
    """The port `Access` in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: dict[str, AccountStatus] = {}

    def add(self, account_id: str) -> None:
        """Make an account that is active."""
        self.account_ids.add(account_id)
        self.statuses[account_id] = AccountStatus.ACTIVE

    def suspend_access(self, step: Step) -> None:
        def suspend() -> None:
            if not self.is_recorded(step.act_id, "close_access"):
                self._change(step.account_id, AccountStatus.ACTIVE, AccountStatus.PAUSED)

        self.once("suspend_access", step, suspend, undone_by="restore_access")

    def restore_access(self, step: Step) -> None:
        self.once(
            "restore_access",
            step,
            lambda: self._change(step.account_id, AccountStatus.PAUSED, AccountStatus.ACTIVE),
        )

    def close_access(self, step: Step) -> None:
        self.once(
            "close_access",
            step,
            lambda: self.statuses.update({step.account_id: AccountStatus.CLOSED}),
        )

    def check(self, account_id: str, action: Action) -> None:
        """See `SqlAccess.check`."""
        with self.lock:
            status = self.statuses[account_id]
        check_access(account_id, status, action)

    def _change(self, account_id: str, old: AccountStatus, new: AccountStatus) -> None:
        if self.statuses[account_id] is old:
            self.statuses[account_id] = new
