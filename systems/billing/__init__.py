"""The plan and its invoices, the fee of a pause, the card on file, and how it is charged."""

from systems.billing.system import SqlBilling

__all__ = ["SqlBilling"]
