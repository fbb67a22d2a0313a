"""What tests can do to the stand-in: its clock, its record, and its end."""

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
import stripe

from tests.standin.control import Standin, StandinRefused
from tests.standin.fixture import ROOT
from tests.standin.shop import shop

MID_JANUARY = datetime(2026, 1, 15, 12, tzinfo=UTC)

LEAVES_IT_BEHIND = """
import os, signal
from tests.standin.fixture import running_standin
with running_standin() as standin:
    print(standin.control_port, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_its_clock_can_be_set_and_moved(standin: Standin) -> None:
    standin.set_clock(MID_JANUARY)
    standin.advance(timedelta(days=31))

    created = standin.client().v1.customers.create({}).created

    in_february = MID_JANUARY + timedelta(days=31)
    for at in (standin.now(), datetime.fromtimestamp(created, UTC)):
        assert in_february <= at < in_february + timedelta(minutes=1)


def test_a_reset_makes_everything_new(standin: Standin) -> None:
    store = shop(standin)
    store.pay()
    standin.advance(timedelta(days=400))
    standin.revoke_key("sk_test_standin")
    standin.away()

    standin.reset()

    assert [] == standin.payment_intents() == standin.events()
    assert {} == standin.requests()
    assert standin.now() < datetime.now(UTC) + timedelta(minutes=1)
    assert standin.client().v1.balance.retrieve().livemode is False


def test_payments_and_refunds_can_be_put_on_the_record(standin: Standin) -> None:
    [payment_id] = standin.seed_payment_intents(
        [
            {
                "amount": 700,
                "currency": "usd",
                "status": "succeeded",
                "created": int(MID_JANUARY.timestamp()),
                "customer": "cus_mine",
                "metadata": {"key": "PAU1:1"},
            }
        ]
    )
    standin.seed_refunds([{"payment_intent": payment_id, "amount": 200}])
    client = standin.client()

    payment = client.v1.payment_intents.retrieve(payment_id)
    with pytest.raises(stripe.InvalidRequestError, match=r"\$5.00"):
        client.v1.refunds.create({"payment_intent": payment_id, "amount": 501})

    assert ("succeeded", 700, "cus_mine") == (
        payment.status,
        payment.amount_received,
        payment.customer,
    )
    assert {"key": "PAU1:1"} == payment.metadata.to_dict()
    assert 500 == client.v1.refunds.create({"payment_intent": payment_id}).amount
    assert [] == standin.events("payment_intent.succeeded")


def test_the_record_can_be_changed_behind_everybodys_back(standin: Standin) -> None:
    store = shop(standin)
    changed, gone = store.pay(), store.pay()

    standin.edit(changed.id, amount=501, metadata={})
    standin.delete(gone.id)

    [listed] = store.client.v1.payment_intents.list().data
    assert (changed.id, 501) == (listed.id, listed.amount)
    with pytest.raises(stripe.InvalidRequestError, match=gone.id):
        store.client.v1.payment_intents.retrieve(gone.id)


@pytest.mark.parametrize("verb", ["earthquake", "_respond", "door", "__init__"])
def test_control_a_verb_that_does_not_exist_is_refused(standin: Standin, verb: str) -> None:
    with pytest.raises(StandinRefused, match="no such verb"):
        standin._do(verb)


def test_control_what_is_not_there_cannot_be_changed(standin: Standin) -> None:
    with pytest.raises(StandinRefused, match="pi_never"):
        standin.edit("pi_never", amount=1)
    with pytest.raises(StandinRefused, match="choose from visa"):
        shop(standin, "golden")


def test_it_dies_with_the_test_process_however_that_ends() -> None:
    killed = subprocess.run(
        [sys.executable, "-c", LEAVES_IT_BEHIND],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert -signal.SIGKILL == killed.returncode, killed.stderr.decode()
    until_refused(int(killed.stdout))


def until_refused(port: int) -> None:
    deadline = time.monotonic() + 5
    while True:
        assert time.monotonic() < deadline, "the stand-in outlives its test process"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionError:
            return
        time.sleep(0.02)
