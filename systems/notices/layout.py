"""One mail, two faces: lines of plain text, and the same words as HTML.

Mails are written once, as paragraphs and lists. HTML is made of those blocks, escaped, so that what
people call their accounts can neither become markup nor a link; only the address of our own page
becomes one.
"""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

WIDTH = 76
BULLET = "- "

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Block:
    """A paragraph (one sentence after the other in `lines[0]`), or the items of a list."""

    lines: tuple[str, ...]
    is_list: bool = False


def blocks(text: str) -> list[Block]:
    """The paragraphs and lists of a text in which blank lines set them apart."""
    return [block for part in text.split("\n\n") for block in _blocks_of(part)]


def as_text(parts: Iterable[Block]) -> str:
    """The blocks filled to lines; each item of a list with a hanging indent."""
    return "\n\n".join("\n".join(map(_filled, _marked(part))) for part in parts) + "\n"


def as_html(subject: str, parts: Iterable[Block], page: str) -> str:
    """The blocks as an HTML document; `page`, wherever it stands in them, leads to itself."""
    return _TEMPLATES.get_template("mail.html.j2").render(
        subject=subject,
        blocks=[
            {"is_list": part.is_list, "lines": [_linked(line, page) for line in part.lines]}
            for part in parts
        ],
    )


def _blocks_of(part: str) -> Iterable[Block]:
    paragraph: list[str] = []
    items: list[list[str]] = []
    for line in part.split("\n"):
        if line.startswith(BULLET):
            items.append(line.removeprefix(BULLET).split())
        else:
            (items[-1] if items else paragraph).extend(line.split())
    if paragraph:
        yield Block((" ".join(paragraph),))
    if items:
        yield Block(tuple(map(" ".join, items)), is_list=True)


def _marked(part: Block) -> Iterable[str]:
    return (f"{BULLET}{line}" for line in part.lines) if part.is_list else part.lines


def _filled(line: str) -> str:
    return textwrap.fill(
        line,
        WIDTH,
        subsequent_indent="  " if line.startswith(BULLET) else "",
        # An address broken in two is no address any more.
        break_long_words=False,
        break_on_hyphens=False,
    )


def _linked(line: str, page: str) -> Markup:
    if "://" not in page:
        return escape(line)
    link = Markup('<a href="{0}">{0}</a>').format(page)
    return link.join(escape(part) for part in line.split(page))
