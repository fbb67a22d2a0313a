"""Refunds set up for tests: a shop with a charge on its books, and gateways that do otherwise."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import update

from domain.payments import Gateway, Order, Payment, Refund, RefundState
from systems.accounts.views import AccountViews, AuditEntry
from systems.billing.ledger import LedgerEntry, balances
from systems.billing.refund_rows import RefundView
from systems.billing.refunds import Refunds
from systems.db import Database
from systems.gateways.sandbox import CARDS, SandboxGateway
from systems.tables import LedgerAccount, LedgerKind, RefundRow
from tests.fakes.gateway import FaultyGateway, PassedOn
from tests.systems.billing_shop import JAN_15, Pause, SqlShop, local, paused

REFUNDED_AT = local("2026-01-20 12:00")
OPERATOR = "operator"
REASON = "charged for a week in which nothing worked"


@dataclass(frozen=True)
class Charge:
    """A paid fee of $5.00, due and charged on 15 January, and the refunds of its shop."""

    shop: SqlShop
    pause: Pause
    account_id: str
    payment_id: str
    refunds: Refunds

    def refund(
        self,
        amount_minor: int | None = None,
        *,
        charge: date | str = JAN_15,
        at: datetime = REFUNDED_AT,
        actor: str = OPERATOR,
        reason: str = REASON,
    ) -> RefundView:
        return self.refunds.refund(
            self.account_id,
            charge,
            amount_minor=amount_minor,
            actor=actor,
            reason=reason,
            at=at,
        )

    def at(self, gateway: Gateway) -> "Charge":
        """The same charge, with refunds that are asked for at `gateway`."""
        return replace(self, refunds=Refunds(self.shop.database, gateway))

    def given_back(self) -> list[int]:
        """What the gateway has given back, refund by refund."""
        return [
            each.amount_minor
            for each in self.record.refunds(self.account_id)
            if each.state is RefundState.SUCCEEDED
        ]

    def booked(self) -> list[tuple[LedgerKind, int]]:
        """What the ledger shows since the charge."""
        return [(it.kind, it.amount_minor) for it in self.ledger() if it.refund_id is not None]

    def ledger(self) -> list[LedgerEntry]:
        return self.shop.sql.ledger(self.account_id)

    def balance(self, account: LedgerAccount) -> int:
        """What that account of the ledger holds, in cents."""
        return balances(self.ledger())[account]

    def change_refund(self, **changes: Any) -> None:
        """Change the account's refunds in the database."""
        mine = RefundRow.account_id == self.account_id
        with self.shop.database.transaction() as session:
            session.execute(update(RefundRow).where(mine).values(**changes))

    def audited(self) -> list[AuditEntry]:
        entries = AccountViews(self.shop.database).audit(self.account_id)
        return [entry for entry in entries if entry.what.startswith("refund")]

    @property
    def record(self) -> SandboxGateway:
        record = self.shop.record
        assert isinstance(record, SandboxGateway)
        return record

    @property
    def calls(self) -> list[str]:
        """What the gateway was asked about refunds."""
        return [call for call in self.shop.gateway.calls if "refund" in call]

    @property
    def gateway(self) -> FaultyGateway:
        return self.shop.gateway


def charged(database: Database, card_name: str = "visa") -> Charge:
    """A new account in New York, paused, whose first fee has been paid."""
    shop = SqlShop(database)
    pause = paused(shop, card_name=card_name)
    shop.open_act(pause, local("2026-01-10 14:00"))
    shop.change_act(pause, paused_at=local("2026-01-10 14:00"))
    for _ in range(4):
        # A card that answers late takes some look-ups.
        pause.collect(JAN_15)
    refunds = Refunds(database, shop.gateway)
    payment_id = refunds.charged(pause.account_id, JAN_15).payment_id
    return Charge(shop, pause, pause.account_id, payment_id, refunds)


def stray_payment(charge: Charge, card_name: str = "visa") -> Payment:
    """A payment of $5.00 of the account's that no attempt of ours has made."""
    order = Order(charge.account_id, CARDS[card_name].token, 500, "USD")
    created = charge.record.create_payment(f"by hand {uuid4().hex}", order)
    return charge.record.confirm_payment(created.payment_id)


class Answering(PassedOn):
    """A gateway whose answers about refunds are changed on their way."""

    def __init__(self, gateway: Gateway, change: Callable[[Refund], Refund]) -> None:
        super().__init__(gateway)
        self.change = change

    def refund_payment(self, key: str, payment_id: str, amount_minor: int) -> Refund:
        return self.change(super().refund_payment(key, payment_id, amount_minor))

    def get_refund(self, refund_id: str) -> Refund:
        return self.change(super().get_refund(refund_id))

    def find_refund(self, key: str, payment_id: str) -> Refund | None:
        found = super().find_refund(key, payment_id)
        return self.change(found) if found else None


class Forgetful(PassedOn):
    """The gateway after its idempotency keys have expired: the same key is a new refund.

    It still finds refunds by the key with which they were made, as gateways do by metadata.
    """

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._made: dict[str, str] = {}

    def refund_payment(self, key: str, payment_id: str, amount_minor: int) -> Refund:
        made = f"{key}:{uuid4().hex}"
        self._made.setdefault(key, made)
        return super().refund_payment(made, payment_id, amount_minor)

    def find_refund(self, key: str, payment_id: str) -> Refund | None:
        return super().find_refund(self._made.get(key, key), payment_id)


class Failing(PassedOn):
    """A gateway at which refunds fail as long as `is_failing`; the sandbox's never do."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self.is_failing = True
        self._failed: dict[str, Refund] = {}

    def refund_payment(self, key: str, payment_id: str, amount_minor: int) -> Refund:
        if not self.is_failing:
            return super().refund_payment(key, payment_id, amount_minor)
        failed = Refund(
            f"ref_{uuid4().hex}", payment_id, amount_minor, "USD", RefundState.FAILED, key
        )
        return self._failed.setdefault(key, failed)

    def find_refund(self, key: str, payment_id: str) -> Refund | None:
        return self._failed.get(key) or super().find_refund(key, payment_id)
