"""What is due next: one pause, anchor 15 in New York, told as cases.

  10 Jan   15     15     15     15     15     15   10 Jul
----[======$======$======$======$======$======$=====)----
        six fees, reminders on 10 June, 26 June and 7 July, drain until 15:00
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.agenda import (
    Agenda,
    Answer,
    Charge,
    Collect,
    Command,
    Due,
    End,
    Remind,
    StopRouting,
    Wish,
)
from domain.states import ChargeState
from domain.terms import Offer
from domain.timeline import plan_timeline

MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def local(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    zone = ZoneInfo("America/New_York")
    return datetime(2027, month, day, hour, minute, tzinfo=zone).astimezone(UTC)


TERMS = Offer().for_account("America/New_York", 15)
PAUSED_AT = local(1, 10, 14)
TIMELINE = plan_timeline(TERMS, PAUSED_AT, date(2027, 1, 15))
RESUME_AT = local(7, 10)
JANUARY, FEBRUARY, MARCH = (date(2027, month, 15) for month in (1, 2, 3))
JANUARY_DUE, FEBRUARY_DUE, MARCH_DUE = (local(month, 15, 9) for month in (1, 2, 3))
PLANNED_END = End(RESUME_AT, Wish.RESUME)


def agenda_after_drain() -> Agenda:
    agenda = Agenda(TIMELINE)
    agenda.note_routing_stopped(PAUSED_AT + HOUR)
    return agenda


def resume(at: datetime) -> Command:
    return Command(Wish.RESUME, at, "USR1")


def close(at: datetime) -> Command:
    return Command(Wish.CLOSE, at, "USR2")


def answered(
    agenda: Agenda,
    billing_on: date,
    state: ChargeState,
    at: datetime,
    rung_at: datetime | None = None,
    look_up_at: datetime | None = None,
) -> Charge:
    """One attempt, begun and answered at the same instant; how it was begun is returned."""
    begun = agenda.note_collecting(billing_on, at)
    rung = begun.attempt_rung if state is ChargeState.DECLINED else None
    agenda.note_answer(billing_on, Answer(state, at, rung, rung_at, look_up_at))
    return begun


def paid(agenda: Agenda, *billing_dates: date) -> None:
    for day in billing_dates:
        answered(agenda, day, ChargeState.PAID, agenda.charges[day].due_at)


def declined(agenda: Agenda, billing_on: date, at: datetime, rung_at: datetime | None) -> Charge:
    return answered(agenda, billing_on, ChargeState.DECLINED, at, rung_at=rung_at)


def begin_collects(agenda: Agenda, due: Sequence[Due], now: datetime) -> None:
    for one in due:
        if isinstance(one, Collect):
            agenda.note_collecting(one.billing_on, now)


# --- the plain course ----------------------------------------------------------------------------


def test_nothing_is_due_when_the_pause_has_just_begun() -> None:
    agenda = Agenda(TIMELINE)

    assert agenda.due(PAUSED_AT) == []
    assert PAUSED_AT + HOUR == agenda.wake_at()


def test_everything_ahead_is_named_in_order() -> None:
    upcoming = Agenda(TIMELINE).upcoming()

    assert [
        (StopRouting, PAUSED_AT + HOUR),
        *((Collect, local(month, 15, 9)) for month in range(1, 6)),
        (Remind, local(6, 10, 9)),
        (Collect, local(6, 15, 9)),
        (Remind, local(6, 26, 9)),
        (Remind, local(7, 7, 9)),
        (End, RESUME_AT),
    ] == [(type(due), due.at) for due in upcoming]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (JANUARY_DUE - MICROSECOND, []),
        (JANUARY_DUE, [Collect(JANUARY_DUE, JANUARY)]),
        (JANUARY_DUE + 3 * DAY, [Collect(JANUARY_DUE, JANUARY)]),
    ],
)
def test_a_fee_is_due_from_its_instant_on(now: datetime, expected: list[Due]) -> None:
    assert expected == agenda_after_drain().due(now)


def test_a_fee_that_is_being_collected_is_due_no_more() -> None:
    agenda = agenda_after_drain()

    begun = agenda.note_collecting(JANUARY, JANUARY_DUE)

    assert agenda.due(JANUARY_DUE + DAY) == []
    assert (1, 0) == (begun.attempt, begun.attempt_rung)
    assert FEBRUARY_DUE == agenda.wake_at()


def test_a_drain_of_no_minutes_is_due_at_once() -> None:
    terms = Offer(drain_minutes=0).for_account("America/New_York", 15)
    agenda = Agenda(plan_timeline(terms, PAUSED_AT, JANUARY))

    assert [StopRouting(PAUSED_AT)] == agenda.due(PAUSED_AT)


def test_the_planned_resume_takes_effect_at_its_instant_also_days_later() -> None:
    agenda = agenda_after_drain()
    paid(agenda, *agenda.charges)

    assert [PLANNED_END] == agenda.due(RESUME_AT)
    assert [PLANNED_END] == agenda.due(RESUME_AT + 9 * DAY)


# --- R10: when an end takes effect ---------------------------------------------------------------
#
#            asked      read
#   ---[======C==========|=====)---   effective at C


def test_a_resume_takes_effect_when_it_was_asked_for() -> None:
    agenda = agenda_after_drain()
    asked_at = local(1, 12, 8)
    agenda.commands.append(resume(asked_at))

    assert [End(asked_at, Wish.RESUME, resume(asked_at))] == agenda.due(asked_at + 3 * HOUR)


def test_a_resume_from_a_clock_that_is_ahead_takes_effect_when_it_is_read() -> None:
    agenda = agenda_after_drain()
    read_at = local(1, 15, 8)
    command = resume(local(1, 15, 10))
    agenda.commands.append(command)

    # The fee that falls due between the two is not owed.
    assert [End(read_at, Wish.RESUME, command)] == agenda.due(read_at)


#       C   [===                asked before the pause took effect
#           C                   effective with it


def test_a_resume_asked_for_while_pausing_takes_effect_with_the_pause() -> None:
    asked_at = PAUSED_AT - timedelta(minutes=1)
    agenda = Agenda(TIMELINE, commands=[resume(asked_at)])

    assert [End(PAUSED_AT, Wish.RESUME, resume(asked_at))] == agenda.due(PAUSED_AT + SECOND)


#   ---[====$ taken at nine===|==)---
#          C asked             read: effective just after the fee, which stands


@pytest.mark.parametrize("wish", [Wish.RESUME, Wish.CLOSE, Wish.ABORT])
def test_an_end_asked_for_before_a_fee_that_was_taken_comes_just_after_that_fee(
    wish: Wish,
) -> None:
    agenda = agenda_after_drain()
    paid(agenda, JANUARY)
    agenda.commands.append(Command(wish, local(1, 12)))

    end = agenda.due(local(1, 16))[-1]

    assert JANUARY_DUE + MICROSECOND == end.at


def test_a_resume_read_at_the_instant_of_a_fee_just_begun_is_due_at_once_all_the_same() -> None:
    agenda = agenda_after_drain()
    agenda.note_collecting(JANUARY, JANUARY_DUE)
    command = resume(JANUARY_DUE)
    agenda.commands.append(command)

    end = End(JANUARY_DUE + MICROSECOND, Wish.RESUME, command)
    assert [end] == agenda.due(JANUARY_DUE)


def test_an_end_is_never_before_the_last_thing_done() -> None:
    agenda = agenda_after_drain()
    paid(agenda, *list(agenda.charges)[:5])
    reminder = TIMELINE.reminders[0]
    agenda.note_reminded(reminder, reminder.at + 5 * SECOND)
    agenda.commands.append(resume(local(6, 1)))

    end = agenda.due(reminder.at + DAY)[-1]

    assert reminder.at + 5 * SECOND == end.at


#   workers down             $15 Feb    C      $15 Mar     now
#   ---[==========#################################|


def test_after_an_outage_fees_before_the_resume_are_owed_and_those_after_it_are_not() -> None:
    agenda = agenda_after_drain()
    paid(agenda, JANUARY)
    command = resume(local(3, 1))
    agenda.commands.append(command)

    due = agenda.due(local(4, 2))

    assert [Collect(FEBRUARY_DUE, FEBRUARY), End(local(3, 1), Wish.RESUME, command)] == due


def test_what_is_begun_on_the_way_to_an_end_does_not_move_that_end() -> None:
    agenda = agenda_after_drain()
    paid(agenda, JANUARY)
    agenda.commands.append(resume(local(3, 1)))
    now = local(4, 2)

    due = agenda.due(now)
    begin_collects(agenda, due, now)

    assert due[-1:] == agenda.due(now)
    assert due[-1:] == agenda.due(now + SECOND)


@pytest.mark.parametrize(
    ("asked_at", "is_owed"),
    [
        (FEBRUARY_DUE - MICROSECOND, False),
        (FEBRUARY_DUE, False),
        (FEBRUARY_DUE + MICROSECOND, True),
    ],
)
@pytest.mark.parametrize("wish", [Wish.RESUME, Wish.CLOSE])
def test_a_fee_at_the_very_instant_of_the_end_is_not_owed(
    asked_at: datetime, is_owed: bool, wish: Wish
) -> None:
    agenda = agenda_after_drain()
    paid(agenda, JANUARY)
    agenda.commands.append(Command(wish, asked_at, "USR1"))

    due = agenda.due(FEBRUARY_DUE + DAY)
    agenda.note_ended(due[-1].at)

    assert is_owed == (Collect(FEBRUARY_DUE, FEBRUARY) in due)
    expected = ChargeState.SCHEDULED if is_owed else ChargeState.NOT_OWED
    assert expected is agenda.charges[FEBRUARY].state
    assert ChargeState.NOT_OWED is agenda.charges[MARCH].state


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        ([close(local(3, 2)), resume(local(3, 1))], Wish.RESUME),
        ([resume(local(3, 2)), close(local(3, 1))], Wish.CLOSE),
        ([close(local(3, 1)), resume(local(3, 1))], Wish.RESUME),
        # Both before the last thing done, so both at one instant.
        ([close(local(1, 11)), resume(local(1, 12))], Wish.RESUME),
    ],
)
def test_of_two_commands_the_earlier_counts_and_ties_go_to_the_resume(
    commands: list[Command], expected: Wish
) -> None:
    for order in (commands, commands[::-1]):
        agenda = agenda_after_drain()
        paid(agenda, JANUARY, FEBRUARY)
        agenda.commands.extend(order)

        end = agenda.due(local(3, 5))[-1]

        assert isinstance(end, End)
        assert expected is end.wish


def test_a_planned_resume_goes_before_a_close_asked_for_later_or_at_its_instant() -> None:
    for asked_at in (RESUME_AT, RESUME_AT + HOUR):
        agenda = agenda_after_drain()
        paid(agenda, *agenda.charges)
        agenda.commands.append(close(asked_at))

        assert [PLANNED_END] == agenda.due(RESUME_AT + DAY)


# --- R12: reminders ------------------------------------------------------------------------------


def test_each_reminder_is_due_once() -> None:
    agenda = agenda_after_drain()
    paid(agenda, *agenda.charges)
    first, second, _ = TIMELINE.reminders

    assert [Remind(first.at, first)] == agenda.due(first.at)
    agenda.note_reminded(first, first.at + SECOND)
    assert agenda.due(second.at - MICROSECOND) == []
    assert [Remind(second.at, second)] == agenda.due(second.at)


#   workers down   R30     R14    R3      now
#   ---[=======#########################|=====)---


def test_of_several_reminders_missed_only_the_latest_is_sent() -> None:
    agenda = agenda_after_drain()
    paid(agenda, *agenda.charges)
    *_, latest = TIMELINE.reminders
    now = latest.at + HOUR

    due = agenda.due(now)
    agenda.note_reminded(latest, now)

    assert [Remind(latest.at, latest)] == due
    assert [PLANNED_END] == agenda.upcoming()


def test_a_moved_date_arms_only_the_reminders_that_are_still_ahead() -> None:
    agenda = agenda_after_drain()
    paid(agenda, JANUARY, FEBRUARY)
    now = local(3, 1, 12)

    # Thirty days before 25 March is past, fourteen is 11 March.
    agenda.change_timeline(plan_timeline(TERMS, PAUSED_AT, JANUARY, date(2027, 3, 25)), now)

    assert [
        (Remind, local(3, 11, 9)),
        (Collect, MARCH_DUE),
        (Remind, local(3, 22, 9)),
        (End, local(3, 25)),
    ] == [(type(due), due.at) for due in agenda.upcoming()]
    assert agenda.due(now) == []


def test_moving_the_date_away_and_back_sends_no_reminder_twice() -> None:
    agenda = agenda_after_drain()
    paid(agenda, *agenda.charges)
    first, second, _ = TIMELINE.reminders
    agenda.note_reminded(first, first.at)

    elsewhere = plan_timeline(TERMS, PAUSED_AT, JANUARY, date(2027, 7, 1))
    agenda.change_timeline(elsewhere, first.at + HOUR)
    agenda.change_timeline(TIMELINE, first.at + 2 * HOUR)

    assert [Remind(second.at, second)] == agenda.upcoming()[:1]


def test_an_earlier_date_drops_the_fees_after_it_and_a_later_one_brings_them_back() -> None:
    agenda = agenda_after_drain()
    paid(agenda, JANUARY)

    agenda.change_timeline(plan_timeline(TERMS, PAUSED_AT, JANUARY, date(2027, 3, 1)), local(1, 20))
    assert [JANUARY, FEBRUARY] == sorted(agenda.charges)

    agenda.change_timeline(TIMELINE, local(1, 21))
    assert [fee.billing_on for fee in TIMELINE.fees] == sorted(agenda.charges)
    assert ChargeState.PAID is agenda.charges[JANUARY].state


# --- R13: declines -------------------------------------------------------------------------------


def test_a_declined_fee_is_collected_again_on_its_next_rung() -> None:
    agenda = agenda_after_drain()

    first = declined(agenda, JANUARY, JANUARY_DUE, rung_at=local(1, 16, 9))
    second = agenda.note_collecting(JANUARY, local(1, 16, 9))

    assert (1, 0) == (first.attempt, first.attempt_rung)
    assert (2, 1) == (second.attempt, second.attempt_rung)


def test_each_date_climbs_its_own_ladder() -> None:
    agenda = agenda_after_drain()
    declined(agenda, JANUARY, JANUARY_DUE, rung_at=local(2, 20, 9))
    declined(agenda, FEBRUARY, FEBRUARY_DUE, rung_at=local(2, 16, 9))

    due = agenda.due(local(2, 20, 9))

    assert [
        Collect(local(2, 16, 9), FEBRUARY),
        Collect(local(2, 20, 9), JANUARY),
    ] == due
    assert 1 == agenda.note_collecting(FEBRUARY, local(2, 20, 9)).attempt_rung


def test_a_decline_of_the_last_rung_closes_the_account_at_that_instant() -> None:
    agenda = agenda_after_drain()
    at = local(2, 9, 9)

    declined(agenda, JANUARY, at, rung_at=None)

    assert [End(at, Wish.CLOSE)] == agenda.due(at)


def test_an_account_that_was_paid_or_written_off_on_its_last_rung_is_not_closed() -> None:
    for state in (ChargeState.PAID, ChargeState.WRITTEN_OFF):
        agenda = agenda_after_drain()
        answered(agenda, JANUARY, state, local(2, 9, 9))

        assert agenda.due(local(2, 9, 10)) == []
        assert not agenda.is_past_due


@pytest.mark.parametrize("asked_at", [local(2, 9, 9), local(2, 9, 8)])
def test_a_resume_at_the_instant_of_the_ladders_close_or_before_it_counts(
    asked_at: datetime,
) -> None:
    agenda = agenda_after_drain()
    last_at = local(2, 9, 9)
    declined(agenda, JANUARY, last_at, rung_at=None)
    agenda.commands.append(resume(asked_at))

    end = agenda.due(last_at + HOUR)[-1]

    assert isinstance(end, End)
    assert (Wish.RESUME, last_at) == (end.wish, end.at)


def test_a_resume_goes_ahead_while_the_last_attempt_is_running() -> None:
    agenda = agenda_after_drain()
    agenda.note_collecting(JANUARY, local(2, 9, 9))
    asked_at = local(2, 9, 9) + SECOND
    agenda.commands.append(resume(asked_at))

    assert [End(asked_at, Wish.RESUME, resume(asked_at))] == agenda.due(asked_at)


@pytest.mark.parametrize("state", [ChargeState.COLLECTING, ChargeState.UNKNOWN])
def test_no_ladder_closes_while_another_outcome_is_open(state: ChargeState) -> None:
    agenda = agenda_after_drain()
    last_at = FEBRUARY_DUE + HOUR
    agenda.note_collecting(FEBRUARY, FEBRUARY_DUE)
    if state is ChargeState.UNKNOWN:
        look_up_at = last_at + DAY
        agenda.note_answer(FEBRUARY, Answer(state, FEBRUARY_DUE, look_up_at=look_up_at))

    declined(agenda, JANUARY, last_at, rung_at=None)

    assert agenda.due(last_at + HOUR) == []


#   ladder of January ended   fee of March taken   February's answer comes: the close
#   ---[======================X==========$==================|---
#                              (blocked by February, which is unknown)


def test_a_close_that_had_to_wait_takes_effect_after_what_was_taken_meanwhile() -> None:
    agenda = agenda_after_drain()
    answered(agenda, FEBRUARY, ChargeState.UNKNOWN, FEBRUARY_DUE, look_up_at=MARCH_DUE + 2 * HOUR)
    declined(agenda, JANUARY, local(3, 1, 9), rung_at=None)
    paid(agenda, MARCH)
    found_at = MARCH_DUE + 2 * HOUR
    answered(agenda, FEBRUARY, ChargeState.PAID, found_at)

    assert [End(found_at, Wish.CLOSE)] == agenda.due(found_at)


def test_a_ladders_close_waits_for_a_fee_that_fell_due_before_it() -> None:
    agenda = agenda_after_drain()
    now = FEBRUARY_DUE + 5 * SECOND
    agenda.note_collecting(JANUARY, FEBRUARY_DUE - SECOND)
    agenda.note_answer(JANUARY, Answer(ChargeState.DECLINED, now, agenda.charges[JANUARY].rung))

    due = agenda.due(now)
    agenda.note_collecting(FEBRUARY, now)

    assert [Collect(FEBRUARY_DUE, FEBRUARY)] == due
    assert agenda.due(now) == []

    agenda.note_answer(FEBRUARY, Answer(ChargeState.PAID, now + SECOND))
    assert [End(now, Wish.CLOSE)] == agenda.due(now + SECOND)


def test_an_administrators_close_waits_for_nothing() -> None:
    agenda = agenda_after_drain()
    answered(agenda, JANUARY, ChargeState.UNKNOWN, JANUARY_DUE, look_up_at=local(1, 20))
    agenda.note_collecting(FEBRUARY, FEBRUARY_DUE)
    asked_at = FEBRUARY_DUE + SECOND
    agenda.commands.append(close(asked_at))

    assert End(asked_at, Wish.CLOSE, close(asked_at)) == agenda.due(asked_at)[-1]


# --- R13: unknown --------------------------------------------------------------------------------


def test_an_unknown_charge_is_looked_up_under_its_own_attempt_and_rung() -> None:
    agenda = agenda_after_drain()
    declined(agenda, JANUARY, JANUARY_DUE, rung_at=local(1, 16, 9))
    look_up_at = local(1, 16, 9, 5)
    answered(agenda, JANUARY, ChargeState.UNKNOWN, local(1, 16, 9), look_up_at=look_up_at)

    due = agenda.due(look_up_at)
    looked_up = agenda.note_collecting(JANUARY, look_up_at)

    assert [Collect(look_up_at, JANUARY)] == due
    assert (2, 1) == (looked_up.attempt, looked_up.attempt_rung)


def test_an_unknown_answer_neither_starts_nor_moves_a_ladder() -> None:
    agenda = agenda_after_drain()

    answered(agenda, JANUARY, ChargeState.UNKNOWN, JANUARY_DUE, look_up_at=local(1, 15, 10))

    assert not agenda.is_past_due
    assert 0 == agenda.charges[JANUARY].rung
    assert agenda.due(local(1, 15, 9, 59)) == []


def test_the_ladder_starts_when_a_look_up_finds_a_decline() -> None:
    agenda = agenda_after_drain()
    answered(agenda, JANUARY, ChargeState.UNKNOWN, JANUARY_DUE, look_up_at=local(1, 17, 9))

    declined(agenda, JANUARY, local(1, 17, 9), rung_at=local(1, 18, 9))

    assert agenda.is_past_due
    assert [Collect(local(1, 18, 9), JANUARY)] == agenda.due(local(1, 18, 9))
    assert (2, 1) == (agenda.charges[JANUARY].attempt, agenda.charges[JANUARY].rung)


def test_an_attempt_that_is_stuck_waits_for_an_operator_and_closes_nothing() -> None:
    agenda = agenda_after_drain()
    agenda.note_collecting(JANUARY, JANUARY_DUE)

    agenda.note_stuck(JANUARY)
    declined(agenda, FEBRUARY, FEBRUARY_DUE, rung_at=None)

    assert agenda.due(MARCH_DUE - SECOND) == []
    assert MARCH_DUE == agenda.wake_at()


# --- R13: a new card -----------------------------------------------------------------------------


def test_a_new_card_is_tried_at_once_on_every_unpaid_date_and_moves_no_ladder() -> None:
    agenda = agenda_after_drain()
    declined(agenda, JANUARY, JANUARY_DUE, rung_at=local(2, 20, 9))
    declined(agenda, FEBRUARY, FEBRUARY_DUE, rung_at=local(2, 16, 9))
    now = FEBRUARY_DUE + HOUR

    agenda.note_new_card()
    due = agenda.due(now)
    tried = [agenda.note_collecting(day, now) for day in (JANUARY, FEBRUARY)]
    for day in (JANUARY, FEBRUARY):
        agenda.note_answer(day, Answer(ChargeState.DECLINED, now))

    assert [JANUARY, FEBRUARY] == [one.billing_on for one in due if isinstance(one, Collect)]
    assert [None, None] == [charge.attempt_rung for charge in tried]
    assert [3, 3] == [agenda.charges[day].attempt for day in (JANUARY, FEBRUARY)]
    assert local(2, 16, 9) == agenda.wake_at()


def test_a_new_card_tries_nothing_that_is_paid_or_not_due_yet() -> None:
    agenda = agenda_after_drain()
    paid(agenda, JANUARY)

    agenda.note_new_card()

    assert agenda.due(FEBRUARY_DUE - SECOND) == []
    assert FEBRUARY_DUE == agenda.wake_at()


def test_a_new_card_waits_for_an_attempt_that_is_running_and_then_counts() -> None:
    agenda = agenda_after_drain()
    agenda.note_collecting(JANUARY, JANUARY_DUE)

    agenda.note_new_card()
    waiting = agenda.due(JANUARY_DUE + SECOND)
    agenda.note_answer(
        JANUARY,
        Answer(ChargeState.DECLINED, JANUARY_DUE + SECOND, rung=0, rung_at=local(1, 16, 9)),
    )

    assert waiting == []
    assert [Collect(JANUARY_DUE, JANUARY)] == agenda.due(JANUARY_DUE + SECOND)


def test_a_new_card_waits_for_an_unknown_answer_and_is_tried_when_it_turns_out_a_decline() -> None:
    agenda = agenda_after_drain()
    look_up_at = JANUARY_DUE + HOUR
    answered(agenda, JANUARY, ChargeState.UNKNOWN, JANUARY_DUE, look_up_at=look_up_at)

    agenda.note_new_card()
    waiting = agenda.due(look_up_at - SECOND)
    looked_up = declined(agenda, JANUARY, look_up_at, rung_at=local(1, 16, 9))
    due = agenda.due(look_up_at)
    on_the_card = agenda.note_collecting(JANUARY, look_up_at)

    assert waiting == []
    assert [Collect(JANUARY_DUE, JANUARY)] == due
    assert (1, 0) == (looked_up.attempt, looked_up.attempt_rung)
    assert (2, None) == (on_the_card.attempt, on_the_card.attempt_rung)


def test_no_ladder_closes_before_a_new_card_was_tried() -> None:
    agenda = agenda_after_drain()
    at = local(2, 9, 9)
    declined(agenda, JANUARY, at, rung_at=None)

    agenda.note_new_card()
    due = agenda.due(at)
    declined(agenda, JANUARY, at + SECOND, rung_at=None)

    assert [Collect(JANUARY_DUE, JANUARY)] == due
    assert [End(at + SECOND, Wish.CLOSE)] == agenda.due(at + SECOND)


def test_a_card_that_came_while_a_date_was_being_paid_holds_up_no_other_ladder() -> None:
    agenda = agenda_after_drain()
    agenda.note_collecting(JANUARY, JANUARY_DUE)
    agenda.note_new_card()
    agenda.note_answer(JANUARY, Answer(ChargeState.PAID, JANUARY_DUE + SECOND))

    declined(agenda, FEBRUARY, local(3, 12, 9), rung_at=None)

    assert [End(local(3, 12, 9), Wish.CLOSE)] == agenda.due(local(3, 12, 9))


def test_news_from_the_gateway_has_an_unknown_charge_looked_up_at_once() -> None:
    agenda = agenda_after_drain()
    now = JANUARY_DUE + HOUR
    answered(agenda, JANUARY, ChargeState.UNKNOWN, JANUARY_DUE, look_up_at=local(1, 16, 9))

    agenda.note_news(now)

    assert [Collect(now, JANUARY)] == agenda.due(now)
    assert (1, 0) == (agenda.charges[JANUARY].attempt, agenda.charges[JANUARY].attempt_rung)


def test_news_changes_nothing_where_nothing_is_unknown_or_a_look_up_is_due_already() -> None:
    agenda = agenda_after_drain()
    declined(agenda, JANUARY, JANUARY_DUE, rung_at=local(1, 16, 9))
    agenda.note_collecting(FEBRUARY, FEBRUARY_DUE)
    before = dict(agenda.charges)

    agenda.note_news(JANUARY_DUE + HOUR)

    assert before == agenda.charges


# --- R16: after an outage ------------------------------------------------------------------------


def test_after_an_outage_fees_come_first_then_the_drain_then_the_latest_reminder() -> None:
    due = Agenda(TIMELINE).due(local(6, 27))

    assert [Collect] * 6 + [StopRouting, Remind] == [type(one) for one in due]
    assert sorted(one.at for one in due[:6]) == [one.at for one in due[:6]]


def test_a_drain_and_a_reminder_that_an_end_overtook_are_skipped() -> None:
    agenda = Agenda(TIMELINE, commands=[resume(PAUSED_AT + timedelta(minutes=10))])

    due = agenda.due(local(6, 27))

    assert [End] == [type(one) for one in due]


def test_a_planned_resume_overtakes_the_reminders_that_were_missed() -> None:
    due = agenda_after_drain().due(RESUME_AT + DAY)

    assert [Collect] * 6 + [End] == [type(one) for one in due]
    assert PLANNED_END == due[-1]


# --- the end -------------------------------------------------------------------------------------


def test_dates_that_billing_settled_are_past_due_no_more() -> None:
    agenda = agenda_after_drain()
    declined(agenda, JANUARY, JANUARY_DUE, rung_at=local(1, 16, 9))
    was_past_due = agenda.is_past_due

    agenda.note_settled([JANUARY, date(2026, 12, 15)], ChargeState.MOVED)

    assert was_past_due
    assert not agenda.is_past_due
    assert ChargeState.MOVED is agenda.charges[JANUARY].state


def test_an_attempt_that_is_still_running_at_the_end_gets_its_own_answer() -> None:
    agenda = agenda_after_drain()
    agenda.note_collecting(JANUARY, JANUARY_DUE)

    agenda.note_ended(JANUARY_DUE + SECOND)
    agenda.note_settled([JANUARY], ChargeState.MOVED)

    assert ChargeState.COLLECTING is agenda.charges[JANUARY].state
    agenda.note_answer(JANUARY, Answer(ChargeState.PAID, JANUARY_DUE + 2 * SECOND))
    assert ChargeState.PAID is agenda.charges[JANUARY].state
