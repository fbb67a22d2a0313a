"""A small world in which an agenda is walked as the workflow walks it, with a clock of its own.

Things arrive (commands, cards, dates), attempts are answered after a while, workers are down for a
while. Whatever arrived by the time workers look is delivered first, then the agenda is asked.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from domain.agenda import Agenda, Answer, Charge, Collect, Command, End, Remind, StopRouting, Wish
from domain.calendar import local_date
from domain.ladder import next_look_up_at, next_rung_at
from domain.states import ChargeState
from domain.terms import Terms
from domain.timeline import Reminder, Timeline, plan_timeline

# More turns than any six months need; a world that takes more is walking in circles.
MANY_TURNS = 3000
AN_INSTANT = timedelta(microseconds=1)

Outcome = tuple[ChargeState, timedelta]


@dataclass(frozen=True)
class NewCard:
    """The administrator enters another card."""


@dataclass(frozen=True)
class NewDate:
    """The administrator asks for another resume date, None for the latest one."""

    resume_on: date | None


@dataclass(frozen=True)
class Arrival:
    """What reaches the workflow's queue at the instant `at`."""

    at: datetime
    what: Command | NewCard | NewDate


@dataclass(frozen=True)
class Attempt:
    """One call of the step that collects."""

    at: datetime
    charge: Charge
    is_look_up: bool


@dataclass
class World:
    """Runs one pause to its end and keeps a record of what was done when."""

    terms: Terms
    timeline: Timeline
    outcomes: Iterable[Outcome] = ()
    arrivals: Iterable[Arrival] = ()
    outages: Iterable[tuple[datetime, datetime]] = ()
    deliver_in: Callable[[list[Arrival]], list[Arrival]] = list

    attempts: list[Attempt] = field(default_factory=list)
    answers: list[tuple[datetime, date, ChargeState]] = field(default_factory=list)
    reminders: list[tuple[datetime, Reminder]] = field(default_factory=list)
    routing_stopped_at: datetime | None = None
    ended_at: datetime | None = None
    expected_end_at: datetime | None = None

    def __post_init__(self) -> None:
        """Set the clock to the pause's begin."""
        self.agenda = Agenda(self.timeline)
        self.now = self.timeline.paused_at
        self._last_done = self.timeline.paused_at
        self._waiting = sorted(self.arrivals, key=lambda arrival: arrival.at)
        self._running: list[tuple[datetime, date, Answer]] = []
        self._outcomes: Iterator[Outcome] = iter(self.outcomes)
        self._doubts: dict[date, datetime] = {}

    def run(self) -> End:
        """Walk until the end; the fees that it leaves are settled as `not_owed`."""
        for _ in range(MANY_TURNS):
            self._deliver()
            end = self._do_what_is_due()
            if end is not None:
                self.agenda.note_ended(end.at)
                return end
            self._advance()
        raise AssertionError(f"no end in sight at {self.now}")

    @property
    def collected_on(self) -> list[date]:
        """The billing dates that an attempt was begun for, in that order."""
        return list(dict.fromkeys(attempt.charge.billing_on for attempt in self.attempts))

    def _deliver(self) -> None:
        arrived = [arrival for arrival in self._waiting if arrival.at <= self.now]
        self._waiting = [arrival for arrival in self._waiting if arrival.at > self.now]
        for arrival in self.deliver_in(arrived):
            self._take_in(arrival)
        for at, billing_on, answer in sorted(self._running, key=lambda answer: answer[:2]):
            if at <= self.now:
                self.agenda.note_answer(billing_on, answer)
                self.answers.append((at, billing_on, answer.state))
        self._running = [running for running in self._running if running[0] > self.now]

    def _take_in(self, arrival: Arrival) -> None:
        match arrival.what:
            case Command() as command:
                self.agenda.commands.append(command)
            case NewCard():
                self.agenda.note_new_card()
            case NewDate(resume_on=resume_on):
                self._change_date(resume_on)

    def _change_date(self, resume_on: date | None) -> None:
        planned = plan_timeline(
            self.terms, self.timeline.paused_at, self.timeline.first_billing_on, resume_on
        )
        is_ahead = planned.resume_on > local_date(self.now, self.terms.time_zone)
        is_over = any(isinstance(due, End) for due in self.agenda.due(self.now))
        if is_ahead and not is_over:
            self.agenda.change_timeline(planned, self.now)

    def _do_what_is_due(self) -> End | None:
        last_done = self._last_done
        all_due = self.agenda.due(self.now)
        for due in all_due:
            match due:
                case Collect():
                    self._collect(due)
                case StopRouting():
                    self.agenda.note_routing_stopped(self.now)
                    self.routing_stopped_at = self.now
                    self._last_done = self.now
                case Remind(reminder=reminder):
                    self.agenda.note_reminded(reminder, self.now)
                    self.reminders.append((self.now, reminder))
                    self._last_done = self.now
                case End():
                    assert due is all_due[-1]
                    assert due in self.agenda.due(self.now), "asked again, it ends differently"
                    self.ended_at = self.now
                    self.expected_end_at = self._expected_end_at(last_done)
                    return due
        wake_at = self.agenda.wake_at()
        still_due = self.agenda.due(self.now)
        assert still_due == [], f"all was done and there is more: {still_due}"
        assert wake_at > self.now
        return None

    def _expected_end_at(self, last_done: datetime) -> datetime:
        """R10 and R11 for ends that were asked for or planned; a ladder's close is not foreseen."""
        asked = [max(min(command.at, self.now), last_done) for command in self.agenda.commands]
        return min([*asked, self.agenda.timeline.resume_at])

    def _collect(self, due: Collect) -> None:
        before = self.agenda.charges[due.billing_on]
        assert before.state is not ChargeState.COLLECTING
        begun = self.agenda.note_collecting(due.billing_on, self.now)
        is_look_up = before.state is ChargeState.UNKNOWN
        self.attempts.append(Attempt(self.now, begun, is_look_up))
        self._last_done = max(self._last_done, self.now, begun.due_at + AN_INSTANT)
        state, after = next(self._outcomes, (ChargeState.PAID, timedelta(seconds=1)))
        answered_at = self.now + after
        self._running.append((answered_at, due.billing_on, self._answer(begun, state, answered_at)))

    def _answer(self, charge: Charge, state: ChargeState, at: datetime) -> Answer:
        if state is ChargeState.UNKNOWN:
            doubted_at = self._doubts.setdefault(charge.billing_on, at)
            return Answer(state, at, look_up_at=next_look_up_at(doubted_at, at))
        self._doubts.pop(charge.billing_on, None)
        if state is ChargeState.DECLINED and charge.attempt_rung is not None:
            rung_at = next_rung_at(self.terms, charge.attempt_rung, at)
            return Answer(state, at, rung=charge.attempt_rung, rung_at=rung_at)
        return Answer(state, at)

    def _advance(self) -> None:
        wake_at = self.agenda.wake_at()
        assert self.agenda.due(wake_at) != [], "woken for nothing"
        assert self.agenda.due(wake_at - AN_INSTANT) == [], "woken too late"
        instants = [wake_at, *(arrival.at for arrival in self._waiting)]
        self.now = min([*instants, *(at for at, _, _ in self._running)])
        for first, last in sorted(self.outages):
            if first <= self.now < last:
                self.now = last


def resume_at(asked_at: datetime, read_at: datetime | None = None) -> Arrival:
    """A resume asked for at one instant, in the queue at the same or another one."""
    return Arrival(read_at or asked_at, Command(Wish.RESUME, asked_at, "USR1"))


def close_at(asked_at: datetime, read_at: datetime | None = None) -> Arrival:
    """A close, likewise."""
    return Arrival(read_at or asked_at, Command(Wish.CLOSE, asked_at, "USR1"))
