"""A closed account begins anew on its plan, in all systems that the close has touched (R14)."""

from datetime import datetime

from domain.ports import PlanQuote
from systems.access import SqlAccess
from systems.accounts import SqlAccounts
from systems.billing import SqlBilling
from systems.dni import SqlDni


class Reopening:
    """Opens closed accounts again. The numbers stay gone; new ones are possible."""

    def __init__(
        self, accounts: SqlAccounts, billing: SqlBilling, access: SqlAccess, dni: SqlDni
    ) -> None:
        """Reopen in these four."""
        self._accounts = accounts
        self._billing = billing
        self._access = access
        self._dni = dni

    def reopen(self, account_id: str, requested_by: str, at: datetime) -> PlanQuote:
        """The account is open again as of `at`; returns what the plan's next invoice comes to.

        Safe to repeat, also after a crash half-way.

        Raises:
            Rejected: `account_not_found`, `payment_method_required`.
            Transient: the close is still under way.
        """
        # The account's status comes last: until it is set, asking again does the rest.
        quote = self._billing.reopen(account_id, at)
        self._access.reopen(account_id, at)
        self._dni.reopen(account_id, at)
        self._accounts.reopen(account_id, requested_by, at)
        return quote
