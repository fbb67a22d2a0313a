"""The stand-in as tests see it: where it is, what it is told to do, and what it has recorded."""

import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

import stripe

from tests.standin.faults import Kind
from tests.standin.webhooks import post, signed
from tests.standin.world import TEST_KEY

TIMEOUT_SECONDS = 8


class StandinRefused(AssertionError):
    """The test asked the stand-in for something that cannot be; the message says why."""


@dataclass(frozen=True)
class Standin:
    """A running stand-in. `url` is what takes the place of Stripe's address."""

    url: str
    control_port: int

    def client(
        self, key: str = TEST_KEY, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> stripe.StripeClient:
        """The official client, on the stand-in, without retries of its own."""
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout_seconds),
        )

    def reset(self) -> None:
        """As new: no objects, keys, faults, webhooks; today's date; the door open."""
        self._do("reset")

    def process_for(self, look_ups: int | None) -> None:
        """How many look-ups of a payment say `processing`; None: until it is settled. Usually 2."""
        self._do("configure", processing_look_ups=look_ups)

    def begin_refunds(self, status: str) -> None:
        """The status of new refunds. Usually `succeeded`; `pending` ones wait to be settled."""
        self._do("configure", refund_status=status)

    # --- time -------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """What time it is at the stand-in, in whole seconds."""
        return datetime.fromtimestamp(self._do("now"), UTC)

    def advance(self, by: timedelta) -> None:
        """Move its clock: sessions expire, idempotency keys are forgotten."""
        self._do("advance", seconds=by.total_seconds())

    def set_clock(self, at: datetime) -> None:
        """Make it that time there; from then on it goes on as usual."""
        self._do("set_clock", seconds=at.timestamp())

    # --- faults -----------------------------------------------------------------------------------

    def fault(
        self,
        kind: Kind,
        operation: str = "*",
        *,
        times: int = 1,
        skip: int = 0,
        seconds: float = 0.0,
    ) -> None:
        """The next requests to the operation meet it: `times` of them, after `skip` were let
        through. `seconds` is for `slow`.
        """
        self._do("fault", kind=kind, operation=operation, times=times, skip=skip, seconds=seconds)

    def faults_left(self) -> list[dict[str, Any]]:
        """What was planned and has not been met by a request yet."""
        left: list[dict[str, Any]] = self._do("faults_left")
        return left

    def clear_faults(self) -> None:
        """Nothing goes wrong any more."""
        self._do("clear_faults")

    def away(self, seconds: float | None = None) -> None:
        """Connections are refused, those that are open are reset; until `back`, or for a while."""
        self._do("away", seconds=seconds)

    def back(self) -> None:
        """The port is open again."""
        self._do("back")

    # --- keys -------------------------------------------------------------------------------------

    def add_key(self, key: str) -> None:
        """One more secret key of the account; its prefix tells the mode."""
        self._do("add_key", key=key)

    def revoke_key(self, key: str) -> None:
        """From now on the key is answered 401."""
        self._do("revoke_key", key=key)

    # --- what people and banks do -----------------------------------------------------------------

    def complete_session(self, session_id: str, card: str = "visa") -> str:
        """Enter a test card on the hosted page. The id of the payment method."""
        return str(self._do("complete_session", session_id=session_id, card=card))

    def save_card(self, customer_id: str, card: str = "visa") -> str:
        """The same without a session, for tests that only need the card on file."""
        return str(self._do("save_card", customer_id=customer_id, card=card))

    def settle_payment(self, payment_intent_id: str, declined_as: str | None = None) -> None:
        """A payment in `processing` or `requires_action` succeeds, or is declined as that card."""
        self._do("settle_payment", payment_intent_id=payment_intent_id, declined_as=declined_as)

    def settle_refund(self, refund_id: str, status: str) -> None:
        """The bank has answered: `succeeded` or `failed`."""
        self._do("settle_refund", refund_id=refund_id, status=status)

    # --- the record -------------------------------------------------------------------------------

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind, as Stripe names it, in the order in which they were made."""
        found: list[dict[str, Any]] = self._do("objects", kind=kind)
        return found

    def payment_intents(self) -> list[dict[str, Any]]:
        """The truth about payments."""
        return self.objects("payment_intent")

    def refunds(self) -> list[dict[str, Any]]:
        """The truth about refunds."""
        return self.objects("refund")

    def seed_payment_intents(self, payments: Iterable[Mapping[str, Any]]) -> list[str]:
        """Put payments on the record; their ids. Needs `amount` and `currency`.

        Any field of a payment may be given. With status `succeeded` there is a charge to refund.
        Nothing is checked, no event happens, and one in `processing` stays so until it is settled.
        """
        ids: list[str] = self._do("seed_payments", payments=[dict(each) for each in payments])
        return ids

    def seed_refunds(self, refunds: Iterable[Mapping[str, Any]]) -> list[str]:
        """Put refunds on the record; their ids. Needs `payment_intent` and `amount`."""
        ids: list[str] = self._do("seed_refunds", refunds=[dict(each) for each in refunds])
        return ids

    def edit(self, object_id: str, **fields: Any) -> None:
        """Change fields of any object behind everybody's back."""
        self._do("edit", object_id=object_id, fields=fields)

    def delete(self, object_id: str) -> None:
        """Take any object off the record."""
        self._do("delete", object_id=object_id)

    # --- webhooks ---------------------------------------------------------------------------------

    def webhook(self, url: str | None, secret: str = "") -> None:
        """Send events there from now on, signed; None: nowhere."""
        self._do("webhook", url=url, secret=secret)

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """What has happened, oldest first; of one type, or all."""
        events: list[dict[str, Any]] = self._do("events")
        return [event for event in events if kind in (None, event["type"])]

    def deliveries(self) -> list[dict[str, Any]]:
        """What was sent: `event_id`, `type`, and the answer's `status`, 0 without one."""
        sent: list[dict[str, Any]] = self._do("deliveries")
        return sent

    # --- what was seen ----------------------------------------------------------------------------

    def requests(self) -> dict[str, int]:
        """How many requests there were, by operation."""
        counts: dict[str, int] = self._do("requests")
        return counts

    def card_numbers(self) -> list[str]:
        """Which parameters of which operations held what looks like a card number."""
        names: list[str] = self._do("card_numbers")
        return names

    def bugs(self) -> list[str]:
        """Where the stand-in itself failed."""
        traces: list[str] = self._do("bugs")
        return traces

    def _do(self, verb: str, **arguments: Any) -> Any:
        connection = HTTPConnection("127.0.0.1", self.control_port, timeout=30)
        with closing(connection):
            connection.request("POST", f"/_standin/{verb}", json.dumps(arguments))
            answer = connection.getresponse()
            result = json.load(answer)
        if answer.status != HTTPStatus.OK:
            raise StandinRefused(result)
        return result


def payload(event: Mapping[str, Any]) -> bytes:
    """The event as the body of a webhook."""
    return json.dumps(event).encode()


def deliver(event: Mapping[str, Any], url: str, secret: str, timestamp: int | None = None) -> int:
    """Send one event as Stripe would. The status of the answer, 0 if there was none."""
    body = payload(event)
    return post(url, body, signed(body, secret, timestamp))
