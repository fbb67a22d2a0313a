import socket
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from domain.errors import Transient
from domain.ports import Mail
from systems.notices.mailers import FileMailer, SmtpMailer

MAIL = Mail(
    message_id="<NOT1.USR1@notices.account-pause>",
    to="dana@example.example",
    subject="Atelier Lumière is paused",
    text="Hello Dana,\n\nthe account “Atelier Lumière” is paused.\n",
)


class Sink:
    """A mail server's inside: keeps what it is sent, or refuses it."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.refusal: str | None = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.refusal is not None:
            return self.refusal
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        return "250 OK"


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def port(sink: Sink) -> Iterator[int]:
    controller = Controller(sink, hostname="127.0.0.1", port=_free_port())
    controller.start()
    yield controller.port
    controller.stop()


def test_a_mail_reaches_the_server_as_it_was_written(sink: Sink, port: int) -> None:
    SmtpMailer(f"smtp://127.0.0.1:{port}").deliver(MAIL)

    (message,) = sink.received
    assert (MAIL.to, MAIL.subject, MAIL.message_id) == (
        message["To"],
        message["Subject"],
        message["Message-ID"],
    )
    assert MAIL.text.splitlines() == message.get_content().splitlines()
    assert message["Date"]


def test_a_mail_with_html_carries_both_the_plain_words_first(sink: Sink, port: int) -> None:
    SmtpMailer(f"smtp://127.0.0.1:{port}").deliver(replace(MAIL, html="<p>Hello Dana</p>"))

    (message,) = sink.received
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert ["text/plain", "text/html"] == kinds
    html = message.get_body(("html",))
    assert html is not None
    assert html.get_content().strip() == "<p>Hello Dana</p>"


@pytest.mark.parametrize(
    "refusal", ["451 try again later", "550 no such mailbox dana@example.example"]
)
def test_a_refused_mail_is_tried_again(sink: Sink, port: int, refusal: str) -> None:
    sink.refusal = refusal

    with pytest.raises(Transient) as fault:
        SmtpMailer(f"smtp://127.0.0.1:{port}").deliver(MAIL)

    assert "dana" not in str(fault.value)


def test_a_server_that_is_away_is_transient() -> None:
    with pytest.raises(Transient):
        SmtpMailer(f"smtp://127.0.0.1:{_free_port()}").deliver(MAIL)


def test_a_server_that_speaks_no_tls_is_no_smtps_server(port: int) -> None:
    with pytest.raises(Transient):
        SmtpMailer(f"smtps://127.0.0.1:{port}").deliver(MAIL)


@pytest.fixture
def logins() -> list[tuple[bytes, bytes]]:
    return []


@pytest.fixture
def guarded_port(sink: Sink, logins: list[tuple[bytes, bytes]]) -> Iterator[int]:
    def authenticate(*arguments: Any) -> AuthResult:
        logins.append((arguments[-1].login, arguments[-1].password))
        return AuthResult(success=True)

    controller = Controller(
        sink,
        hostname="127.0.0.1",
        port=_free_port(),
        authenticator=authenticate,
        auth_require_tls=False,
    )
    controller.start()
    yield controller.port
    controller.stop()


def test_a_user_logs_in(sink: Sink, guarded_port: int, logins: list[tuple[bytes, bytes]]) -> None:
    SmtpMailer(f"smtp://user%40shop:p%2Fss@127.0.0.1:{guarded_port}").deliver(MAIL)

    assert [(b"user@shop", b"p/ss")] == logins
    assert 1 == len(sink.received)


def test_a_password_leaves_the_machine_over_tls_only(
    sink: Sink, guarded_port: int, logins: list[tuple[bytes, bytes]]
) -> None:
    # Reaches the same server under a name that is not known to be this machine.
    with pytest.raises(Transient, match="SMTPNotSupportedError"):
        SmtpMailer(f"smtp://user:pass@0.0.0.0:{guarded_port}").deliver(MAIL)

    assert ([], []) == (logins, sink.received)


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "mail.example:25"])
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="smtp://host") as refused:
        SmtpMailer(url)

    assert url == "smtp://" or url not in str(refused.value)


def test_a_mail_becomes_a_file_and_the_same_mail_the_same_file(tmp_path: Path) -> None:
    mailer = FileMailer(tmp_path / "mails")

    for _ in range(2):
        mailer.deliver(MAIL)

    (file,) = (tmp_path / "mails").iterdir()
    message = message_from_bytes(file.read_bytes(), policy=default)
    assert "NOT1.USR1@notices.account-pause.eml" == file.name
    assert (MAIL.to, MAIL.subject) == (message["To"], message["Subject"])


def test_a_folder_that_cannot_be_written_is_transient(tmp_path: Path) -> None:
    (tmp_path / "mails").write_text("a file where the folder should be")

    with pytest.raises(Transient):
        FileMailer(tmp_path / "mails").deliver(MAIL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
