"""Reads a page: its text, links, forms and ids, as far as tests ask for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

# These stand within a sentence; all others set words apart.
INLINE = ("a", "b", "em", "span", "strong", "time", "sup")

# What a form sends of these only if it is ticked, or pressed.
TICKED = ("checkbox", "radio")

Attributes = Mapping[str, str | None]


@dataclass
class Form:
    """A form as it stands on the page: fields by name, in their order, and its buttons."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    offered: dict[str, list[str]] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """What stands in a field."""
        return dict(self.fields)[name]


@dataclass
class Page:
    """What a reader of the page finds. `title` is what the browser's tab says."""

    text: str = ""
    title: str = ""
    links: dict[str, str] = field(default_factory=dict)
    forms: list[Form] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    tags: list[tuple[str, Attributes]] = field(default_factory=list)

    def form(self, button: str) -> Form:
        """The form that has this button."""
        found = [each for each in self.forms if button in each.buttons]
        assert found, f"no form has the button “{button}”:\n{self.text}"
        return found[0]

    def has_button(self, button: str) -> bool:
        """Whether there is such a button."""
        return any(button in each.buttons for each in self.forms)


def read(html: str) -> Page:
    """The page that `html` is."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.page.text = " ".join("".join(reader.texts).split())
    return reader.page


class _Reader(HTMLParser):
    """Goes through the page once."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.texts: list[str] = []
        self._inside: list[tuple[str, Attributes, int]] = []
        self._is_first_option = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self._set_apart(tag)
        self.page.tags.append((tag, attributes))
        if attributes.get("id"):
            self.page.ids.append(attributes["id"] or "")
        if tag == "form":
            action, method = attributes.get("action") or "", attributes.get("method") or "get"
            self.page.forms.append(Form(action, method))
        elif tag in ("input", "textarea", "select"):
            self._add_field(tag, attributes)
        elif tag == "option" and ("selected" in attributes or self._is_first_option):
            # Where none is selected, browsers take the first.
            self._is_first_option = False
            self._set_last(attributes.get("value") or "")
        if tag in ("a", "button", "title", "textarea", "option"):
            self._inside.append((tag, attributes, len(self.texts)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._end(tag)
        self._set_apart(tag)

    def _end(self, tag: str) -> None:
        if not self._inside or self._inside[-1][0] != tag:
            return
        _, attributes, start = self._inside.pop()
        text = "".join(self.texts[start:])
        words = " ".join(text.split())
        if tag == "a":
            self.page.links[words] = attributes.get("href") or ""
            if attributes.get("aria-current"):
                self.page.current.append(words)
        elif tag == "button" and self.page.forms and "disabled" not in attributes:
            pressed = (attributes.get("name") or "", attributes.get("value") or "")
            self.page.forms[-1].buttons[words] = pressed
        elif tag == "title":
            self.page.title = words
        elif tag == "textarea":
            self._set_last(text)

    def _set_apart(self, tag: str) -> None:
        if tag not in INLINE:
            self.texts.append(" ")

    def _add_field(self, tag: str, attributes: Attributes) -> None:
        name, value = attributes.get("name"), attributes.get("value") or ""
        self._is_first_option = tag == "select"
        if not name or not self.page.forms:
            return
        form = self.page.forms[-1]
        if tag == "input" and attributes.get("type") in TICKED:
            form.offered.setdefault(name, []).append(value)
            if "checked" not in attributes:
                return
        form.fields.append((name, value))

    def _set_last(self, value: str) -> None:
        fields = self.page.forms[-1].fields
        fields[-1] = (fields[-1][0], value)
