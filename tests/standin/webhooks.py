"""Events, their signatures, and their way to the endpoint that tests have named."""

import asyncio
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from http.client import HTTPException

from stripe._api_version import _ApiVersion

from tests.standin.store import Clock, Object, Store, new_id

WITHIN_SECONDS = 10


def signed(payload: bytes, secret: str, timestamp: int | None = None) -> str:
    """The header `Stripe-Signature` for a body that is sent at `timestamp`, by default now.

    The receiver compares that with its own clock, so the default is the machine's time.
    """
    at = int(time.time()) if timestamp is None else timestamp
    digest = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def post(url: str, payload: bytes, signature: str) -> int:
    """Send an event. The status of the answer, 0 if there was none."""
    headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature}
    request = urllib.request.Request(url, payload, headers, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=WITHIN_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code
    except (OSError, HTTPException):
        return 0


@dataclass(frozen=True)
class Endpoint:
    """Where events go, and what they are signed with."""

    url: str
    secret: str


@dataclass(frozen=True)
class Delivery:
    """An event that was sent; status 0 means that nobody answered."""

    event_id: str
    type: str
    status: int


class Events:
    """What happened, oldest first; sent in the background, one after another, once each."""

    def __init__(self, clock: Clock, store: Store) -> None:
        self._clock = clock
        self._store = store
        self.all: list[Object] = []
        self.deliveries: list[Delivery] = []
        self._endpoint: Endpoint | None = None
        self._queue: asyncio.Queue[tuple[Endpoint, Object]] = asyncio.Queue()
        self._courier: asyncio.Task[None] | None = None

    def happened(self, kind: str, thing: Object) -> None:
        """Note the event with the object as it is now, and send it if there is an endpoint."""
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": _ApiVersion.CURRENT,
            "created": self._clock.now(),
            "data": {"object": json.loads(json.dumps(thing))},
            "livemode": self._store.livemode(thing["id"]),
            "pending_webhooks": 1 if self._endpoint else 0,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        self.all.append(event)
        if self._endpoint is not None:
            self._queue.put_nowait((self._endpoint, event))

    def send_to(self, endpoint: Endpoint | None) -> None:
        """From now on send events there, or nowhere."""
        self._endpoint = endpoint
        if self._courier is None:
            self._courier = asyncio.get_running_loop().create_task(self._carry())

    def stop(self) -> None:
        """Send nothing more, not even what waits."""
        if self._courier is not None:
            self._courier.cancel()

    def told(self) -> list[dict[str, object]]:
        """The deliveries, as plain values."""
        return [asdict(delivery) for delivery in self.deliveries]

    async def _carry(self) -> None:
        while True:
            endpoint, event = await self._queue.get()
            payload = json.dumps(event).encode()
            signature = signed(payload, endpoint.secret)
            status = await asyncio.to_thread(post, endpoint.url, payload, signature)
            self.deliveries.append(Delivery(event["id"], event["type"], status))
