"""The states of things, and which may follow which."""

from enum import StrEnum

from domain.errors import InvariantViolated


class PauseState(StrEnum):
    """Where a pause stands. `resumed`, `closed` and `refused` are final."""

    PAUSING = "pausing"
    PAUSED = "paused"
    RESUMING = "resuming"
    RESUMED = "resumed"
    CLOSING = "closing"
    CLOSED = "closed"
    REFUSED = "refused"

    @property
    def is_final(self) -> bool:
        """Whether nothing more can happen to the pause."""
        return not PAUSE_TRANSITIONS[self]


# An operator's cancel while pausing goes by `resuming`: what was done is restored.
PAUSE_TRANSITIONS: dict[PauseState, frozenset[PauseState]] = {
    PauseState.PAUSING: frozenset({PauseState.PAUSED, PauseState.REFUSED, PauseState.RESUMING}),
    PauseState.PAUSED: frozenset({PauseState.RESUMING, PauseState.CLOSING}),
    PauseState.RESUMING: frozenset({PauseState.RESUMED}),
    PauseState.CLOSING: frozenset({PauseState.CLOSED}),
    PauseState.RESUMED: frozenset(),
    PauseState.CLOSED: frozenset(),
    PauseState.REFUSED: frozenset(),
}


def moved(current: PauseState, to: PauseState) -> PauseState:
    """`to`, if a pause may go there from `current`; staying where it is counts as a repeat.

    Raises:
        InvariantViolated: when the table above has no such transition.
    """
    if to is not current and to not in PAUSE_TRANSITIONS[current]:
        raise InvariantViolated(f"a pause cannot go from {current} to {to}")
    return to


class AccountStatus(StrEnum):
    """Whether an account works, rests or is gone."""

    ACTIVE = "active"
    PAUSED = "paused"
    CLOSED = "closed"


class ActKind(StrEnum):
    """The two long-running things that can be done to an account; one at a time (S1)."""

    PAUSE = "pause"
    CLOSE = "close"


class Role(StrEnum):
    """What a user may do on an account; only `admin` may pause (R1)."""

    ADMIN = "admin"
    MANAGER = "manager"
    REPORTING = "reporting"


class TrackerType(StrEnum):
    """`source`: one number for one source. `session`: a pool, one number per visitor."""

    SOURCE = "source"
    SESSION = "session"


class NumberState(StrEnum):
    """`active`: routed. `retained`: kept, callers hear the intercept. `released`: gone for good."""

    ACTIVE = "active"
    RETAINED = "retained"
    RELEASED = "released"


class ChargeState(StrEnum):
    """Where the fee of one billing date stands.

    `unknown` means money may have moved and nobody can tell yet; it is looked up until known.
    `not_owed`, `paid`, `moved` (to the plan's next invoice) and `written_off` are final.
    """

    SCHEDULED = "scheduled"
    COLLECTING = "collecting"
    PAID = "paid"
    DECLINED = "declined"
    UNKNOWN = "unknown"
    NOT_OWED = "not_owed"
    MOVED = "moved"
    WRITTEN_OFF = "written_off"


class LadderEnd(StrEnum):
    """What the last step of an unpaid date's ladder does (R13)."""

    CLOSE = "close"
    KEEP = "keep"
