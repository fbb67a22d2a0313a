"""Stripe and the web process together: webhooks make things quick, look-ups alone get there too."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from domain.errors import Transient
from domain.payments import CardPage, PageState
from domain.stripe_access import StripeAccess
from systems.billing.card_entries import CardEntries
from systems.sample import SampleAccount, create_account
from systems.tables import CardRow, CustomerRow, InvoiceRow, InvoiceState
from systems.wiring import Systems, open_systems
from tests.standin.control import Standin, deliver
from tests.standin.world import TEST_KEY
from tests.starter.conftest import until
from tests.starter.web.shop import SECRET, served, shop_app
from tests.systems.test_billing_crashes import Crash, CrashingDatabase, CrashingGateway, Fuse

RETURN_URL = "https://shop.example/cards/entered"
NOW = datetime.now(UTC)
SOON = NOW + timedelta(seconds=1)
LOOKED_UP = NOW + timedelta(seconds=10)
COMPLETED = "checkout.session.completed"


@pytest.fixture
def systems(sqlite_url: str, tmp_path: Path, standin: Standin) -> Iterator[Systems]:
    """Systems whose money moves at the stand-in."""
    access = StripeAccess(TEST_KEY, standin.url)
    systems = open_systems(sqlite_url, f"sqlite:///{tmp_path / 'gateway.db'}", stripe=access)
    yield systems
    systems.close()


@pytest.fixture
def account(systems: Systems) -> SampleAccount:
    """An account without a card."""
    return create_account(
        systems,
        key=uuid4().hex,
        name="Shop",
        time_zone="UTC",
        billing_day=15,
        created_at=NOW - timedelta(days=40),
        card=None,
    )


@pytest.fixture
def webhooks(systems: Systems, standin: Standin) -> Iterator[str]:
    """The web process over real HTTP, to which the stand-in sends what happens; its address."""
    with served(shop_app(systems, key=TEST_KEY)) as url:
        address = f"{url}/webhooks/stripe"
        standin.webhook(address, SECRET)
        yield address
        standin.webhook(None)


def opened(systems: Systems, account: SampleAccount) -> CardPage:
    return systems.card_entries.open(account.account_id, account.administrator_id, NOW, RETURN_URL)


def tell(_: str) -> bool:
    return True


def until_delivered(standin: Standin, kind: str) -> None:
    def is_delivered() -> bool:
        return any((kind, 200) == (it["type"], it["status"]) for it in standin.deliveries())

    until(is_delivered, f"{kind} was delivered and answered with 200")


def entered_on_stripes_page(
    systems: Systems, account: SampleAccount, standin: Standin, card: str = "visa"
) -> None:
    """The account has that card on file, by a page and a look-up."""
    standin.complete_session(opened(systems, account).page_id, card)
    assert 1 == systems.card_entries.look_up_due(LOOKED_UP, tell)


def test_a_card_entered_on_stripes_page_is_on_file_in_the_round_after_its_webhook(
    systems: Systems, account: SampleAccount, standin: Standin, webhooks: str
) -> None:
    page = opened(systems, account)
    standin.complete_session(page.page_id, "visa")
    until_delivered(standin, COMPLETED)

    systems.events.handle(SOON, tell)
    ended = systems.card_entries.look_up_due(SOON, tell)

    assert 1 == ended
    card = systems.billing.card(account.account_id)
    assert card is not None
    assert ("visa", "4242") == (card.brand, card.last4)
    with systems.db.transaction() as session:
        row = session.get_one(CardRow, account.account_id)
        customer = session.scalars(select(CustomerRow.customer_id)).one()
    assert ("stripe-test", customer) == (row.gateway, row.customer_id)
    assert systems.billing.has_card(account.account_id)


def test_without_webhooks_look_ups_alone_put_it_on_file(
    systems: Systems, account: SampleAccount, standin: Standin
) -> None:
    standin.complete_session(opened(systems, account).page_id, "visa")

    too_early = systems.card_entries.look_up_due(SOON, tell)
    in_time = systems.card_entries.look_up_due(LOOKED_UP, tell)

    assert (0, 1) == (too_early, in_time)
    assert systems.billing.has_card(account.account_id)


def test_a_page_that_expires_at_stripe_comes_to_nothing(
    systems: Systems, account: SampleAccount, standin: Standin
) -> None:
    page = opened(systems, account)
    standin.advance(timedelta(hours=25))

    systems.card_entries.look_up_due(NOW + timedelta(hours=25), tell)

    entry = systems.card_entries.entry(page.page_id)
    assert entry is not None
    assert (PageState.EXPIRED, True) == (entry.state, entry.is_over)


def test_an_unknown_charge_is_settled_in_the_round_after_its_webhook(
    systems: Systems, account: SampleAccount, standin: Standin, webhooks: str
) -> None:
    standin.process_for(None)
    entered_on_stripes_page(systems, account, standin, "processing")
    systems.billing.invoice_plans_due(NOW, limit=10)
    unknown = states(systems)
    for intent in standin.payment_intents():
        standin.settle_payment(intent["id"])
    until_delivered(standin, "payment_intent.succeeded")

    too_early = systems.billing.settle_unknown(SOON)
    systems.events.handle(SOON, tell)
    settled = systems.billing.settle_unknown(SOON)

    assert {InvoiceState.UNKNOWN} == unknown
    assert (0, len(standin.payment_intents())) == (too_early, settled)
    assert {InvoiceState.PAID} == states(systems)


def states(systems: Systems) -> set[InvoiceState]:
    with systems.db.transaction() as session:
        return set(session.scalars(select(InvoiceRow.state)))


def test_every_webhook_that_stripe_sends_is_answered_with_200_and_a_repeat_too(
    systems: Systems, account: SampleAccount, standin: Standin, webhooks: str
) -> None:
    entered_on_stripes_page(systems, account, standin)
    systems.billing.invoice_plans_due(NOW, limit=10)

    again = {deliver(event, webhooks, SECRET) for event in standin.events()}
    forged = {deliver(event, webhooks, "whsec_of_somebody_else") for event in standin.events()}

    until(lambda: len(standin.deliveries()) == len(standin.events()), "all were sent")
    assert {200} == {delivery["status"] for delivery in standin.deliveries()}
    assert ({200}, {400}) == (again, forged)
    assert {COMPLETED, "payment_intent.succeeded"} <= {each["type"] for each in standin.events()}


def test_an_event_of_live_mode_is_refused_by_a_key_of_test_mode(
    webhooks: str,
) -> None:
    event = {"id": "evt_1", "type": "customer.created"}

    assert 400 == deliver({**event, "livemode": True}, webhooks, SECRET)
    assert 200 == deliver({**event, "livemode": False}, webhooks, SECRET)


def test_while_the_key_is_revoked_pages_wait_for_a_good_one(
    systems: Systems, account: SampleAccount, standin: Standin
) -> None:
    standin.complete_session(opened(systems, account).page_id, "visa")
    standin.revoke_key(TEST_KEY)

    with pytest.raises(Transient):
        systems.card_entries.look_up_due(LOOKED_UP, tell)
    standin.add_key(TEST_KEY)
    ended = systems.card_entries.look_up_due(LOOKED_UP + timedelta(seconds=10), tell)

    assert 1 == ended
    assert systems.billing.has_card(account.account_id)


def test_after_a_crash_anywhere_the_card_goes_on_file_exactly_once(
    systems: Systems, account: SampleAccount, standin: Standin
) -> None:
    crash_at = 0
    has_crashed = True
    while has_crashed:
        crash_at += 1
        standin.complete_session(opened(systems, account).page_id, "visa")
        fuse = Fuse(crash_at=crash_at)
        crashing = CardEntries(
            CrashingDatabase(systems.db, fuse),
            CrashingGateway(systems.gateway, fuse),
            systems.reopening,
        )
        try:
            crashing.look_up_due(LOOKED_UP, tell)
            has_crashed = False
        except Crash:
            systems.card_entries.look_up_due(LOOKED_UP + timedelta(seconds=10), tell)

        audit = systems.accounts.audit(account.account_id)
        changed = [entry for entry in audit if entry.what == "card_changed"]
        assert crash_at == len(changed), f"crash at point {crash_at}"

    assert crash_at > 10
