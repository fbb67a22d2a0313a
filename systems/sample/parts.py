"""What a sample account consists of, built into the database in one go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

import phonenumbers
from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.calendar import local_date, next_billing_date
from domain.ids import Prefix, make_id
from domain.states import AccountStatus, NumberState, Role, TrackerType
from systems.billing import cards, subscriptions
from systems.gateways import sandbox
from systems.tables import (
    AccessRow,
    AccountRow,
    CallFlowRow,
    CompanyRow,
    NumberRow,
    TrackerRow,
    UserRow,
)

NAMESPACE = UUID("c5c5a0c0-3a39-4f07-8a3f-0d3a3e1c9b11")
PLAN, PLAN_MINOR = "Call tracking", 9_500

# In every area code the numbers 555-0100 to 555-0199 are kept for fiction.
FICTIONAL = range(100, 200)
PEOPLE = {
    Role.ADMIN: "Dana Whitfield",
    Role.MANAGER: "Marco Reyes",
    Role.REPORTING: "Priya Nair",
}


@dataclass(frozen=True)
class TrackerPlan:
    """A tracker to make: one number for a source, or a pool of `numbers`."""

    name: str
    source: str
    type: TrackerType = TrackerType.SOURCE
    numbers: int = 1


@dataclass(frozen=True)
class CompanyPlan:
    """A company to make, with its trackers."""

    key: str
    name: str
    trackers: tuple[TrackerPlan, ...]


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """A whole account to make. `calls` is how many calls its history has."""

    key: str
    name: str
    time_zone: str
    billing_day: int
    created_at: datetime
    companies: tuple[CompanyPlan, ...]
    add_ons: tuple[tuple[str, int], ...] = ()
    area_code: int = 201
    card: str | None = "visa"
    calls: int = 0


def account_id(key: str) -> str:
    """The id of the sample account with this key."""
    return _id(Prefix.ACCOUNT, key)


def user_id(key: str, role: Role) -> str:
    """The id of the account's user in this role."""
    return _id(Prefix.USER, f"{key}:{role}")


def email_of(key: str, role: Role) -> str:
    """The e-mail of the account's user in this role."""
    return f"{role}@{key}.example"


def close_id(account_id: str) -> str:
    """The id of the close of a sample account that is closed from the start."""
    return _id(Prefix.CLOSE, account_id)


def build(session: Session, blueprint: Blueprint, now: datetime) -> None:
    """Make the account, billed from the first billing date after `now` on."""
    account = account_id(blueprint.key)
    session.add(
        AccountRow(
            id=account,
            name=blueprint.name,
            time_zone=blueprint.time_zone,
            status=AccountStatus.ACTIVE,
            created_at=blueprint.created_at,
        )
    )
    session.flush()
    session.add(AccessRow(account_id=account, status=AccountStatus.ACTIVE))
    session.add_all(_user(blueprint, role) for role in Role)
    _add_plan(session, blueprint, now)
    numbers = _free_numbers(session, blueprint.area_code)
    for company in blueprint.companies:
        _add_company(session, blueprint, company, numbers)
    session.flush()


def _user(blueprint: Blueprint, role: Role) -> UserRow:
    return UserRow(
        id=user_id(blueprint.key, role),
        account_id=account_id(blueprint.key),
        name=PEOPLE[role],
        email=email_of(blueprint.key, role),
        role=role,
    )


def _add_plan(session: Session, blueprint: Blueprint, now: datetime) -> None:
    account = account_id(blueprint.key)
    today = local_date(now, blueprint.time_zone)
    plan = subscriptions.NewSubscription(
        plan=PLAN,
        amount_minor=PLAN_MINOR,
        time_zone=blueprint.time_zone,
        billing_day=blueprint.billing_day,
        next_billing_on=next_billing_date(blueprint.billing_day, today),
        add_ons=blueprint.add_ons,
    )
    subscriptions.create(session, account, plan)
    if blueprint.card is not None:
        card = sandbox.card(blueprint.card).entered()
        cards.replace(session, account, sandbox.NAME, card, blueprint.created_at)


def _add_company(
    session: Session, blueprint: Blueprint, company: CompanyPlan, numbers: Iterator[str]
) -> None:
    account, key = account_id(blueprint.key), f"{blueprint.key}:{company.key}"
    destination = next(numbers)
    session.add(
        CompanyRow(
            id=_id(Prefix.COMPANY, key),
            account_id=account,
            name=company.name,
            script_key=uuid5(NAMESPACE, f"script:{key}").hex[:20],
            swap_settings={"cookie_days": 30, "referrer_parameter": "utm_source"},
        )
    )
    session.add(
        CallFlowRow(
            id=_id(Prefix.CALL_FLOW, key),
            account_id=account,
            name=f"{company.name}, front desk",
            steps=_steps(company.name),
        )
    )
    session.flush()
    for tracker in company.trackers:
        _add_tracker(session, blueprint, key, tracker, destination, numbers)


def _steps(company: str) -> list[dict[str, Any]]:
    return [
        {"kind": "greeting", "text": f"Thank you for calling {company}."},
        {"kind": "recording", "is_announced": True},
        {"kind": "whisper", "text": "A call from your marketing."},
        {"kind": "dial", "timeout_seconds": 25},
    ]


def _add_tracker(
    session: Session,
    blueprint: Blueprint,
    company_key: str,
    plan: TrackerPlan,
    destination: str,
    numbers: Iterator[str],
) -> None:
    account, key = account_id(blueprint.key), f"{company_key}:{plan.name}"
    tracker_id = _id(Prefix.TRACKER, key)
    session.add(
        TrackerRow(
            id=tracker_id,
            account_id=account,
            company_id=_id(Prefix.COMPANY, company_key),
            name=plan.name,
            type=plan.type,
            source=plan.source,
            destination_number=destination,
            call_flow_id=_id(Prefix.CALL_FLOW, company_key),
            swap_targets=[destination],
            created_at=blueprint.created_at,
        )
    )
    session.flush()
    session.add_all(
        NumberRow(
            id=_id(Prefix.NUMBER, f"{key}:{place}"),
            account_id=account,
            tracker_id=tracker_id,
            number=number,
        )
        for place, number in enumerate(islice(numbers, plan.numbers))
    )


def _free_numbers(session: Session, area_code: int) -> Iterator[str]:
    """Fictional numbers that nobody holds, of this area code first."""
    held = set(
        session.scalars(select(NumberRow.number).where(NumberRow.state != NumberState.RELEASED))
    )
    codes = area_codes()
    start = codes.index(area_code)
    for code in (*codes[start:], *codes[:start]):
        yield from (number for number in fictional_numbers(code) if number not in held)
    raise ValueError("no fictional phone number is left")


def fictional_numbers(area_code: int) -> list[str]:
    """The fictional numbers of an area code, in E.164."""
    return [f"+1{area_code}5550{last}" for last in FICTIONAL]


@cache
def area_codes() -> Sequence[int]:
    """The area codes in use in North America."""
    return tuple(
        code
        for code in range(201, 1000)
        if phonenumbers.is_valid_number(phonenumbers.parse(f"+1{code}5550100"))
    )


def _id(prefix: Prefix, key: str) -> str:
    return make_id(prefix, uuid5(NAMESPACE, f"{prefix}:{key}"))
