"""An explanation of a real pause: put together from its records and its history."""

from datetime import timedelta

import pytest

from domain.errors import Code, Rejected
from domain.policy import CLOSE_CONFIRMATION
from domain.states import ChargeState
from domain.terms import Offer
from starter.connect import connect
from starter.explaining import EvidenceKind, Facts, answers, explained, gather, meant
from starter.explaining.facts import EventKind
from starter.explaining.gathering import NO_RUN
from systems.sample import SampleAccount
from tests.starter.conftest import Cli, Up
from tests.workflows.stage import Stage

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


async def gathered(stage: Stage, refused: str | None = None) -> Facts:
    act_id = meant(stage.systems, stage.account_id, refused=refused)
    now = await stage.now(stage.handle())
    return await gather(stage.systems, stage.client, stage.account_id, act_id, now)


async def test_a_pause_is_explained_from_its_records_and_its_history(stage: Stage) -> None:
    # [ x.$ ) with the date moved on the way
    stage.enter_card("declined")
    async with stage.worker():
        paused = await stage.pauses.pause(stage.account_id, stage.administrator)
        handle = stage.handle()
        due_at = stage.promised(paused.pause_id).fees[0].due_at
        await stage.pauses.change_resume_date(
            stage.account_id, stage.administrator, due_at.date() + 60 * DAY
        )
        await stage.move_to(handle, due_at + HOUR)
        await stage.until_charge(handle, 0, ChargeState.DECLINED)
        stage.enter_card("visa")
        await stage.pauses.payment_method_updated(stage.account_id)
        await stage.until_charge(handle, 0, ChargeState.PAID)
        await stage.resume(handle, requested_by=stage.administrator)

        facts = await gathered(stage)

    lines = {line.what: line for line in explained(facts)}
    assert facts.history_note is None
    assert {"paused", "resume_date_changed", "fee_declined", "fee_paid", "resumed"} <= set(lines)
    assert stage.administrator == lines["resume_date_changed"].actor
    assert ("R10", stage.administrator) == (
        lines["resume_begun"].rule,
        lines["resume_begun"].actor,
    )
    # Every change has its step in the history, every payment its payment and its ledger entry.
    for what in ("paused", "resume_date_changed", "fee_declined", "fee_paid", "resumed"):
        assert EvidenceKind.HISTORY in {each.kind for each in lines[what].evidence}, what
    assert {EvidenceKind.PAYMENT, EvidenceKind.LEDGER} <= {
        each.kind for each in lines["fee_paid"].evidence
    }
    assert "on a new card" in lines["fee_paid"].text
    assert "signal_payment_method_updated" in lines
    (answer,) = answers(facts, facts.books.invoices[-1].billing_on)
    assert ("charged", "R7") == (answer.what, answer.rule)


async def test_the_history_of_another_pause_is_not_mixed_in(stage: Stage) -> None:
    async with stage.worker():
        first = await stage.pauses.pause(stage.account_id, stage.administrator)
        await stage.pauses.resume(stage.account_id, stage.administrator)
        second = await stage.pauses.pause(stage.account_id, stage.administrator)
        act_id = first.pause_id
        now = await stage.now(stage.handle())

        facts = await gather(stage.systems, stage.client, stage.account_id, act_id, now)

    assert second.pause_id == meant(stage.systems, stage.account_id)
    assert {act_id} == {
        fact.detail["act_id"] for fact in facts.history if fact.kind is EventKind.STEP
    }
    assert [1, 1] == [
        [line.what for line in explained(facts)].count(what) for what in ("paused", "resumed")
    ]


async def test_one_that_was_refused_before_it_began_is_explained(stage: Stage) -> None:
    stage.offer = Offer(max_numbers=1)
    async with stage.worker():
        with pytest.raises(Rejected):
            await stage.pauses.pause(stage.account_id, stage.administrator)

        ended = await stage.handle().result()
        facts = await gathered(stage, ended.pause_id)

    (refused,) = [line for line in explained(facts) if line.what == "pause_refused"]
    (answer,) = answers(facts, facts.now.date())
    assert facts.act is None
    assert ("R2", stage.administrator) == (refused.rule, refused.actor)
    assert Code.TOO_MANY_TRACKING_NUMBERS in refused.text
    assert ("R2", "not_charged") == (answer.rule, answer.what)


async def test_a_close_of_an_active_account_is_explained(stage: Stage) -> None:
    async with stage.worker():
        await stage.pauses.close(stage.account_id, stage.administrator, CLOSE_CONFIRMATION)
        act_id = meant(stage.systems, stage.account_id)
        now = stage.created_at + 400 * DAY

        facts = await gather(stage.systems, stage.client, stage.account_id, act_id, now)

    lines = {line.what: line for line in explained(facts)}
    assert facts.history
    assert ("R14", stage.administrator) == (lines["close_begun"].rule, lines["close_begun"].actor)


async def test_without_temporal_the_records_explain_it_and_the_gap_is_said(stage: Stage) -> None:
    act_id = stage.pause_in_the_past(stage.created_at + 399 * DAY)
    away = await connect("127.0.0.1:1", lazy=True)
    now = stage.created_at + 400 * DAY

    unasked = await gather(stage.systems, away, stage.account_id, act_id, now)
    gone = await gather(stage.systems, stage.client, stage.account_id, act_id, now)

    assert "Temporal was not asked" in (unasked.history_note or "")
    assert NO_RUN == gone.history_note
    assert explained(unasked) == explained(gone) != []


async def test_a_pause_of_nobody_is_not_explained(stage: Stage) -> None:
    nobodys, now = "PAU" + 32 * "0", stage.created_at

    with pytest.raises(Rejected) as never:
        meant(stage.systems, stage.account_id)
    with pytest.raises(Rejected) as unknown:
        await gather(stage.systems, stage.client, stage.account_id, nobodys, now)

    assert {Code.PAUSE_NOT_FOUND} == {never.value.code, unknown.value.code}


def test_the_pause_that_was_in_effect_on_the_date_is_meant(stage: Stage) -> None:
    began_at = stage.created_at + 300 * DAY
    act_id = stage.pause_in_the_past(began_at)

    assert act_id == meant(stage.systems, stage.account_id, (began_at + 9 * DAY).date())


def test_the_command_answers_people_and_programs(
    stack: Up, account: SampleAccount, cli: Cli
) -> None:
    name = account.account_id
    paused = cli(stack.state_dir, "pause", name, "--yes", "--reason", "winter", "--json").document
    first_on = paused["charges"][0]["billing_on"]
    cli(stack.state_dir, "fast-forward", name, "--to", first_on)

    story = cli(stack.state_dir, "explain", name)
    asked = cli(stack.state_dir, "explain", name, "--date", first_on, "--json").document
    cli(stack.state_dir, "pause", "Northgate", "--yes")
    refused = cli(stack.state_dir, "explain", "Northgate", "--json").document
    nobody = cli(stack.state_dir, "explain", "Old Mill", "--pause", "PAU1", "--json")

    assert "the reason: winter" in story.out
    assert "Rules, told in docs/rules.md" in story.out
    assert "event " in story.out
    assert [("charged", "R7")] == [(each["what"], each["rule"]) for each in asked["answers"]]
    assert {"at", "what", "text", "rule", "actor", "evidence"} == asked["lines"][0].keys()
    assert ["pause_refused"] == [each["what"] for each in refused["lines"]]
    assert (1, Code.PAUSE_NOT_FOUND) == (nobody.exit_code, nobody.document["code"])
