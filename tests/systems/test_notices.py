from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from domain.errors import Transient
from domain.ports import Mail
from domain.states import Role
from systems.db import Database
from systems.notices.queue import FIRST_WAIT, LEASE, Letter, NoticeKind, Relay, Text, enqueue
from systems.tables import NoticeRow, UserRow
from tests.systems.examples import ACCOUNT, ADMIN, AT, OTHER, OTHER_KEY, add_account
from tests.together import together

NOW = AT + timedelta(seconds=1)
DANA, SECOND = "admin@example.example", "second@example.example"


class Post:
    """A mailer that keeps what it was given; `before` may fail or interrupt."""

    def __init__(self, before: Callable[[Mail], None] = lambda mail: None) -> None:
        self.mails: list[Mail] = []
        self._before = before

    def deliver(self, mail: Mail) -> None:
        self._before(mail)
        self.mails.append(mail)

    @property
    def addresses(self) -> list[str]:
        return [mail.to for mail in self.mails]


@pytest.fixture
def office(database: Database) -> Database:
    """An account with one administrator, and another account."""
    add_account(database)
    add_account(database, OTHER_KEY)
    return database


def _queue(office: Database, key: str = "one", account_id: str = ACCOUNT) -> None:
    with office.transaction() as session:
        enqueue(
            session,
            key=key,
            account_id=account_id,
            kind=NoticeKind.CLOSED,
            data={"by": "administrator", "requested_by": ADMIN},
            at=AT,
        )


def _add_administrator(office: Database) -> None:
    with office.transaction() as session:
        session.add(
            UserRow(
                id="USR" + "9" * 32, account_id=ACCOUNT, name="Ada", email=SECOND, role=Role.ADMIN
            )
        )


def _relay(office: Database, post: Post) -> Relay:
    # Its clock stands: a lease that is over at a moment is over at exactly that moment.
    return Relay(office, post, _render, clock=lambda: 0.0)


def _render(letter: Letter) -> Text:
    asked = letter.requested_by_name
    return Text(f"{letter.kind} {letter.account_name}", f"{letter.recipient_name}, by {asked}")


def _notice(office: Database) -> NoticeRow:
    with office.transaction() as session:
        return session.scalars(select(NoticeRow)).one()


# --- what is sent, and to whom -------------------------------------------------------------------


def test_a_notice_goes_to_every_administrator_once(office: Database) -> None:
    _add_administrator(office)
    _queue(office)
    post = Post()
    relay = _relay(office, post)

    assert 2 == relay.deliver_due(NOW)
    assert 0 == relay.deliver_due(NOW + timedelta(days=1))

    assert {DANA, SECOND} == set(post.addresses)
    assert 2 == len({mail.message_id for mail in post.mails})
    assert NOW == _notice(office).sent_at


def test_the_mail_is_written_with_names_as_they_are_at_sending(office: Database) -> None:
    _queue(office)
    post = Post()

    _relay(office, post).deliver_due(NOW)

    (mail,) = post.mails
    assert ("closed Example Dental", "Dana Whitfield, by Dana Whitfield") == (
        mail.subject,
        mail.text,
    )


def test_who_is_an_administrator_is_settled_when_it_is_sent(office: Database) -> None:
    _queue(office)
    _add_administrator(office)
    with office.transaction() as session:
        session.get_one(UserRow, ADMIN).role = Role.REPORTING
    post = Post()

    _relay(office, post).deliver_due(NOW)

    assert [SECOND] == post.addresses


def test_an_account_without_administrators_blocks_nothing(office: Database) -> None:
    _queue(office)
    with office.transaction() as session:
        session.get_one(UserRow, ADMIN).role = Role.REPORTING

    assert 0 == _relay(office, Post()).deliver_due(NOW)
    assert NOW == _notice(office).sent_at


def test_a_key_is_queued_once(office: Database) -> None:
    for _ in range(2):
        _queue(office)

    assert 1 == _relay(office, Post()).deliver_due(NOW)


def test_a_notice_of_a_rolled_back_transaction_is_not_sent(office: Database) -> None:
    def queue_and_fail() -> None:
        with office.transaction() as session:
            enqueue(session, key="x", account_id=ACCOUNT, kind=NoticeKind.CLOSED, data={}, at=AT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        queue_and_fail()

    assert 0 == _relay(office, Post()).deliver_due(NOW)


def test_a_notice_from_a_clock_that_runs_ahead_is_sent_now(office: Database) -> None:
    _queue(office)

    assert 1 == _relay(office, Post()).deliver_due(AT - timedelta(days=180))


# --- faults --------------------------------------------------------------------------------------


def test_a_failed_mail_is_tried_again_later_and_not_lost(office: Database) -> None:
    _queue(office)
    is_down = [True]

    def fail(_: Mail) -> None:
        if is_down[0]:
            raise Transient("the mail server is away")

    post = Post(fail)
    relay = _relay(office, post)

    assert 0 == relay.deliver_due(NOW)
    is_down[0] = False
    assert 0 == relay.deliver_due(NOW + FIRST_WAIT / 2)
    assert 1 == relay.deliver_due(NOW + FIRST_WAIT)

    assert [DANA] == post.addresses


def test_waits_grow_but_not_beyond_a_limit(office: Database) -> None:
    _queue(office)

    def fail(_: Mail) -> None:
        raise Transient("the mail server is away")

    relay = _relay(office, Post(fail))
    waits, now = [], NOW
    for _ in range(14):
        relay.deliver_due(now)
        try_at = _notice(office).try_at
        assert try_at is not None
        waits.append(try_at - now)
        now = try_at

    minutes = [wait / timedelta(minutes=1) for wait in waits]
    assert [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360, 360, 360] == minutes


def test_one_address_that_fails_does_not_keep_the_mail_from_another(office: Database) -> None:
    _add_administrator(office)
    _queue(office)

    def fail(mail: Mail) -> None:
        if mail.to == DANA and not is_fixed:
            raise Transient("mailbox full")

    is_fixed: list[bool] = []
    post = Post(fail)
    relay = _relay(office, post)

    assert 1 == relay.deliver_due(NOW)
    is_fixed.append(True)
    assert 1 == relay.deliver_due(NOW + FIRST_WAIT)

    assert [SECOND, DANA] == post.addresses


def test_a_notice_that_cannot_be_written_does_not_hold_up_the_others(
    office: Database, caplog: pytest.LogCaptureFixture
) -> None:
    _queue(office, "one", OTHER)
    _queue(office, "two", ACCOUNT)
    post = Post()

    def render(letter: Letter) -> Text:
        if letter.account_id == OTHER:
            raise KeyError("amount_minor")
        return _render(letter)

    assert 1 == Relay(office, post, render).deliver_due(NOW)

    assert [DANA] == post.addresses
    assert ["ERROR"] == [record.levelname for record in caplog.records]
    assert "example.example" not in caplog.text


class Crash(BaseException):
    """The process is gone: nothing that it would have done afterwards is done."""


def test_a_crash_between_delivery_and_record_repeats_that_one_mail(office: Database) -> None:
    _add_administrator(office)
    _queue(office)
    delivered: list[Mail] = []

    class CrashingPost(Post):
        def deliver(self, mail: Mail) -> None:
            super().deliver(mail)
            delivered.append(mail)
            if len(delivered) == 2:
                raise Crash

    with pytest.raises(Crash):
        _relay(office, CrashingPost()).deliver_due(NOW)
    assert 0 == _relay(office, Post()).deliver_due(NOW + LEASE / 2), "leased to the one that died"
    post = Post()
    assert 1 == _relay(office, post).deliver_due(NOW + LEASE)

    assert [delivered[1]] == post.mails, "the same mail, under the same message id"


def test_two_relays_at_once_send_each_mail_once(office: Database) -> None:
    for place in range(12):
        _queue(office, f"notice {place}")
    post = Post()

    counts = together(*[lambda: _relay(office, post).deliver_due(NOW)] * 3)

    assert 12 == sum(count for count in counts if isinstance(count, int)), counts
    assert 12 == len({mail.message_id for mail in post.mails}) == len(post.mails)


def test_a_mail_server_that_is_slow_lets_no_other_relay_send_the_last_mail_again(
    office: Database,
) -> None:
    # relay 1: [one....|two....|three..)      a lease: [======)
    # relay 2:                    [ )
    for place in range(3):
        _queue(office, f"notice {place}")
    seconds = [0.0]
    others: list[int] = []

    def slow(_: Mail) -> None:
        if len(others) == 2:
            others.append(_relay(office, post).deliver_due(NOW + timedelta(seconds=seconds[0])))
            return
        others.append(0)
        seconds[0] += LEASE.total_seconds() * 0.6

    post = Post(slow)

    assert 3 == Relay(office, post, _render, clock=lambda: seconds[0]).deliver_due(NOW)
    assert [0, 0, 0] == others
    assert 3 == len({mail.message_id for mail in post.mails}) == len(post.mails)


def test_no_transaction_is_open_while_a_mail_is_sent(office: Database) -> None:
    _queue(office)

    def write(_: Mail) -> None:
        # On SQLite this would wait for a transaction that is open, and fail.
        with office.transaction() as session:
            session.get_one(UserRow, ADMIN).name = "Renamed"

    assert 1 == _relay(office, Post(write)).deliver_due(NOW)
