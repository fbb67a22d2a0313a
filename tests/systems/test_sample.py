from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import phonenumbers
import pytest

from domain.errors import Code, Rejected
from domain.policy import PauseFacts, check_may_pause
from domain.states import AccountStatus, Role, TrackerType
from domain.terms import Offer
from systems.numbers.calls import CallView
from systems.sample import SampleAccount, create_account, seed
from systems.wiring import Systems, open_systems

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def systems(database_url: str, tmp_path: Path) -> Iterator[Systems]:
    systems = open_systems(database_url, f"sqlite:///{tmp_path / 'gateway.db'}", pool_size=5)
    yield systems
    systems.close()


def _refusal(systems: Systems, account: SampleAccount) -> Code | None:
    facts = PauseFacts(
        account_id=account.account_id,
        status=systems.accounts.account(account.account_id).status,
        has_open_act=systems.accounts.open_act(account.account_id) is not None,
        has_card=systems.billing.has_card(account.account_id),
        active_numbers=systems.numbers.count_active(account.account_id),
    )
    try:
        check_may_pause(facts, Offer())
    except Rejected as refused:
        return refused.code
    return None


def test_each_sample_account_is_good_for_what_it_says(systems: Systems) -> None:
    accounts = seed(systems, NOW)

    assert [
        None,
        None,
        None,
        Code.TOO_MANY_TRACKING_NUMBERS,
        Code.PAYMENT_METHOD_REQUIRED,
        Code.ACCOUNT_CLOSED,
    ] == [_refusal(systems, account) for account in accounts]
    for account in accounts:
        role = systems.accounts.role(account.account_id, account.administrator_id)
        assert Role.ADMIN is role
        assert account.what_for.startswith(("May", "Is refused"))


def test_seeding_again_changes_nothing(systems: Systems) -> None:
    first = seed(systems, NOW)
    audit = [systems.accounts.audit(account.account_id) for account in first]

    again = seed(systems, NOW + timedelta(days=3))

    assert first == again
    assert 6 == len(systems.accounts.accounts())
    assert audit == [systems.accounts.audit(account.account_id) for account in first]


def test_the_first_account_is_believable(systems: Systems) -> None:
    account_id = seed(systems, NOW)[0].account_id

    trackers = systems.numbers.trackers(account_id)
    calls = list(_calls(systems, account_id))

    assert 3 == len(systems.dni.companies(account_id))
    assert [8] == [
        len(tracker.tracking_numbers) for tracker in trackers if tracker.type is TrackerType.SESSION
    ]
    assert set(Role) == {user.role for user in systems.accounts.users(account_id)}
    assert 300 == len(calls)
    assert all(NOW - timedelta(days=90) <= call.at < NOW for call in calls)
    assert 9_500 + 4_500 + 2_500 == systems.billing.quote(account_id).amount_minor


def test_two_accounts_are_billed_at_the_months_end_elsewhere(systems: Systems) -> None:
    for account in seed(systems, NOW)[1:3]:
        quote = systems.billing.quote(account.account_id)
        assert (31, date(2026, 3, 31)) == (quote.billing_day, quote.next_billing_on)


def test_every_phone_number_is_fictional(systems: Systems) -> None:
    for account in seed(systems, NOW):
        for tracker in systems.numbers.trackers(account.account_id):
            for number in (*tracker.tracking_numbers, tracker.destination_number):
                assert phonenumbers.is_valid_number(phonenumbers.parse(number))
                assert "55501" == number[5:10]


def test_the_closed_account_was_closed_by_its_administrator(systems: Systems) -> None:
    account = seed(systems, NOW)[-1]

    assert AccountStatus.CLOSED is systems.accounts.account(account.account_id).status
    assert "close_begun" in [
        entry.what
        for entry in systems.accounts.audit(account.account_id)
        if entry.actor == account.administrator_id
    ]
    assert [False] == [
        company.is_script_enabled for company in systems.dni.companies(account.account_id)
    ]


@pytest.mark.parametrize("numbers", [0, 1, 50])
def test_a_fresh_account_has_as_many_numbers_as_asked_for(systems: Systems, numbers: int) -> None:
    def create(key: str) -> SampleAccount:
        return create_account(
            systems,
            key=key,
            name="Fresh",
            time_zone="Asia/Kathmandu",
            billing_day=31,
            created_at=NOW,
            numbers=numbers,
        )

    accounts = [create(key) for key in ("one", "one", "two", "three")]

    assert 3 == len({account.account_id for account in accounts})
    for account in accounts:
        assert numbers == systems.numbers.count_active(account.account_id)
        assert _refusal(systems, account) is None


def _calls(systems: Systems, account_id: str) -> Iterator[CallView]:
    """The whole activity log, page by page."""
    page = systems.activity.calls(account_id, limit=200)
    yield from page.calls
    while page.next_cursor is not None:
        page = systems.activity.calls(account_id, limit=200, cursor=page.next_cursor)
        yield from page.calls
