"""Each kind of error of the domain becomes the right failure of Temporal's."""

import dataclasses
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.failures import INVARIANT_VIOLATED, failure_of, step
from domain.errors import Code, InvariantViolated, Rejected, Throttled, Transient
from domain.names import Activity


def test_a_refusal_is_final_and_carries_its_code_and_figures() -> None:
    failure = failure_of(
        Rejected(Code.TOO_MANY_TRACKING_NUMBERS, "too many", active=53, limit=50, excess=3)
    )

    assert failure.type == "too_many_tracking_numbers"
    assert failure.non_retryable
    assert failure.details == ({"active": 53, "limit": 50, "excess": 3},)


def test_what_cannot_be_is_final_and_asks_for_a_person() -> None:
    failure = failure_of(InvariantViolated("two records"))

    assert failure.type == INVARIANT_VIOLATED
    assert failure.non_retryable


def test_a_system_that_is_away_is_asked_again() -> None:
    failure = failure_of(Transient("the database did not answer"))

    assert failure.type == Code.UNAVAILABLE
    assert not failure.non_retryable


def test_a_system_that_was_asked_too_often_is_asked_later_by_each_at_another_time() -> None:
    late = ActivityEnvironment()
    late.info = dataclasses.replace(late.info, attempt=50)

    first = [failure_of(Throttled("busy")).next_retry_delay for _ in range(50)]
    later = [late.run(failure_of, Throttled("busy")).next_retry_delay for _ in range(50)]

    assert 50 == len({*first})
    assert all(delay and delay <= timedelta(seconds=5) for delay in first)
    assert all(delay and delay <= timedelta(minutes=5) for delay in later)
    assert any(delay and delay > timedelta(minutes=1) for delay in later)


def test_a_surprise_is_retried_and_its_words_stay_out_of_the_history() -> None:
    failure = failure_of(KeyError("+15555550123"))

    assert failure.type == "KeyError"
    assert not failure.non_retryable
    assert "5555550123" not in str(failure)


def test_a_failure_that_is_temporals_already_is_left_alone() -> None:
    failure = ApplicationError("as it is")

    assert failure_of(failure) is failure


def test_a_step_translates_what_its_method_raises() -> None:
    class Steps:
        @step(Activity.BEGIN_PAUSE)
        def begin_pause(self, request: str) -> str:
            raise Transient(request)

    with pytest.raises(ApplicationError, match="away"):
        Steps().begin_pause("away")
