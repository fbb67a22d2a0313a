"""The words of the mails to administrators: a template per kind in `templates/`."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from domain.declines import explained
from domain.money import display
from systems.notices.layout import as_html, as_text, blocks
from systems.notices.queue import Letter, Text


class Letters:
    """Writes mails; `render` is what a `Relay` takes."""

    def __init__(self, pages_url: str | None = None) -> None:
        """Point to pages under `pages_url`, or in words if there are none."""
        self._pages_url = pages_url.rstrip("/") if pages_url else None
        self._templates = Environment(
            loader=PackageLoader("systems.notices", "templates"),
            # Plain text: nothing is to be escaped.
            autoescape=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(day=_day, dated=_dated, money=_money, decline=_decline)

    def render(self, letter: Letter) -> Text:
        """The mail's subject and its words, as plain text and as HTML."""
        page = self._pause_page(letter.account_id)
        template = self._templates.get_template(f"{letter.kind.value}.txt.j2")
        written = template.render(
            data=_Data(letter.data),
            account_name=_one_line(letter.account_name),
            recipient_name=_one_line(letter.recipient_name),
            requested_by_name=_one_line(letter.requested_by_name or ""),
            pause_page=page,
        )
        first, _, body = written.partition("\n")
        subject, parts = first.removeprefix("Subject: ").strip(), blocks(body)
        return Text(subject, as_text(parts), as_html(subject, parts, page))

    def _pause_page(self, account_id: str) -> str:
        if self._pages_url is None:
            return "the page “Pause” of your account"
        return f"{self._pages_url}/accounts/{account_id}/pause"


class _Data(dict[str, Any]):
    """A notice's data; what it lacks is None, so that an older notice can still be sent."""

    def __missing__(self, key: str) -> None:
        return None


def _one_line(name: str) -> str:
    # People name things; a line break in a name must not end the subject.
    return " ".join(name.split())


def _day(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}"


def _dated(words: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d", lambda found: _day(found[0]), words)


def _money(data: Mapping[str, Any]) -> str:
    return display(data["amount_minor"], data["currency"])


def _decline(code: str | None) -> str:
    # A notice that was queued without a code says no more than that it was declined.
    return explained(code).administrator
