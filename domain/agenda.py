"""What is due next, and when: the core that the workflow asks before every step it takes.

Given the timeline, the ladders and what has happened, `Agenda.due` names what has to be done by a
moment and `Agenda.wake_at` names the next moment at which there is something. Both are pure: they
read nothing but their arguments, so the workflow replays them exactly.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from domain.states import ChargeState
from domain.timeline import Reminder, Timeline

# A fee begun at its due instant lies inside the pause, so a resume comes just after it (M3).
JUST_AFTER = timedelta(microseconds=1)


@dataclass(frozen=True)
class Charge:
    """The fee of one billing date and where it stands.

    `rung` is the ladder's rung that comes next (0: the first attempt) and `rung_at` its instant,
    None once there is none. `attempt` counts attempts from 1; an unknown one is looked up under its
    own number at `look_up_at`, and only a definite decline makes room for the next.
    `attempt_rung` is the rung that the running attempt takes, None for one on a new card.
    """

    billing_on: date
    due_at: datetime
    rung_at: datetime | None
    state: ChargeState = ChargeState.SCHEDULED
    rung: int = 0
    attempt: int = 1
    attempt_rung: int | None = 0
    look_up_at: datetime | None = None
    has_new_card: bool = False
    ladder_ended_at: datetime | None = None
    decline_code: str | None = None


@dataclass(frozen=True)
class Answer:
    """What an attempt to collect came to, as of the instant `at`.

    `rung` is the rung whose decline this is, None when it moves no ladder: an attempt on a new
    card, or one that was not declined. `rung_at` is the ladder's next instant, None after its last
    rung.
    `look_up_at` is set while the outcome is unknown, `decline_code` when it was declined.
    """

    state: ChargeState
    at: datetime
    rung: int | None = None
    rung_at: datetime | None = None
    look_up_at: datetime | None = None
    decline_code: str | None = None


class Wish(StrEnum):
    """What somebody asked for that ends the pause. `abort` is an operator's cancel."""

    RESUME = "resume"
    CLOSE = "close"
    ABORT = "abort"


@dataclass(frozen=True)
class Command:
    """A wish, the instant it was asked for, and by whom (None: an operator)."""

    wish: Wish
    at: datetime
    requested_by: str | None = None


@dataclass(frozen=True)
class Collect:
    """Collect, or look up, the fee of `billing_on`."""

    at: datetime
    billing_on: date


@dataclass(frozen=True)
class StopRouting:
    """The drain is over: retained numbers answer with the intercept from now on."""

    at: datetime


@dataclass(frozen=True)
class Remind:
    """Tell the administrators that the planned resume is near."""

    at: datetime
    reminder: Reminder


@dataclass(frozen=True)
class End:
    """The pause ends as of `at`: by a command, else as planned or (a close) by a ladder."""

    at: datetime
    wish: Wish
    command: Command | None = None


Due = Collect | StopRouting | Remind | End


@dataclass
class Agenda:
    """The state of a pause in effect. Methods that begin with `note` record what has happened."""

    timeline: Timeline
    charges: dict[date, Charge] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)
    is_routing_stopped: bool = False
    reminded_until: datetime | None = None
    done_until: datetime | None = None

    def __post_init__(self) -> None:
        """Schedule the timeline's fees."""
        self._schedule_fees()

    def due(self, now: datetime) -> list[Due]:
        """What has to be done at `now`, in the order in which to begin it.

        An end takes effect at its own instant: fees due before it are still begun, first; a drain
        or reminder that it overtook is skipped, and so is a fee at or after it (R10, R16). A
        command is due as soon as it is read; a ladder's close waits for the fees due before it,
        whose outcome it must know (N2). Of several reminders missed only the latest is left (R12).
        """
        end = self._first_end(now)
        if end.at <= now or end.command is not None:
            overdue = [due for due in self._collects() if due.at < end.at]
            is_ladders = end.wish is Wish.CLOSE and end.command is None
            return [*overdue] if is_ladders and overdue else [*overdue, end]
        collects = [due for due in self._collects() if due.at <= now]
        drain = [due for due in self._drain() if due.at <= now]
        reminders = [due for due in self._reminders() if due.at <= now]
        return [*collects, *drain, *reminders[-1:]]

    def upcoming(self) -> list[Due]:
        """All that is planned as things stand, in the order of its instants; last the end."""
        end = self._first_end()
        planned: list[Due] = [*self._collects(), *self._drain(), *self._reminders()]
        before = [due for due in planned if due.at < end.at]
        return [*sorted(before, key=lambda due: due.at), end]

    def wake_at(self) -> datetime:
        """The next instant at which `due` names something, however long ago it was."""
        return self.upcoming()[0].at

    @property
    def is_past_due(self) -> bool:
        """Whether a date has been declined and is still unpaid."""
        return any(
            charge.state is ChargeState.DECLINED or (charge.rung > 0 and not _is_final(charge))
            for charge in self.charges.values()
        )

    def change_timeline(self, timeline: Timeline, now: datetime) -> None:
        """Follow another resume date from `now` on; only reminders still ahead are armed (R12)."""
        self.timeline = timeline
        self.reminded_until = now
        kept = {fee.billing_on for fee in timeline.fees}
        self.charges = {
            billing_on: charge
            for billing_on, charge in self.charges.items()
            if billing_on in kept or charge.state is not ChargeState.SCHEDULED
        }
        self._schedule_fees()

    def note_collecting(self, billing_on: date, now: datetime) -> Charge:
        """The attempt that collects `billing_on` now; it is due no more until it is answered."""
        charge = self.charges[billing_on]
        is_look_up = charge.state is ChargeState.UNKNOWN
        by_ladder = charge.rung_at is not None and charge.rung_at <= now
        begun = replace(
            charge,
            state=ChargeState.COLLECTING,
            look_up_at=None,
            has_new_card=charge.has_new_card and is_look_up,
            attempt_rung=charge.attempt_rung
            if is_look_up
            else (charge.rung if by_ladder else None),
        )
        self.charges[billing_on] = begun
        # What is begun on the way to an end that was asked for leaves that end where it is (R10).
        inside = charge.due_at + JUST_AFTER
        self._note_done(inside if self.commands else max(now, inside))
        return begun

    def note_answer(self, billing_on: date, answer: Answer) -> None:
        """Record what the running attempt of `billing_on` came to."""
        charge = replace(
            self.charges[billing_on],
            state=answer.state,
            look_up_at=answer.look_up_at,
            decline_code=answer.decline_code,
        )
        if answer.state is ChargeState.DECLINED:
            charge = _declined(charge, answer)
        self.charges[billing_on] = charge

    def note_stuck(self, billing_on: date) -> None:
        """The running attempt gave no answer at all and waits for an operator."""
        self.charges[billing_on] = replace(
            self.charges[billing_on], state=ChargeState.UNKNOWN, look_up_at=None
        )

    def note_settled(self, billing_on: list[date], state: ChargeState) -> None:
        """Billing has moved or written off these dates at the end of the pause."""
        for day in billing_on:
            if day in self.charges and self.charges[day].state is not ChargeState.COLLECTING:
                self.charges[day] = replace(self.charges[day], state=state, look_up_at=None)

    def note_new_card(self) -> None:
        """A new card is on file: every unpaid date is tried at once (R13).

        A date whose attempt is running or unknown is tried when that has turned out a decline.
        """
        for billing_on, charge in self.charges.items():
            if not _is_final(charge) and charge.state is not ChargeState.SCHEDULED:
                self.charges[billing_on] = replace(charge, has_new_card=True)

    def note_news(self, now: datetime) -> None:
        """The gateway has news of a payment: what is unknown is looked up at `now`."""
        for billing_on, charge in self.charges.items():
            if charge.look_up_at is not None and charge.look_up_at > now:
                self.charges[billing_on] = replace(charge, look_up_at=now)

    def note_routing_stopped(self, now: datetime) -> None:
        """The drain's step has been begun."""
        self.is_routing_stopped = True
        self._note_done(now)

    def note_reminded(self, reminder: Reminder, now: datetime) -> None:
        """The reminder, and any earlier one that was missed, is out of the way."""
        self.reminded_until = reminder.at
        self._note_done(now)

    def note_ended(self, at: datetime) -> None:
        """The pause ended as of `at`: dates not due before then are not owed (R10)."""
        for billing_on, charge in self.charges.items():
            if charge.state is ChargeState.SCHEDULED and charge.due_at >= at:
                self.charges[billing_on] = replace(charge, state=ChargeState.NOT_OWED)

    def _note_done(self, at: datetime) -> None:
        self.done_until = max(at, self.done_until or at)

    def _schedule_fees(self) -> None:
        for fee in self.timeline.fees:
            self.charges.setdefault(
                fee.billing_on, Charge(fee.billing_on, fee.due_at, rung_at=fee.due_at)
            )

    def _collects(self) -> list[Collect]:
        dated = ((_collect_at(charge), charge.billing_on) for charge in self.charges.values())
        return sorted(
            (Collect(at, billing_on) for at, billing_on in dated if at is not None),
            key=lambda due: (due.at, due.billing_on),
        )

    def _drain(self) -> list[StopRouting]:
        return [] if self.is_routing_stopped else [StopRouting(self.timeline.stop_routing_at)]

    def _reminders(self) -> list[Remind]:
        since = self.reminded_until
        return [
            Remind(reminder.at, reminder)
            for reminder in self.timeline.reminders
            if since is None or reminder.at > since
        ]

    def _first_end(self, now: datetime | None = None) -> End:
        ends = [*self._commanded_ends(now), *self._ladder_ends()]
        ends.append(End(self.timeline.resume_at, Wish.RESUME))
        return min(ends, key=_precedence)

    def _commanded_ends(self, now: datetime | None) -> list[End]:
        # A sender's clock may be ahead of ours: nothing ends later than it is read.
        return [
            End(max(min(command.at, now or command.at), self._floor), command.wish, command)
            for command in self.commands
        ]

    def _ladder_ends(self) -> list[End]:
        charges = [charge for charge in self.charges.values() if not _is_final(charge)]
        if any(charge.state in UNDECIDED or charge.has_new_card for charge in charges):
            return []
        return [
            End(max(charge.ladder_ended_at, self._floor), Wish.CLOSE)
            for charge in charges
            if charge.state is ChargeState.DECLINED and charge.ladder_ended_at is not None
        ]

    @property
    def _floor(self) -> datetime:
        # No end lies before the last thing done: what was taken stands (R10).
        return self.done_until or self.timeline.paused_at


# While one of these stands, or a new card is still to be tried, no ladder closes the account (N2).
UNDECIDED = frozenset({ChargeState.COLLECTING, ChargeState.UNKNOWN})
FINAL = frozenset(
    {ChargeState.PAID, ChargeState.NOT_OWED, ChargeState.MOVED, ChargeState.WRITTEN_OFF}
)


def _precedence(end: End) -> tuple[datetime, bool, bool, bool, datetime, str]:
    # At one instant a resume goes before a close and a command before the plan; the rest only makes
    # sure that the order in which things arrived plays no part.
    asked_at, who = (
        (end.command.at, end.command.requested_by or "") if end.command else (end.at, "")
    )
    is_plan = end.command is None
    return end.at, end.wish is Wish.CLOSE, is_plan, end.wish is Wish.ABORT, asked_at, who


def _is_final(charge: Charge) -> bool:
    return charge.state in FINAL


def _collect_at(charge: Charge) -> datetime | None:
    match charge.state:
        case ChargeState.SCHEDULED:
            return charge.due_at
        case ChargeState.DECLINED if charge.has_new_card:
            # "At once": as long ago as anything on the agenda can be.
            return charge.due_at
        case ChargeState.DECLINED:
            return charge.rung_at
        case ChargeState.UNKNOWN:
            return charge.look_up_at
        case _:
            return None


def _declined(charge: Charge, answer: Answer) -> Charge:
    charge = replace(charge, attempt=charge.attempt + 1)
    if answer.rung is None:
        return charge
    return replace(
        charge,
        rung=answer.rung + 1,
        rung_at=answer.rung_at,
        ladder_ended_at=answer.at if answer.rung_at is None else None,
    )
