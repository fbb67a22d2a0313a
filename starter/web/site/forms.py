"""What people have filled in, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import uuid4

from starlette.datastructures import FormData
from starlette.requests import Request

from domain.errors import Rejected
from domain.ids import Prefix, checked_id, make_id

# Two per session: the token's field, and which of a form's buttons was pressed.
TOKEN, BUTTON = "csrf", "do"

MAX_FIELDS = 1_000
LONGEST_LINE, LONGEST_TEXT = 200, 1_000


@dataclass(frozen=True)
class Mistake:
    """Something to put right; `field` is the id of the field to go to, empty for the whole form.

    `link` is another page that helps, by the words of its link.
    """

    field: str
    message: str
    link: str | None = None
    link_words: str = ""


class Form:
    """The fields of a form that was sent; what nobody sent is empty."""

    def __init__(self, data: FormData) -> None:
        """Read from `data`. Files are none of ours and count as empty."""
        self._data = data

    def text(self, name: str) -> str:
        """A field without spaces around it and without control characters."""
        return _clean(self._data.get(name))

    def secret(self, name: str) -> str:
        """A field as it was typed: in a password every character counts."""
        value = self._data.get(name)
        return value if isinstance(value, str) else ""

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field, in their order, each once."""
        return tuple(dict.fromkeys(filter(None, map(_clean, self._data.getlist(name)))))

    def lines(self, name: str) -> tuple[str, ...]:
        """What stands in the lines of a larger field; empty lines are left out."""
        return tuple(filter(None, (line.strip() for line in self.text(name).splitlines())))

    def is_pressed(self, button: str) -> bool:
        """Whether that button has sent the form."""
        return self.text(BUTTON) == button


NO_FORM = Form(FormData())


async def sent_form(request: Request) -> Form:
    """The form that a request has sent, as a dependency of routes."""
    if request.method != "POST":
        return NO_FORM
    return Form(await request.form(max_files=0, max_fields=MAX_FIELDS))


def fresh_id(prefix: Prefix) -> str:
    """An id for what a form is about to make: sending the form twice makes it once (R15)."""
    return make_id(prefix, uuid4())


def kept_id(prefix: Prefix, form: Form, name: str) -> str:
    """The id that the form was given when it was shown; a fresh one where that is damaged."""
    try:
        return checked_id(prefix, form.text(name))
    except Rejected:
        return fresh_id(prefix)


def day_in(text: str) -> date | None:
    """The day that a date field holds, None if it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def too_long(field: str, label: str, text: str, longest: int) -> Sequence[Mistake]:
    """The mistake, if `text` has more than `longest` characters."""
    if len(text) <= longest:
        return ()
    message = f"{label} may have {longest} characters at most; this has {len(text)}."
    return (Mistake(field, message),)


def _clean(value: object) -> str:
    # Databases refuse some control characters, and nobody types them on purpose.
    text = value if isinstance(value, str) else ""
    text = text.replace("\r\n", "\n")
    return "".join(each for each in text if each.isprintable() or each in "\n\t").strip()
