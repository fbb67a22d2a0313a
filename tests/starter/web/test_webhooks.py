"""What Stripe tells: believed for its signature alone, kept once, and never money or a verdict."""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from stripe import WebhookSignature

from domain.errors import Code
from systems.tables import GatewayEventRow
from systems.wiring import Systems, open_systems
from tests.starter.web.shop import (
    LIVE_KEY,
    SECRET,
    client_of,
    everything_in,
    opened,
    posted,
    shop_app,
)

PATH = "/webhooks/stripe"
OTHER_SECRET = "whsec_of_another_endpoint"

# What a test sends: body and header. None: no header at all.
Sent = tuple[bytes, str | None]


def event(
    event_id: str = "evt_1Abc",
    kind: str = "payment_intent.succeeded",
    object_id: object = "pi_1Abc",
    **more: Any,
) -> dict[str, Any]:
    """An event as Stripe builds it, as far as it matters here."""
    return {
        "id": event_id,
        "object": "event",
        "type": kind,
        "livemode": False,
        "created": 1_700_000_000,
        "data": {"object": {"id": object_id, "object": "payment_intent", "amount": 500}},
        **more,
    }


def body_of(told: dict[str, Any]) -> bytes:
    return json.dumps(told).encode()


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> str:
    """The header that Stripe sends with the body, made by its own package."""
    timestamp = int(time.time() if at is None else at)
    return str(WebhookSignature.generate_signature_header(body.decode(), secret, timestamp))


def genuine(**fields: Any) -> Sent:
    body = body_of(event(**fields))
    return body, signed(body)


async def post(client: httpx.AsyncClient, sent: Sent) -> httpx.Response:
    body, header = sent
    # As bytes: not everything that a forger may send is ASCII.
    headers = {} if header is None else {b"Stripe-Signature": header.encode("latin-1")}
    return await client.post(PATH, content=body, headers=headers)


def kept(systems: Systems) -> list[tuple[str, str, str]]:
    with systems.db.transaction() as session:
        rows = session.scalars(select(GatewayEventRow).order_by(GatewayEventRow.event_id)).all()
    return [(row.event_id, row.kind, row.object_id) for row in rows]


@pytest.fixture
def systems(database_url: str, tmp_path: Path) -> Iterator[Systems]:
    yield from opened(database_url, tmp_path)


@pytest.fixture
def sqlite_systems(sqlite_url: str, tmp_path: Path) -> Iterator[Systems]:
    yield from opened(sqlite_url, tmp_path)


# --- whom it believes ----------------------------------------------------------------------------


async def test_a_genuine_event_is_kept_and_a_repeat_changes_nothing(systems: Systems) -> None:
    async with client_of(shop_app(systems)) as client:
        first = await post(client, genuine())
        before = everything_in(systems)
        again = await post(client, genuine())

    assert [(200, {"event": "kept"}), (200, {"event": "known"})] == [
        (answer.status_code, answer.json()) for answer in (first, again)
    ]
    assert [("evt_1Abc", "payment_intent.succeeded", "pi_1Abc")] == kept(systems)
    assert before == everything_in(systems)


def _without_v1(body: bytes) -> str:
    return signed(body).replace("v1=", "v0=")


def _other_time(body: bytes) -> str:
    stamp, _, signature = signed(body).partition(",")
    return f"t={int(stamp.removeprefix('t=')) - 1},{signature}"


def _reencoded(body: bytes) -> bytes:
    return json.dumps(json.loads(body), separators=(",", ":")).encode()


def _other_body(body: bytes) -> bytes:
    return body.replace(b"pi_1Abc", b"pi_2Abc")


FORGED: dict[str, Callable[[bytes], Sent]] = {
    "no header": lambda body: (body, None),
    "empty header": lambda body: (body, ""),
    "another secret": lambda body: (body, signed(body, OTHER_SECRET)),
    "the old scheme only": lambda body: (body, _without_v1(body)),
    "another scheme": lambda body: (body, signed(body).replace("v1=", "v2=")),
    "another body": lambda body: (_other_body(body), signed(body)),
    "the body encoded anew": lambda body: (_reencoded(body), signed(body)),
    "a space behind the body": lambda body: (body + b" ", signed(body)),
    "another time": lambda body: (body, _other_time(body)),
    "no time": lambda body: (body, signed(body).partition(",")[2]),
    "two times, the first made up": lambda body: (body, f"t={int(time.time()) + 9},{signed(body)}"),
    "a time that is no number": lambda body: (body, "t=now,v1=0"),
    "an endless time": lambda body: (body, f"t={'9' * 5000},v1=0"),
    "no signature": lambda body: (body, f"t={int(time.time())}"),
    "an empty signature": lambda body: (body, f"t={int(time.time())},v1="),
    "a signature of no body": lambda body: (body, signed(b"")),
    "letters that no signature has": lambda body: (body, f"t={int(time.time())},v1=\xe9"),
    "our secret instead of a signature": lambda body: (body, SECRET),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
async def test_what_is_forged_is_refused_and_kept_nowhere(
    sqlite_systems: Systems, forge: Callable[[bytes], Sent]
) -> None:
    before = everything_in(sqlite_systems)

    async with client_of(shop_app(sqlite_systems)) as client:
        answer = await post(client, forge(body_of(event())))

    assert 400 == answer.status_code
    assert "invalid_signature" == answer.json()["code"]
    assert before == everything_in(sqlite_systems)


async def test_a_body_that_is_no_text_is_refused(sqlite_systems: Systems) -> None:
    async with client_of(shop_app(sqlite_systems)) as client:
        answer = await post(client, (b"\xff\xfe{}", f"t={int(time.time())},v1=0"))

    assert (400, "invalid_signature") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("seconds", [-7 * 86_400, -310, 310, 86_400, 100 * 365 * 86_400])
async def test_what_was_signed_long_ago_or_for_the_future_is_refused(
    sqlite_systems: Systems, seconds: int
) -> None:
    body = body_of(event())

    async with client_of(shop_app(sqlite_systems)) as client:
        answer = await post(client, (body, signed(body, at=time.time() + seconds)))

    assert (400, "timestamp_out_of_range") == (answer.status_code, answer.json()["code"])
    assert [] == kept(sqlite_systems)


@pytest.mark.parametrize("seconds", [-280, 280])
async def test_clocks_may_differ_a_little(sqlite_systems: Systems, seconds: int) -> None:
    body = body_of(event())

    async with client_of(shop_app(sqlite_systems)) as client:
        answer = await post(client, (body, signed(body, at=time.time() + seconds)))

    assert 200 == answer.status_code


async def test_while_a_secret_is_replaced_both_signatures_come_and_one_is_enough(
    sqlite_systems: Systems,
) -> None:
    body = body_of(event())
    ours, theirs = signed(body), signed(body, OTHER_SECRET).partition(",")[2]

    async with client_of(shop_app(sqlite_systems)) as client:
        answer = await post(client, (body, f"{ours},{theirs}"))

    assert 200 == answer.status_code


@pytest.mark.parametrize(("key", "livemode"), [("sk_test_shop", True), (LIVE_KEY, False)])
async def test_an_event_of_the_other_mode_than_our_keys_is_refused(
    sqlite_systems: Systems, key: str, livemode: bool
) -> None:
    async with client_of(shop_app(sqlite_systems, key=key)) as client:
        answer = await post(client, genuine(livemode=livemode))

    assert (400, "wrong_mode") == (answer.status_code, answer.json()["code"])
    assert [] == kept(sqlite_systems)


@pytest.mark.parametrize("missing", [{"key": ""}, {"secret": ""}, {"secret": "  "}])
async def test_without_key_or_secret_nobody_is_believed_and_the_log_says_so_once(
    sqlite_systems: Systems, missing: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    body = body_of(event())
    with caplog.at_level(logging.WARNING, "account_pause.web"):
        async with client_of(shop_app(sqlite_systems, **missing)) as client:
            answers = [await post(client, (body, signed(body))) for _ in range(3)]

    assert {503} == {answer.status_code for answer in answers}
    assert "webhooks_not_configured" == answers[0].json()["code"]
    assert 1 == caplog.text.count("STRIPE_WEBHOOK_SECRET")
    assert [] == kept(sqlite_systems)


# --- what it takes of a body ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "told", "object_id"),
    [
        ("payment_intent.canceled", {"id": "pi_9"}, "pi_9"),
        ("checkout.session.completed", {"id": "cs_test_9", "payment_intent": None}, "cs_test_9"),
        ("charge.refunded", {"id": "ch_9", "payment_intent": "pi_9"}, "pi_9"),
        ("refund.failed", {"id": "re_9", "payment_intent": "pi_9"}, "pi_9"),
    ],
)
async def test_of_what_concerns_us_the_id_to_be_looked_up_is_kept(
    sqlite_systems: Systems, kind: str, told: dict[str, Any], object_id: str
) -> None:
    async with client_of(shop_app(sqlite_systems)) as client:
        await post(client, genuine(kind=kind, data={"object": told}))

    assert [("evt_1Abc", kind, object_id)] == kept(sqlite_systems)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "balance.available", "data": {"object": {"object": "balance"}}},
        {"kind": "customer.created"},
        {"kind": "v1.billing.meter.no_meter_found", "data": {}},
        {"kind": "something.entirely.new", "data": {"object": []}},
        {"kind": "charge.refunded", "data": {"object": {"id": "ch_1", "payment_intent": None}}},
        {"kind": "payment_intent.succeeded", "data": {"object": None}},
        {"kind": "payment_intent.succeeded", "data": {}},
    ],
)
async def test_what_does_not_concern_us_is_accepted_and_ignored(
    sqlite_systems: Systems, fields: dict[str, Any]
) -> None:
    async with client_of(shop_app(sqlite_systems)) as client:
        answer = await post(client, genuine(**fields))

    assert (200, {"event": "ignored"}) == (answer.status_code, answer.json())
    assert [] == kept(sqlite_systems)


CARD_NUMBER = "4242424242424242"


@pytest.mark.parametrize(
    "fields",
    [
        {"object_id": CARD_NUMBER},
        {"object_id": f"pi_{CARD_NUMBER}"},
        {"object_id": f"pi_{'_'.join(CARD_NUMBER)}"},
        {"object_id": f"pi_{'x' * 300}"},
        {"object_id": "pi_1 OR 1=1"},
        {"object_id": "pi_1\n"},
        {"object_id": ""},
        {"object_id": 17},
        {"object_id": {"id": "pi_1"}},
        {"event_id": f"evt_{CARD_NUMBER}"},
        {"event_id": "evt_" + "x" * 300},
        {"event_id": None},
        {"kind": f"payment_intent.{CARD_NUMBER}"},
        {"kind": "payment_intent." + "x" * 300},
        {"kind": None},
        {"livemode": "false"},
        {"livemode": None},
        {"data": "pi_1"},
    ],
)
async def test_ids_that_are_none_are_refused_and_neither_kept_nor_repeated(
    sqlite_systems: Systems, fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with client_of(shop_app(sqlite_systems)) as client:
        answer = await post(client, genuine(**fields))

    assert (400, Code.VALIDATION_FAILED) == (answer.status_code, answer.json()["code"])
    assert [] == kept(sqlite_systems)
    assert CARD_NUMBER not in answer.text + caplog.text


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"{", b"[" * 30_000, b'"evt"'])
async def test_a_signed_body_that_is_no_event_is_refused(
    sqlite_systems: Systems, body: bytes
) -> None:
    async with client_of(shop_app(sqlite_systems)) as client:
        answer = await post(client, (body, signed(body)))

    assert (400, Code.VALIDATION_FAILED) == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_body_of_more_than_64_kib_is_refused(
    sqlite_systems: Systems, is_announced: bool
) -> None:
    body = body_of(event(padding="x" * 70_000))

    async def in_parts() -> Any:
        for begin in range(0, len(body), 10_000):
            yield body[begin : begin + 10_000]

    async with client_of(shop_app(sqlite_systems)) as client:
        answer = await client.post(
            PATH,
            content=body if is_announced else in_parts(),
            headers={"Stripe-Signature": signed(body)},
        )

    assert (413, "payload_too_large") == (answer.status_code, answer.json()["code"])
    assert [] == kept(sqlite_systems)


async def test_a_large_event_that_stripe_may_well_send_is_taken(sqlite_systems: Systems) -> None:
    async with client_of(shop_app(sqlite_systems)) as client:
        answer = await post(client, genuine(padding="x" * 60_000))

    assert 200 == answer.status_code


async def test_no_body_changes_money_or_anything_else(systems: Systems) -> None:
    before = everything_in(systems)
    bodies = [
        event(f"evt_{number}", kind, f"pi_{number}", data={"object": hostile})
        for number, (kind, hostile) in enumerate(_hostile())
    ]

    async with client_of(shop_app(systems)) as client:
        for told in bodies:
            body = body_of(told)
            assert 200 == (await post(client, (body, signed(body)))).status_code

    after = everything_in(systems)
    assert len(bodies) == len(after.pop("gateway_events"))
    before.pop("gateway_events")
    assert before == after


def _hostile() -> Iterator[tuple[str, dict[str, Any]]]:
    """Bodies that say that money has moved, of whatever amount and for whomever."""
    kinds = ("payment_intent.succeeded", "charge.refunded", "refund.updated", "checkout.session.x")
    for kind in kinds:
        for amount in (0, 1, -500, 10**12):
            yield (
                kind,
                {
                    "id": "pi_1",
                    "payment_intent": "pi_1",
                    "amount": amount,
                    "amount_received": amount,
                    "status": "succeeded",
                    "customer": "cus_1",
                    "metadata": {"account_id": "ACC1", "key": "ACC1:2026-01-15:1"},
                },
            )


# --- many, and faults ----------------------------------------------------------------------------


@pytest.mark.parametrize("hundreds", [2, pytest.param(20, marks=pytest.mark.slow)])
async def test_of_many_webhooks_each_genuine_event_is_kept_once_and_none_that_is_forged(
    systems: Systems, hundreds: int
) -> None:
    random = Random(20261125)
    ids = [f"evt_{number}" for number in range(25 * hundreds)]
    sent = [genuine(event_id=each) for each in random.choices(ids, k=45 * hundreds) + ids]
    forges, forged = list(FORGED.values()), range(30 * hundreds)
    sent += [random.choice(forges)(body_of(event(f"evt_forged_{number}"))) for number in forged]
    random.shuffle(sent)

    answers = await _all_posted(shop_app(systems), sent)

    assert 100 * hundreds == len(sent)
    assert {200: 70 * hundreds, 400: 30 * hundreds} == Counter(status for status, _ in answers)
    assert sorted(ids) == [event_id for event_id, _, _ in kept(systems)]
    assert len(ids) == sum(body == b'{"event":"kept"}' for _, body in answers)


async def _all_posted(app: FastAPI, sent: list[Sent]) -> list[tuple[int, bytes]]:
    """The answers, at most eight requests being under way at a time."""
    slots = asyncio.Semaphore(8)

    async def one(each: Sent) -> tuple[int, bytes]:
        body, header = each
        encoded = () if header is None else ((b"stripe-signature", header.encode("latin-1")),)
        async with slots:
            return await posted(app, PATH, body, encoded)

    return list(await asyncio.gather(*map(one, sent)))


async def test_while_the_database_is_away_the_gateway_is_told_to_try_again(tmp_path: Path) -> None:
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    systems = open_systems(nowhere, f"sqlite:///{tmp_path / 'gateway.db'}")

    async with client_of(shop_app(systems)) as client:
        answer, ready = await post(client, genuine()), await client.get("/readyz")
    systems.close()

    for each in (answer, ready):
        assert (503, Code.UNAVAILABLE) == (each.status_code, each.json()["code"])
        assert int(each.headers["Retry-After"]) > 0
        assert "postgresql" not in each.text
        assert "127.0.0.1" not in each.text
