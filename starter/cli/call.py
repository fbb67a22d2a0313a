"""The command that calls a number without a carrier: it asks what a carrier would ask."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Annotated
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener
from uuid import uuid4
from xml.etree.ElementTree import Element, ParseError, fromstring

import typer
from rich.console import RenderableType
from rich.text import Text
from starlette.datastructures import ImmutableMultiDict

# The package comes without types.
from twilio.request_validator import SIGNATURE_HEADER  # type: ignore[import-untyped]

from domain.errors import Code, Rejected, Transient
from settings import Settings
from starter.cli.app import AsJson, app
from starter.cli.context import public_url_of
from starter.cli.output import Output
from starter.cli.views import facts
from starter.local.marker import running_stack
from starter.web.paths import VOICE, VOICE_STATUS
from systems.numbers.written import read_e164

if TYPE_CHECKING:
    from starter.web.carrier import Carrier

PANEL = "Accounts"

# A number that is kept for fiction, and the country of numbers without a code.
SOMEBODY, COUNTRY = "+12125550142", "US"
TALK_SECONDS = 60

PATIENCE_SECONDS = 20
# More than a call flow has steps.
MOST_TURNS = 60


@dataclass
class Call:
    """What a caller met, in the order in which it happened.

    `heard_afterwards` is what came once it had rung and nobody had answered.
    """

    carrier_call_id: str
    number: str
    caller: str
    is_rejected: bool = False
    heard: list[str] = field(default_factory=list)
    dialled: str | None = None
    rings_seconds: int | None = None
    whisper: str | None = None
    is_recorded: bool = False
    is_answered: bool = False
    talk_seconds: int = 0
    heard_afterwards: list[str] = field(default_factory=list)
    leaves_message: bool = False


@app.command(rich_help_panel=PANEL)
def call(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The number that is called.")],
    caller: Annotated[
        str, typer.Option("--from", metavar="NUMBER", help="Who calls; `anonymous` withholds it.")
    ] = SOMEBODY,
    no_answer: Annotated[bool, typer.Option("--no-answer", help="Nobody picks up.")] = False,
    seconds: Annotated[
        int, typer.Option(min=1, max=86_400, help="How long they talk.")
    ] = TALK_SECONDS,
    web: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the web process answers; the local stack's if left out.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Call a number as the telephone carrier would, and see what the caller hears.

    Nobody's telephone rings. The web process takes it for a call and remembers it as one.
    """
    output = Output(as_json=as_json)
    settings = Settings.load()
    made = Call(f"CA{uuid4().hex}", _e164(number), _caller(caller))
    with output.progress("Calling"):
        _play(_line(settings, web), made, 0 if no_answer else seconds)
    output.result(made, _view(made))


class Line:
    """The carrier's way to the web process at `web`."""

    def __init__(self, web: str, carrier: "Carrier") -> None:
        """Sign as `carrier` does, if there is a token."""
        self._web = web.rstrip("/")
        self._carrier = carrier
        # The carrier comes straight from the internet, not through a proxy of this machine.
        self._opener = build_opener(ProxyHandler({}))

    def ask(self, address: str, fields: Mapping[str, str]) -> Element:
        """The document that answers a request for a path, or for a public address of ours.

        Raises:
            Rejected: we are not taken for the carrier.
            Transient: nobody answers, or something else does.
        """
        # Our own addresses are public ones; from here they are reached another way.
        path = urlsplit(address).path.removeprefix(urlsplit(self._carrier.url("")).path)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self._carrier.auth_token:
            headers[SIGNATURE_HEADER] = self._carrier.sign(path, ImmutableMultiDict(fields))
        request = Request(f"{self._web}{path}", urlencode(fields).encode(), headers)
        try:
            with self._opener.open(request, timeout=PATIENCE_SECONDS) as answered:
                return self._document(answered.read())
        except HTTPError as error:
            raise self._refused(error.code) from None
        except (OSError, HTTPException):
            raise Transient(
                f"No web process answers at {self._web}. `account-pause up` starts one, and"
                " `account-pause web`; --web names another address."
            ) from None

    def _document(self, body: bytes) -> Element:
        try:
            document = fromstring(body)
        except ParseError:
            document = Element("unreadable")
        if document.tag != "Response":
            raise Transient(f"What answers at {self._web} is not our web process.")
        return document

    def _refused(self, status: int) -> Rejected | Transient:
        if status == HTTPStatus.FORBIDDEN:
            return Rejected(
                Code.VALIDATION_FAILED,
                f"The web process at {self._web} does not take this for the carrier's: give this"
                " command its ACCOUNT_PAUSE_TWILIO_AUTH_TOKEN and ACCOUNT_PAUSE_PUBLIC_URL.",
            )
        return Transient(f"The web process at {self._web} answered {status}.")


def _line(settings: Settings, web: str | None) -> Line:
    # Here, since the framework of the web process takes a second to load.
    from starter.web.carrier import Carrier

    stack = running_stack(settings.state_dir)
    public_url = public_url_of(settings)
    address = web or (stack.web_url if stack else None) or public_url
    if not re.match(r"https?://\w", address):
        raise typer.BadParameter("an address begins with http:// or https://")
    token = settings.twilio_auth_token.get_secret_value().strip()
    return Line(address, Carrier(public_url, token))


def _play(line: Line, call: Call, talk_seconds: int) -> None:
    """Go through the call as a carrier does, turn by turn; 0 seconds means that nobody answers."""
    told = {"CallSid": call.carrier_call_id, "To": call.number, "From": call.caller}
    document = line.ask(VOICE, {**told, "CallStatus": "ringing", "Direction": "inbound"})
    for _ in range(MOST_TURNS):
        _listen(call, document)
        dial = document.find("Dial")
        if dial is None:
            break
        document = line.ask(dial.attrib["action"], told | _rung(line, call, dial, talk_seconds))
        if call.is_answered:
            break
    if not call.is_rejected:
        line.ask(
            VOICE_STATUS, {**told, "CallStatus": "completed", "CallDuration": str(talk_seconds)}
        )


def _listen(call: Call, document: Element) -> None:
    call.is_rejected = document.find("Reject") is not None
    heard = call.heard if call.dialled is None else call.heard_afterwards
    heard += [said.text or "" for said in document.findall("Say")]
    call.leaves_message = document.find("Record") is not None


def _rung(line: Line, call: Call, dial: Element, talk_seconds: int) -> dict[str, str]:
    """What the carrier reports of the dial."""
    number = next(iter(dial.findall("Number")))
    call.dialled, call.rings_seconds = number.text, int(dial.attrib["timeout"])
    call.is_answered, call.talk_seconds = talk_seconds > 0, talk_seconds
    if not call.is_answered:
        return {"DialCallStatus": "no-answer", "DialCallDuration": "0"}
    call.is_recorded = "record" in dial.attrib
    if "url" in number.attrib:
        call.whisper = _whispered(line, call, number)
    return {"DialCallStatus": "completed", "DialCallDuration": str(talk_seconds)}


def _whispered(line: Line, call: Call, number: Element) -> str | None:
    leg = {"CallSid": f"CA{uuid4().hex}", "To": number.text or "", "From": call.caller}
    said = line.ask(number.attrib["url"], leg).find("Say")
    return None if said is None else said.text


def _view(call: Call) -> RenderableType:
    if call.is_rejected:
        heard = "that the number is not in service: the call is rejected"
        return facts(_title(call), [("The caller hears", heard)])
    rows: list[tuple[str, RenderableType | None]] = [
        *_quoted(call.heard),
        ("It rings", _rings(call)),
        ("The business hears", _quote(call.whisper) if call.whisper else None),
        *_quoted(call.heard_afterwards),
        ("Then", _ending(call)),
        ("Call", call.carrier_call_id),
    ]
    return facts(_title(call), rows)


def _quoted(texts: list[str]) -> Iterator[tuple[str, RenderableType]]:
    for place, text in enumerate(texts):
        yield "" if place else "The caller hears", _quote(text)


def _quote(text: str) -> Text:
    # Not a plain string: what looks like markup in it is the customer's own.
    return Text(f"“{text}”")


def _title(call: Call) -> str:
    return f"{call.caller} calls {call.number}"


def _rings(call: Call) -> str | None:
    if call.dialled is None:
        return None
    return f"at {call.dialled}, for {call.rings_seconds} seconds at most"


def _ending(call: Call) -> str:
    if call.is_answered:
        recorded = ", and are recorded" if call.is_recorded else ""
        return f"they talk for {call.talk_seconds} seconds{recorded}"
    if call.leaves_message:
        return "the caller may leave a message"
    if call.dialled:
        return "nobody has answered, and the call ends"
    return "the call ends; no telephone has rung"


def _caller(text: str) -> str:
    return text if text == "anonymous" else _e164(text)


def _e164(text: str) -> str:
    """The number as carriers write it; people may leave out the country."""
    number = read_e164(text, COUNTRY)
    if number is None:
        raise typer.BadParameter(f"“{text}” is no phone number; one looks like {SOMEBODY}")
    return number
