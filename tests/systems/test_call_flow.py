"""Call flows: what a caller meets next, and what an unusual flow does not break."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systems.numbers.call_flow import (
    LONGEST_RING_SECONDS,
    MAX_STEPS,
    RECORDING_NOTICE,
    RING_SECONDS,
    SHORTEST_RING_SECONDS,
    VOICEMAIL_TEXT,
    Dial,
    Part,
    Voicemail,
    part_from,
    whisper_at,
)

GREETING = {"kind": "greeting", "text": "Hello."}
RECORDING = {"kind": "recording", "is_announced": True}
WHISPER = {"kind": "whisper", "text": "A call."}
DIAL = {"kind": "dial", "timeout_seconds": 30}
VOICEMAIL = {"kind": "voicemail", "text": "After the tone."}

ANYTHING: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, -1, 2.5, 10**30, "", " ", "Hello.", [], {}, [{}]]
)
STEPS = st.lists(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["greeting", "recording", "whisper", "dial", "voicemail", "ivr"])},
        optional={"text": ANYTHING, "timeout_seconds": ANYTHING, "is_announced": ANYTHING},
    )
    | ANYTHING,
    max_size=12,
)


def test_a_caller_is_greeted_told_of_the_recording_and_connected() -> None:
    part = part_from([GREETING, RECORDING, WHISPER, DIAL])

    dial = Dial(timeout_seconds=30, is_recorded=True, whisper="A call.")
    assert Part(("Hello.", RECORDING_NOTICE), dial, 3) == part


def test_what_follows_a_dial_comes_when_nobody_answered() -> None:
    flow = [DIAL, {"kind": "greeting", "text": "One moment."}, DIAL, VOICEMAIL]

    assert Part((), Dial(30), 0) == part_from(flow)
    assert Part(("One moment.",), Dial(30), 2) == part_from(flow, 1)
    assert Part((), Voicemail("After the tone."), 3) == part_from(flow, 3)
    assert Part((), None, 4) == part_from(flow, 4)


def test_recording_and_whisper_hold_for_every_dial_after_them() -> None:
    flow = [DIAL, RECORDING, WHISPER, DIAL, {"kind": "whisper", "text": "Again."}, DIAL]

    dials = [part_from(flow, place).then for place in (0, 1, 4)]

    assert [Dial(30), Dial(30, True, "A call."), Dial(30, True, "Again.")] == dials
    assert [None, "A call.", "Again."] == [whisper_at(flow, place) for place in (0, 3, 5)]


@pytest.mark.parametrize("is_announced", [True, None, 0, "no"])
def test_a_recording_is_announced_unless_the_flow_says_no(is_announced: object) -> None:
    announced = part_from([{"kind": "recording", "is_announced": is_announced}, DIAL])
    silent = part_from([{"kind": "recording", "is_announced": False}, DIAL])

    assert (RECORDING_NOTICE,) == announced.says
    assert () == silent.says
    assert silent.then == announced.then == Dial(30, is_recorded=True)


@pytest.mark.parametrize("flow", [[], [GREETING], [{"kind": "ivr"}], ["dial"], [None, 7]])
def test_a_flow_that_reaches_nobody_dials_at_its_end(flow: list[Any]) -> None:
    assert Dial(RING_SECONDS) == part_from(flow).then


def test_what_a_step_lacks_is_made_up_for() -> None:
    flow = [{"kind": "greeting"}, {"kind": "whisper", "text": " "}, {"kind": "voicemail"}]

    assert Part((), Voicemail(VOICEMAIL_TEXT), 2) == part_from(flow)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (0, SHORTEST_RING_SECONDS),
        (-5, SHORTEST_RING_SECONDS),
        (40, 40),
        (10**9, LONGEST_RING_SECONDS),
        (True, RING_SECONDS),
        ("30", RING_SECONDS),
        (None, RING_SECONDS),
    ],
)
def test_it_rings_for_a_time_that_people_wait(asked: object, seconds: int) -> None:
    assert Dial(seconds) == part_from([{"kind": "dial", "timeout_seconds": asked}]).then


def test_a_flow_without_end_is_cut() -> None:
    part = part_from([GREETING] * 10_000)

    assert MAX_STEPS == len(part.says)
    assert Dial() == part.then


@settings(max_examples=50, deadline=None)
@given(STEPS)
def test_whatever_a_flow_holds_every_caller_comes_to_its_end(steps: list[Any]) -> None:
    place, parts = 0, []
    while (part := part_from(steps, place)).then is not None:
        assert part.place >= place
        parts.append(part)
        place = part.place + 1

    assert parts, "a caller was put through to nobody"
    assert len(parts) <= MAX_STEPS + 1
    assert all(text.strip() for part in parts for text in part.says)
