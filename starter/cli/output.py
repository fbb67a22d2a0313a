"""Where output goes: one JSON document for programs, tables and colours for people.

Results go to standard output, everything else (notes, progress, errors) to standard error.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_jsonable_python
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from domain.errors import Figure

WIDTH_OF_FILES = 160


@dataclass(frozen=True)
class Problem:
    """Why a command failed, under its stable code."""

    code: str
    message: str
    figures: Mapping[str, Figure]
    exit_code: int


class Output:
    """The two streams of one command."""

    def __init__(self, *, as_json: bool) -> None:
        """`as_json`: standard output carries one JSON document and nothing else."""
        self.as_json = as_json
        # Into a file or pipe nothing is cut or wrapped at the width of some terminal.
        width = None if sys.stdout.isatty() else WIDTH_OF_FILES
        self._out = Console(highlight=False, width=width)
        self._err = Console(stderr=True, highlight=False)

    @property
    def console(self) -> Console:
        """Standard output, for people."""
        return self._out

    def result(self, document: Any, *views: RenderableType) -> None:
        """The command's result: the document for programs, the views for people."""
        if self.as_json:
            print(json.dumps(to_jsonable_python(document), indent=2))
            return
        self.show(*views)

    def show(self, *views: RenderableType) -> None:
        """Something for people only."""
        if self.as_json:
            return
        for view in views:
            # Lines may be commands and addresses to copy: the terminal wraps them, not we.
            self._out.print(view, soft_wrap=isinstance(view, str | Text))

    def note(self, text: str) -> None:
        """A remark beside the result."""
        self._err.print(text, style="dim", markup=False, soft_wrap=True)

    def problem(self, problem: Problem) -> None:
        """The command failed."""
        if self.as_json:
            figures = dict(problem.figures)
            document = {"code": problem.code, "message": problem.message, "figures": figures}
            print(json.dumps(document, indent=2))
            return
        self._err.print(f"[bold red]{problem.code}[/] ", end="")
        self._err.print(problem.message, markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, what: str) -> Iterator[None]:
        """Show that something takes a moment: on a terminal only."""
        if self._err.is_terminal and not self.as_json:
            with self._err.status(what):
                yield
        else:
            yield

    @contextmanager
    def counting(self, what: str) -> Iterator[Callable[[int], None]]:
        """Show that something takes a moment, and how far it is: on a terminal only."""
        if not self._err.is_terminal or self.as_json:
            yield _nobody_looks
            return
        with self._err.status(what) as status:
            yield lambda count: status.update(f"{what}: {count:,}")

    @contextmanager
    def counted(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """A bar that the function moves on by one of `total`: on a terminal only."""
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._err,
            disable=not self._err.is_terminal or self.as_json,
        ) as bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)


def _nobody_looks(_: int) -> None:
    """Where there is no terminal."""


def is_interactive() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()
