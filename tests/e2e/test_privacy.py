"""Nothing of people reaches a history: no number, address, name, card digits or words (R17)."""

import base64
import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from temporalio.client import WorkflowFailureError, WorkflowHistory

from domain.errors import Code, Rejected
from domain.messages import Count, Step
from domain.names import Activity
from domain.payments import Payment
from domain.policy import CLOSE_CONFIRMATION
from domain.states import ChargeState
from domain.terms import Offer
from starter.backend import Backend
from systems.billing import SqlBilling
from systems.db import Database
from systems.dni import SqlDni
from systems.gateways.sandbox import SandboxGateway
from systems.tables import (
    AccountRow,
    CardRow,
    CompanyRow,
    NumberRow,
    TrackerRow,
    UserRow,
)
from tests.e2e.leaks import leaks, leaks_in
from tests.workflows.faults import Fault
from tests.workflows.stage import Stage

PERSON = "Zebulon Quagmire"
COMPANY = "Quagmire Aquatics"
EMAIL = "zebulon.quagmire@aquatics.example"
DESTINATION = "+12025550143"
TRACKING = ("+13055550170", "+13055550171", "+13055550172")
LAST4 = "7391"
REASON = "our basin has burst"
ALL_OF_IT = f"{PERSON} <{EMAIL}> of {COMPANY}, {DESTINATION}, {TRACKING}, card {LAST4}: {REASON}"

# Numbers also as other programs write them.
WITHOUT_PLUS = tuple(number.removeprefix("+") for number in (DESTINATION, *TRACKING))
SECRETS = (PERSON, COMPANY, EMAIL, DESTINATION, *TRACKING, *WITHOUT_PLUS, LAST4, REASON)

HOUR = timedelta(hours=1)


async def test_nothing_of_people_reaches_a_history(stage: Stage) -> None:
    _plant(stage)
    _let_errors_tell_all(stage)
    histories = [
        await _refused(stage),
        await _undone(stage),
        await _resumed_with_a_declined_fee(stage),
        await _cancelled(stage),
        await _closed(stage),
    ]

    reasons = {entry.reason for entry in stage.systems.accounts.audit(stage.account_id)}
    assert REASON in reasons
    assert stage.faults.count(Activity.DISABLE_SCRIPT) >= 2 * 3
    assert stage.faults.count(Activity.COLLECT_FEE) == 2
    assert all(len(history.events) >= 10 for history in histories)
    assert set() == leaks(histories, SECRETS)


async def test_a_step_that_tells_what_it_must_not_is_found(stage: Stage) -> None:
    _plant(stage)
    stage.systems = replace(stage.systems, dni=LeakyDni(stage.systems.db))
    async with stage.worker():
        handle = await stage.start()
        await handle.result()

    assert {EMAIL, DESTINATION} <= leaks([await handle.fetch_history()], SECRETS)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_secret_is_found_however_deep_it_is_wrapped(depth: int) -> None:
    wrapped = f"call {DESTINATION}, please"
    for _ in range(depth):
        wrapped = base64.b64encode(json.dumps([wrapped]).encode()).decode()

    assert {DESTINATION} == leaks_in({"payload": wrapped}, [DESTINATION, EMAIL])


def test_digits_in_the_middle_of_an_id_are_no_secret() -> None:
    assert set() == leaks_in([f"ACC00{LAST4}ff", f"12:00:00.0{LAST4}1Z"], [LAST4])


# --- what is planted -----------------------------------------------------------------------------


def _plant(stage: Stage) -> None:
    with stage.systems.db.transaction() as session:
        account = session.get_one(AccountRow, stage.account_id)
        account.name = COMPANY
        administrator = session.get_one(UserRow, stage.administrator)
        administrator.name, administrator.email = PERSON, EMAIL
        session.get_one(CardRow, stage.account_id).last4 = LAST4
        for company in session.scalars(select(CompanyRow)):
            company.name = COMPANY
        for tracker in session.scalars(select(TrackerRow)):
            tracker.name = f"For {PERSON}"
            tracker.destination_number, tracker.swap_targets = DESTINATION, [DESTINATION]
        for row, number in zip(session.scalars(select(NumberRow)), TRACKING, strict=True):
            row.number = number


def _let_errors_tell_all(stage: Stage) -> None:
    """Systems fail once each, with errors of no kind that we know, as libraries do."""
    systems = stage.systems
    billing = SqlBilling(systems.db, TalkativeGateway(systems.gateway_engine))
    stage.systems = replace(systems, dni=TalkativeDni(systems.db), billing=billing)


class TalkativeDni(SqlDni):
    """Fails each inverse once, telling all."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._told: set[str] = set()

    def disable_script(self, step: Step) -> Count:
        if step.act_id not in self._told:
            self._told.add(step.act_id)
            raise RuntimeError(ALL_OF_IT)
        return super().disable_script(step)


class TalkativeGateway(SandboxGateway):
    """Fails the first charge, telling all."""

    has_told = False

    def confirm_payment(self, payment_id: str) -> Payment:
        if not self.has_told:
            self.has_told = True
            raise ValueError(ALL_OF_IT)
        return super().confirm_payment(payment_id)


class LeakyDni(SqlDni):
    """The control: words of our own kind of error that name somebody."""

    def disable_script(self, step: Step) -> Count:
        raise Rejected(Code.VALIDATION_FAILED, f"{EMAIL} wants {DESTINATION} swapped")


# --- what happens with it ------------------------------------------------------------------------


async def _refused(stage: Stage) -> WorkflowHistory:
    stage.offer = Offer(max_numbers=1)
    async with stage.worker():
        with suppress(Rejected):
            await _ask_for_pause(stage)
    stage.offer = Offer()
    return await stage.handle().fetch_history()


async def _undone(stage: Stage) -> WorkflowHistory:
    stage.faults.plan(Activity.SUSPEND_ACCESS, Fault.REFUSED)
    async with stage.worker():
        with suppress(Rejected):
            await _ask_for_pause(stage)
    return await stage.handle().fetch_history()


async def _resumed_with_a_declined_fee(stage: Stage) -> WorkflowHistory:
    _enter_card(stage, "card_declined")
    async with stage.worker():
        await _ask_for_pause(stage)
        handle = stage.handle()
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + HOUR)
        await stage.until_charge(handle, 0, ChargeState.DECLINED)
        await stage.pauses.resume(
            stage.account_id, stage.administrator, requested_at=await stage.now(handle)
        )
        return await handle.fetch_history()


async def _cancelled(stage: Stage) -> WorkflowHistory:
    _enter_card(stage, "card_visa")
    async with stage.worker():
        await _ask_for_pause(stage)
        handle = stage.handle()
        await handle.cancel()
        with suppress(WorkflowFailureError):
            await handle.result()
        return await handle.fetch_history()


async def _closed(stage: Stage) -> WorkflowHistory:
    async with stage.worker():
        await stage.pauses.close(stage.account_id, stage.administrator, CLOSE_CONFIRMATION)
        return await stage.close_handle().fetch_history()


async def _ask_for_pause(stage: Stage) -> None:
    backend = Backend(stage.systems, stage.pauses, stage.offer)
    await backend.pause(
        stage.account_id,
        stage.administrator,
        terms_version=stage.offer.version,
        reason=REASON,
    )


def _enter_card(stage: Stage, token: str) -> None:
    with stage.systems.db.transaction() as session:
        session.get_one(CardRow, stage.account_id).token = token
