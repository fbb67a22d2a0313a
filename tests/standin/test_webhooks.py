"""What the stand-in tells about what happened, and how it proves that it was the one."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import stripe

from tests.standin.control import Standin, deliver, payload
from tests.standin.shop import SETUP, shop
from tests.standin.webhooks import signed

SECRET = "whsec_standin"
Delivered = list[tuple[bytes, str]]


@contextmanager
def receiving(status: int = 200) -> Iterator[tuple[str, Delivered]]:
    """An endpoint that answers with this status and keeps bodies and signatures."""
    delivered: Delivered = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            delivered.append((body, self.headers["Stripe-Signature"]))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/events", delivered
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def until_delivered(standin: Standin, number: int) -> list[int]:
    """The answers to that many deliveries."""
    deadline = time.monotonic() + 5
    while len(standin.deliveries()) < number:
        assert time.monotonic() < deadline, f"delivered so far: {standin.deliveries()}"
        time.sleep(0.01)
    return [delivery["status"] for delivery in standin.deliveries()]


def test_events_are_sent_in_order_with_a_signature_that_the_official_package_accepts(
    standin: Standin,
) -> None:
    store = shop(standin)
    with receiving() as (url, delivered):
        standin.webhook(url, SECRET)

        store.client.v1.refunds.create({"payment_intent": store.pay().id})
        statuses = until_delivered(standin, 3)

    assert [200, 200, 200] == statuses
    events = [stripe.Webhook.construct_event(*each, SECRET) for each in delivered]
    assert ["payment_intent.succeeded", "refund.created", "charge.refunded"] == [
        event.type for event in events
    ]
    assert [event["id"] for event in standin.events()] == [event.id for event in events]
    assert store.only_payment()["id"] == events[0].data.object["id"]


def test_control_another_secret_is_noticed(standin: Standin) -> None:
    shop(standin).pay()
    body = payload(standin.events()[0])

    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signed(body, "whsec_other"), SECRET)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", signed(body, SECRET), SECRET)
    an_hour_ago = int(time.time()) - 3600
    with pytest.raises(stripe.SignatureVerificationError, match="tolerance"):
        stripe.Webhook.construct_event(body, signed(body, SECRET, an_hour_ago), SECRET)


def test_a_signature_is_what_the_official_package_would_make() -> None:
    body = b'{"id": "evt_1"}'

    official = stripe.WebhookSignature.generate_signature_header(body.decode(), SECRET, 1)

    assert official == signed(body, SECRET, 1)


def test_a_test_can_deliver_events_itself_in_any_order(standin: Standin) -> None:
    store = shop(standin, "processing")
    intent = store.pay()
    standin.settle_payment(intent.id)
    later_first = standin.events()[::-1]

    with receiving(status=503) as (url, delivered):
        answers = [deliver(event, url, SECRET) for event in later_first]

    assert [503, 503] == answers
    assert [] == standin.deliveries()
    assert ["payment_intent.succeeded", "payment_intent.processing"] == [
        json.loads(body)["type"] for body, _ in delivered
    ]


def test_an_endpoint_that_does_not_answer_loses_the_event(standin: Standin) -> None:
    with receiving() as (url, _):
        pass
    standin.webhook(url, SECRET)

    shop(standin).pay()

    assert [0] == until_delivered(standin, 1)


def test_everything_that_happens_is_an_event(standin: Standin) -> None:
    good, bad, slow = shop(standin), shop(standin, "declined"), shop(standin, "processing")
    client = good.client
    paid = good.pay()
    with pytest.raises(stripe.CardError):
        bad.pay()
    slow.pay()
    client.v1.payment_intents.cancel(good.create().id)
    refund = client.v1.refunds.create({"payment_intent": paid.id})
    standin.settle_refund(refund.id, "failed")
    used, unused = (client.v1.checkout.sessions.create(SETUP) for _ in range(2))
    standin.complete_session(used.id)
    standin.advance(timedelta(days=1))

    assert unused.id == standin.events()[-1]["data"]["object"]["id"]
    assert [
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.canceled",
        "refund.created",
        "charge.refunded",
        "refund.updated",
        "setup_intent.succeeded",
        "checkout.session.completed",
        "checkout.session.expired",
    ] == [event["type"] for event in standin.events()]


def test_an_event_holds_the_object_as_it_was_then(standin: Standin) -> None:
    store = shop(standin, "processing")
    standin.settle_payment(store.pay().id)

    [processing] = standin.events("payment_intent.processing")
    [succeeded] = standin.events("payment_intent.succeeded")

    assert ("processing", "succeeded") == (
        processing["data"]["object"]["status"],
        succeeded["data"]["object"]["status"],
    )
