"""Ten thousand charges and forty differences: all are found, none is invented, each mends once."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from starter.cli.app import WAITS
from systems.db import Database
from systems.tables import AttemptRow, AttemptState, LedgerKind, LedgerRow
from tests.standin.control import Standin
from tests.standin.world import TEST_KEY
from tests.starter.conftest import Answer, Cli
from tests.systems.many_charges import AMOUNT_MINOR, Books, plant_forty, ten_thousand, write

FOREIGN = 50

# The forty by their names, as they are planted in `many_charges`.
KINDS = {
    "state": 14,
    "missing_here": 5,
    "missing_there": 5,
    "amount": 7,
    "owner": 4,
    "duplicate_date": 4,
    "unknown": 1,
}


@pytest.mark.slow
def test_of_ten_thousand_charges_the_forty_that_differ_are_found_and_each_is_mended_once(
    database: Database, database_url: str, standin: Standin, tmp_path: Path, cli: Cli
) -> None:
    standin.process_for(None)
    now = datetime.now(UTC).replace(microsecond=0)
    books = ten_thousand(standin, now)
    plant_forty(books, now)
    strangers = [{"amount": 900, "currency": "usd", "created": int(now.timestamp()) - 86_400}]
    standin.seed_payment_intents(strangers * FOREIGN)
    write(database, books)
    before = _booked(database)

    def run(*arguments: str) -> Answer:
        return cli(
            tmp_path,
            *arguments,
            "--json",
            DATABASE_URL=database_url,
            STRIPE_API_KEY=TEST_KEY,
            ACCOUNT_PAUSE_STRIPE_URL=standin.url,
        )

    first, second = run("reconcile"), run("reconcile")

    assert (WAITS, WAITS) == (first.exit_code, second.exit_code), first.out + first.err
    assert 40 == books.planted
    assert _expected(books) == _counts(first.document)
    # What mended itself is gone, and the rest waits: nothing is new.
    rest = {"settled": 0, "refunded": 0, "new": 0, "found": books.waiting}
    assert {**_expected(books), **rest} == _counts(second.document)
    assert KINDS == _kinds(first.document)
    _check_remedies(books, standin, database, before)

    for each in second.document["waiting"]:
        assert 0 == run("acknowledge", each["key"], "--reason", "dealt with").exit_code
    third = run("reconcile")

    assert (0, 0) == (third.exit_code, third.document["reconciled"]["waiting"])
    _check_remedies(books, standin, database, before)


def _expected(books: Books) -> dict[str, int]:
    return {
        "foreign": FOREIGN,
        "found": books.planted,
        "settled": books.settled,
        "refunded": books.refunded,
        "waiting": books.waiting,
        "new": books.waiting,
    }


def _counts(document: dict[str, Any]) -> dict[str, int]:
    names = ("foreign", "found", "settled", "refunded", "waiting", "new")
    return {name: document["reconciled"][name] for name in names}


def _kinds(document: dict[str, Any]) -> Counter[str]:
    return Counter(each["kind"] for each in [*document["mended"], *document["waiting"]])


def _booked(database: Database) -> dict[LedgerKind, int]:
    with database.transaction() as session:
        rows = session.execute(select(LedgerRow.kind, func.count()).group_by(LedgerRow.kind))
        return {row[0]: row[1] for row in rows}


def _check_remedies(
    books: Books, standin: Standin, database: Database, before: dict[LedgerKind, int]
) -> None:
    """What was booked and given back, once each."""
    after = _booked(database)
    added = {kind: number - before.get(kind, 0) for kind, number in after.items()}
    with database.transaction() as session:
        unanswered = session.scalar(
            select(func.count())
            .select_from(AttemptRow)
            .where(AttemptRow.state.in_([AttemptState.RESERVED, AttemptState.SENT]))
        )
    given_back = [refund["amount"] for refund in standin.refunds() if refund["metadata"].get("key")]
    assert {
        LedgerKind.INVOICE: 0,
        # Four unanswered, two known by their key, two declined ones that were paid.
        LedgerKind.CHARGE: 8,
        LedgerKind.REFUND: 1,
        LedgerKind.REVERSAL: 1,
        LedgerKind.STRAY_CHARGE: books.refunded,
        LedgerKind.STRAY_REFUND: books.refunded,
    } == added
    assert [AMOUNT_MINOR] * books.refunded == given_back
    assert 1 == unanswered, "one is unknown for good"
