"""What callers hear, in TwiML, the carrier's language: the only place that writes it.

Twilio's classes write XML and check nothing, so what they are given is limited here: fixed voices,
texts that are cut and hold no character that XML forbids, addresses that we have made. Markup in a
text of a customer is read aloud, not obeyed, because the classes escape whatever they are given.
"""

import re

# The package comes without types.
from twilio.twiml.voice_response import Dial, Number, VoiceResponse  # type: ignore[import-untyped]

from systems.numbers.call_flow import Dial as DialStep
from systems.numbers.call_flow import Part

VOICE, LANGUAGE = "Polly.Joanna", "en-US"

INTERCEPT = (
    "The number you have called is not in service at the moment. Please try again another time."
)
APOLOGY = "We are sorry, your call cannot be put through right now. Please try again later."
NOBODY = "We are sorry, nobody can take your call right now. Please try again later."

# About a minute of speech; the carrier refuses 4096 and more.
LONGEST_TEXT = 1_000
VOICEMAIL_SECONDS = 120

# All but what XML 1.0 allows. One such character would make the whole answer unreadable.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def connect(part: Part, destination: str, action: str, whisper: str, ended: str) -> str:
    """The next part of a call flow.

    `action` is where the carrier reports how the dial went, `whisper` where it asks what the
    business hears, `ended` where it goes once a message was left.
    """
    response = VoiceResponse()
    for text in part.says:
        _say(response, text)
    if part.then is None:
        _say(response, NOBODY)
    elif isinstance(part.then, DialStep):
        response.append(_dial(part.then, destination, action, whisper))
        return str(response)
    else:
        _say(response, part.then.text)
        # Without an address of its own the carrier would ask for the flow again, from the start.
        response.record(action=ended, max_length=VOICEMAIL_SECONDS, play_beep=True)
    response.hangup()
    return str(response)


def intercept() -> str:
    """What callers of a retained number hear (R4)."""
    return _last_words(INTERCEPT)


def apology() -> str:
    """What callers hear when something is wrong on our side."""
    return _last_words(APOLOGY)


def reject() -> str:
    """Nothing is answered: the caller's own network says that the number is not in service."""
    response = VoiceResponse()
    response.reject(reason="rejected")
    return str(response)


def hang_up() -> str:
    """The call ends."""
    response = VoiceResponse()
    response.hangup()
    return str(response)


def whisper(text: str | None) -> str:
    """What the business hears before it is connected; nothing for None."""
    response = VoiceResponse()
    if text is not None:
        _say(response, text)
    return str(response)


def _last_words(text: str) -> str:
    response = VoiceResponse()
    _say(response, text)
    response.hangup()
    return str(response)


def _say(response: VoiceResponse, text: str) -> None:
    response.say(_speakable(text), voice=VOICE, language=LANGUAGE)


def _dial(step: DialStep, destination: str, action: str, whisper: str) -> Dial:
    dial = Dial(
        action=action,
        timeout=step.timeout_seconds,
        # The caller hears it ring until somebody is there, not silence during the whisper.
        answer_on_bridge=True,
        record="record-from-answer-dual" if step.is_recorded else None,
    )
    dial.append(Number(destination, url=whisper if step.whisper else None))
    return dial


def _speakable(text: str) -> str:
    clean = FORBIDDEN.sub(" ", text)
    if len(clean) <= LONGEST_TEXT:
        return clean
    # At the end of a word, if there is one at all.
    return clean[:LONGEST_TEXT].rpartition(" ")[0] or clean[:LONGEST_TEXT]
