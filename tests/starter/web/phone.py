"""The carrier, as tests need it: it asks as Twilio does, and reads the TwiML that it gets."""

from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, fromstring

import httpx
from starlette.datastructures import ImmutableMultiDict
from starlette.types import ASGIApp
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

PUBLIC_URL = "https://calls.example"
TOKEN = "a-token-that-only-the-carrier-knows"

CALLER = "+13125550177"

# What may stand in an answer, and within what. Twilio's own classes check nothing.
ALLOWED: dict[str, tuple[str | None, frozenset[str]]] = {
    "Response": (None, frozenset()),
    "Say": ("Response", frozenset({"voice", "language"})),
    "Dial": ("Response", frozenset({"action", "timeout", "answerOnBridge", "record"})),
    "Number": ("Dial", frozenset({"url"})),
    "Record": ("Response", frozenset({"action", "maxLength", "playBeep"})),
    "Reject": ("Response", frozenset({"reason"})),
    "Hangup": ("Response", frozenset()),
}
LONGEST_TEXT = 1_000


@dataclass(frozen=True)
class Phone:
    """Asks `app`. With a token it signs; requests seem to come from `sender` for `address`."""

    app: ASGIApp
    token: str = TOKEN
    public_url: str = PUBLIC_URL
    address: str = "http://10.0.0.7:8000"
    sender: str = "10.0.0.9"
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, path: str, fields: dict[str, str], *, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """The answer to a request with these fields; `headers` replace the signature."""
        if headers is None:
            headers = {"X-Twilio-Signature": self.signature(path, fields)} if self.token else {}
        transport = httpx.ASGITransport(
            self.app, client=(self.sender, 40_000), raise_app_exceptions=False
        )
        async with httpx.AsyncClient(transport=transport, base_url=self.address) as client:
            return await client.post(path, data=fields, headers={**self.headers, **headers})

    async def hears(self, path: str, fields: dict[str, str]) -> Element:
        """The document that the carrier gets, which it can understand."""
        answer = await self.ask(path, fields)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/xml")
        return understood(answer.text)

    async def calls(self, number: str, call_id: str, caller: str = CALLER) -> Element:
        """What somebody meets who calls the number."""
        return await self.hears("/voice", call(number, call_id, caller))

    def signature(self, path: str, fields: dict[str, str]) -> str:
        """Twilio's signature, by its own package."""
        validator = RequestValidator(self.token)
        url = f"{self.public_url}{path}"
        return str(validator.compute_signature(url, ImmutableMultiDict(fields)))


def call(number: str, call_id: str, caller: str = CALLER, **more: str) -> dict[str, str]:
    """The fields of a call, some of which Twilio always leaves empty."""
    return {
        "AccountSid": "AC" + "0" * 32,
        "ApiVersion": "2010-04-01",
        "CallSid": call_id,
        "CallStatus": "ringing",
        "CallerCity": "",
        "Called": number,
        "Direction": "inbound",
        "From": caller,
        "To": number,
        **more,
    }


def call_id(number: int) -> str:
    """A call's id, as Twilio's look."""
    return f"CA{number:032x}"


def understood(text: str) -> Element:
    """The document, if it holds nothing but what the carrier is to do for us."""
    document = fromstring(text)
    assert document.tag == "Response", text
    _check(document, None)
    return document


def says(document: Element) -> list[str]:
    """What is said, in order."""
    return [each.text or "" for each in document.findall("Say")]


def kinds(document: Element) -> list[str]:
    """What is done, in order."""
    return [each.tag for each in document]


def dial_of(document: Element) -> Element:
    """The dial in it."""
    dial = document.find("Dial")
    assert dial is not None
    return dial


def _check(element: Element, parent: str | None) -> None:
    assert element.tag in ALLOWED, f"{element.tag} is not allowed"
    inside, attributes = ALLOWED[element.tag]
    assert inside == parent, f"{element.tag} stands in {parent}"
    assert set(element.attrib) <= attributes, f"{element.tag} has {set(element.attrib)}"
    assert len(element.text or "") <= LONGEST_TEXT
    assert not (element.tail or "").strip()
    for name in ("action", "url"):
        address = element.attrib.get(name)
        assert address is None or address.startswith((PUBLIC_URL, "http://127.0.0.1")), address
    for child in element:
        _check(child, element.tag)
