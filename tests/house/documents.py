"""Reading the project's documents: their code, links, headings and tables."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"(?<!\\)\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
MARKED = re.compile(r"^<!-- run by \S+ -->\n```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """One Markdown file; `name` is its path from the root."""

    name: str
    text: str

    @property
    def prose(self) -> str:
        """The text without fenced blocks."""
        return FENCE.sub("", self.text)

    @property
    def spans(self) -> list[str]:
        """What stands between backticks in the prose."""
        return SPAN.findall(self.prose)

    @property
    def code(self) -> list[str]:
        """Every piece of code: fenced blocks line by line, with continued lines joined, and spans.

        A line's comment is dropped.
        """
        blocks = [block.replace("\\\n", " ") for _, _, block in FENCE.findall(self.text)]
        lines = [re.sub(r"\s#\s.*", "", line) for block in blocks for line in block.splitlines()]
        return [*(line.strip() for line in lines), *self.spans]

    @property
    def links(self) -> list[str]:
        """Where its links and pictures point."""
        return LINK.findall(SPAN.sub("", self.prose))

    @property
    def anchors(self) -> set[str]:
        """What a link can point to in it, as GitHub names headings."""
        return {_slug(heading) for heading in HEADING.findall(self.prose)}

    @property
    def rows(self) -> list[list[str]]:
        """The cells of all table rows."""
        lines = (line.strip() for line in self.prose.splitlines())
        return [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in lines
            if line.startswith("|")
        ]

    @property
    def marked_commands(self) -> list[str]:
        """The commands of the shell blocks that say which test runs them."""
        return [
            re.sub(r"\s#\s.*", "", line).strip()
            for block in MARKED.findall(self.text)
            for line in block.replace("\\\n", " ").splitlines()
            if line.strip()
        ]


def project_files() -> list[Path]:
    """Every file that is, or would be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def documents() -> list[Document]:
    """All Markdown files of the project."""
    return [
        Document(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for path in project_files()
        if path.suffix == ".md"
    ]


def document(name: str) -> Document:
    """The Markdown file at `name`."""
    return Document(name, (ROOT / name).read_text(encoding="utf-8"))


def _slug(heading: str) -> str:
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
