"""A statement tells everything about an account's money, and finds whatever does not agree (M4)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import insert, update

from domain.errors import Code, InvariantViolated, Rejected
from domain.messages import ChargeStatus
from domain.payments import Gateway, Payment, PaymentState, Refund, RefundState
from domain.states import ChargeState, PauseState
from domain.timeline import plan_timeline
from systems.accounts.act_rows import TERMS, TIMELINE, dumped
from systems.billing.proof import Agreement, Check
from systems.billing.proof_workflow import NO_RUN, RunSays
from systems.billing.refund_rows import RefundView
from systems.billing.refunds import Refunds
from systems.billing.statement import InvoiceBlock, Statement, Statements
from systems.db import Database
from systems.tables import (
    AttemptRow,
    InvoiceKind,
    InvoiceRow,
    InvoiceState,
    LedgerAccount,
    LedgerKind,
    LedgerRow,
    RefundRowState,
)
from tests.fakes.gateway import PassedOn, When
from tests.systems.billing_shop import (
    FEB_15,
    JAN_15,
    MAR_15,
    NEW_YORK,
    Pause,
    SqlShop,
    local,
    paused,
    use_card,
)
from tests.systems.refund_shop import Charge, stray_payment

PAUSED_AT = local("2026-01-10 14:00")
REFUNDED_AT = local("2026-01-20 12:00")
RESUMED_AT = local("2026-03-01 10:00")
NOW = local("2026-03-20 10:00")


@dataclass(frozen=True)
class Told:
    """An account with a story, and its statement."""

    shop: SqlShop
    pause: Pause
    gateway: Gateway

    @property
    def account_id(self) -> str:
        return self.pause.account_id

    @property
    def refunds(self) -> Refunds:
        return Refunds(self.shop.database, self.gateway)

    def statement(
        self, at: datetime = NOW, run: RunSays = NO_RUN, *, asks_gateway: bool = True
    ) -> Statement:
        statements = Statements(self.shop.database, self.gateway)
        return statements.statement(self.account_id, at, run=run, asks_gateway=asks_gateway)

    def block(self, billing_on: date) -> InvoiceBlock:
        blocks = self.statement().invoices
        return next(it for it in blocks if it.invoice.billing_on == billing_on)

    def payment_of(self, billing_on: date) -> str:
        payment_id = self.block(billing_on).invoice.attempts[0].payment_id
        assert payment_id is not None
        return payment_id

    def refund(self, amount_minor: int) -> RefundView:
        return self.refunds.refund(
            self.account_id,
            JAN_15,
            actor="operator",
            reason="goodwill",
            at=REFUNDED_AT,
            amount_minor=amount_minor,
        )

    def change(self, statement: Any) -> None:
        with self.shop.database.transaction() as session:
            session.execute(statement)


def begun(database: Database, card_name: str = "visa") -> Told:
    """A pause of six fees since 10 January, as the accounts system records it."""
    shop = SqlShop(database)
    pause = paused(shop, card_name=card_name)
    shop.open_act(pause, PAUSED_AT)
    shop.change_act(
        pause,
        paused_at=PAUSED_AT,
        state=PauseState.PAUSED,
        terms=dumped(TERMS, pause.terms),
        timeline=dumped(TIMELINE, plan_timeline(pause.terms, PAUSED_AT, JAN_15)),
    )
    return Told(shop, pause, shop.gateway)


def told(database: Database) -> Told:
    """January paid and $2.50 of it given back, February declined, resumed, March by the plan."""
    story = begun(database)
    story.pause.collect(JAN_15)
    story.refund(250)
    use_card(story.shop, story.account_id, "insufficient_funds", at=local("2026-02-01 09:00"))
    story.pause.collect(FEB_15)
    resume(story)
    use_card(story.shop, story.account_id, "visa", at=local("2026-03-02 09:00"))
    story.shop.sql.invoice_plans_due(local("2026-03-15 10:00"), 10)
    return story


def resume(story: Told, at: datetime = RESUMED_AT) -> None:
    story.pause.restore(at)
    story.shop.change_act(story.pause, ends_at=at, ended_at=at, state=PauseState.RESUMED)


@pytest.fixture
def story(sqlite_database: Database) -> Told:
    return told(sqlite_database)


@pytest.fixture
def open_story(sqlite_database: Database) -> Told:
    """January paid, February declined, nothing resumed yet."""
    story = begun(sqlite_database)
    story.pause.collect(JAN_15)
    use_card(story.shop, story.account_id, "insufficient_funds", at=local("2026-02-01 09:00"))
    story.pause.collect(FEB_15)
    return story


# --- what it tells -------------------------------------------------------------------------------


def test_all_three_records_agree_on_a_whole_story(database: Database) -> None:
    statement = told(database).statement()

    proof = statement.proof
    assert [Agreement.AGREES] * 4 == [
        each.agreement for each in (proof, proof.ledger, proof.gateway, proof.workflow)
    ]
    assert [()] * 3 == [each.findings for each in (proof.ledger, proof.gateway, proof.workflow)]
    assert {"charged": 7750, "refunded": 250} == theirs(proof.gateway)
    assert {"fees": 1000} == theirs(proof.workflow)
    assert {
        "invoiced": 7750,
        "charged": 7750,
        "refunded": 250,
        "still owed": 0,
        "all accounts together": 0,
    } == theirs(proof.ledger)


def test_there_is_a_block_for_each_invoice_by_billing_date(story: Told) -> None:
    blocks = story.statement().invoices

    fee, plan = InvoiceKind.FEE, InvoiceKind.PLAN
    assert [(JAN_15, fee, 500), (FEB_15, fee, 500), (MAR_15, plan, 7250)] == [
        (it.invoice.billing_on, it.invoice.kind, it.invoice.amount_minor) for it in blocks
    ]
    assert [PAUSED_AT, PAUSED_AT, None] == [it.paused_at for it in blocks]
    assert [None, MAR_15, None] == [it.moved_to for it in blocks]
    assert NEW_YORK == story.statement().time_zone


def test_a_block_has_its_attempts_its_transactions_and_its_refunds(story: Told) -> None:
    january, february = story.block(JAN_15), story.block(FEB_15)

    [paid], [declined] = january.invoice.attempts, february.invoice.attempts
    [refund] = january.refunds
    assert ("4242", None) == (paid.card_last4, paid.decline_code)
    assert ("9995", "insufficient_funds") == (declined.card_last4, declined.decline_code)
    assert (250, "operator", RefundRowState.SUCCEEDED) == (
        refund.amount_minor,
        refund.actor,
        refund.state,
    )
    assert [LedgerKind.INVOICE, LedgerKind.CHARGE, LedgerKind.REFUND] == [
        entry.kind for entry in january.booked
    ]
    assert [LedgerKind.INVOICE] == [entry.kind for entry in february.booked]


def test_the_totals_count_a_moved_fee_once(story: Told) -> None:
    [totals] = story.statement().totals

    assert ("USD", 7750, 7750, 250) == (
        totals.currency,
        totals.invoiced_minor,
        totals.charged_minor,
        totals.refunded_minor,
    )
    assert (500, 0, 0) == (totals.moved_minor, totals.written_off_minor, totals.owed_minor)


def test_what_is_unpaid_is_owed_where_it_is_and_once_it_waits_for_the_plan(
    open_story: Told,
) -> None:
    before = open_story.statement(RESUMED_AT)
    resume(open_story)
    after = open_story.statement(RESUMED_AT)

    assert [500, 500] == [each.totals[0].owed_minor for each in (before, after)]
    assert [0, 500] == [each.totals[0].moved_minor for each in (before, after)]
    assert Agreement.AGREES is after.proof.agreement


def test_a_fee_that_was_given_up_is_written_off(open_story: Told) -> None:
    open_story.pause.close(RESUMED_AT)
    open_story.shop.change_act(open_story.pause, ends_at=RESUMED_AT, ended_at=RESUMED_AT)

    statement = open_story.statement()

    [totals] = statement.totals
    assert (500, 0) == (totals.written_off_minor, totals.owed_minor)
    assert Agreement.AGREES is statement.proof.agreement


def test_a_stray_charge_has_a_block_of_its_own(story: Told) -> None:
    charge = Charge(story.shop, story.pause, story.account_id, "", story.refunds)
    stray = stray_payment(charge)
    story.refunds.refund_stray(story.account_id, stray, NOW)

    statement = story.statement()

    [block] = statement.stray_charges
    assert (stray.payment_id, 500) == (block.payment_id, block.amount_minor)
    assert [500] == [refund.amount_minor for refund in block.refunds]
    assert [LedgerKind.STRAY_CHARGE, LedgerKind.STRAY_REFUND] == [it.kind for it in block.booked]
    assert (500, 750) == (statement.totals[0].stray_minor, statement.totals[0].refunded_minor)
    assert Agreement.AGREES is statement.proof.agreement


def test_an_account_that_was_never_charged_has_an_empty_statement(
    sqlite_database: Database,
) -> None:
    statement = begun(sqlite_database).statement(PAUSED_AT)

    assert ((), (), ()) == (statement.invoices, statement.stray_charges, statement.totals)
    assert Agreement.AGREES is statement.proof.agreement


def test_an_unknown_account_has_no_statement(story: Told) -> None:
    with pytest.raises(Rejected) as refusal:
        Statements(story.shop.database, story.gateway).statement("ACC" + "0" * 32, NOW)

    assert Code.ACCOUNT_NOT_FOUND is refusal.value.code


# --- the ledger ----------------------------------------------------------------------------------


def test_a_transaction_that_no_invoice_explains_is_found(story: Told) -> None:
    story.change(
        insert(LedgerRow).values(
            key="by hand",
            account_id=story.account_id,
            kind=LedgerKind.CHARGE,
            debit=LedgerAccount.GATEWAY,
            credit=LedgerAccount.RECEIVABLE,
            amount_minor=500,
            currency="USD",
            at=NOW,
            invoice_id=story.block(JAN_15).invoice.invoice_id,
            payment_id="pay_by_hand",
        )
    )

    check = story.statement(asks_gateway=False).proof.ledger

    assert Agreement.DIFFERS is check.agreement
    assert {"charged": 500, "still owed": -500} == apart(check)
    assert ["2026-01-15"] == about(check)


def test_an_invoice_that_was_changed_by_hand_is_found(story: Told) -> None:
    story.change(update(InvoiceRow).where(at(JAN_15)).values(state=InvoiceState.PAST_DUE))

    check = story.statement().proof.ledger

    assert {"charged": 500, "still owed": -500} == apart(check)
    assert ["2026-01-15"] == about(check)


# --- the gateway ---------------------------------------------------------------------------------


class Telling(PassedOn):
    """A gateway whose answers about payments and refunds are changed on their way."""

    def __init__(
        self,
        gateway: Gateway,
        payment: Callable[[Payment], Payment] = lambda it: it,
        refund: Callable[[Refund], Refund] = lambda it: it,
    ) -> None:
        super().__init__(gateway)
        self._payment, self._refund = payment, refund

    def get_payment(self, payment_id: str) -> Payment:
        return self._payment(super().get_payment(payment_id))

    def get_refund(self, refund_id: str) -> Refund:
        return self._refund(super().get_refund(refund_id))


class Forgotten(PassedOn):
    """A gateway that knows none of it."""

    def get_payment(self, payment_id: str) -> Payment:
        raise InvariantViolated("the gateway knows no such payment")

    def get_refund(self, refund_id: str) -> Refund:
        raise InvariantViolated("the gateway knows no such refund")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount_minor": 501}, "$5.01 at the gateway, $5.00 in our books"),
        ({"currency": "EUR"}, "5.00 EUR at the gateway, $5.00 in our books"),
        ({"state": PaymentState.DECLINED}, "declined at the gateway, paid in our books"),
        ({"state": PaymentState.PROCESSING}, "processing at the gateway, paid in our books"),
        ({"account_id": "ACC" + "0" * 32}, "the gateway has it as somebody else's"),
        ({"account_id": ""}, "the gateway has it as somebody else's"),
    ],
    ids=str,
)
def test_a_payment_that_the_gateway_has_otherwise_is_found(
    story: Told, change: dict[str, Any], said: str
) -> None:
    paid = story.payment_of(JAN_15)

    def changed(payment: Payment) -> Payment:
        return replace(payment, **change) if payment.payment_id == paid else payment

    check = replace(story, gateway=Telling(story.gateway, changed)).statement().proof.gateway

    assert Agreement.DIFFERS is check.agreement
    assert [(paid, said)] == [(finding.about, finding.said) for finding in check.findings]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount_minor": 251}, "$2.51 at the gateway, $2.50 in our books"),
        ({"state": RefundState.FAILED}, "failed at the gateway, succeeded in our books"),
        ({"payment_id": "pay_other"}, "at the gateway it is of pay_other"),
    ],
    ids=str,
)
def test_a_refund_that_the_gateway_has_otherwise_is_found(
    story: Told, change: dict[str, Any], said: str
) -> None:
    there = Telling(story.gateway, refund=lambda refund: replace(refund, **change))

    check = replace(story, gateway=there).statement().proof.gateway

    assert Agreement.DIFFERS is check.agreement
    assert [said] == [finding.said for finding in check.findings]


def test_what_the_gateway_does_not_know_is_found(story: Told) -> None:
    check = replace(story, gateway=Forgotten(story.gateway)).statement().proof.gateway

    assert {"charged": -7750, "refunded": -250} == apart(check)
    assert 4 == len(check.findings), "three payments and a refund"


def test_a_declined_payment_that_has_gone_through_after_all_is_found(story: Told) -> None:
    declined = story.payment_of(FEB_15)

    def changed(payment: Payment) -> Payment:
        is_it = payment.payment_id == declined
        return replace(payment, state=PaymentState.SUCCEEDED) if is_it else payment

    check = replace(story, gateway=Telling(story.gateway, changed)).statement().proof.gateway

    assert {"charged": 500} == apart(check)
    assert [declined] == about(check)


def test_a_payment_whose_answer_was_lost_does_not_agree_until_it_is_settled(
    sqlite_database: Database,
) -> None:
    story = begun(sqlite_database, "times_out")
    story.pause.collect(JAN_15)
    before = story.statement(local("2026-01-15 09:01")).proof.gateway
    story.pause.collect(JAN_15, local("2026-01-15 09:05"))
    after = story.statement(local("2026-01-15 09:06")).proof

    assert ["succeeded at the gateway, sent in our books"] == [it.said for it in before.findings]
    assert Agreement.AGREES is after.agreement


@pytest.mark.parametrize(("when", "agrees"), [("before", True), ("after", False)])
def test_a_refund_without_an_answer_agrees_only_while_nothing_went_back(
    open_story: Told, when: When, agrees: bool
) -> None:
    open_story.shop.gateway.fail_next("refund_payment", when)
    open_story.refund(250)

    check = open_story.statement(RESUMED_AT).proof.gateway

    assert (Agreement.AGREES if agrees else Agreement.DIFFERS) is check.agreement


def test_a_gateway_that_is_away_is_said_to_be_away(story: Told) -> None:
    story.shop.gateway.fail_next("get_payment", "before")

    statement = story.statement()

    assert Agreement.AWAY is statement.proof.gateway.agreement
    assert Agreement.AWAY is statement.proof.agreement
    assert "does not answer" in (statement.proof.gateway.note or "")
    assert () == statement.proof.gateway.compared


def test_offline_the_gateway_is_not_asked(story: Told) -> None:
    asked = len(story.shop.gateway.calls)

    proof = story.statement(asks_gateway=False).proof

    assert Agreement.LEFT_OUT is proof.gateway.agreement
    assert Agreement.AGREES is proof.agreement
    assert asked == len(story.shop.gateway.calls)


def test_payments_of_another_gateway_cannot_be_compared_here(story: Told) -> None:
    story.change(update(AttemptRow).values(gateway="stripe-test"))
    asked = len(story.shop.gateway.calls)

    check = story.statement().proof.gateway

    assert Agreement.AWAY is check.agreement
    assert "3 payments were made at another gateway than sandbox" in (check.note or "")
    assert ["get_refund"] == story.shop.gateway.calls[asked:]


# --- the workflow --------------------------------------------------------------------------------


def test_fees_are_owed_from_the_pause_to_its_end_and_no_longer(story: Told) -> None:
    for end, fees in (("2026-03-01 10:00", 1000), ("2026-02-15 09:00", 500)):
        story.shop.change_act(story.pause, ends_at=local(end))

        assert fees == theirs(story.statement().proof.workflow)["fees"], end


def test_a_fee_that_is_not_due_yet_is_not_owed_yet(open_story: Told) -> None:
    just_before = open_story.statement(local("2026-03-15 08:59")).proof.workflow
    just_after = open_story.statement(local("2026-03-15 09:00")).proof.workflow

    assert Agreement.AGREES is just_before.agreement
    assert Agreement.DIFFERS is just_after.agreement
    assert ["2026-03-15"] == about(just_after)
    assert "on no invoice" in just_after.findings[0].said


def test_a_fee_that_no_pause_promised_is_found(story: Told) -> None:
    story.shop.change_act(story.pause, ends_at=local("2026-02-01 09:00"))

    check = story.statement().proof.workflow

    assert {"fees": -500} == apart(check)
    assert ["2026-02-15"] == about(check)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount_minor": 600}, "promised for $5.00, and invoiced for $6.00"),
        ({"due_at": NOW}, "promised for another instant than it was invoiced for"),
        ({"kind": InvoiceKind.PLAN, "act_id": None}, "and invoiced for the plan"),
    ],
    ids=str,
)
def test_a_fee_that_was_invoiced_otherwise_than_promised_is_found(
    story: Told, changes: dict[str, Any], said: str
) -> None:
    story.change(update(InvoiceRow).where(at(FEB_15)).values(**changes))

    check = story.statement().proof.workflow

    assert ["2026-02-15"] == about(check)
    assert check.findings[0].said.endswith(said)


@pytest.mark.parametrize(
    ("february", "agrees"),
    [
        ({}, True),
        ({"state": ChargeState.COLLECTING}, False),
        ({"state": ChargeState.PAID}, False),
        ({"amount_minor": 600}, False),
    ],
    ids=str,
)
def test_what_an_open_run_says_is_compared_date_by_date(
    open_story: Told, february: dict[str, Any], agrees: bool
) -> None:
    said = charges(open_story)
    said[1] = said[1].model_copy(update=february)

    check = open_story.statement(RESUMED_AT, RunSays(said)).proof.workflow

    assert (Agreement.AGREES if agrees else Agreement.DIFFERS) is check.agreement
    assert ([] if agrees else ["2026-02-15"]) == about(check)


def test_a_run_may_be_about_to_hear_what_the_books_do_not_know_either(
    sqlite_database: Database,
) -> None:
    story = begun(sqlite_database, "times_out")
    story.pause.collect(JAN_15)
    said = [charges(story)[0].model_copy(update={"state": ChargeState.COLLECTING})]

    check = story.statement(local("2026-01-15 09:01"), RunSays(said)).proof.workflow

    assert Agreement.AGREES is check.agreement


def test_a_run_that_has_a_date_paid_which_is_on_no_invoice_is_found(open_story: Told) -> None:
    march = ChargeStatus(
        billing_on=MAR_15,
        due_at=local("2026-03-15 09:00"),
        amount_minor=500,
        currency="USD",
        state=ChargeState.PAID,
    )

    check = open_story.statement(RESUMED_AT, RunSays([march])).proof.workflow

    assert ["paid for the run, and on no invoice"] == [it.said for it in check.findings]


def test_a_run_that_was_not_asked_is_said_so(open_story: Told) -> None:
    check = open_story.statement(RESUMED_AT, RunSays(note="no worker answered")).proof.workflow

    assert (Agreement.AGREES, "no worker answered") == (check.agreement, check.note)


def charges(story: Told) -> list[ChargeStatus]:
    """What the run of the pause would say: as the books have it, and the next date scheduled."""
    known = story.shop.sql.charges(story.account_id)
    ahead = known[0].model_copy(update={"billing_on": MAR_15, "state": ChargeState.SCHEDULED})
    return [*known, ahead]


def at(billing_on: date) -> Any:
    return InvoiceRow.billing_on == billing_on


def theirs(check: Check) -> dict[str, int]:
    """What the record has, sum by sum."""
    return {each.what: each.record_minor for each in check.compared}


def apart(check: Check) -> dict[str, int]:
    """By how much record and books are apart, where they are."""
    differing = {each.what: each.record_minor - each.books_minor for each in check.compared}
    return {what: cents for what, cents in differing.items() if cents}


def about(check: Check) -> list[str]:
    return [finding.about for finding in check.findings]
