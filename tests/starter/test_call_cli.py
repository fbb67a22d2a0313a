"""`account-pause call`: a call without a carrier, told in words."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from settings import Settings
from starter.web import twiml
from starter.web.app import build_app
from systems.numbers.call_flow import RECORDING_NOTICE
from systems.numbers.calls import Treatment
from systems.sample import seed
from systems.tables import CallFlowRow
from systems.wiring import Systems, open_systems
from tests.browser.fixture import served
from tests.house.documents import document
from tests.starter.conftest import Answer, Cli
from tests.systems.examples import ACCOUNT, add_account, step

GREETING = "Thank you for calling Example Dental."
WHISPER = "A call from your marketing."


class Shop:
    """A web process with one account, and the command that calls its numbers."""

    def __init__(self, systems: Systems, settings: Settings, cli: Cli, port: int) -> None:
        self.systems = systems
        self.url = f"http://127.0.0.1:{port}"
        self._run = cli
        self._settings = settings

    @property
    def number(self) -> str:
        return self.systems.numbers.trackers(ACCOUNT)[0].tracking_numbers[0]

    @property
    def destination(self) -> str:
        return self.systems.numbers.trackers(ACCOUNT)[0].destination_number

    def call(self, *arguments: str, **more: str) -> Answer:
        environment = {
            "ACCOUNT_PAUSE_PUBLIC_URL": self._settings.public_url,
            "ACCOUNT_PAUSE_TWILIO_AUTH_TOKEN": self._settings.twilio_auth_token.get_secret_value(),
            **more,
        }
        where = () if more.get("ACCOUNT_PAUSE_PUBLIC_URL") == self.url else ("--web", self.url)
        return self._run(self._settings.state_dir, "call", *arguments, *where, **environment)


@pytest.fixture
def shop(sqlite_url: str, tmp_path: Path, cli: Cli) -> Iterator[Shop]:
    settings = Settings(state_dir=tmp_path, public_url="http://127.0.0.1:8000")
    with running(sqlite_url, settings, cli) as shop:
        yield shop


@pytest.fixture
def signing_shop(sqlite_url: str, tmp_path: Path, cli: Cli) -> Iterator[Shop]:
    """Reached in public another way than from this machine."""
    settings = Settings(
        state_dir=tmp_path,
        public_url="https://calls.example/product/",
        twilio_auth_token=SecretStr("a-token"),
    )
    with running(sqlite_url, settings, cli) as shop:
        yield shop


def test_a_call_is_told_as_the_caller_and_the_business_hear_it(shop: Shop) -> None:
    answer = shop.call(shop.number, "--seconds", "65")

    lines = words(answer)
    assert 0 == answer.exit_code
    assert [
        f"The caller hears “{GREETING}”",
        f"“{RECORDING_NOTICE}”",
        f"It rings at {shop.destination}, for 25 seconds at most",
        f"The business hears “{WHISPER}”",
        "Then they talk for 65 seconds, and are recorded",
    ] == lines[1:6]
    (logged,) = shop.systems.activity.calls(ACCOUNT).calls
    assert (True, 65) == (logged.is_answered, logged.duration_seconds)


def test_programs_get_the_same_as_one_document(shop: Shop) -> None:
    document = shop.call(shop.number, "--from", "+12125550143", "--json").document

    assert document.pop("carrier_call_id").startswith("CA")
    assert {
        "number": shop.number,
        "caller": "+12125550143",
        "is_rejected": False,
        "heard": [GREETING, RECORDING_NOTICE],
        "dialled": shop.destination,
        "rings_seconds": 25,
        "whisper": WHISPER,
        "is_recorded": True,
        "is_answered": True,
        "talk_seconds": 60,
        "heard_afterwards": [],
        "leaves_message": False,
    } == document


def test_when_nobody_answers_the_flow_goes_on(shop: Shop) -> None:
    unanswered = shop.call(shop.number, "--no-answer", "--json").document
    with shop.systems.db.transaction() as session:
        for row in session.query(CallFlowRow):
            row.steps = [{"kind": "dial"}, {"kind": "voicemail", "text": "After the tone."}]
    message = shop.call(shop.number, "--no-answer", "--json").document

    assert (False, [twiml.NOBODY], None) == told(unanswered, "heard_afterwards", "whisper")
    assert not unanswered["leaves_message"]
    assert (False, ["After the tone."], True) == told(message, "heard_afterwards", "leaves_message")
    assert [False, False] == [
        each.is_answered for each in shop.systems.activity.calls(ACCOUNT).calls
    ]


def test_a_retained_number_is_intercepted(shop: Shop) -> None:
    shop.systems.numbers.retain_numbers(step())

    answer = shop.call(shop.number)

    assert f"The caller hears “{twiml.INTERCEPT}”" in words(answer)
    assert "Then the call ends; no telephone has rung" in words(answer)
    assert 1 == shop.systems.numbers.retained_calls(ACCOUNT)[shop.number]


def test_a_text_that_looks_like_markup_is_shown_as_it_is(shop: Shop) -> None:
    with shop.systems.db.transaction() as session:
        for row in session.query(CallFlowRow):
            row.steps = [{"kind": "greeting", "text": "[bold]Hello[/nothing] [red]"}]

    answer = shop.call(shop.number)

    assert "The caller hears “[bold]Hello[/nothing] [red]”" in words(answer)


def test_an_unknown_number_is_rejected(shop: Shop) -> None:
    answer = shop.call("(312) 555-0199")

    assert 0 == answer.exit_code
    assert "+13125550199" in answer.out
    assert "the call is rejected" in answer.out


def test_the_number_in_the_documents_is_one_of_the_samples(shop: Shop) -> None:
    seed(shop.systems, datetime.now(UTC))
    documented = {
        number
        for name in ("README.md", "docs/voice.md")
        for code in document(name).code
        for number in re.findall(r"account-pause call (\S+)", code)
    }

    treatments = {number: shop.systems.numbers.route(number).treatment for number in documented}

    assert {
        "+13125550101": Treatment.CONNECT,
        "+13125550199": Treatment.REJECT,
    } == treatments


def test_a_caller_may_withhold_the_number(shop: Shop) -> None:
    shop.call(shop.number, "--from", "anonymous")

    assert ["anonymous"] == [each.caller for each in shop.systems.activity.calls(ACCOUNT).calls]


def test_with_a_token_the_call_is_signed(signing_shop: Shop) -> None:
    answer = signing_shop.call(signing_shop.number, "--json")

    assert answer.document["is_answered"]
    assert 1 == len(signing_shop.systems.activity.calls(ACCOUNT).calls)


@pytest.mark.parametrize("token", ["", "another"])
def test_without_the_right_token_the_call_is_refused(signing_shop: Shop, token: str) -> None:
    answer = signing_shop.call(signing_shop.number, "--json", ACCOUNT_PAUSE_TWILIO_AUTH_TOKEN=token)

    assert 1 == answer.exit_code
    assert "ACCOUNT_PAUSE_TWILIO_AUTH_TOKEN" in answer.document["message"]
    assert () == signing_shop.systems.activity.calls(ACCOUNT).calls


def test_the_public_address_is_called_unless_another_is_named(shop: Shop) -> None:
    answer = shop.call(shop.number, "--json", ACCOUNT_PAUSE_PUBLIC_URL=shop.url)

    assert (WHISPER, True) == (answer.document["whisper"], answer.document["is_answered"])


@pytest.mark.parametrize(
    "arguments",
    [("555",), ("nobody",), ("+13125550101", "--from", "x"), ("+13125550101", "--web", "ftp://x")],
)
def test_what_cannot_be_called_is_wrong_usage(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert 2 == cli(tmp_path, "call", *arguments).exit_code


def test_without_a_web_process_it_says_how_to_start_one(cli: Cli, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    answer = cli(tmp_path, "call", "+13125550101", "--web", f"http://127.0.0.1:{port}", "--json")

    assert 3 == answer.exit_code
    assert "account-pause up" in answer.document["message"]


@pytest.mark.parametrize(
    ("status", "text"), [(200, "hello"), (200, "<html/>"), (500, "oh"), (404, "no")]
)
def test_something_else_at_the_address_is_told_from_our_web_process(
    cli: Cli, tmp_path: Path, status: int, text: str
) -> None:
    def other(_: Any) -> PlainTextResponse:
        return PlainTextResponse(text, status)

    with served(Starlette(routes=[Route("/voice", other, methods=["POST"])])) as port:
        answer = cli(tmp_path, "call", "+13125550101", "--web", f"http://127.0.0.1:{port}")

    assert 3 == answer.exit_code


@contextmanager
def running(database_url: str, settings: Settings, cli: Cli) -> Iterator[Shop]:
    """A web process on a fresh database with the example's account."""
    gateway_url = f"sqlite:///{settings.state_dir / 'gateway.db'}"
    systems = open_systems(database_url, gateway_url, pool_size=5)
    add_account(systems.db)
    with served(build_app(settings, systems)) as port:
        yield Shop(systems, settings, cli, port)
    systems.close()


def told(document: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return (document["is_answered"], *(document[name] for name in names))


def words(answer: Answer) -> list[str]:
    """What was printed, line by line, without the gaps of its columns."""
    return [" ".join(line.split()) for line in answer.out.splitlines()]
