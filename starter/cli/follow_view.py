"""What people see of a pause that is followed: what has changed, in words."""

from collections.abc import Iterator

from domain.declines import explained
from domain.messages import ChargeStatus, Status
from domain.states import ChargeState
from starter.cli.views import day, moment
from starter.following import Sighting
from workflows.page import NEXT_EVENTS

# What lies ahead is in the next event; what it came to is a change.
AHEAD = frozenset({ChargeState.SCHEDULED, ChargeState.NOT_OWED})


def changes(before: Sighting | None, after: Sighting, zone: str) -> list[str]:
    """What is new in `after`, one sentence each; everything that matters if nothing came before."""
    was = before.status if before else None
    told = [*_status_changes(was, after.status, zone)]
    note = before.note if before else None
    if after.note != note:
        told.append(after.note or "Everything answers again.")
    return told


def _status_changes(was: Status | None, now: Status, zone: str) -> Iterator[str]:
    if was is None or was.state is not now.state:
        ended = f", as of {moment(now.ended_at, zone)}" if now.ended_at else ""
        yield f"{now.state}{ended}"
    if now.refusal is not None and (was is None or was.refusal is None):
        yield f"refused: {now.refusal.message}"
    if now.resume_on and (was is None or was.resume_on != now.resume_on) and not now.ended_at:
        yield f"comes back by itself on {day(now.resume_on)}"
    known = {each.billing_on: each for each in was.charges} if was else {}
    for charge in now.charges:
        before = known.get(charge.billing_on)
        is_same = before is not None and before.state is charge.state
        if not is_same and charge.state not in AHEAD:
            yield _charge(charge)
    if now.needs_operator != (was.needs_operator if was else None):
        yield _operator(now.needs_operator)
    coming = now.next_event
    if coming is not None and (was is None or was.next_event != coming):
        yield f"next: {moment(coming.at, zone)}, {NEXT_EVENTS.get(coming.kind, coming.kind)}"


def _charge(charge: ChargeStatus) -> str:
    why = f": {explained(charge.decline_code).operator}" if charge.decline_code else ""
    return f"fee of {day(charge.billing_on)} is {charge.state.replace('_', ' ')}{why}"


def _operator(reason: str | None) -> str:
    return f"an operator is needed: {reason}" if reason else "no operator is needed any more"
