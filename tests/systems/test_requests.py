"""Requests under idempotency keys: done once, answered the same for seven months."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from dateutil.relativedelta import relativedelta

from domain.errors import Code, Rejected
from domain.states import Role
from systems.db import Database
from systems.requests import HELD_FOR, Answered, Begun, Progress, Requests, Scope
from systems.sample.parts import user_id
from tests.systems.examples import ADMIN, KEY, add_account
from tests.together import together

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
SCOPE = Scope(ADMIN, "POST", "/api/v1/accounts/ACC1/pause", "one")
ANSWER = Answered(201, {"etag": '"x"'}, '{"state": "paused"}')


@pytest.fixture
def requests(database: Database) -> Requests:
    add_account(database)
    return Requests(database)


def begun(requests: Requests, scope: Scope = SCOPE, at: datetime = NOW) -> Begun:
    taken = requests.begin(scope, "same", at)
    assert isinstance(taken, Begun)
    return taken


def refusal(requests: Requests, fingerprint: str, at: datetime = NOW) -> Code:
    with pytest.raises(Rejected) as refused:
        requests.begin(SCOPE, fingerprint, at)
    return refused.value.code


def test_an_answered_request_gets_its_answer_again(requests: Requests) -> None:
    first = begun(requests)
    requests.answer(SCOPE, ANSWER)
    requests.answer(SCOPE, replace(ANSWER, status=500))

    assert not first.is_repeat
    assert ANSWER == requests.begin(SCOPE, "same", NOW + timedelta(days=200))
    assert Progress.ANSWERED is requests.progress(SCOPE)


def test_of_several_at_once_one_is_taken_on(requests: Requests) -> None:
    came_to = together(*[lambda: begun(requests)] * 5)

    assert 1 == len([each for each in came_to if isinstance(each, Begun)])
    assert [Code.IDEMPOTENCY_KEY_IN_USE] * 4 == [
        each.code for each in came_to if isinstance(each, Rejected)
    ]


def test_another_request_under_the_same_key_is_refused_whenever_it_comes(
    requests: Requests,
) -> None:
    begun(requests)
    during = refusal(requests, "other")
    requests.answer(SCOPE, ANSWER)

    assert [Code.IDEMPOTENCY_KEY_REUSED] * 2 == [during, refusal(requests, "other")]


def test_after_a_crash_it_goes_on_under_the_same_ids_once_it_is_held_no_more(
    requests: Requests,
) -> None:
    first = begun(requests)

    early = refusal(requests, "same", NOW + HELD_FOR - timedelta(seconds=1))
    second = begun(requests, at=NOW + HELD_FOR)

    assert Code.IDEMPOTENCY_KEY_IN_USE is early
    assert (first.effect_id, NOW, True) == (second.effect_id, second.began_at, second.is_repeat)
    assert isinstance(second.effect_id, UUID)


def test_what_was_let_go_goes_on_at_once(requests: Requests) -> None:
    first = begun(requests)
    requests.let_go(SCOPE, first)

    assert Progress.BEGUN is requests.progress(SCOPE)
    assert first.effect_id == begun(requests).effect_id


def test_what_could_not_be_let_go_goes_on_for_whoever_knows(requests: Requests) -> None:
    first = begun(requests)

    again = requests.begin(SCOPE, "same", NOW + timedelta(seconds=1), left=first.held_until)

    assert isinstance(again, Begun)
    assert first.effect_id == again.effect_id
    with pytest.raises(Rejected):
        requests.begin(SCOPE, "same", NOW + timedelta(seconds=2), left=first.held_until)


def test_whoever_was_away_for_too_long_lets_nobody_elses_work_go(requests: Requests) -> None:
    first = begun(requests)
    begun(requests, at=NOW + HELD_FOR)
    requests.let_go(SCOPE, first)

    assert Code.IDEMPOTENCY_KEY_IN_USE is refusal(requests, "same", NOW + HELD_FOR)


def test_a_key_is_another_one_for_another_user_method_or_path(requests: Requests) -> None:
    scopes = [
        SCOPE,
        replace(SCOPE, user_id=user_id(KEY, Role.MANAGER)),
        replace(SCOPE, method="PUT"),
        replace(SCOPE, path="/api/v1/accounts/ACC1/pause/resume"),
        replace(SCOPE, key="two"),
    ]

    assert 5 == len({begun(requests, scope).effect_id for scope in scopes})


def test_an_answer_is_kept_for_seven_months_and_then_removed(requests: Requests) -> None:
    begun(requests)
    requests.answer(SCOPE, ANSWER)
    other = replace(SCOPE, key="two")

    begun(requests, other, NOW + relativedelta(months=7))
    kept = requests.progress(SCOPE)
    begun(requests, replace(SCOPE, key="three"), NOW + relativedelta(months=7, seconds=1))

    assert (Progress.ANSWERED, Progress.UNKNOWN) == (kept, requests.progress(SCOPE))
