"""Whatever arrives, however late, in whatever order: what must hold at the end of every pause.

Hypothesis invents the worlds; `simulation.World` walks them and checks at every turn that waking
and being due agree.

       $    $ decline   new card   resume asked    read
    ---[====$====$-----------*-------########|#####====)---
                                   workers down
"""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.agenda import Command, End, Wish
from domain.calendar import local_date
from domain.states import ChargeState
from domain.terms import Offer
from domain.timeline import Timeline, plan_timeline
from tests.domain.simulation import AN_INSTANT, Arrival, Attempt, NewCard, NewDate, Outcome, World

ZONE = "America/New_York"
TERMS = Offer().for_account(ZONE, 15)
PAUSED_AT = datetime(2027, 1, 10, 19, tzinfo=UTC)
PLANNED = plan_timeline(TERMS, PAUSED_AT, date(2027, 1, 15))
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
RUNG_GAPS = (1, 4, 5, 5, 10)

# --- worlds --------------------------------------------------------------------------------------

near_an_event = st.builds(
    lambda at, off: at + off,
    st.sampled_from([*(fee.due_at for fee in PLANNED.fees), *(r.at for r in PLANNED.reminders)]),
    st.sampled_from([-DAY, -MINUTE, -AN_INSTANT, timedelta(0), AN_INSTANT, 20 * MINUTE, 7 * DAY]),
)
any_time = st.integers(0, 200 * 24 * 60).map(lambda minutes: PAUSED_AT + MINUTE * minutes)
moments = st.one_of(near_an_event, any_time).filter(lambda at: at >= PAUSED_AT)

# Asked for before it is read, at once, or by a clock that is ahead.
lags = st.sampled_from([timedelta(0), MINUTE, 3 * DAY, 40 * DAY, -20 * MINUTE])
commands = st.builds(
    lambda at, lag, wish, who: Arrival(at, Command(wish, at - lag, who)),
    moments,
    lags,
    st.sampled_from(Wish),
    st.sampled_from(["USR1", "USR2", None]),
)
new_cards = st.builds(lambda at: Arrival(at, NewCard()), moments)
new_dates = st.builds(
    lambda at, days: Arrival(at, NewDate(PAUSED_AT.date() + DAY * days if days else None)),
    moments,
    st.integers(0, 190),
)
outages = st.lists(
    st.builds(
        lambda at, days: (at, at + DAY * days), moments, st.sampled_from([0.01, 1, 12, 45, 300])
    ),
    max_size=2,
)
outcomes: st.SearchStrategy[list[Outcome]] = st.lists(
    st.tuples(
        st.sampled_from(
            [ChargeState.PAID, ChargeState.DECLINED, ChargeState.DECLINED, ChargeState.UNKNOWN]
        ),
        st.sampled_from([timedelta(seconds=2), 20 * MINUTE, 2 * DAY]),
    ),
    max_size=40,
)
arrivals = st.lists(st.one_of(new_cards, new_dates), max_size=4)


def world(
    answers: list[Outcome],
    arrived: list[Arrival],
    down: list[tuple[datetime, datetime]] | None = None,
) -> World:
    return World(TERMS, PLANNED, outcomes=answers, arrivals=arrived, outages=down or [])


def fees_of(timeline: Timeline) -> dict[date, datetime]:
    return {fee.billing_on: fee.due_at for fee in timeline.fees}


# --- fees (M3, R7, R10, R16) ---------------------------------------------------------------------


@given(outcomes, arrivals, st.lists(commands, max_size=2), outages)
def test_exactly_the_fees_due_inside_the_pause_are_begun(
    answers: list[Outcome],
    arrived: list[Arrival],
    asked: list[Arrival],
    down: list[tuple[datetime, datetime]],
) -> None:
    pause = world(answers, [*arrived, *asked], down)

    end = pause.run()

    inside = [day for day, due_at in fees_of(PLANNED).items() if PAUSED_AT <= due_at < end.at]
    assert inside == sorted(pause.collected_on)
    left = {day: charge for day, charge in pause.agenda.charges.items() if day not in inside}
    assert {charge.state for charge in left.values()} <= {ChargeState.NOT_OWED}


@given(outcomes, arrivals, st.lists(commands, max_size=2), outages)
def test_an_attempt_follows_a_definite_decline_and_a_look_up_repeats_the_one_in_doubt(
    answers: list[Outcome],
    arrived: list[Arrival],
    asked: list[Arrival],
    down: list[tuple[datetime, datetime]],
) -> None:
    pause = world(answers, [*arrived, *asked], down)

    pause.run()

    for day in pause.collected_on:
        attempts = [one for one in pause.attempts if one.charge.billing_on == day]
        said = [(at, state) for at, of, state in pause.answers if of == day]
        for number, attempt in enumerate(attempts):
            states = [state for _, state in said[:number]]
            assert attempt.charge.attempt == 1 + states.count(ChargeState.DECLINED)
            assert attempt.is_look_up == (states[-1:] == [ChargeState.UNKNOWN])
            assert ChargeState.PAID not in states
            assert number == 0 or said[number - 1][0] <= attempt.at


# --- when it ends (R10, R11) ---------------------------------------------------------------------


@given(outcomes, arrivals, st.lists(commands, min_size=1, max_size=3), outages)
def test_an_end_takes_effect_when_asked_for_but_not_before_the_last_thing_done_nor_after_now(
    answers: list[Outcome],
    arrived: list[Arrival],
    asked: list[Arrival],
    down: list[tuple[datetime, datetime]],
) -> None:
    pause = world(answers, [*arrived, *asked], down)

    end = pause.run()

    assert pause.ended_at is not None
    assert PAUSED_AT <= end.at <= pause.ended_at + AN_INSTANT
    if end.command is not None or end.wish is Wish.RESUME:
        assert pause.expected_end_at == end.at


@given(outcomes, arrivals, st.lists(commands, max_size=2))
def test_without_an_outage_a_pause_is_over_at_its_planned_resume_at_the_latest(
    answers: list[Outcome], arrived: list[Arrival], asked: list[Arrival]
) -> None:
    pause = world(answers, [*arrived, *asked])

    end = pause.run()

    assert pause.ended_at is not None
    assert pause.ended_at <= pause.agenda.timeline.resume_at <= PLANNED.resume_at
    if end.command is None and end.wish is Wish.RESUME:
        assert end.at == pause.ended_at == pause.agenda.timeline.resume_at


@given(outcomes, arrivals, outages)
def test_a_planned_resume_takes_effect_at_its_instant_however_late_it_is_noticed(
    answers: list[Outcome], arrived: list[Arrival], down: list[tuple[datetime, datetime]]
) -> None:
    pause = world(answers, arrived, down)

    end = pause.run()

    assert end.wish is Wish.CLOSE or end == End(pause.agenda.timeline.resume_at, Wish.RESUME)


@given(outcomes, st.lists(st.one_of(commands, new_cards), max_size=5), outages)
def test_it_does_not_matter_in_which_order_things_woke(
    answers: list[Outcome], arrived: list[Arrival], down: list[tuple[datetime, datetime]]
) -> None:
    forwards = world(answers, arrived, down)
    backwards = replace(world(answers, arrived, down), deliver_in=lambda got: got[::-1])

    ends = forwards.run(), backwards.run()

    assert ends[0] == ends[1]
    assert forwards.attempts == backwards.attempts
    assert forwards.reminders == backwards.reminders


# --- reminders and drain (R12, R16) --------------------------------------------------------------


@given(outcomes, arrivals, st.lists(commands, max_size=1), outages)
def test_each_reminder_is_sent_once_at_most_for_the_date_planned_then_and_before_the_end(
    answers: list[Outcome],
    arrived: list[Arrival],
    asked: list[Arrival],
    down: list[tuple[datetime, datetime]],
) -> None:
    pause = world(answers, [*arrived, *asked], down)

    end = pause.run()

    rungs = [(reminder.resume_on, reminder.days_before) for _, reminder in pause.reminders]
    assert len(rungs) == len(set(rungs))
    assert all(at >= reminder.at for at, reminder in pause.reminders)
    # Sent late it may be, but never once the end has come.
    assert all(at <= end.at for at, _ in pause.reminders)


@given(outcomes, st.lists(new_cards, max_size=3))
def test_without_outage_or_change_every_reminder_and_the_drain_come_at_their_instants(
    answers: list[Outcome], arrived: list[Arrival]
) -> None:
    pause = world(answers, arrived)

    end = pause.run()

    expected = [(reminder.at, reminder) for reminder in PLANNED.reminders if reminder.at < end.at]
    assert expected == pause.reminders
    assert PLANNED.stop_routing_at == pause.routing_stopped_at


# --- ladders (R13, N2) ---------------------------------------------------------------------------


@given(outcomes, arrivals, st.lists(commands, max_size=1), outages)
def test_every_ladder_is_climbed_rung_by_rung_with_the_days_of_the_terms_in_between(
    answers: list[Outcome],
    arrived: list[Arrival],
    asked: list[Arrival],
    down: list[tuple[datetime, datetime]],
) -> None:
    pause = world(answers, [*arrived, *asked], down)

    pause.run()

    for taken in rungs_taken(pause).values():
        assert list(range(len(taken))) == [attempt.charge.attempt_rung for attempt in taken]
        for (before, after), days in zip(pairwise(taken), RUNG_GAPS, strict=False):
            assert local_date(after.at, ZONE) - local_date(before.at, ZONE) >= DAY * days


def rungs_taken(pause: World) -> dict[date, list[Attempt]]:
    """For each date the first call of each rung's attempt."""
    taken = defaultdict(list)
    for attempt in pause.attempts:
        if attempt.charge.attempt_rung is not None and not attempt.is_look_up:
            taken[attempt.charge.billing_on].append(attempt)
    return taken


@given(outcomes, st.lists(new_cards, max_size=3), outages)
def test_a_ladder_closes_only_after_its_last_rung_and_with_every_outcome_known(
    answers: list[Outcome], arrived: list[Arrival], down: list[tuple[datetime, datetime]]
) -> None:
    pause = world(answers, arrived, down)

    end = pause.run()

    if end.wish is not Wish.CLOSE:
        return
    charges = pause.agenda.charges.values()
    assert not {ChargeState.UNKNOWN, ChargeState.COLLECTING} & {one.state for one in charges}
    finished = [day for day, taken in rungs_taken(pause).items() if len(taken) == 6]
    assert any(pause.agenda.charges[day].state is ChargeState.DECLINED for day in finished)


@given(st.lists(new_cards, max_size=3), outages)
@settings(max_examples=50)
def test_a_card_that_is_always_declined_closes_the_account_on_the_ladder_if_there_is_time(
    arrived: list[Arrival], down: list[tuple[datetime, datetime]]
) -> None:
    always = [(ChargeState.DECLINED, timedelta(seconds=2))] * 400

    pause = world(always, arrived, down)
    end = pause.run()

    taken = rungs_taken(pause)[PLANNED.fees[0].billing_on]
    if end.wish is Wish.RESUME:
        assert down, "with workers up the first ladder ends long before the planned resume"
        return
    assert local_date(end.at, ZONE) - local_date(taken[0].at, ZONE) >= 25 * DAY
    assert end.at >= taken[5].at


@given(arrivals, outages)
@settings(max_examples=10)  # each walks through a thousand look-ups
def test_answers_that_never_come_close_nothing_and_hold_up_no_resume(
    arrived: list[Arrival], down: list[tuple[datetime, datetime]]
) -> None:
    never = [(ChargeState.UNKNOWN, timedelta(seconds=30))] * 2000

    pause = world(never, arrived, down)
    end = pause.run()

    assert End(pause.agenda.timeline.resume_at, Wish.RESUME) == end
    assert not pause.agenda.is_past_due
    assert {attempt.charge.attempt for attempt in pause.attempts} <= {1}
    assert {attempt.charge.attempt_rung for attempt in pause.attempts} <= {0}


# --- a control -----------------------------------------------------------------------------------


def test_the_worlds_do_hold_declines_closes_and_reminders() -> None:
    """Without these the properties above would hold for want of anything to break them."""
    always = [(ChargeState.DECLINED, timedelta(seconds=2))] * 400

    quiet, declining = world([], []), world(always, [])
    ends = quiet.run(), declining.run()

    assert [Wish.RESUME, Wish.CLOSE] == [end.wish for end in ends]
    assert (6, 3) == (len(quiet.attempts), len(quiet.reminders))
    assert 6 == len(rungs_taken(declining)[PLANNED.fees[0].billing_on])
