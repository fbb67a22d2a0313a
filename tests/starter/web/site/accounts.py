"""Accounts as visitors may find them: in every state, made by the steps that make it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from activities.accounts import AccountActivities
from domain.ids import Prefix, make_id
from domain.messages import BeginEnd, BeginPause, CollectFee, MarkPaused, Step, SuspendPlan
from domain.terms import Offer
from systems.gateways.sandbox import CARDS
from systems.sample import SampleAccount, create_account
from systems.wiring import Systems

TIME_ZONE = "America/Chicago"


def new_account(systems: Systems, **more: Any) -> SampleAccount:
    """A fresh active account, billed on the 15th."""
    given = {
        "key": uuid4().hex,
        "name": "Brightside",
        "time_zone": TIME_ZONE,
        "billing_day": 15,
        "created_at": datetime.now(UTC) - timedelta(days=1),
    }
    return create_account(systems, **{**given, **more})


def begun(systems: Systems, account: SampleAccount, at: datetime | None = None) -> dict[str, Any]:
    """A pause that has begun and is not in effect; returns what its steps begin with."""
    step: dict[str, Any] = {
        "act_id": make_id(Prefix.PAUSE, uuid4()),
        "account_id": account.account_id,
        "at": at or datetime.now(UTC),
    }
    steps_of(systems).begin_pause(BeginPause(**step, requested_by=account.administrator_id))
    return step


def paused(
    systems: Systems,
    account: SampleAccount,
    at: datetime | None = None,
    resume_on: date | None = None,
) -> dict[str, Any]:
    """A pause in effect, numbers retained; returns what its steps begin with."""
    step = begun(systems, account, at)
    act = systems.accounts.act(step["act_id"])
    assert act is not None
    assert act.terms is not None
    suspended = systems.billing.suspend_plan(SuspendPlan(**step, terms=act.terms))
    systems.dni.disable_script(Step(**step))
    systems.access.suspend_access(Step(**step))
    steps_of(systems).mark_paused(
        MarkPaused(**step, first_billing_on=suspended.first_billing_on, resume_on=resume_on)
    )
    systems.numbers.retain_numbers(Step(**step))
    return step


def closed(systems: Systems, account: SampleAccount, at: datetime | None = None) -> None:
    """The account is closed for good."""
    step: dict[str, Any] = {
        "act_id": make_id(Prefix.CLOSE, uuid4()),
        "account_id": account.account_id,
        "at": at or datetime.now(UTC),
    }
    systems.accounts.begin_close(BeginEnd(**step, requested_by=account.administrator_id))
    systems.dni.disable_script(Step(**step))
    systems.billing.close_billing(Step(**step))
    systems.access.close_access(Step(**step))
    systems.numbers.release_numbers(Step(**step))
    systems.accounts.mark_closed(Step(**step))


def past_due(
    systems: Systems, account: SampleAccount, card: str = "expired_card"
) -> dict[str, Any]:
    """A pause whose first fee was declined on that test card."""
    step = paused(systems, account, datetime.now(UTC) - timedelta(days=40))
    put_on_file(systems, account, card)
    act = systems.accounts.act(step["act_id"])
    assert act is not None
    assert act.timeline is not None
    fee = act.timeline.fees[0]
    systems.billing.collect_fee(
        CollectFee(**{**step, "at": fee.due_at}, billing_on=fee.billing_on, due_at=fee.due_at)
    )
    return step


def put_on_file(systems: Systems, account: SampleAccount, card: str) -> None:
    """Another test card."""
    new = CARDS[card]
    systems.billing.replace_card(
        account.account_id,
        new.token,
        new.brand,
        new.last4,
        new.expires_month,
        new.expires_year,
        datetime.now(UTC),
    )


def steps_of(systems: Systems) -> AccountActivities:
    """The steps that need no workflow."""
    return AccountActivities(
        systems.accounts, systems.numbers, systems.dni, systems.billing, Offer()
    )


STATES: dict[str, Callable[[Systems, SampleAccount], object]] = {
    "active": lambda systems, account: None,
    "paused": paused,
    "closed": closed,
}
