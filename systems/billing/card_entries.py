"""Cards that people enter on the gateway's own page, followed until they are on file (R8).

    open      the gateway makes a page; our row: whose it is, and who asked for it
    look up   what became of the page: soon and often at first, ever more seldom later
    take      our row, the card on file and the audit                one transaction
    tell      a closed account opens again, a running pause tries the card
    end       our row: nothing is left to do

Look-ups alone get there; what the gateway tells by itself only makes the next one come sooner. A
crash at any line repeats what follows it, which may be repeated; a card goes on file once.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import Code, InvariantViolated, Rejected
from domain.payments import CardPage, EnteredCard, Gateway, PageAnswer, PageState
from domain.policy import check_administrator
from domain.states import AccountStatus, Role
from systems import audit
from systems.accounts.clocks import clock_ahead
from systems.billing import cards
from systems.billing.events import look_up_page
from systems.db import Database, account_row, lock_account
from systems.reopening import Reopening
from systems.tables import AccountRow, CardEntryRow, CustomerRow, UserRow

logger = logging.getLogger(__name__)

# A person takes a minute or two. After ten minutes the waits grow with the page's age: a minute at
# one hour, 24 minutes at a day, which is when gateways let a page expire.
FIRST_WAIT = timedelta(seconds=10)
AGE_PER_WAIT = 60

# How many pages one round looks up: each is a request to the gateway.
PAGES_PER_ROUND = 20

# A page that the gateway does not know, or whose card cannot be kept, is given up after this. Until
# then an operator may find that the worker has another account's key.
GIVEN_UP_AFTER = timedelta(days=7)

# Lets the run of an account's pause try the new card; False if there is no run.
Tell = Callable[[str], bool]


@dataclass(frozen=True)
class CardEntry:
    """What became of a page. `entered` and over: its card is on file; `expired`: nothing came."""

    page_id: str
    account_id: str
    state: PageState
    is_over: bool


class CardEntries:
    """The pages, over one database and one gateway."""

    def __init__(self, db: Database, gateway: Gateway, reopening: Reopening) -> None:
        """Record in `db` what becomes of the pages of `gateway`; pages of others are left alone."""
        self._db = db
        self._gateway = gateway
        self._reopening = reopening

    def open(
        self,
        account_id: str,
        requested_by: str,
        at: datetime,
        return_url: str,
        *,
        reopens: bool = False,
    ) -> CardPage:
        """A fresh page for the account; whoever has its address may enter a card for it.

        `at` is by the host's clock. `reopens`: the card opens a closed account again, at a price
        that was shown.

        Raises:
            Rejected: `account_not_found`, `not_an_administrator`.
            Transient: the gateway did not answer; ask again.
        """
        with self._db.transaction() as session:
            account_row(session, account_id)
            check_administrator(account_id, _role(session, account_id, requested_by))
            known = session.get(CustomerRow, (account_id, self._gateway.name))
        customer_id = known.customer_id if known else None
        key = f"{account_id}:card:{uuid4().hex}"
        page = self._gateway.open_page(key, account_id, customer_id, return_url)
        with self._db.transaction() as session:
            lock_account(session, account_id)
            self._keep_customer(session, account_id, page.customer_id, instead_of=customer_id)
            session.add(
                CardEntryRow(
                    page_id=page.page_id,
                    account_id=account_id,
                    gateway=self._gateway.name,
                    requested_by=requested_by,
                    reopens=reopens,
                    state=PageState.OPEN,
                    began_at=at,
                    look_up_at=next_look_up_at(at, at),
                )
            )
        return page

    def entry(self, page_id: str) -> CardEntry | None:
        """What became of the page so far; None for a page that was not opened here."""
        with self._db.transaction() as session:
            row = session.get(CardEntryRow, page_id)
            if row is None:
                return None
            return CardEntry(row.page_id, row.account_id, row.state, row.ended_at is not None)

    def look_up_soon(self, page_id: str, now: datetime) -> None:
        """Something became of the page: the next round looks it up, if it is one of ours."""
        with self._db.transaction() as session:
            look_up_page(session, page_id, now)

    def look_up(self, page_id: str, now: datetime, tell: Tell) -> CardEntry | None:
        """Go on with this page at once; returns what has become of it.

        None for a page that was not opened here. Safe beside the rounds.

        Raises:
            Transient: gateway, Temporal or database did not answer; the next round goes on.
        """
        if self.entry(page_id) is not None:
            self._go_on(page_id, now, tell)
        return self.entry(page_id)

    def look_up_due(self, now: datetime, tell: Tell) -> int:
        """Go on with every page whose turn it is; returns how many came to their end.

        Safe in several workers: each page is one worker's at a time.

        Raises:
            Transient: gateway, Temporal or database did not answer; the next round goes on.
        """
        ended = 0
        for _ in range(PAGES_PER_ROUND):
            page_id = self._claim(now)
            if page_id is None:
                break
            ended += self._go_on(page_id, now, tell)
        return ended

    def _claim(self, now: datetime) -> str | None:
        """The page that waits longest; its next look-up is put down before this one is made.

        So a page whose look-up fails again and again does not hold up those behind it.
        """
        with self._db.transaction() as session:
            row = session.scalar(
                select(CardEntryRow)
                .where(
                    CardEntryRow.ended_at.is_(None),
                    CardEntryRow.look_up_at <= now,
                    CardEntryRow.gateway == self._gateway.name,
                )
                .order_by(CardEntryRow.look_up_at, CardEntryRow.page_id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            if row is None:
                return None
            row.look_up_at = next_look_up_at(row.began_at, now)
            return row.page_id

    def _go_on(self, page_id: str, now: datetime, tell: Tell) -> bool:
        """Whether the page came to its end."""
        try:
            if self._is_open(page_id):
                self._record(page_id, self._gateway.look_up_page(page_id), now)
            return self._tell_and_end(page_id, now, tell)
        except (InvariantViolated, Rejected):
            # One page that a person has to look at holds up no others.
            logger.exception("card page %s cannot be settled", page_id)
            self._give_up_if_old(page_id, now)
            return False

    def _is_open(self, page_id: str) -> bool:
        with self._db.transaction() as session:
            return session.get_one(CardEntryRow, page_id).state is PageState.OPEN

    def _record(self, page_id: str, answer: PageAnswer, now: datetime) -> None:
        with self._db.transaction() as session:
            row = _locked(session, page_id)
            if row.state is not PageState.OPEN:
                return
            if answer.card is not None:
                self._take(session, row, answer.card, now)
            elif answer.state is PageState.EXPIRED:
                _come_to_nothing(row, now)

    def _take(self, session: Session, row: CardEntryRow, card: EnteredCard, now: datetime) -> None:
        at = now + clock_ahead(session, row.account_id)
        refusal = _refusal(session, row)
        if refusal is not None:
            _come_to_nothing(row, now)
            _audit(session, row, f"card_ignored_{refusal}", at)
            return
        self._keep_customer(session, row.account_id, card.customer_id)
        cards.replace(session, row.account_id, row.gateway, card, at)
        row.state = PageState.ENTERED
        _audit(session, row, "card_changed", at)

    def _keep_customer(
        self,
        session: Session,
        account_id: str,
        customer_id: str | None,
        instead_of: str | None = None,
    ) -> None:
        """Keep the gateway's name for the account; one that it has given up makes room for it.

        Otherwise the first stays, should two pages have been opened at the same moment.
        """
        if customer_id is None:
            return
        name = self._gateway.name
        row = session.get(CustomerRow, (account_id, name))
        if row is None:
            session.add(CustomerRow(account_id=account_id, gateway=name, customer_id=customer_id))
        elif row.customer_id == instead_of:
            row.customer_id = customer_id

    def _tell_and_end(self, page_id: str, now: datetime, tell: Tell) -> bool:
        with self._db.transaction() as session:
            row = session.get_one(CardEntryRow, page_id)
            account = session.get_one(AccountRow, row.account_id)
            at = now + clock_ahead(session, row.account_id)
        if row.state is PageState.OPEN:
            return False
        if row.ended_at is not None:
            return True
        if row.reopens and account.status is AccountStatus.CLOSED:
            self._reopening.reopen(row.account_id, row.requested_by, at)
        else:
            tell(row.account_id)
        with self._db.transaction() as session:
            _locked(session, page_id).ended_at = now
        return True

    def _give_up_if_old(self, page_id: str, now: datetime) -> None:
        with self._db.transaction() as session:
            row = _locked(session, page_id)
            if row.state is PageState.OPEN and row.began_at <= now - GIVEN_UP_AFTER:
                _come_to_nothing(row, now)


def next_look_up_at(began_at: datetime, now: datetime) -> datetime:
    """When to look a page up again that was opened at `began_at`."""
    return now + max(FIRST_WAIT, (now - began_at) / AGE_PER_WAIT)


def _refusal(session: Session, row: CardEntryRow) -> str | None:
    """Why the card is not taken after all: what held when the page was opened may hold no more."""
    if _role(session, row.account_id, row.requested_by) is not Role.ADMIN:
        return Code.NOT_AN_ADMINISTRATOR
    account = session.get_one(AccountRow, row.account_id)
    if account.status is AccountStatus.CLOSED and not row.reopens:
        return Code.ACCOUNT_CLOSED
    return None


def _role(session: Session, account_id: str, user_id: str) -> Role | None:
    user = session.get(UserRow, user_id)
    return user.role if user is not None and user.account_id == account_id else None


def _come_to_nothing(row: CardEntryRow, now: datetime) -> None:
    row.state, row.ended_at = PageState.EXPIRED, now


def _audit(session: Session, row: CardEntryRow, what: str, at: datetime) -> None:
    audit.write(session, account_id=row.account_id, at=at, what=what, actor=row.requested_by)


def _locked(session: Session, page_id: str) -> CardEntryRow:
    """The row, read under its account's lock."""
    account_id = session.get_one(CardEntryRow, page_id).account_id
    lock_account(session, account_id)
    return session.get_one(CardEntryRow, page_id, populate_existing=True)
