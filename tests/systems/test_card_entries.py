"""Cards entered on the gateway's page: on file once, in whose name, whatever crashes when (R8)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import inspect, select

from domain.errors import Code, Rejected, Transient
from domain.messages import BeginEnd, Step
from domain.payments import CardPage, EnteredCard, Gateway, PageAnswer, PageState
from domain.policy import Action
from domain.states import AccountStatus, Role
from systems.billing.card_entries import GIVEN_UP_AFTER, CardEntries, next_look_up_at
from systems.db import Database
from systems.gateways.sandbox import SandboxGateway
from systems.sample import SampleAccount, create_account
from systems.tables import CardEntryRow, CardRow, CustomerRow, UserRow
from systems.wiring import Systems, open_systems
from tests.fakes.gateway import FaultyGateway, Method, PassedOn, Result
from tests.systems.test_billing_crashes import Crash, CrashingDatabase, CrashingGateway, Fuse
from tests.together import together

NOW = datetime.now(UTC)
RETURN_URL = "https://shop.example/cards/entered"
TEN_SECONDS = timedelta(seconds=10)


@dataclass
class Till:
    """One account, the pages opened for it, and which runs have heard of a new card."""

    systems: Systems
    account: SampleAccount
    told: list[str] = field(default_factory=list)

    @property
    def account_id(self) -> str:
        return self.account.account_id

    @property
    def entries(self) -> CardEntries:
        return self.systems.card_entries

    def entries_on(self, db: Database, gateway: Gateway) -> CardEntries:
        return CardEntries(db, gateway, self.systems.reopening)

    def tell(self, account_id: str) -> bool:
        self.told.append(account_id)
        return True

    def open(self, *, reopens: bool = False, at: datetime = NOW) -> CardPage:
        return self.entries.open(
            self.account_id, self.account.administrator_id, at, RETURN_URL, reopens=reopens
        )

    def entered(self, card: str = "mastercard", *, reopens: bool = False) -> str:
        """A page on which that card has been entered; its id."""
        page = self.open(reopens=reopens)
        self.systems.sandbox.enter_card(page.page_id, card)
        return page.page_id

    def round(self, after: timedelta = TEN_SECONDS) -> int:
        """A round of the job, so long after the page was opened."""
        return self.entries.look_up_due(NOW + after, self.tell)

    def last4(self) -> str | None:
        card = self.systems.billing.card(self.account_id)
        return card.last4 if card else None

    def audited(self, what: str = "card_changed") -> list[str]:
        entries = self.systems.accounts.audit(self.account_id)
        return [entry.actor for entry in entries if entry.what == what]

    def state(self, page_id: str) -> tuple[PageState, bool]:
        entry = self.entries.entry(page_id)
        assert entry is not None
        return entry.state, entry.is_over

    def close_account(self) -> None:
        step = {"act_id": "CLO" + uuid4().hex, "account_id": self.account_id, "at": NOW}
        begin = BeginEnd.model_validate({**step, "requested_by": self.account.administrator_id})
        closed = Step.model_validate(step)
        self.systems.accounts.begin_close(begin)
        self.systems.access.close_access(closed)
        self.systems.dni.disable_script(closed)
        self.systems.billing.close_billing(closed)
        self.systems.numbers.release_numbers(closed)
        self.systems.accounts.mark_closed(closed)


@pytest.fixture
def till(database_url: str, tmp_path: Path) -> Iterator[Till]:
    yield from opened_till(database_url, tmp_path)


@pytest.fixture
def sqlite_till(sqlite_url: str, tmp_path: Path) -> Iterator[Till]:
    yield from opened_till(sqlite_url, tmp_path)


def opened_till(database_url: str, tmp_path: Path) -> Iterator[Till]:
    systems = open_systems(
        database_url, f"sqlite:///{tmp_path / 'gateway.db'}", pages_url="https://shop.example"
    )
    account = create_account(
        systems,
        key=uuid4().hex,
        name="Till",
        time_zone="UTC",
        billing_day=15,
        created_at=NOW - timedelta(days=100),
    )
    yield Till(systems, account)
    systems.close()


# --- the way of a card ---------------------------------------------------------------------------


def test_a_card_that_was_entered_goes_on_file_once_and_the_audit_says_who_asked(
    till: Till,
) -> None:
    page_id = till.entered("mastercard")

    ended = till.round()
    again = till.round(timedelta(days=1))

    assert (1, 0) == (ended, again)
    assert "4444" == till.last4()
    assert [till.account.administrator_id] == till.audited()
    assert [till.account_id] == till.told
    assert (PageState.ENTERED, True) == till.state(page_id)


def test_the_gateways_name_for_the_account_is_kept_with_the_first_page_and_used_for_the_next(
    till: Till,
) -> None:
    first, second = till.open(), till.open()
    till.systems.sandbox.enter_card(second.page_id, "visa")
    till.round()

    with till.systems.db.transaction() as session:
        customers = list(session.scalars(select(CustomerRow.customer_id)))
        card = session.get_one(CardRow, till.account_id)
    assert first.customer_id == second.customer_id == card.customer_id
    assert [first.customer_id] == customers
    assert first.page_id != second.page_id


def test_a_name_that_the_gateway_has_given_up_makes_room_for_its_successor(till: Till) -> None:
    first = till.open()

    class Successor(PassedOn):
        """The customer was deleted at the gateway, so another one is made."""

        def open_page(
            self, key: str, account_id: str, customer_id: str | None, return_url: str
        ) -> CardPage:
            page = super().open_page(key, account_id, customer_id, return_url)
            return replace(page, customer_id=f"{customer_id}_2")

    entries = till.entries_on(till.systems.db, Successor(till.systems.gateway))
    entries.open(till.account_id, till.account.administrator_id, NOW, RETURN_URL)

    with till.systems.db.transaction() as session:
        assert [f"{first.customer_id}_2"] == list(session.scalars(select(CustomerRow.customer_id)))


def test_while_nobody_has_entered_a_card_nothing_changes(till: Till) -> None:
    page = till.open()

    ended = till.round()

    assert 0 == ended
    assert "4242" == till.last4()
    assert (PageState.OPEN, False) == till.state(page.page_id)


def test_a_page_that_expires_comes_to_nothing(till: Till) -> None:
    page = till.open()
    two_days_later = SandboxGateway(
        till.systems.gateway_engine, clock=lambda: NOW + timedelta(days=2)
    )
    entries = till.entries_on(till.systems.db, two_days_later)

    ended = entries.look_up_due(NOW + timedelta(days=2), till.tell)

    assert 1 == ended
    assert (PageState.EXPIRED, True) == till.state(page.page_id)
    assert [] == till.told


def test_of_two_pages_the_card_that_was_entered_last_stays(till: Till) -> None:
    early, late = till.open(), till.open()
    till.systems.sandbox.enter_card(late.page_id, "declined")
    till.round()
    till.systems.sandbox.enter_card(early.page_id, "mastercard")
    till.round(3 * TEN_SECONDS)

    assert "4444" == till.last4()
    assert 2 == len(till.audited())


def test_what_the_gateway_tells_makes_the_look_up_come_at_once(till: Till) -> None:
    page_id = till.entered()
    too_early = till.round(timedelta(seconds=1))

    till.systems.events.receive("evt_1", "checkout.session.completed", page_id, NOW)
    till.systems.events.handle(NOW + timedelta(seconds=1), till.tell)
    told = till.round(timedelta(seconds=1))

    assert (0, 1) == (too_early, told)
    assert "4444" == till.last4()


def test_a_page_is_looked_up_every_ten_seconds_at_first_and_ever_more_seldom_later() -> None:
    looks, at = [], NOW
    while (at := next_look_up_at(NOW, at)) <= NOW + timedelta(days=1):
        looks.append(at - NOW)
    waits = [later - earlier for earlier, later in pairwise(looks)]

    assert 60 == len([look for look in looks if look <= timedelta(minutes=10)])
    assert waits == sorted(waits)
    assert len(looks) < 400
    assert timedelta(minutes=20) < waits[-1] < timedelta(minutes=25)


# --- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.MANAGER, Role.REPORTING, None])
def test_only_an_administrator_of_the_account_may_open_a_page(
    sqlite_till: Till, role: Role | None
) -> None:
    till = sqlite_till
    users = till.systems.accounts.users(till.account_id)
    user_id = next((user.user_id for user in users if user.role is role), "USR" + 32 * "0")

    with pytest.raises(Rejected) as refused:
        till.entries.open(till.account_id, user_id, NOW, RETURN_URL)

    assert Code.NOT_AN_ADMINISTRATOR is refused.value.code
    assert 0 == till.round()


def test_a_page_for_an_account_that_does_not_exist_is_refused(sqlite_till: Till) -> None:
    with pytest.raises(Rejected) as refused:
        sqlite_till.entries.open("ACC0", "USR0", NOW, RETURN_URL)

    assert Code.ACCOUNT_NOT_FOUND is refused.value.code


def test_a_card_is_ignored_if_who_asked_is_no_administrator_any_more(till: Till) -> None:
    page_id = till.entered()
    with till.systems.db.transaction() as session:
        session.get_one(UserRow, till.account.administrator_id).role = Role.REPORTING

    till.round()

    assert "4242" == till.last4()
    assert [] == till.audited()
    assert [till.account.administrator_id] == till.audited("card_ignored_not_an_administrator")
    assert [] == till.told
    assert (PageState.EXPIRED, True) == till.state(page_id)


def test_a_card_is_ignored_if_the_account_was_closed_meanwhile(till: Till) -> None:
    till.entered()
    till.close_account()

    till.round()

    assert "4242" == till.last4()
    assert AccountStatus.CLOSED is till.systems.accounts.account(till.account_id).status
    assert [till.account.administrator_id] == till.audited("card_ignored_account_closed")


def test_a_card_that_was_meant_to_reopens_the_closed_account_in_all_systems(till: Till) -> None:
    till.close_account()
    till.entered(reopens=True)

    till.round()

    systems = till.systems
    assert "4444" == till.last4()
    assert AccountStatus.ACTIVE is systems.accounts.account(till.account_id).status
    assert [till.account.administrator_id] == till.audited("reopened")
    assert all(each.is_script_enabled for each in systems.dni.companies(till.account_id))
    systems.access.check(till.account_id, Action.REPORTS)
    assert NOW.date() == systems.billing.quote(till.account_id).next_billing_on
    assert [] == till.told, "there is no pause to try the card"


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reopens", [False, True])
def test_after_a_crash_anywhere_the_card_goes_on_file_exactly_once(
    sqlite_till: Till, reopens: bool
) -> None:
    till, points = sqlite_till, 0
    while True:
        points += 1
        if reopens:
            till.close_account()
        till.told.clear()
        known = len(till.audited())
        card = "visa" if known % 2 else "mastercard"
        page_id = till.entered(card, reopens=reopens)
        fuse = Fuse(crash_at=points)
        crashing = till.entries_on(
            CrashingDatabase(till.systems.db, fuse),
            CrashingGateway(till.systems.gateway, fuse),
        )

        has_crashed = False
        try:
            crashing.look_up_due(NOW + TEN_SECONDS, till.tell)
        except Crash:
            has_crashed = True
        till.round(2 * TEN_SECONDS)

        assert known + 1 == len(till.audited()), f"crash at point {points}"
        assert (PageState.ENTERED, True) == till.state(page_id), f"crash at point {points}"
        assert reopens or till.account_id in till.told, f"crash at point {points}"
        assert AccountStatus.ACTIVE is till.systems.accounts.account(till.account_id).status
        if not has_crashed:
            break

    assert points > 10, "claim, look-up, record, tell and end have two points each"


def test_several_workers_at_once_put_it_on_file_once(till: Till) -> None:
    for _ in range(4):
        till.entered()

    came_to = together(*[lambda: till.round()] * 4)

    assert 4 == sum(each for each in came_to if isinstance(each, int)), came_to
    assert 4 == len(till.audited())
    assert 4 == len(till.told)


def test_two_workers_with_the_same_answer_put_it_on_file_once(till: Till) -> None:
    page_id = till.entered()

    class Twice(PassedOn):
        """Another worker goes all the way while this one waits for its answer."""

        def _called(self, method: Method, call: Callable[[], Result]) -> Result:
            answer = call()
            till.round(3 * TEN_SECONDS)
            return answer

    slow = till.entries_on(till.systems.db, Twice(till.systems.gateway))
    slow.look_up_due(NOW + TEN_SECONDS, till.tell)

    assert 1 == len(till.audited())
    assert (PageState.ENTERED, True) == till.state(page_id)


def test_while_the_gateway_is_away_pages_wait_and_one_that_fails_holds_up_no_other(
    sqlite_till: Till,
) -> None:
    till = sqlite_till
    pages = [till.entered() for _ in range(3)]
    gateway = FaultyGateway(till.systems.gateway)
    gateway.fail_next("look_up_page", "before", times=1)
    entries = till.entries_on(till.systems.db, gateway)

    with pytest.raises(Transient):
        entries.look_up_due(NOW + TEN_SECONDS, till.tell)
    at_once = entries.look_up_due(NOW + TEN_SECONDS, till.tell)
    later = entries.look_up_due(NOW + 2 * TEN_SECONDS, till.tell)

    assert (2, 1) == (at_once, later)
    assert all(till.state(page_id)[1] for page_id in pages)


def test_while_temporal_is_away_the_card_is_on_file_and_the_pause_hears_of_it_later(
    sqlite_till: Till,
) -> None:
    till = sqlite_till
    page_id = till.entered()

    def away(account_id: str) -> bool:
        raise Transient("Temporal did not answer")

    with pytest.raises(Transient):
        till.entries.look_up_due(NOW + TEN_SECONDS, away)
    on_file, over = till.last4(), till.state(page_id)
    till.round(2 * TEN_SECONDS)

    assert ("4444", (PageState.ENTERED, False)) == (on_file, over)
    assert [till.account_id] == till.told
    assert 1 == len(till.audited())


def test_pages_of_another_gateway_are_left_to_whoever_has_its_key(sqlite_till: Till) -> None:
    till = sqlite_till
    page_id = till.entered()
    with till.systems.db.transaction() as session:
        session.get_one(CardEntryRow, page_id).gateway = "stripe-live"

    assert 0 == till.round()
    assert (PageState.OPEN, False) == till.state(page_id)


class Careless(PassedOn):
    """A gateway that hands over a card number where its token should be."""

    def look_up_page(self, page_id: str) -> PageAnswer:
        card = EnteredCard("pm_4242424242424242", "visa", "4242", 12, 2034)
        return PageAnswer(PageState.ENTERED, card)


def test_a_card_that_may_not_be_kept_is_given_up_in_the_end_and_others_go_on(
    sqlite_till: Till,
) -> None:
    till = sqlite_till
    page = till.open()
    careless = till.entries_on(till.systems.db, Careless(till.systems.gateway))

    soon = careless.look_up_due(NOW + TEN_SECONDS, till.tell)
    state = till.state(page.page_id)
    careless.look_up_due(NOW + GIVEN_UP_AFTER, till.tell)

    assert (0, (PageState.OPEN, False)) == (soon, state)
    assert (PageState.EXPIRED, True) == till.state(page.page_id)
    assert "4242424242424242" not in everything_in(till.systems)
    assert [] == till.audited()


def test_a_card_number_on_the_sandboxs_page_is_refused_and_stored_nowhere(till: Till) -> None:
    page = till.open()

    for typed in ("4242424242424242", "4242 4242 4242 4242", "visa 4242-4242-4242-4242"):
        with pytest.raises(Rejected) as refused:
            till.systems.sandbox.enter_card(page.page_id, typed)
        assert "4242" not in str(refused.value)
    till.round()

    assert "4242424242424242" not in everything_in(till.systems).replace(" ", "").replace("-", "")
    assert (PageState.OPEN, False) == till.state(page.page_id)


def test_control_what_is_stored_would_be_found(till: Till) -> None:
    till.entered("mastercard")
    till.round()

    assert "card_mastercard" in everything_in(till.systems)


def everything_in(systems: Systems) -> str:
    """All that the product's and the gateway's databases hold, as text."""
    words = []
    for engine in (systems.engine, systems.gateway_engine):
        with engine.begin() as connection:
            for name in inspect(connection).get_table_names():
                rows = connection.exec_driver_sql(f'SELECT * FROM "{name}"').all()
                words += [str(row) for row in rows]
    return "\n".join(words)
