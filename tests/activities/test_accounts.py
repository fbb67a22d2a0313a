"""What is checked before a pause begins and ends, and what is kept with it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.accounts import AccountActivities
from domain.messages import (
    BeginEnd,
    BeginPause,
    ChangeResumeDate,
    MarkPaused,
    MarkRefused,
    PauseBegun,
    Step,
)
from domain.states import PauseState, Role
from domain.terms import Offer
from tests.fakes.accounts import FakeAccounts
from tests.fakes.billing import FakeBilling
from tests.fakes.dni import FakeDni
from tests.fakes.numbers import FakeNumbers
from tests.together import together

AT = datetime(2026, 1, 10, 14, tzinfo=UTC)
ACCOUNT = "ACC" + "1" * 32
ADMIN = "USR" + "1" * 32
MANAGER = "USR" + "2" * 32
PAUSE = "PAU" + "1" * 32
STEP: dict[str, Any] = {"act_id": PAUSE, "account_id": ACCOUNT, "at": AT}


class House:
    """One account that may pause, and the steps on it."""

    def __init__(self, *, numbers: int = 3, card: bool = True, offer: Offer | None = None) -> None:
        self.accounts = FakeAccounts()
        self.accounts.add(ACCOUNT, {ADMIN: Role.ADMIN, MANAGER: Role.MANAGER})
        self.numbers = FakeNumbers()
        self.numbers.add(ACCOUNT, numbers)
        self.dni = FakeDni()
        self.dni.add(ACCOUNT)
        self.billing = FakeBilling()
        self.billing.create_subscription(
            ACCOUNT,
            plan="Small",
            amount_minor=4500,
            currency="USD",
            time_zone="UTC",
            billing_day=15,
            next_billing_on=date(2026, 1, 15),
        )
        if card:
            self.billing.replace_card(ACCOUNT, "card_visa", "visa", "4242", 12, 2034, AT)
        self.offer = offer or Offer()
        self.steps = AccountActivities(
            self.accounts, self.numbers, self.dni, self.billing, self.offer
        )

    def begin(self, **fields: Any) -> PauseBegun:
        return self.steps.begin_pause(
            BeginPause.model_validate({**STEP, "requested_by": ADMIN, **fields})
        )

    def pause(self) -> None:
        self.begin()
        self.steps.mark_paused(MarkPaused(**STEP, first_billing_on=date(2026, 1, 15)))


def code_of(failed: pytest.ExceptionInfo[ApplicationError]) -> str | None:
    return failed.value.type


def test_a_pause_begins_with_the_offer_pinned_to_the_account() -> None:
    begun = House(offer=Offer(fee_minor=700)).begin()

    assert begun.retained_numbers == 3
    assert begun.terms.fee_minor == 700
    assert (begun.terms.time_zone, begun.terms.billing_day) == ("UTC", 15)
    assert begun.ended is None


def test_beginning_twice_gives_the_same_pause() -> None:
    house = House()

    assert house.begin() == house.begin()


def test_beginning_at_once_opens_one_pause() -> None:
    house = House()

    begun = together(*[lambda n=n: house.begin(act_id=f"PAU{n:032}") for n in range(8)])

    assert sum(1 for one in begun if isinstance(one, PauseBegun)) == 1


@pytest.mark.parametrize(
    ("house", "fields", "code"),
    [
        (House(), {"requested_by": MANAGER}, "not_an_administrator"),
        (House(), {"requested_by": "USR" + "9" * 32}, "not_an_administrator"),
        (House(card=False), {}, "payment_method_required"),
        (House(numbers=53), {}, "too_many_tracking_numbers"),
        (House(), {"resume_on": date(2026, 1, 10)}, "invalid_resume_date"),
        (House(), {"resume_on": date(2026, 7, 11)}, "invalid_resume_date"),
        (House(), {"account_id": "ACC" + "9" * 32}, "account_not_found"),
    ],
)
def test_a_rule_that_says_no_leaves_nothing_behind(
    house: House, fields: dict[str, Any], code: str
) -> None:
    with pytest.raises(ApplicationError) as failed:
        house.begin(**fields)

    assert code_of(failed) == code
    assert failed.value.non_retryable
    assert house.accounts.open_act(ACCOUNT) is None


def test_fifty_numbers_may_be_kept() -> None:
    assert House(numbers=50).begin().retained_numbers == 50


def test_marking_twice_gives_the_timeline_of_the_first_time() -> None:
    house = House()
    house.begin()
    mark = MarkPaused(**STEP, first_billing_on=date(2026, 1, 15))
    later = MarkPaused(**{**STEP, "at": AT + timedelta(days=1)}, first_billing_on=date(2026, 1, 15))

    assert house.steps.mark_paused(mark) == house.steps.mark_paused(later)


def test_the_resume_date_moves_within_six_months_and_drops_back_to_them() -> None:
    house = House()
    house.pause()

    moved = house.steps.change_resume_date(
        ChangeResumeDate(**STEP, requested_by=ADMIN, resume_on=date(2026, 3, 1))
    )
    later = {**STEP, "at": AT + timedelta(minutes=1)}
    dropped = house.steps.change_resume_date(ChangeResumeDate(**later, requested_by=ADMIN))

    assert (moved.timeline.resume_on, len(moved.timeline.fees)) == (date(2026, 3, 1), 2)
    assert (dropped.timeline.resume_on, len(dropped.timeline.fees)) == (date(2026, 7, 10), 6)


@pytest.mark.parametrize("day", [date(2026, 1, 10), date(2026, 7, 11)])
def test_a_resume_date_outside_the_pause_is_refused(day: date) -> None:
    house = House()
    house.pause()

    with pytest.raises(ApplicationError) as failed:
        house.steps.change_resume_date(ChangeResumeDate(**STEP, requested_by=ADMIN, resume_on=day))

    assert code_of(failed) == "invalid_resume_date"


@pytest.mark.parametrize("what", ["resume", "close"])
def test_somebody_else_ends_nothing_and_is_noted(what: str) -> None:
    house = House()
    house.pause()
    begin = house.steps.begin_resume if what == "resume" else house.steps.begin_close

    with pytest.raises(ApplicationError) as failed:
        begin(BeginEnd(**STEP, requested_by=MANAGER))

    assert code_of(failed) == "not_an_administrator"
    act = house.accounts.act(PAUSE)
    assert act is not None
    assert act.state is PauseState.PAUSED
    assert (MANAGER, f"{what}_ignored_not_an_administrator") in [
        (entry.actor, entry.what) for entry in house.accounts.entries
    ]


def test_a_resume_tells_what_differs_from_the_snapshot() -> None:
    house = House()
    house.pause()
    house.steps.begin_resume(BeginEnd(**STEP))
    house.numbers.add(ACCOUNT, 1)

    assert house.steps.mark_resumed(Step(**STEP)).differences > 0


def test_a_resume_of_an_account_as_it_was_differs_in_nothing() -> None:
    house = House()
    house.pause()
    house.steps.begin_resume(BeginEnd(**STEP))

    assert house.steps.mark_resumed(Step(**STEP)).differences == 0


def test_a_request_repeated_after_the_end_gets_the_end() -> None:
    house = House()
    house.begin()
    house.steps.mark_refused(MarkRefused(**STEP, code="pausing_failed"))

    ended = house.begin().ended

    assert ended is not None
    assert ended.state is PauseState.REFUSED
