"""What an operator sees: search attributes, details and labels, at no more than they must cost."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from domain.messages import ChargeStatus, NextEvent, Refusal, Status
from domain.names import RESUME, RETRY, Activity
from domain.states import ChargeState, PauseState
from tests.workflows.faults import Fault
from tests.workflows.stage import PauseHandle, Stage
from workflows.page import page

HOUR = timedelta(hours=1)
AT = datetime(2026, 1, 31, 9, tzinfo=UTC)


async def attributes(handle: PauseHandle) -> dict[str, Any]:
    described = await handle.describe()
    return {pair.key.name: pair.value for pair in described.typed_search_attributes}


async def test_search_attributes_follow_the_pause(stage: Stage) -> None:
    stage.faults.plan(Activity.RETAIN_NUMBERS, Fault.REFUSED)
    stage.enter_card("declined")
    async with stage.worker():
        await stage.pauses.pause(stage.account_id, stage.administrator)
        handle = stage.handle()
        paused = await attributes(handle)
        due_at = (await stage.current(handle)).charges[0].due_at
        await stage.move_to(handle, due_at + HOUR)
        await stage.until_charge(handle, 0, ChargeState.DECLINED)
        in_trouble = await attributes(handle)
        await handle.signal(RETRY)
        await handle.signal(RESUME)
        await handle.result()
        resumed = await attributes(handle)

    assert paused["AccountId"] == stage.account_id
    assert paused["PauseState"] == "paused"
    assert paused["ResumeAt"] > datetime.now(UTC)
    assert (paused["PastDue"], paused["NeedsOperator"]) == (False, False)
    assert (in_trouble["PastDue"], in_trouble["NeedsOperator"]) == (True, True)
    assert resumed["PauseState"] == "resumed"
    assert (resumed["PastDue"], resumed["NeedsOperator"]) == (False, False)


async def test_a_run_that_a_person_started_gets_its_search_attributes_once(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        known = await attributes(handle)
        await handle.signal(RESUME)
        await handle.result()
        history = await handle.fetch_history()

    upsert = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
    assert known["AccountId"] == stage.account_id
    # The first with everything, then paused, resuming, resumed.
    assert Counter(event.event_type for event in history.events)[upsert] == 4


async def test_steps_and_timers_say_what_they_are_for(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.start(skipping=True)
        await handle.result()
        history = await handle.fetch_history()

    labels = [
        event.user_metadata.summary.data.decode().strip('"')
        for event in history.events
        if event.event_type
        in (EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, EventType.EVENT_TYPE_TIMER_STARTED)
    ]
    assert all(labels)
    assert "stop routing calls" in labels
    assert "planned resume" in labels
    assert any(label.startswith("fee of ") for label in labels)
    assert any("days before" in label for label in labels)


async def test_the_client_labels_the_run(stage: Stage) -> None:
    async with stage.worker():
        await stage.pauses.pause(stage.account_id, stage.administrator)
        described = await stage.handle().describe()

    assert await described.static_summary() == f"pause of {stage.account_id}"
    assert await described.static_details() == f"Asked for by {stage.administrator}."


async def test_every_handler_is_described(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.paused()
        metadata: Any = await handle.query("__temporal_workflow_metadata")

    definition = metadata.definition
    handlers = [
        *definition.signal_definitions,
        *definition.update_definitions,
        *(one for one in definition.query_definitions if not one.name.startswith("__")),
    ]
    assert {one.name for one in handlers} == {
        "resume",
        "payment_method_updated",
        "payment_news",
        "retry",
        "pause",
        "change_resume_date",
        "close",
        "status",
    }
    assert all(one.description for one in handlers)


def test_the_page_tells_state_next_charges_and_what_may_be_pressed() -> None:
    shown = page(IN_TROUBLE, ["a resume was ignored"])

    assert "### Paused, waits for an operator, a fee is unpaid" in shown
    assert "**Operator:** **retain_numbers was refused**" in shown
    assert "- **Next:** 2026-02-28 09:00 UTC, the fee is charged" in shown
    assert "- **Numbers kept:** 12" in shown
    assert "- **Planned resume:** 2026-07-30 09:00 UTC" in shown
    assert "- **Charged:** $5.00, for 1 of the dates below" in shown
    assert ["2026-01-31", "$5.00", "paid"] in cells(shown)
    assert ["2026-02-28", "$5.00", "declined: insufficient funds"] in cells(shown)
    assert "signal `resume`" in shown
    assert "**Never** *Terminate*" in shown
    assert "- a resume was ignored" in shown
    assert "(namespaces/default/workflows?query=AccountId%3D%27ACC%27)" in shown


def test_the_page_of_a_pause_that_is_over_offers_nothing() -> None:
    over = {"needs_operator": None, "past_due": False, "next_event": None, "ended_at": AT}
    charges = [charge(31, ChargeState.PAID), charge(28, ChargeState.NOT_OWED)]
    closed = IN_TROUBLE.model_copy(update={**over, "state": PauseState.CLOSED, "charges": charges})

    shown = page(closed)

    assert "**Operator:** nothing to do, it is over." in shown
    assert "- **Numbers released:** 12" in shown
    assert "You may" not in shown
    assert "Planned resume" not in shown
    assert [["2026-01-31", "$5.00", "paid"]] == cells(shown)[2:]


@pytest.mark.parametrize("state", PauseState)
def test_every_state_has_a_page(state: PauseState) -> None:
    shown = page(Status(pause_id="PAU", account_id="ACC", state=state))

    assert f"### {state.capitalize()}" in shown
    assert "**Never**" in shown
    assert ("**You may**" in shown) is not state.is_final


@pytest.mark.parametrize("state", ChargeState)
def test_every_state_of_a_charge_has_words(state: ChargeState) -> None:
    status = IN_TROUBLE.model_copy(update={"charges": [charge(31, state)]})

    assert "_" not in page(status).partition("Charge |")[2].partition("**You may**")[0]


def test_the_page_of_a_refusal_says_why() -> None:
    status = Status(
        pause_id="PAU",
        account_id="ACC",
        state=PauseState.REFUSED,
        refusal=Refusal(code="pausing_failed", message="suspend_plan says no"),
    )

    assert "The pause was refused: suspend_plan says no." in page(status)


def charge(day: int, state: ChargeState, decline_code: str | None = None) -> ChargeStatus:
    """The fee of 31 January or 28 February."""
    billing_on = date(2026, 1, 31) if day == 31 else date(2026, 2, 28)
    return ChargeStatus(
        billing_on=billing_on,
        due_at=AT,
        amount_minor=500,
        currency="USD",
        state=state,
        decline_code=decline_code,
    )


IN_TROUBLE = Status(
    pause_id="PAU",
    account_id="ACC",
    state=PauseState.PAUSED,
    paused_at=AT,
    resume_at=AT + timedelta(days=180),
    retained_numbers=12,
    next_event=NextEvent(kind="fee", at=AT + timedelta(days=28)),
    charges=[
        charge(31, ChargeState.PAID),
        charge(28, ChargeState.DECLINED, "insufficient_funds"),
    ],
    past_due=True,
    needs_operator="retain_numbers was refused",
)


def cells(markdown: str) -> list[list[str]]:
    """The cells of its table, row by row."""
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
