"""The tables of all systems, in the order of the house: shared, accounts, numbers, DNI, billing.

Instants are stored in UTC and come back aware; enums are stored as their values.
"""

from systems.tables.accounts import AccessRow, AccountRow, ActRow, AuditRow, UserRow
from systems.tables.base import Base, UtcDateTime
from systems.tables.billing import (
    AddOnRow,
    AttemptRow,
    AttemptState,
    CardRow,
    InvoiceKind,
    InvoiceLineRow,
    InvoiceRow,
    InvoiceState,
    LineKind,
    Outcome,
    SubscriptionRow,
    SuspensionRow,
)
from systems.tables.identity import ApiKeyRow, DeviceRow, RequestRow, SessionRow
from systems.tables.money import (
    CardEntryRow,
    CustomerRow,
    DifferenceRow,
    DifferenceState,
    GatewayEventRow,
    LedgerAccount,
    LedgerKind,
    LedgerRow,
    ReconciliationRow,
    RefundRow,
    RefundRowState,
)
from systems.tables.numbers import CallFlowRow, CallRow, CompanyRow, NumberRow, TrackerRow
from systems.tables.shared import EffectRow, NoticeRow

__all__ = [
    "AccessRow",
    "AccountRow",
    "ActRow",
    "AddOnRow",
    "ApiKeyRow",
    "AttemptRow",
    "AttemptState",
    "AuditRow",
    "Base",
    "CallFlowRow",
    "CallRow",
    "CardEntryRow",
    "CardRow",
    "CompanyRow",
    "CustomerRow",
    "DeviceRow",
    "DifferenceRow",
    "DifferenceState",
    "EffectRow",
    "GatewayEventRow",
    "InvoiceKind",
    "InvoiceLineRow",
    "InvoiceRow",
    "InvoiceState",
    "LedgerAccount",
    "LedgerKind",
    "LedgerRow",
    "LineKind",
    "NoticeRow",
    "NumberRow",
    "Outcome",
    "ReconciliationRow",
    "RefundRow",
    "RefundRowState",
    "RequestRow",
    "SessionRow",
    "SubscriptionRow",
    "SuspensionRow",
    "TrackerRow",
    "UserRow",
    "UtcDateTime",
]
