"""Who may do what on which account: asked anew on every request (R1, R6)."""

from domain.errors import Code, Rejected
from domain.policy import Action, check_administrator
from starter.web.identity.principal import Principal
from systems.access import SqlAccess


class Admission:
    """Lets principals at accounts."""

    def __init__(self, access: SqlAccess) -> None:
        """As `access` has it at the moment."""
        self._access = access

    def check_account(
        self, principal: Principal, account_id: str, *, administrator: bool = False
    ) -> None:
        """Let a user of the account through, or an administrator of it only.

        Raises:
            Rejected: `account_not_found`, whether or not there is such an account;
                `not_an_administrator`.
        """
        if account_id != principal.account_id:
            raise Rejected(Code.ACCOUNT_NOT_FOUND, "There is no such account, or it is not yours.")
        if administrator:
            check_administrator(account_id, principal.user.role)

    def check_access(self, account_id: str, action: Action) -> None:
        """Let `action` through if the account is open to it now.

        Raises:
            Rejected: `account_paused` or `account_closed`.
        """
        self._access.check(account_id, action)
