"""A believable activity log: the same one each time, for the same account and moment."""

from datetime import datetime, timedelta
from random import Random
from uuid import uuid5

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from domain.ids import Prefix, make_id
from systems.sample.parts import NAMESPACE, area_codes, fictional_numbers
from systems.tables import CallRow, NumberRow, TrackerRow

DAYS = 90
ANSWERED_OF_TEN = 8
LONGEST_CALL_SECONDS = 900


def add_calls(session: Session, account_id: str, key: str, until: datetime, count: int) -> None:
    """Add `count` calls to the account's trackers, spread over the 90 days before `until`."""
    # Seeded by the key: nothing here is a secret, and everybody should see the same numbers.
    random = Random(key)
    numbers = session.execute(
        select(NumberRow, TrackerRow)
        .join(TrackerRow, TrackerRow.id == NumberRow.tracker_id)
        .where(NumberRow.account_id == account_id)
        .order_by(NumberRow.id)
    ).all()
    session.add_all(
        _call(random, f"{key}:{place}", random.choice(numbers), until) for place in range(count)
    )
    session.flush()


def _call(
    random: Random, key: str, dialled: Row[NumberRow, TrackerRow], until: datetime
) -> CallRow:
    number, tracker = dialled
    is_answered = random.randrange(10) < ANSWERED_OF_TEN
    talked_seconds = random.randrange(20, LONGEST_CALL_SECONDS)
    at = until - timedelta(seconds=random.randrange(1, DAYS * 86_400))
    return CallRow(
        id=make_id(Prefix.CALL, uuid5(NAMESPACE, f"call:{key}")),
        account_id=number.account_id,
        company_id=tracker.company_id,
        tracker_id=tracker.id,
        number_id=number.id,
        carrier_call_id=f"sample-{uuid5(NAMESPACE, f'carrier:{key}').hex}",
        caller=random.choice(fictional_numbers(random.choice(area_codes()))),
        source=tracker.source,
        at=at,
        duration_seconds=talked_seconds if is_answered else 0,
        is_answered=is_answered,
    )
