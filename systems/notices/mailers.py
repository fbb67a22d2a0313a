"""Where mails go: to a mail server, or into a folder where nobody has one."""

import re
import smtplib
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from urllib.parse import unquote, urlsplit

from domain.errors import Transient
from domain.ports import Mail

DEFAULT_SENDER = "Account Pause <no-reply@localhost>"
TIMEOUT_SECONDS = 10
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class FileMailer:
    """Writes each mail to a file of its own; the same mail again replaces it."""

    def __init__(self, directory: Path, sender: str = DEFAULT_SENDER) -> None:
        """Write to `directory`, which is made when the first mail comes."""
        self._directory = directory
        self._sender = sender

    def deliver(self, mail: Mail) -> None:
        """See the port `Mailer`. A reader never sees half a mail."""
        name = re.sub(r"[^A-Za-z0-9.@-]", "", mail.message_id)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._directory, delete=False) as file:
                file.write(bytes(_message(mail, self._sender)))
            Path(file.name).replace(self._directory / f"{name}.eml")
        except OSError as error:
            raise Transient(f"the mail could not be written: {type(error).__name__}") from error


class SmtpMailer:
    """Hands mails to a mail server.

    Addresses are ``smtp://host`` and ``smtps://host`` (TLS at once), with ``user:password@`` and
    ``:port`` as needed. Over plain `smtp` TLS is used if the server offers it, and a password goes
    to another machine over TLS only.
    """

    def __init__(self, url: str, sender: str = DEFAULT_SENDER) -> None:
        """Send to the server at `url`.

        Raises:
            ValueError: when that is no such address. The address itself is not repeated, since it
                may hold a password.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("a mail server's address is smtp://host or smtps://host")
        self._host = parts.hostname
        self._is_tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._is_tls else 25)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._sender = sender

    def deliver(self, mail: Mail) -> None:
        """See the port `Mailer`."""
        message = _message(mail, self._sender)
        try:
            with self._connected() as server:
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            # The server's own words may repeat an address (R17).
            reason = type(error).__name__
            raise Transient(f"the mail server did not take the mail: {reason}") from error

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        context = ssl.create_default_context()
        if self._is_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=TIMEOUT_SECONDS, context=context
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_SECONDS)
        with server:
            is_safe = self._is_tls or self._host in LOOPBACK
            server.ehlo_or_helo_if_needed()
            if not self._is_tls and server.has_extn("starttls"):
                server.starttls(context=context)
                is_safe = True
            if self._user:
                if not is_safe:
                    raise smtplib.SMTPNotSupportedError("no TLS: the password was not sent")
                server.login(self._user, self._password)
            yield server


def _message(mail: Mail, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = formatdate()
    message["Message-ID"] = mail.message_id
    # Out-of-office answers to a mail like this help nobody.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    if mail.html is not None:
        message.add_alternative(mail.html, subtype="html")
    return message
