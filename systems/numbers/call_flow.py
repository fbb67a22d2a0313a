"""Call flows: what each kind of step means, and how far a caller gets with one answer.

A flow is a list of steps, in the order in which a caller meets them:

    {"kind": "greeting", "text": "..."}            the caller hears the text
    {"kind": "recording", "is_announced": true}    conversations from here on are recorded
    {"kind": "whisper", "text": "..."}             the business hears it before it is connected
    {"kind": "dial", "timeout_seconds": 25}        the tracker's destination rings
    {"kind": "voicemail", "text": "..."}           the caller may leave a message; nothing follows

What follows a `dial` is met when nobody answered. A kind that nobody knows, or a step without what
it needs, is passed over: a caller should not suffer from it. A flow that neither dials nor takes a
message dials at its end.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Longer flows are cut: a caller has hung up long before.
MAX_STEPS = 50

RING_SECONDS = 25
SHORTEST_RING_SECONDS, LONGEST_RING_SECONDS = 5, 120

RECORDING_NOTICE = "This call may be recorded."
VOICEMAIL_TEXT = "Nobody can take your call right now. Please leave a message after the tone."

Step = Mapping[str, Any]

DIAL: Step = {"kind": "dial"}


@dataclass(frozen=True)
class Dial:
    """The destination rings for `timeout_seconds`; `whisper` is what the business hears first."""

    timeout_seconds: int = RING_SECONDS
    is_recorded: bool = False
    whisper: str | None = None


@dataclass(frozen=True)
class Voicemail:
    """The caller hears `text` and may leave a message."""

    text: str = VOICEMAIL_TEXT


@dataclass(frozen=True)
class Part:
    """What a caller meets until the carrier reports back: texts, then what they lead to.

    `place` is where in the flow that stands; `then` is None where the flow has nothing more.
    """

    says: tuple[str, ...]
    then: Dial | Voicemail | None
    place: int


def part_from(steps: Sequence[object], start: int = 0) -> Part:
    """What a caller meets who has come to the step at `start`, counted from 0."""
    says: list[str] = []
    flow = _with_an_end(steps)
    for place, step in enumerate(flow[start:], start):
        match step.get("kind"):
            case "greeting":
                says += _text_of(step)
            case "recording" if _is_announced(step):
                says.append(RECORDING_NOTICE)
            case "dial":
                return Part(tuple(says), _dial(flow, place), place)
            case "voicemail":
                text = next(_text_of(step), VOICEMAIL_TEXT)
                return Part(tuple(says), Voicemail(text), place)
    return Part(tuple(says), None, len(flow))


def whisper_at(steps: Sequence[object], place: int) -> str | None:
    """What the business hears when the dial at `place` is answered: the last whisper before it."""
    texts = [
        text
        for step in _with_an_end(steps)[:place]
        if step.get("kind") == "whisper"
        for text in _text_of(step)
    ]
    return texts[-1] if texts else None


def _dial(flow: Sequence[Step], place: int) -> Dial:
    return Dial(
        timeout_seconds=_ring_seconds(flow[place].get("timeout_seconds")),
        is_recorded=any(step.get("kind") == "recording" for step in flow[:place]),
        whisper=whisper_at(flow, place),
    )


def _with_an_end(steps: Sequence[object]) -> Sequence[Step]:
    # The column is JSON: whatever an importer wrote there must not cost the business a call.
    flow = [step for step in steps if isinstance(step, Mapping)][:MAX_STEPS]
    if any(step.get("kind") in ("dial", "voicemail") for step in flow):
        return flow
    return [*flow, DIAL]


def _text_of(step: Step) -> Iterator[str]:
    text = step.get("text")
    if isinstance(text, str) and text.strip():
        yield text.strip()


def _is_announced(step: Step) -> bool:
    # In doubt it is said: recording somebody who was not told is an offence in many places.
    return step.get("is_announced") is not False


def _ring_seconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        return RING_SECONDS
    return min(max(value, SHORTEST_RING_SECONDS), LONGEST_RING_SECONDS)
