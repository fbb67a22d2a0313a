"""How far a pause, a resume or a close has come, up to what truly became of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from anyio import from_thread
from fastapi import APIRouter, Response

from domain.errors import Code, Rejected, Transient
from domain.ids import Prefix
from domain.messages import Refusal
from domain.policy import Action
from domain.ports import Act
from domain.states import ActKind, PauseState
from starter.backend import Backend
from starter.runs import Run
from starter.web.site import paths
from starter.web.site.guard import Guard, Visitor
from starter.web.site.refusals import Advice, advice
from starter.web.site.waiting import Rounds, rounds_of
from starter.web.site.writer import Writer, go_to


class Asked(StrEnum):
    """What somebody has asked for."""

    PAUSE = "pause"
    RESUME = "resume"
    CLOSE = "close"


class Course(StrEnum):
    """Where it has led so far. All but the first two are final.

    `nothing`: it has not arrived, so nothing was changed.
    """

    UNDER_WAY = "under_way"
    NEEDS_OPERATOR = "needs_operator"
    PAUSED = "paused"
    RESUMED = "resumed"
    CLOSED = "closed"
    REFUSED = "refused"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Seen:
    """What can be told. `is_certain` is False while Temporal cannot be asked."""

    course: Course
    refusal: Refusal | None = None
    is_certain: bool = True


ENDS = {
    PauseState.RESUMED: Course.RESUMED,
    PauseState.CLOSED: Course.CLOSED,
    PauseState.REFUSED: Course.REFUSED,
}


def progress_path(act_id: str, asked: Asked) -> str:
    """Where the pause or close with this id is followed."""
    return f"{paths.PROGRESS}/{act_id}?asked={asked}"


def add_progress(router: APIRouter, guard: Guard, writer: Writer, backend: Backend) -> None:
    """`/progress/{act_id}`."""
    pages = _Pages(writer, backend)

    @router.get(paths.PROGRESS + "/{act_id}")
    def show(
        act_id: str,
        visitor: Annotated[Visitor, guard.of(Action.PAUSE_STATUS)],
        asked: Asked = Asked.PAUSE,
        again: int = 0,
    ) -> Response:
        act, rounds = pages.own_act(visitor, act_id), rounds_of(again)
        seen = pages.look(act, visitor.account_id, act_id, asked)
        if seen.course is Course.NOTHING and not rounds.are_many:
            # It may be on its way to Temporal still, out of this process or another.
            seen = Seen(Course.UNDER_WAY)
        if seen.course is Course.PAUSED:
            return go_to(f"{paths.STATUS}?done={Asked.PAUSE}")
        if seen.course is Course.UNDER_WAY:
            return pages.progress(visitor, act_id, asked, seen, rounds)
        return pages.outcome(visitor, act, asked, seen)


class _Pages:
    """The page that waits, and the one that tells what became of it."""

    def __init__(self, writer: Writer, backend: Backend) -> None:
        self._writer = writer
        self._backend = backend
        self._systems = backend.systems

    def own_act(self, visitor: Visitor, act_id: str) -> Act | None:
        act = self._systems.accounts.act(act_id)
        if act is not None and act.account_id != visitor.account_id:
            raise Rejected(Code.PAUSE_NOT_FOUND, "There is no such pause, or it is not yours.")
        return act

    def look(self, act: Act | None, account_id: str, act_id: str, asked: Asked) -> Seen:
        if act is not None and (act.ended_at is not None or asked is Asked.PAUSE):
            settled = seen_in(act)
            if settled is not None:
                return settled
        kind = ActKind.CLOSE if act_id.startswith(Prefix.CLOSE) else ActKind.PAUSE
        try:
            run = from_thread.run(self._backend.run, account_id, kind)
        except Transient:
            return Seen(Course.UNDER_WAY, is_certain=False)
        return seen_while_running(act, run) if act else seen_before_it_began(act_id, run)

    def progress(
        self, visitor: Visitor, act_id: str, asked: Asked, seen: Seen, rounds: Rounds
    ) -> Response:
        return self._writer.page(
            "progress",
            visitor,
            section=paths.STATUS,
            asked=asked,
            seen=seen,
            rounds=rounds,
            path=progress_path(act_id, asked),
        )

    def outcome(self, visitor: Visitor, act: Act | None, asked: Asked, seen: Seen) -> Response:
        billing = self._systems.billing
        return self._writer.page(
            "outcome",
            visitor,
            section=paths.STATUS,
            asked=asked,
            seen=seen,
            act=act,
            advice=_advice(seen.refusal),
            quote=billing.quote(visitor.account_id),
            lines=billing.next_lines(visitor.account_id),
        )


def seen_in(act: Act) -> Seen | None:
    """What the record tells of an act by itself; None while its run has to be asked."""
    if act.ended_at is not None:
        return Seen(ENDS[act.state], act.status().refusal)
    return Seen(Course.PAUSED) if act.state is PauseState.PAUSED else None


def seen_while_running(act: Act, run: Run | None) -> Seen:
    """The act is open. In a pause that is in effect a stuck step is not what is waited for."""
    is_moving = act.state is not PauseState.PAUSED
    if is_moving and run is not None and run.needs_operator:
        return Seen(Course.NEEDS_OPERATOR)
    return Seen(Course.UNDER_WAY)


def seen_before_it_began(act_id: str, run: Run | None) -> Seen:
    """There is no record: a run waits for a worker, or has refused before anything was touched."""
    if run is not None and run.is_running:
        return Seen(Course.NEEDS_OPERATOR if run.needs_operator else Course.UNDER_WAY)
    result = run.result if run is not None else None
    if result is not None and result.pause_id == act_id and result.refusal is not None:
        return Seen(Course.REFUSED, result.refusal)
    return Seen(Course.NOTHING)


def _advice(refusal: Refusal | None) -> Advice | None:
    return advice(refusal.code, refusal.message, refusal.figures) if refusal else None
