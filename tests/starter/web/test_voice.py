"""The carrier's edge over HTTP: what callers meet, and what is remembered of it."""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import Transient
from starter.web import twiml
from starter.web.carrier import MAX_FIELDS, Carrier
from starter.web.guards import BODY_BYTES
from starter.web.voice import voice_routes
from systems.numbers import SqlNumbers
from systems.numbers.call_flow import RECORDING_NOTICE
from systems.numbers.calls import ANONYMOUS, Incoming, Route
from systems.tables import CallFlowRow, TrackerRow
from systems.wiring import Systems, open_systems
from tests.starter.web.phone import (
    CALLER,
    PUBLIC_URL,
    TOKEN,
    Phone,
    call,
    call_id,
    dial_of,
    kinds,
    says,
    understood,
)
from tests.starter.web.telephony import (
    FIRST,
    SECOND,
    UNKNOWN,
    app_on,
    destination_of,
    local_phone,
    number_of,
    opened,
)
from tests.systems.examples import ACCOUNT, CLOSE, step
from tests.systems.examples import end as ending

SAMPLE = ["Thank you for calling Example Dental.", RECORDING_NOTICE]


@pytest.fixture
def systems(database_url: str, tmp_path: Path) -> Iterator[Systems]:
    yield from opened(database_url, tmp_path)


@pytest.fixture
def sqlite_systems(sqlite_url: str, tmp_path: Path) -> Iterator[Systems]:
    yield from opened(sqlite_url, tmp_path)


@pytest.fixture
def phone(systems: Systems) -> Phone:
    return Phone(app_on(systems))


@pytest.fixture
def sqlite_phone(sqlite_systems: Systems) -> Phone:
    return Phone(app_on(sqlite_systems))


@pytest.fixture
def nearby_phone(sqlite_systems: Systems) -> Phone:
    return local_phone(sqlite_systems)


# --- what a caller meets -------------------------------------------------------------------------

FLOWS: dict[str, tuple[list[Any], list[str], str]] = {
    "a sample's": (
        [
            {"kind": "greeting", "text": "Thank you for calling Example Dental."},
            {"kind": "recording", "is_announced": True},
            {"kind": "whisper", "text": "A call from your marketing."},
            {"kind": "dial", "timeout_seconds": 25},
        ],
        SAMPLE,
        "Dial",
    ),
    "no steps": ([], [], "Dial"),
    "only a voicemail": ([{"kind": "voicemail", "text": "After it."}], ["After it."], "Record"),
    "only a greeting": ([{"kind": "greeting", "text": "Hello."}], ["Hello."], "Dial"),
    "unknown steps": ([{"kind": "menu", "keys": {}}, "dial", None], [], "Dial"),
    "markup": (
        [{"kind": "greeting", "text": "</Say><Dial>+19005550100</Dial>"}, {"kind": "dial"}],
        ["</Say><Dial>+19005550100</Dial>"],
        "Dial",
    ),
}


@pytest.mark.parametrize("flow", FLOWS)
async def test_what_a_caller_meets_in_every_state_of_the_number(
    sqlite_phone: Phone, sqlite_systems: Systems, flow: str
) -> None:
    phone, systems = sqlite_phone, sqlite_systems
    steps, texts, then = FLOWS[flow]
    number = number_of(systems)
    use_flow(systems, steps)

    active = await phone.calls(number, call_id(1))
    systems.numbers.retain_numbers(step())
    retained = await phone.calls(number, call_id(2))
    systems.numbers.reactivate_numbers(step())
    resumed = await phone.calls(number, call_id(3))
    systems.numbers.release_numbers(step(CLOSE))
    released = await phone.calls(number, call_id(4))

    for connected in (active, resumed):
        assert texts == says(connected)
        assert then in kinds(connected)
        if then == "Dial":
            assert [destination_of(systems)] == [each.text for each in dial_of(connected)]
    assert ([twiml.INTERCEPT], ["Say", "Hangup"]) == (says(retained), kinds(retained))
    assert [("Reject", {"reason": "rejected"})] == [(e.tag, e.attrib) for e in released]
    assert 2 == len(systems.activity.calls(ACCOUNT).calls)


async def test_a_pause_from_its_beginning_to_its_end(phone: Phone, systems: Systems) -> None:
    number = number_of(systems)

    # Paused: script and access are off, calls go on for the drain (R3).
    systems.dni.disable_script(step())
    systems.access.suspend_access(step())
    assert "Dial" in kinds(await phone.calls(number, call_id(1)))

    # The drain is over.
    systems.numbers.retain_numbers(step())
    for _ in range(2):
        assert [twiml.INTERCEPT] == says(await phone.calls(number, call_id(2)))
    assert [twiml.INTERCEPT] == says(await phone.calls(number, call_id(3)))

    # Resumed: numbers first, the rest after them (R9).
    systems.numbers.reactivate_numbers(step())
    assert "Dial" in kinds(await phone.calls(number, call_id(4)))

    assert 2 == len(systems.activity.calls(ACCOUNT).calls)
    assert 2 == systems.numbers.retained_calls(ACCOUNT)[number]


@pytest.mark.parametrize("was_paused", [True, False])
async def test_a_closed_accounts_callers_are_rejected(
    phone: Phone, systems: Systems, was_paused: bool
) -> None:
    number = number_of(systems)
    if was_paused:
        systems.numbers.retain_numbers(step(CLOSE))
    systems.accounts.begin_close(ending(CLOSE))
    systems.numbers.release_numbers(step(CLOSE))
    systems.accounts.mark_closed(step(CLOSE))

    assert ["Reject"] == kinds(await phone.calls(number, FIRST))
    assert ["Reject"] == kinds(await phone.calls(UNKNOWN, SECOND))
    assert () == systems.activity.calls(ACCOUNT).calls


async def test_a_number_that_leads_to_itself_does_not_call_itself(
    sqlite_phone: Phone, sqlite_systems: Systems
) -> None:
    number = number_of(sqlite_systems)
    with sqlite_systems.db.transaction() as session:
        session.query(TrackerRow).update({TrackerRow.destination_number: number})

    assert [twiml.APOLOGY] == says(await sqlite_phone.calls(number, FIRST))


# --- the end of a dial, the whisper, the end of a call -------------------------------------------


@pytest.mark.parametrize("status", ["completed", "answered"])
async def test_an_answered_call_is_logged_with_its_length(
    phone: Phone, systems: Systems, status: str
) -> None:
    number = number_of(systems)
    action = path_of(dial_of(await phone.calls(number, FIRST)).attrib["action"])

    ended = await phone.hears(
        action, call(number, FIRST, DialCallStatus=status, DialCallDuration="65")
    )
    await phone.hears("/voice/status", call(number, FIRST, CallDuration="80"))

    (logged,) = systems.activity.calls(ACCOUNT).calls
    assert ["Hangup"] == kinds(ended)
    assert (True, 65, CALLER, number) == (
        logged.is_answered,
        logged.duration_seconds,
        logged.caller,
        logged.tracking_number,
    )


async def test_a_call_that_nobody_answers_goes_on_in_its_flow(
    sqlite_phone: Phone, sqlite_systems: Systems
) -> None:
    phone, number = sqlite_phone, number_of(sqlite_systems)
    use_flow(sqlite_systems, [{"kind": "dial"}, {"kind": "voicemail", "text": "After the tone."}])

    for place, status in enumerate(["busy", "no-answer", "failed", "canceled", "", "surprise"]):
        fields = call(number, call_id(place), DialCallStatus=status, DialCallDuration="9")
        dial = dial_of(await phone.calls(number, call_id(place)))
        after = await phone.hears(path_of(dial.attrib["action"]), fields)
        record = after.find("Record")
        assert record is not None
        left = call(number, call_id(place), RecordingDuration="12")
        assert ["After the tone."] == says(after)
        assert ["Hangup"] == kinds(await phone.hears(path_of(record.attrib["action"]), left))

    calls = sqlite_systems.activity.calls(ACCOUNT).calls
    assert [(False, 0)] * 6 == [(each.is_answered, each.duration_seconds) for each in calls]


async def test_where_a_flow_ends_unanswered_the_caller_is_told(
    sqlite_phone: Phone, sqlite_systems: Systems
) -> None:
    number = number_of(sqlite_systems)
    action = path_of(dial_of(await sqlite_phone.calls(number, FIRST)).attrib["action"])

    after = await sqlite_phone.hears(action, call(number, FIRST, DialCallStatus="busy"))

    assert ([twiml.NOBODY], ["Say", "Hangup"]) == (says(after), kinds(after))


async def test_a_caller_who_hangs_up_during_the_whisper_was_not_answered(
    sqlite_phone: Phone, sqlite_systems: Systems
) -> None:
    number = number_of(sqlite_systems)
    await sqlite_phone.calls(number, FIRST)

    await sqlite_phone.hears(
        "/voice/status/4",
        call(number, FIRST, DialCallStatus="completed", DialBridged="false", DialCallDuration="3"),
    )

    (logged,) = sqlite_systems.activity.calls(ACCOUNT).calls
    assert (False, 0) == (logged.is_answered, logged.duration_seconds)


async def test_the_business_hears_its_whisper_and_the_caller_does_not(
    phone: Phone, systems: Systems
) -> None:
    document = await phone.calls(number_of(systems), FIRST)
    whisper = path_of(dial_of(document)[0].attrib["url"])

    heard = await phone.hears(whisper, call(destination_of(systems), SECOND))

    assert ["A call from your marketing."] == says(heard)
    assert "A call from your marketing." not in says(document)
    assert 1 == len(systems.activity.calls(ACCOUNT).calls)


@pytest.mark.parametrize("call_flow_id", ["CFL0", "%00", "%2e%2e", "x" * 5_000])
async def test_a_whisper_that_nobody_has_keeps_nobody_from_talking(
    systems: Systems, call_flow_id: str
) -> None:
    phone = local_phone(systems)

    assert [] == kinds(await phone.hears(f"/voice/whisper/{call_flow_id}/3", {}))


async def test_the_end_of_a_call_may_be_heard_of_first(phone: Phone, systems: Systems) -> None:
    number = number_of(systems)
    outcome = {"DialCallStatus": "completed", "DialCallDuration": "65"}

    await phone.hears("/voice/status", call(number, FIRST, CallStatus="completed"))
    await phone.hears("/voice/status/4", call(number, FIRST, **outcome))
    assert "Dial" in kinds(await phone.calls(number, FIRST))
    await phone.hears("/voice/status", call(number, FIRST, CallStatus="completed"))

    (logged,) = systems.activity.calls(ACCOUNT).calls
    assert (True, 65) == (logged.is_answered, logged.duration_seconds)


async def test_the_end_of_an_intercepted_call_is_no_activity(
    phone: Phone, systems: Systems
) -> None:
    number = number_of(systems)
    systems.numbers.retain_numbers(step())
    await phone.calls(number, FIRST)

    ended = call(number, FIRST, CallStatus="completed", CallDuration="7")
    await phone.hears("/voice/status", ended)
    systems.numbers.reactivate_numbers(step())
    await phone.hears("/voice/status", ended)
    await phone.hears("/voice/status/4", {**ended, "DialCallStatus": "completed"})

    assert () == systems.activity.calls(ACCOUNT).calls
    assert 1 == systems.numbers.retained_calls(ACCOUNT)[number]


# --- one call counts once ------------------------------------------------------------------------


async def test_a_call_that_is_told_of_twenty_times_at_once_is_logged_once(
    phone: Phone, systems: Systems
) -> None:
    fields = call(number_of(systems), FIRST)
    outcome = {**fields, "DialCallStatus": "completed", "DialCallDuration": "65"}

    answers = await asyncio.gather(
        *[phone.ask("/voice", fields) for _ in range(20)],
        *[phone.ask("/voice/status/4", outcome) for _ in range(3)],
        *[phone.ask("/voice/status", {**fields, "CallStatus": "completed"}) for _ in range(3)],
    )

    assert {200} == {answer.status_code for answer in answers}
    assert 1 == len({answer.text for answer in answers[:20]})
    assert "Dial" in kinds(understood(answers[0].text))
    (logged,) = systems.activity.calls(ACCOUNT).calls
    assert (True, 65) == (logged.is_answered, logged.duration_seconds)


async def test_an_intercepted_call_that_comes_twenty_times_at_once_is_counted_once(
    phone: Phone, systems: Systems
) -> None:
    number = number_of(systems)
    systems.numbers.retain_numbers(step())

    answers = await asyncio.gather(
        *[phone.calls(number, FIRST) for _ in range(20)],
        *[phone.hears("/voice/status", call(number, FIRST)) for _ in range(3)],
    )

    assert [[twiml.INTERCEPT]] * 20 == [says(answer) for answer in answers[:20]]
    assert 1 == systems.numbers.retained_calls(ACCOUNT)[number]
    assert () == systems.activity.calls(ACCOUNT).calls


async def test_control_ten_calls_are_counted_ten_times(
    sqlite_phone: Phone, sqlite_systems: Systems
) -> None:
    number = number_of(sqlite_systems)
    await asyncio.gather(*[sqlite_phone.calls(number, call_id(place)) for place in range(10)])
    sqlite_systems.numbers.retain_numbers(step())
    await asyncio.gather(*[sqlite_phone.calls(number, call_id(place)) for place in range(10, 20)])

    assert 10 == len(sqlite_systems.activity.calls(ACCOUNT).calls)
    assert 10 == sqlite_systems.numbers.retained_calls(ACCOUNT)[number]


# --- when something is wrong ---------------------------------------------------------------------

AWAY = {
    "nobody listens": "postgresql+psycopg://nobody@127.0.0.1:1/none",
    "nothing is there": "sqlite:///{folder}/empty.db",
}


@pytest.mark.parametrize("away", AWAY)
async def test_with_the_database_away_the_caller_hears_an_apology(
    tmp_path: Path, away: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = AWAY[away].format(folder=tmp_path)
    systems = open_systems(url, f"sqlite:///{tmp_path / 'gateway.db'}", 5)
    phone = Phone(app_on(systems))
    unanswered = call(UNKNOWN, FIRST, DialCallStatus="busy")
    answered = call(UNKNOWN, FIRST, DialCallStatus="completed", DialCallDuration="65")

    assert [twiml.APOLOGY] == says(await phone.calls(UNKNOWN, FIRST))
    assert [twiml.APOLOGY] == says(await phone.hears("/voice/status/4", unanswered))
    assert ["Hangup"] == kinds(await phone.hears("/voice/status/4", answered))
    assert ["Hangup"] == kinds(await phone.hears("/voice/status", answered))
    assert [] == kinds(await phone.hears("/voice/whisper/CFL0/3", unanswered))
    assert 5 == len([line for line in caplog.records if "could not be served" in line.message])
    systems.close()


class Broken(SqlNumbers):
    """Fails in a way that nobody foresaw, with something personal in its words."""

    def take(self, call: Incoming) -> Route:
        raise ZeroDivisionError(f"{call.caller} divides by nothing")

    def finish(self, call: Incoming, duration_seconds: int, *, is_answered: bool) -> NoReturn:
        raise ZeroDivisionError(f"{call.caller} divides by nothing")

    def call_flow(self, call_flow_id: str) -> NoReturn:
        raise ZeroDivisionError(f"{call_flow_id} divides by nothing")


async def test_what_nobody_foresaw_is_an_apology_too(
    sqlite_systems: Systems, caplog: pytest.LogCaptureFixture
) -> None:
    broken = replace(sqlite_systems, numbers=Broken(sqlite_systems.db))
    phone, fields = Phone(app_on(broken)), call(UNKNOWN, FIRST, DialCallStatus="busy")

    assert [twiml.APOLOGY] == says(await phone.calls(UNKNOWN, FIRST))
    assert [twiml.APOLOGY] == says(await phone.hears("/voice/status/4", fields))
    assert ["Hangup"] == kinds(await phone.hears("/voice/status", fields))
    assert [] == kinds(await phone.hears("/voice/whisper/CFL0/3", fields))
    assert 4 == caplog.text.count("ZeroDivisionError, somebody has to look")
    assert CALLER not in caplog.text


class Slow(SqlNumbers):
    """Waits for a database that says nothing, and has a connection to it."""

    awake = Event()

    def take(self, call: Incoming) -> Route:
        self.awake.wait(30)
        raise Transient("the database has said nothing")


async def test_a_database_that_says_nothing_is_not_waited_for_for_long(
    sqlite_systems: Systems, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()
    slow = replace(sqlite_systems, numbers=Slow(sqlite_systems.db))
    app.include_router(voice_routes(slow, Carrier(PUBLIC_URL, TOKEN), patience_seconds=0.05))

    try:
        document = await Phone(app).calls(number_of(sqlite_systems), FIRST)
    finally:
        Slow.awake.set()

    assert [twiml.APOLOGY] == says(document)
    assert "takes too long" in caplog.text


async def test_a_call_whose_first_request_failed_is_logged_by_its_end(
    systems: Systems,
) -> None:
    number = number_of(systems)
    broken = Phone(app_on(replace(systems, numbers=Broken(systems.db))))

    await broken.calls(number, FIRST)
    await Phone(app_on(systems)).hears("/voice/status", call(number, FIRST))

    assert [False] == [each.is_answered for each in systems.activity.calls(ACCOUNT).calls]


# --- what no carrier sends -----------------------------------------------------------------------


async def test_a_caller_without_a_number_is_put_through_as_anonymous(
    sqlite_phone: Phone, sqlite_systems: Systems
) -> None:
    withheld = ["anonymous", "Anonymous", "", "+266696687", "+86282452253", "+8656696"]
    no_numbers = ["sip:alice@calls.example", "client:bob", "+1", "x" * 10_000, "+1\x00"]

    for place, caller in enumerate([*withheld, *no_numbers]):
        document = await sqlite_phone.calls(number_of(sqlite_systems), call_id(place), caller)
        assert "Dial" in kinds(document)

    calls = sqlite_systems.activity.calls(ACCOUNT).calls
    assert {ANONYMOUS: 11} == Counter(each.caller for each in calls)


async def test_what_names_no_call_or_no_number_is_rejected(phone: Phone, systems: Systems) -> None:
    no_calls = ["", "CA", "x" * 5_000, "CA\x00", f"{FIRST}' OR 1=1", FIRST.lower()]
    no_numbers = ["", "anonymous", "+", "+1 312 555 0101", "\x00", "9" * 5_000, "sip:a@b"]

    for changed in (*({"CallSid": each} for each in no_calls), *({"To": n} for n in no_numbers)):
        fields = {**call(number_of(systems), FIRST), **changed}
        assert ["Reject"] == kinds(await phone.hears("/voice", fields))
        assert ["Hangup"] == kinds(await phone.hears("/voice/status", fields))
        assert ["Hangup"] == kinds(await phone.hears("/voice/status/4", fields))
    assert () == systems.activity.calls(ACCOUNT).calls


async def test_a_request_without_any_field_is_rejected(sqlite_phone: Phone) -> None:
    assert ["Reject"] == kinds(await sqlite_phone.hears("/voice", {}))
    assert ["Hangup"] == kinds(await sqlite_phone.hears("/voice/status", {}))


async def test_no_length_that_a_carrier_tells_is_longer_than_a_day(
    sqlite_phone: Phone, sqlite_systems: Systems
) -> None:
    number = number_of(sqlite_systems)
    told = ["", "-5", "1e9", "9" * 40, "²", "None", "65.5", "0x10", "999999", "65"]

    for place, duration in enumerate(told):
        outcome = {"DialCallStatus": "completed", "DialCallDuration": duration}
        await sqlite_phone.hears("/voice/status/4", call(number, call_id(place), **outcome))

    calls = sqlite_systems.activity.calls(ACCOUNT).calls
    assert {0: 8, 65: 1, 86_400: 1} == Counter(each.duration_seconds for each in calls)


async def test_a_place_that_no_flow_has_is_refused(sqlite_phone: Phone) -> None:
    for place in ("-1", "x", "999999999", "9" * 5_000):
        answer = await sqlite_phone.ask(f"/voice/status/{place}", call(UNKNOWN, FIRST))
        assert 422 == answer.status_code


async def test_a_body_that_no_carrier_sends_is_no_error_of_ours(sqlite_systems: Systems) -> None:
    phone = local_phone(sqlite_systems)
    many = b"&".join(b"f%d=" % place for place in range(MAX_FIELDS + 1))

    assert 413 == (await sent(phone, b"a=" + b"x" * BODY_BYTES)).status_code
    assert 400 == (await sent(phone, many)).status_code
    for body in (b'{"CallSid": "CA"}', b"\xff\xfe%ff%00=\x00&;&&==", b""):
        assert ["Reject"] == kinds(understood((await sent(phone, body)).text))


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.dictionaries(
        st.sampled_from(["CallSid", "To", "From", "DialCallStatus", "DialCallDuration", "x"]),
        st.text(max_size=30) | st.sampled_from([FIRST, CALLER, "completed", "+13125550101"]),
    ),
    st.sampled_from(["/voice", "/voice/status", "/voice/status/4", "/voice/whisper/CFL0/3"]),
)
def test_whatever_comes_the_carrier_gets_an_answer_that_it_understands(
    nearby_phone: Phone, fields: dict[str, str], path: str
) -> None:
    asyncio.run(nearby_phone.hears(path, fields))


async def test_only_posts_are_calls(sqlite_phone: Phone) -> None:
    transport = httpx.ASGITransport(sqlite_phone.app, client=("127.0.0.1", 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        assert 405 == (await client.get("/voice")).status_code


# --- privacy -------------------------------------------------------------------------------------

PHONE_NUMBER = re.compile(r"\+?\d{7,15}")


async def test_no_log_holds_a_phone_number(
    sqlite_phone: Phone, sqlite_systems: Systems, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    number = number_of(sqlite_systems)
    broken = Phone(app_on(replace(sqlite_systems, numbers=Broken(sqlite_systems.db))))

    for phone in (sqlite_phone, broken, replace(sqlite_phone, token="guessed")):
        for path in ("/voice", "/voice/status/4", "/voice/status", f"/voice/whisper/{number}/3"):
            await phone.ask(path, call(number, FIRST, DialCallStatus="busy"))
    sqlite_systems.numbers.retain_numbers(step())
    await sqlite_phone.calls(number, SECOND)

    told = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("account_pause")
    )
    # What the client of this test says of its own requests is not ours.
    everything = [each.getMessage() for each in caplog.records if each.name != "httpx"]
    assert "somebody has to look" in told
    assert "was refused" in told
    assert not [line for line in everything if number in line or CALLER in line]
    assert not PHONE_NUMBER.search(told)


def test_control_a_phone_number_in_a_log_would_be_found() -> None:
    assert PHONE_NUMBER.search(f"a call from {CALLER} failed")


# --- small things --------------------------------------------------------------------------------


def use_flow(systems: Systems, steps: list[Any]) -> None:
    with systems.db.transaction() as session:
        for row in session.query(CallFlowRow):
            row.steps = steps


async def sent(phone: Phone, body: bytes) -> httpx.Response:
    transport = httpx.ASGITransport(
        phone.app, client=(phone.sender, 40_000), raise_app_exceptions=False
    )
    async with httpx.AsyncClient(transport=transport, base_url=phone.address) as client:
        return await client.post("/voice", content=body)


def path_of(address: str) -> str:
    assert address.startswith(PUBLIC_URL)
    return address.removeprefix(PUBLIC_URL)
