"""Accounts, their users, the acts on them and the audit of it all."""

from systems.accounts.system import SqlAccounts

__all__ = ["SqlAccounts"]
