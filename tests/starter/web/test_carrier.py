"""Who is believed to be the carrier: by Twilio's own way of signing, and by nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from systems.wiring import Systems
from tests.starter.web.phone import PUBLIC_URL, TOKEN, Phone, call, dial_of, kinds
from tests.starter.web.telephony import (
    FIRST,
    SECOND,
    UNKNOWN,
    app_on,
    local_phone,
    number_of,
    opened,
)
from tests.systems.examples import ACCOUNT

PATHS = ("/voice", "/voice/status", "/voice/status/4", "/voice/whisper/C/3")


@pytest.fixture
def systems(sqlite_url: str, tmp_path: Path) -> Iterator[Systems]:
    yield from opened(sqlite_url, tmp_path)


@pytest.fixture
def phone(systems: Systems) -> Phone:
    return Phone(app_on(systems))


async def test_what_the_carrier_signs_is_believed(phone: Phone, systems: Systems) -> None:
    document = await phone.calls(number_of(systems), FIRST)

    assert "Dial" in kinds(document)


@pytest.mark.parametrize(
    "forged",
    [
        "no signature",
        "no secret",
        "another secret",
        "another path",
        "another scheme",
        "the address behind the proxy",
        "another field's value",
        "a field more",
        "a field less",
        "an unknown algorithm",
        "rubbish",
    ],
)
async def test_a_forged_request_is_refused_without_an_answer_to_the_call(
    phone: Phone, systems: Systems, forged: str
) -> None:
    fields = call(number_of(systems), FIRST, DialCallStatus="completed")

    for path in PATHS:
        headers = forgery(phone, path, fields, forged)
        answer = await phone.ask(path, fields, headers=headers)

        assert 403 == answer.status_code
        assert "<" not in answer.text
    assert () == systems.activity.calls(ACCOUNT).calls


def forgery(phone: Phone, path: str, fields: dict[str, str], how: str) -> dict[str, str]:
    fewer = {name: value for name, value in fields.items() if name != "From"}
    unknown = {"X-Twilio-Webhooks-Signature-Settings": "algorithm=NONE"}
    headers = {
        "no signature": {},
        "no secret": signed(replace(phone, token=""), path, fields),
        "another secret": signed(replace(phone, token="guessed"), path, fields),
        "another path": signed(phone, "/voice/else", fields),
        "another scheme": signed(replace(phone, public_url="http://calls.example"), path, fields),
        "the address behind the proxy": signed(
            replace(phone, public_url=phone.address), path, fields
        ),
        "another field's value": signed(phone, path, {**fields, "To": UNKNOWN}),
        "a field more": signed(phone, path, {**fields, "Extra": "1"}),
        "a field less": signed(phone, path, fewer),
        "an unknown algorithm": signed(phone, path, fields) | unknown,
        "rubbish": {"X-Twilio-Signature": "rubbish"},
    }
    return headers[how]


async def test_control_the_same_request_signed_rightly_is_believed(
    phone: Phone, systems: Systems
) -> None:
    for path in PATHS:
        fields = call(number_of(systems), FIRST, DialCallStatus="completed")
        assert 200 == (await phone.ask(path, fields)).status_code


@pytest.mark.parametrize(
    "public_url", [f"{PUBLIC_URL}/", f"{PUBLIC_URL}/product", f"{PUBLIC_URL}:8443"]
)
async def test_the_public_address_is_what_is_signed_and_where_the_carrier_comes_back_to(
    systems: Systems, public_url: str
) -> None:
    phone = Phone(app_on(systems, public_url=public_url), public_url=public_url.rstrip("/"))

    document = await phone.calls(number_of(systems), FIRST)

    dial = dial_of(document)
    assert dial.attrib["action"].startswith(f"{public_url.rstrip('/')}/voice/status/")
    assert dial[0].attrib["url"].startswith(f"{public_url.rstrip('/')}/voice/whisper/")


async def test_what_the_carrier_was_given_behind_the_path_is_signed_too(
    phone: Phone, systems: Systems
) -> None:
    fields = call(number_of(systems), FIRST)

    right = await phone.ask("/voice?from=twilio", fields)
    wrong = await phone.ask("/voice?from=twilio", fields, headers=signed(phone, "/voice", fields))

    assert (200, 403) == (right.status_code, wrong.status_code)


async def test_a_signature_with_the_newer_algorithm_is_believed(
    phone: Phone, systems: Systems
) -> None:
    fields = call(number_of(systems), FIRST)
    signature = RequestValidator(TOKEN).compute_signature(
        f"{PUBLIC_URL}/voice", ImmutableMultiDict(fields), "HMAC_SHA256"
    )
    headers = {
        "X-Twilio-Signature": signature,
        "X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
    }

    assert 200 == (await phone.ask("/voice", fields, headers=headers)).status_code


async def test_a_recorded_request_that_is_sent_again_changes_nothing(
    phone: Phone, systems: Systems
) -> None:
    number = number_of(systems)
    fields = call(number, FIRST)
    headers = signed(phone, "/voice", fields)

    answers = [(await phone.ask("/voice", fields, headers=headers)).text for _ in range(3)]

    assert 1 == len(set(answers))
    assert 1 == len(systems.activity.calls(ACCOUNT).calls)
    other = {**fields, "CallSid": SECOND}
    assert 403 == (await phone.ask("/voice", other, headers=headers)).status_code


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1"),
        ("http://localhost:8000", "127.0.0.1"),
        ("http://[::1]:8000", "::1"),
        ("http://127.0.0.1:8000", "::ffff:127.0.0.1"),
    ],
)
async def test_without_a_token_this_machine_is_believed(
    systems: Systems, address: str, sender: str
) -> None:
    phone = local_phone(systems, address=address, sender=sender)

    assert "Dial" in kinds(await phone.calls(number_of(systems), FIRST))


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"sender": "10.0.0.9"},
        {"sender": "::ffff:10.0.0.9"},
        {"sender": "testclient"},
        {"address": "http://calls.example"},
        {"address": "http://10.0.0.7:8000"},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"Forwarded": "for=127.0.0.1"}},
        {"headers": {"Via": "1.1 proxy"}},
        {"headers": {"Origin": "https://evil.example"}},
    ],
    ids=str,
)
async def test_without_a_token_nobody_else_is(systems: Systems, elsewhere: dict[str, Any]) -> None:
    phone = local_phone(systems, **elsewhere)

    answer = await phone.ask("/voice", call(number_of(systems), FIRST))

    assert 403 == answer.status_code
    assert () == systems.activity.calls(ACCOUNT).calls


async def test_without_a_token_a_published_process_believes_nobody(
    systems: Systems,
) -> None:
    app = app_on(systems, token="")
    phone = Phone(app, token="", address="http://127.0.0.1:8000", sender="127.0.0.1")

    answer = await phone.ask("/voice", call(number_of(systems), FIRST))

    assert 403 == answer.status_code


async def test_an_address_that_is_none_lets_nobody_in(systems: Systems) -> None:
    phone = Phone(app_on(systems, public_url="https://calls.example:99999"))

    assert 403 == (await phone.ask("/voice", call(number_of(systems), FIRST))).status_code


async def test_with_a_token_this_machine_has_to_sign_as_well(systems: Systems) -> None:
    here = "http://127.0.0.1:8000"
    phone = Phone(app_on(systems, public_url=here), address=here, sender="127.0.0.1")

    answer = await phone.ask("/voice", call(number_of(systems), FIRST), headers={})

    assert 403 == answer.status_code


def signed(phone: Phone, path: str, fields: dict[str, str]) -> dict[str, str]:
    return {"X-Twilio-Signature": phone.signature(path, fields)}
