"""Sample accounts for local stacks, demonstrations and tests.

Ids are derived from fixed names, so seeding again finds what is there. Phone numbers come from the
ranges that are reserved for fiction.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.messages import BeginEnd, Step
from domain.states import Role, TrackerType
from systems.sample.calls import add_calls
from systems.sample.log_ins import add_log_ins, hashed_password
from systems.sample.parts import (
    Blueprint,
    CompanyPlan,
    TrackerPlan,
    build,
    close_id,
    email_of,
    user_id,
)
from systems.sample.parts import account_id as account_id_of
from systems.tables import AccountRow
from systems.wiring import Systems

LONG_AGO = timedelta(days=400)
OFFICE, SHOP = "office", "shop"


@dataclass(frozen=True)
class SampleAccount:
    """An account to try things on, and the administrator to try them as.

    `emails` are those of its users, the administrator's first.
    """

    account_id: str
    name: str
    what_for: str
    administrator_id: str
    emails: tuple[str, ...] = ()


def seed(systems: Systems, now: datetime, *, with_log_ins: bool = False) -> list[SampleAccount]:
    """Make the sample accounts that are missing; return all. Those that exist stay as they are.

    `with_log_ins` lets their users in with a password that everybody may know.
    """
    created_at = now - LONG_AGO
    accounts = [
        _account(systems, blueprint, what_for, now)
        for blueprint, what_for in (
            (_clinic(created_at), "May pause: three companies, a pool, 90 days of calls"),
            (_harbour(created_at), "May pause: another time zone, billed at the month's end"),
            (_atelier(created_at), "May pause: another time zone, billed at the month's end"),
            (_movers(created_at), "Is refused: 53 active tracking numbers"),
            (_bakery(created_at), "Is refused: no card on file"),
            (_motors(created_at), "Is refused: already closed"),
        )
    ]
    _close(systems, accounts[-1], now)
    if with_log_ins:
        _add_log_ins(systems, accounts)
    return accounts


def create_account(
    systems: Systems,
    *,
    key: str,
    name: str,
    time_zone: str,
    billing_day: int,
    created_at: datetime,
    numbers: int = 3,
    card: str | None = "visa",
) -> SampleAccount:
    """A small account of its own, once per `key`.

    It has one company and `numbers` active tracking numbers: one for a source, the rest a pool. Its
    first billing date is the one after `created_at`. `card` names a test card of the embedded
    payment gateway; None leaves it without one.
    """
    blueprint = Blueprint(
        key=key,
        name=name,
        time_zone=time_zone,
        billing_day=billing_day,
        created_at=created_at,
        companies=(CompanyPlan(OFFICE, name, _small_trackers(numbers)),),
        card=card,
    )
    return _account(systems, blueprint, "May pause", created_at)


def _account(systems: Systems, blueprint: Blueprint, what_for: str, now: datetime) -> SampleAccount:
    account_id = account_id_of(blueprint.key)
    with systems.db.transaction() as session:
        if session.get(AccountRow, account_id) is None:
            build(session, blueprint, now)
            if blueprint.calls:
                add_calls(session, account_id, blueprint.key, now, blueprint.calls)
    administrator_id = user_id(blueprint.key, Role.ADMIN)
    emails = tuple(email_of(blueprint.key, role) for role in Role)
    return SampleAccount(account_id, blueprint.name, what_for, administrator_id, emails)


def _add_log_ins(systems: Systems, accounts: list[SampleAccount]) -> None:
    hashed = hashed_password()
    with systems.db.transaction() as session:
        add_log_ins(session, [account.account_id for account in accounts], hashed)


def _close(systems: Systems, account: SampleAccount, at: datetime) -> None:
    """Close the account by the very steps that a close takes; each is safe to repeat."""
    account_id = account.account_id
    act_id = close_id(account_id)
    if systems.accounts.act(act_id) is not None:
        return
    step = Step(act_id=act_id, account_id=account_id, at=at)
    systems.accounts.begin_close(
        BeginEnd(**step.model_dump(), requested_by=account.administrator_id)
    )
    systems.dni.disable_script(step)
    systems.billing.close_billing(step)
    systems.access.close_access(step)
    systems.numbers.release_numbers(step)
    systems.accounts.mark_closed(step)


def _small_trackers(numbers: int) -> tuple[TrackerPlan, ...]:
    source = TrackerPlan("Google Business Profile", "google_business_profile")
    pool = TrackerPlan("Web site visitors", "all_visitors", TrackerType.SESSION, numbers - 1)
    return (source, pool)[: min(numbers, 2)]


def _clinic(created_at: datetime) -> Blueprint:
    ads = TrackerPlan("Google Ads", "google_ads")
    profile = TrackerPlan("Google Business Profile", "google_business_profile")
    mailing = TrackerPlan("Spring postcard", "direct_mail")
    pool = TrackerPlan("Web site visitors", "all_visitors", TrackerType.SESSION, 8)
    return Blueprint(
        key="brightside-dental",
        name="Brightside Dental Group",
        time_zone="America/Chicago",
        billing_day=15,
        created_at=created_at,
        companies=(
            CompanyPlan("loop", "Brightside Dental Loop", (ads, profile, pool)),
            CompanyPlan("lakeview", "Brightside Dental Lakeview", (ads, profile)),
            CompanyPlan("ortho", "Brightside Orthodontics", (ads, mailing)),
        ),
        add_ons=(("Conversation insights", 4_500), ("Form tracking", 2_500)),
        area_code=312,
        calls=300,
    )


def _harbour(created_at: datetime) -> Blueprint:
    return Blueprint(
        key="harbour-physio",
        name="Harbour Physiotherapy",
        time_zone="Australia/Sydney",
        billing_day=31,
        created_at=created_at,
        companies=(CompanyPlan(OFFICE, "Harbour Physiotherapy", _small_trackers(4)),),
        area_code=415,
        calls=25,
    )


def _atelier(created_at: datetime) -> Blueprint:
    return Blueprint(
        key="atelier-lumiere",
        name="Atelier Lumière",
        time_zone="Europe/Paris",
        billing_day=31,
        created_at=created_at,
        companies=(CompanyPlan(SHOP, "Atelier Lumière", _small_trackers(2)),),
        area_code=504,
        calls=25,
    )


def _movers(created_at: datetime) -> Blueprint:
    pools = tuple(
        TrackerPlan(f"Visitors, {city}", "all_visitors", TrackerType.SESSION, 25)
        for city in ("Denver", "Boulder")
    )
    sources = tuple(
        TrackerPlan(name, name.lower().replace(" ", "_"))
        for name in ("Google Ads", "Billboard", "Van lettering")
    )
    return Blueprint(
        key="northgate-movers",
        name="Northgate Movers",
        time_zone="America/Denver",
        billing_day=1,
        created_at=created_at,
        companies=(CompanyPlan(OFFICE, "Northgate Movers", (*sources, *pools)),),
        area_code=303,
    )


def _bakery(created_at: datetime) -> Blueprint:
    return Blueprint(
        key="corner-bakery",
        name="Corner Bakery",
        time_zone="America/New_York",
        billing_day=10,
        created_at=created_at,
        companies=(CompanyPlan(SHOP, "Corner Bakery", _small_trackers(3)),),
        area_code=212,
        card=None,
    )


def _motors(created_at: datetime) -> Blueprint:
    return Blueprint(
        key="old-mill-motors",
        name="Old Mill Motors",
        time_zone="America/Los_Angeles",
        billing_day=20,
        created_at=created_at,
        companies=(CompanyPlan(SHOP, "Old Mill Motors", _small_trackers(2)),),
        area_code=503,
    )
