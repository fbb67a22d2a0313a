"""An explanation is true: each line with its rule, its actor and its evidence, on examples."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from domain.errors import Code
from domain.names import Activity
from domain.ports import Act
from domain.states import ActKind, PauseState
from starter.explaining import Evidence, EvidenceKind, Facts, Line, answers, explained
from starter.explaining.facts import EventKind
from starter.explaining.lines import AUDITED, MAILS, REFUSALS, TOLD_BY_ITS_MAIL
from starter.explaining.rules import NAMES
from starter.story import TEXTS
from systems.billing.plan import Line as InvoiceLine
from systems.notices import NoticeKind
from systems.tables import AttemptState, InvoiceState, LedgerKind, LineKind
from tests.house.documents import document
from tests.starter.explaining_examples import (
    ADMIN,
    DEC,
    FEB,
    JAN,
    MAR,
    NOW,
    OTHER_PAUSE,
    PAUSED_AT,
    RESUMED_AT,
    RUN,
    act,
    attempt,
    audited,
    booked,
    closed,
    due,
    event,
    facts,
    invoice,
    mail,
    plan_invoice,
    still_open,
)

DAY = timedelta(days=1)
DECLINED = AttemptState.DECLINED


def only(lines: list[Line]) -> Line:
    (line,) = lines
    return line


# --- the rules -----------------------------------------------------------------------------------


def test_rules_are_called_what_their_page_calls_them() -> None:
    page = document("docs/rules.md").text

    told = {rule: page.partition(f"## {rule}\n\n**")[2].partition("**")[0] for rule in NAMES}

    assert told == NAMES


def test_whatever_the_story_knows_of_a_pause_has_its_rule() -> None:
    not_of_a_pause = {"difference_acknowledged", TOLD_BY_ITS_MAIL}

    assert set(TEXTS) - not_of_a_pause <= set(AUDITED)
    assert set(MAILS) == set(NoticeKind)


# --- one date ------------------------------------------------------------------------------------

FEE_DECLINED = (attempt(JAN, 1, DECLINED),)


@pytest.mark.parametrize(
    ("known", "on", "rule", "what", "words"),
    [
        # [===$===$===)
        (facts(invoices=(invoice(JAN),)), JAN, "R7", "charged", "due inside the pause"),
        # P [===
        (facts(invoices=(plan_invoice(DEC),)), DEC, "R7", "charged", "before the pause took"),
        # ===) P
        (facts(invoices=(plan_invoice(MAR),)), MAR, "R7", "charged", "the account was back as of"),
        (facts(), MAR, "R10", "not_charged", "the account was back as of 2026-03-10 12:00"),
        (facts(), DEC, "R7", "not_charged", "before the pause took effect 2026-01-10 14:00"),
        (facts(), date(2026, 2, 27), "R7", "not_charged", "that month's is 2026-02-28"),
        (facts(closed()), MAR, "R14", "not_charged", "closed on 2026-03-10"),
        (facts(still_open(), now=due(FEB)), MAR, "R19", "not_charged", "$5.00 fall due"),
        (facts(still_open(), now=NOW), MAR, "R16", "not_charged", "when a worker runs again"),
        (facts(still_open()), date(2026, 7, 31), "R11", "not_charged", "before, on 2026-07-10"),
        (
            facts(act(paused_at=None), audit=(audited("pause_refused"),)),
            JAN,
            "R3",
            "not_charged",
            "",
        ),
        (facts(still_open(paused_at=None)), JAN, "R3", "not_charged", "not in effect yet"),
        (facts(act(kind=ActKind.CLOSE)), JAN, "R14", "not_charged", "takes no fee"),
        (
            facts(invoices=(invoice(JAN, InvoiceState.PAST_DUE, FEE_DECLINED),)),
            *(JAN, "R13", "not_charged", "its ladder goes on"),
        ),
        (
            facts(invoices=(invoice(JAN, InvoiceState.UNKNOWN),)),
            JAN,
            "R13",
            "not_charged",
            "Nobody",
        ),
        (facts(invoices=(invoice(JAN, InvoiceState.OPEN),)), JAN, "R13", "not_charged", "Being"),
        (
            facts(invoices=(invoice(JAN, InvoiceState.MOVED),), moved_to={f"INV-{JAN}": MAR}),
            *(JAN, "R13", "not_charged", "moved to the plan's invoice of 2026-03-31"),
        ),
        (
            facts(invoices=(invoice(JAN, InvoiceState.MOVED),)),
            *(JAN, "R13", "not_charged", "moved to the plan's next invoice"),
        ),
        (
            facts(closed(), invoices=(invoice(JAN, InvoiceState.WRITTEN_OFF),)),
            *(JAN, "R14", "not_charged", "written off when the account was closed"),
        ),
        (
            facts(still_open(), invoices=(invoice(JAN, InvoiceState.WRITTEN_OFF),)),
            *(JAN, "R13", "not_charged", "written off when its ladder ended"),
        ),
        (
            facts(invoices=(invoice(JAN, InvoiceState.WRITTEN_OFF),)),
            *(JAN, "R13", "not_charged", "written off when its ladder ended"),
        ),
        (
            facts(invoices=(invoice(JAN, InvoiceState.WRITTEN_OFF, answered_at=NOW),)),
            *(JAN, "R14", "not_charged", "written off when the account was closed"),
        ),
        (
            facts(invoices=(invoice(JAN, act_id=OTHER_PAUSE),)),
            *(JAN, "R7", "charged", f"another pause: {OTHER_PAUSE}"),
        ),
    ],
)
def test_a_date_is_answered_with_its_rule(
    known: Facts, on: date, rule: str, what: str, words: str
) -> None:
    answer = only(answers(known, on))

    assert (rule, what) == (answer.rule, answer.what)
    assert words in answer.text


def test_a_fee_is_proven_by_invoice_ledger_and_payment() -> None:
    known = facts(
        invoices=(invoice(JAN),),
        entries=(booked(JAN, 1, LedgerKind.INVOICE), booked(JAN, 2), booked(FEB, 3)),
    )

    evidence = only(answers(known, JAN)).evidence

    assert evidence == (
        Evidence(EvidenceKind.INVOICE, f"INV-{JAN}"),
        Evidence(EvidenceKind.LEDGER, "1"),
        Evidence(EvidenceKind.LEDGER, "2"),
        Evidence(EvidenceKind.PAYMENT, f"pay-{JAN}-1"),
    )


def test_the_day_of_a_ladder_is_explained_by_the_date_it_belongs_to() -> None:
    # 31 Jan x  1 Feb $
    tomorrow = due(JAN) + DAY
    paid = attempt(JAN, 2, began_at=tomorrow, answered_at=tomorrow)
    known = facts(invoices=(invoice(JAN, attempts=(attempt(JAN, 1, DECLINED), paid)),))

    answer = only(answers(known, tomorrow.date()))

    assert ("R13", "fee_paid") == (answer.rule, answer.what)
    assert f"The fee of {JAN} is paid" in answer.text
    assert "attempt 2, day 1 of its ladder" in answer.text


def test_a_day_on_which_money_went_back_says_so() -> None:
    refunded = booked(JAN, 9, LedgerKind.REFUND, at=due(JAN) + 3 * DAY, refund_id="re-1")
    known = facts(invoices=(invoice(JAN),), entries=(refunded,))

    answer = only(answers(known, JAN + 3 * DAY))

    assert "Given back: $5.00" == answer.text
    assert Evidence(EvidenceKind.REFUND, "re-1") in answer.evidence


def test_the_plans_share_of_a_period_that_the_fee_had_taken_is_named() -> None:
    share = InvoiceLine(LineKind.REMAINING_DAYS, "21 of 31 days", 6435)

    answer = only(answers(facts(invoices=(plan_invoice(MAR, share),)), MAR))

    assert "R9" == answer.rule
    assert "$64.35 of it: 21 of 31 days" in answer.text


# --- the whole story -----------------------------------------------------------------------------


def test_lines_stand_in_the_order_in_which_they_took_effect() -> None:
    known = facts(
        audit=(audited("resumed", RESUMED_AT), audited("paused")),
        invoices=(invoice(FEB), invoice(JAN)),
        notices=(mail(NoticeKind.RESUMED, RESUMED_AT + DAY), mail(NoticeKind.PAUSED)),
    )

    lines = explained(known)

    assert all(one.at <= other.at for one, other in pairwise(lines))
    assert ["paused", "mail_paused"] == [line.what for line in lines[:2]]
    assert ["resumed", "mail_resumed"] == [line.what for line in lines[-2:]]
    assert all(line.evidence for line in lines)


@pytest.mark.parametrize(
    ("what", "actor", "rule", "words"),
    [
        ("resume_begun", ADMIN, "R10", "an administrator has asked"),
        ("resume_begun", "system", "R11", "comes back by itself"),
        ("resume_begun", "operator", "R1", "an operator"),
        ("close_begun", ADMIN, "R14", "an administrator has asked"),
        ("close_begun", "system", "R13", "not paid by its ladder's end"),
    ],
)
def test_an_end_says_who_wanted_it(what: str, actor: str, rule: str, words: str) -> None:
    line = only(explained(facts(audit=(audited(what, actor=actor),))))

    assert (rule, actor) == (line.rule, line.actor)
    assert words in line.text


@pytest.mark.parametrize("code", [*REFUSALS, "a_code_of_next_year"])
def test_a_refusal_says_which_rule_said_no(code: str) -> None:
    refused = audited("pause_refused", detail={"code": code})

    line = only(explained(facts(act=None, audit=(refused,))))

    assert code in line.text
    assert line.rule == REFUSALS.get(Code(code) if code in set(Code) else code, ("R2",))[0]


def test_who_has_changed_the_date_is_proven_by_the_step_of_that_moment() -> None:
    # Moved on two days: each line names its own step.
    moved = [audited("resume_date_changed", PAUSED_AT + n * DAY, ADMIN, 20 + n) for n in (1, 2)]
    steps = [
        event(
            EventKind.STEP,
            Activity.CHANGE_RESUME_DATE,
            event_id=40 + n,
            detail={"at": (PAUSED_AT + n * DAY).isoformat()},
        )
        for n in (1, 2)
    ]

    lines = explained(facts(audit=tuple(moved), history=tuple(steps)))

    assert [(ADMIN, "R11"), (ADMIN, "R11")] == [(line.actor, line.rule) for line in lines]
    assert [f"{RUN}/41", f"{RUN}/42"] == [line.evidence[-1].reference for line in lines]


def test_each_attempt_is_explained_with_its_payment_ledger_and_event() -> None:
    attempts = (
        attempt(JAN, 1, DECLINED),
        attempt(JAN, 2, DECLINED, rung=None, answered_at=due(JAN) + DAY),
        attempt(JAN, 3, answered_at=due(JAN) + 5 * DAY, rung=2),
    )
    first, third = (
        event(
            EventKind.STEP,
            Activity.COLLECT_FEE,
            event_id=number,
            detail={"billing_on": JAN.isoformat(), **attempt_detail},
        )
        for number, attempt_detail in ((11, {}), (13, {"attempt": 3}))
    )
    known = facts(
        invoices=(invoice(JAN, attempts=attempts),),
        entries=(booked(JAN, 2),),
        history=(first, third),
    )

    taken, declined, on_new_card, paid = explained(known)

    assert ["R7", "R13", "R13", "R13"] == [
        line.rule for line in (taken, declined, on_new_card, paid)
    ]
    assert "insufficient funds" in declined.text
    assert "on a new card" in on_new_card.text
    assert "day 5 of its ladder" in paid.text
    assert Evidence(EvidenceKind.HISTORY, f"{RUN}/11") in declined.evidence
    assert {Evidence(EvidenceKind.HISTORY, f"{RUN}/13"), Evidence(EvidenceKind.LEDGER, "2")} <= set(
        paid.evidence
    )


def test_a_charge_that_came_late_says_why() -> None:
    # 31 Jan ...outage... 3 Feb $
    late = due(JAN) + 3 * DAY
    known = facts(
        invoices=(invoice(JAN, attempts=(attempt(JAN, began_at=late, answered_at=late),)),)
    )

    _, paid = explained(known)

    assert ("R8", late) == (paid.rule, paid.at)
    assert "later than due" in paid.text


@pytest.mark.parametrize(
    ("pause", "state", "rule", "words"),
    [
        (act(), InvoiceState.MOVED, "R13", "a line of the plan's next invoice"),
        (closed(), InvoiceState.WRITTEN_OFF, "R14", "the account was closed"),
        (still_open(), InvoiceState.WRITTEN_OFF, "R13", "the terms let the pause go on"),
    ],
)
def test_a_fee_that_nobody_paid_ends_with_its_reason(
    pause: Act, state: InvoiceState, rule: str, words: str
) -> None:
    known = facts(
        pause,
        invoices=(invoice(JAN, state, (), answered_at=RESUMED_AT),),
        entries=(booked(JAN, 4, LedgerKind.WRITE_OFF),),
    )

    last = explained(known)[-1]

    assert (rule, RESUMED_AT) == (last.rule, last.at)
    assert words in last.text


def test_a_reminder_is_one_line_with_all_its_evidence() -> None:
    which: dict[str, Any] = {"resume_on": "2026-07-10", "days_before": 30}
    known = facts(
        audit=(audited("reminded", entry_id=31, detail=which),),
        notices=(mail(NoticeKind.REMINDER, **which),),
        history=(event(EventKind.STEP, Activity.SEND_REMINDER, detail={"reminder": which}),),
    )

    line = only(explained(known))

    assert "30 days to the resume on 2026-07-10; delivered to 1 administrator" in line.text
    assert ["NOT1", "31", f"{RUN}/5"] == [each.reference for each in line.evidence]


def test_what_only_the_history_knows_is_told() -> None:
    known = facts(
        history=(
            event(EventKind.STARTED, event_id=1),
            event(EventKind.SIGNAL, "resume", event_id=2, detail={"requested_by": ADMIN}),
            event(EventKind.SIGNAL, "retry", event_id=3),
            event(EventKind.SIGNAL, "unheard_of", event_id=4),
            event(EventKind.CANCEL, event_id=5),
            event(EventKind.STEP_FAILED, "retain_numbers", event_id=6, detail={"type": "rejected"}),
            event(EventKind.STEP, "retain_numbers", event_id=7, attempts=3),
            event(EventKind.STARTED, event_id=1, run_id="run-2"),
        )
    )

    told = [(line.what, line.rule, line.actor) for line in explained(known)]

    assert told == [
        ("signal_resume", "R10", ADMIN),
        ("signal_retry", "R16", "operator"),
        ("cancel", "R1", "operator"),
        ("step_failed_retain_numbers", "R16", "system"),
        ("step_retain_numbers", "R16", "system"),
        ("started", "R16", "system"),
    ]


def test_what_belongs_to_others_is_left_out() -> None:
    known = facts(
        invoices=(invoice(JAN, act_id=OTHER_PAUSE), plan_invoice(MAR)),
        notices=(),
        audit=(
            audited("paused", act_id=OTHER_PAUSE),
            audited("card_changed", PAUSED_AT - DAY, act_id=None),
            audited("card_changed", PAUSED_AT + DAY, ADMIN, act_id=None),
            audited("api_key_created", PAUSED_AT + DAY, act_id=None),
        ),
    )

    line = only(explained(known))

    assert ("card_changed", "R8", ADMIN) == (line.what, line.rule, line.actor)


def test_an_open_pause_is_explained_up_to_now() -> None:
    meanwhile = audited("card_changed", NOW, act_id=None)

    lines = explained(facts(still_open(state=PauseState.PAUSED), audit=(meanwhile,)))

    assert ["card_changed"] == [line.what for line in lines]
