"""What is said to the carrier: only what it is to do, whatever customers have written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starter.web import twiml
from systems.numbers.call_flow import Dial, Part, Voicemail
from tests.starter.web.phone import LONGEST_TEXT, kinds, says, understood

ADDRESS = "https://calls.example/voice/status/4"
DESTINATION = "+13125550100"

HOSTILE = [
    "</Say><Dial>+19005550100</Dial><Say>",
    "<Redirect>https://evil.example/</Redirect>",
    "]]> <!-- --> <?xml?> &amp; &#0; &xxe;",
    '<!DOCTYPE x [<!ENTITY xxe SYSTEM "file:///etc/hostname">]>',
    "bell \x07, null \x00, escape \x1b, \ufffe and \uffff",
    "half of a pair: \ud83d",
    "Grüße, 你好, 📞",
    '" onclick="',
]


def connected(part: Part) -> str:
    return twiml.connect(
        part, DESTINATION, action=ADDRESS, whisper=f"{ADDRESS}/w", ended=f"{ADDRESS}/e"
    )


def test_a_connection_says_dials_and_reports_back() -> None:
    part = Part(("Hello.", "This call may be recorded."), Dial(25, True, "A call."), 3)

    document = understood(connected(part))

    assert ["Say", "Say", "Dial"] == kinds(document)
    dial = document.find("Dial")
    assert dial is not None
    assert {
        "action": ADDRESS,
        "answerOnBridge": "true",
        "record": "record-from-answer-dual",
        "timeout": "25",
    } == dial.attrib
    assert [(DESTINATION, {"url": f"{ADDRESS}/w"})] == [(each.text, each.attrib) for each in dial]


def test_without_whisper_and_recording_neither_is_asked_for() -> None:
    document = understood(connected(Part((), Dial(25), 0)))

    dial = document.find("Dial")
    assert dial is not None
    assert "record" not in dial.attrib
    assert [{}] == [each.attrib for each in dial]


def test_a_message_is_taken_once_and_the_call_ends() -> None:
    document = understood(connected(Part((), Voicemail("After the tone."), 3)))

    assert ["Say", "Record", "Hangup"] == kinds(document)
    record = document.find("Record")
    assert record is not None
    # Without it Twilio asks for the same document again, for ever.
    assert f"{ADDRESS}/e" == record.attrib["action"]


def test_every_other_end_is_spoken_or_rejected() -> None:
    assert ["Say", "Hangup"] == kinds(understood(twiml.intercept()))
    assert ["Say", "Hangup"] == kinds(understood(twiml.apology()))
    assert ["Say", "Hangup"] == kinds(understood(connected(Part((), None, 4))))
    assert ["Hangup"] == kinds(understood(twiml.hang_up()))
    assert ["Reject"] == kinds(understood(twiml.reject()))
    assert ["Say"] == kinds(understood(twiml.whisper("A call.")))
    assert [] == kinds(understood(twiml.whisper(None)))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_read_aloud_and_does_nothing(text: str) -> None:
    document = understood(connected(Part((text,), Dial(25, whisper=text), 1)))

    assert ["Say", "Dial"] == kinds(document)
    assert ["Say"] == kinds(understood(twiml.whisper(text)))
    assert ["Say", "Record", "Hangup"] == kinds(understood(connected(Part((), Voicemail(text), 0))))


def test_ordinary_text_is_said_as_it_was_written() -> None:
    text = 'Müller & Sons, "the <best>" — 你好 📞'

    assert [text] == says(understood(twiml.whisper(text)))


def test_a_text_without_end_is_cut_at_a_word() -> None:
    (said,) = says(understood(twiml.whisper("wonderful " * 5_000)))

    assert LONGEST_TEXT - 20 < len(said) <= LONGEST_TEXT
    assert said.endswith("wonderful")


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=80))
def test_no_text_makes_an_answer_that_the_carrier_cannot_read(text: str) -> None:
    document = understood(twiml.whisper(text))

    allowed = twiml.FORBIDDEN.sub(" ", text)
    # A reader of XML takes every end of a line for the same one.
    assert [allowed.replace("\r\n", "\n").replace("\r", "\n")] == says(document)


@pytest.mark.parametrize(
    "planted",
    [
        "<Response><Redirect>https://calls.example/</Redirect></Response>",
        "<Response><Say><Dial/></Say></Response>",
        '<Response><Say loop="0">x</Say></Response>',
        '<Response><Dial action="https://evil.example/"/></Response>',
        "<Response>text</Response><Say/>",
        f"<Response><Say>{'x' * 2_000}</Say></Response>",
    ],
)
def test_control_what_is_not_allowed_is_noticed(planted: str) -> None:
    with pytest.raises((AssertionError, SyntaxError)):
        understood(planted)
