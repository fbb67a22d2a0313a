"""Billing on an older copy of its database: what was charged since is found and not made again.

copy made |---- $ charged, and lost here ----| copy put back ... collected once more, whenever
"""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from domain.messages import FeeAnswer
from domain.payments import Gateway, Order, Payment
from domain.states import ChargeState
from systems.billing import SqlBilling
from systems.db import Database, make_engine
from tests.fakes.gateway import FakeGateway, PassedOn
from tests.systems.billing_shop import JAN_15, SqlShop, local, paused, succeeded

PAID = FeeAnswer(state=ChargeState.PAID)
NINE = local("2026-01-15 09:00")


class Forgetful(PassedOn):
    """A gateway that has forgotten every key, as they do after a day: each creation is another."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self.created = 0

    def create_payment(self, key: str, order: Order) -> Payment:
        self.created += 1
        return super().create_payment(f"{key}, forgotten {self.created}", order)


@pytest.mark.parametrize("later", [timedelta(hours=12), timedelta(days=40)])
def test_a_fee_that_the_copy_does_not_know_is_found_also_when_its_key_is_forgotten(
    sqlite_database: Database, tmp_path: Path, later: timedelta
) -> None:
    shop = SqlShop(sqlite_database, FakeGateway())
    pause = paused(shop)
    copy = _copied(sqlite_database, tmp_path / "copy.db")
    assert PAID == pause.collect(JAN_15)

    forgetful = Forgetful(shop.record)
    shop.billing = SqlBilling(copy, forgetful)
    answer = pause.collect(JAN_15, NINE + later)
    copy.engine.dispose()

    assert PAID == answer
    assert 0 == forgetful.created
    assert 1 == len(succeeded(shop, pause.account_id))


def test_a_fee_on_its_due_instant_costs_no_search(sqlite_database: Database) -> None:
    shop = SqlShop(sqlite_database, FakeGateway())
    pause = paused(shop)

    pause.collect(JAN_15)

    assert ["create_payment", "confirm_payment"] == shop.gateway.calls


def _copied(database: Database, file: Path) -> Database:
    source = make_url(str(database.engine.url)).database or ""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(file)) as new:
        old.backup(new)
    return Database(make_engine(f"sqlite:///{file}"))
