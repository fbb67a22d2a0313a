"""The command's frame: options that all share, errors told without a traceback, exit codes."""

import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Annotated, Any, TypeVar

import typer
import typer.rich_utils
from typer.core import TyperGroup

from domain.errors import Code, InvariantViolated, Rejected, Transient
from settings import SettingsError
from starter.cli.output import Output, Problem
from starter.local.marker import AlreadyUp
from starter.local.server import NoServer
from starter.local.stack import StackFailed

Result = TypeVar("Result")

REFUSED, USAGE, UNAVAILABLE, WAITS, INTERRUPTED = 1, 2, 3, 4, 130

EPILOG = (
    "Exit codes: 0 done, 1 refused by a rule, 2 wrong usage, 3 something is not available,"
    " 4 something waits for an operator."
)

# In this order they are listed: first what a newcomer needs.
ORDER = (
    *("up", "demo", "fast-forward"),
    *("preview", "pause", "resume", "change-date", "close", "status", "list", "explain"),
    *("card", "disable", "call", "statement", "refund", "retry", "replay"),
    *("web", "namespace", "migrate", "seed"),
    *("user", "api-key"),
    *("reconcile", "differences", "acknowledge"),
    *("sweep", "rebuild", "redo"),
)


class InOrder(TyperGroup):
    """Lists the commands in the order above."""

    def list_commands(self, ctx: Any) -> list[str]:
        """See above."""
        return sorted(super().list_commands(ctx), key=ORDER.index)


app = typer.Typer(
    name="account-pause",
    cls=InOrder,
    help="Pause a call tracking account, keep its numbers, and get everything back as it was.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

# The options that several commands share.
AccountName = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help="An account's id, or the beginning of its name.")
]
AsUser = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="USER_ID",
        help="In whose name; the account's first administrator if left out.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def examples(*commands: str) -> str:
    """What stands below a command's help: how it is used."""
    # Paragraphs, since the help puts the lines of one behind each other.
    return "\n\n".join(["Examples:", *(f"[cyan]account-pause {each}[/]" for each in commands)])


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's asynchronous part."""
    return asyncio.run(work)


def confirmed(question: str, *, yes: bool, as_json: bool) -> None:
    """Go on if the person says so.

    Raises:
        Rejected: they do not, or there is nobody to ask.
    """
    if yes:
        return
    if as_json:
        raise Rejected(
            Code.VALIDATION_FAILED, "With --json no questions are asked; confirm with --yes."
        )
    if not typer.confirm(question):
        raise Rejected(Code.VALIDATION_FAILED, "Not confirmed; nothing was changed.")


def main() -> None:
    """The entry point: runs one command and leaves with its exit code."""
    code = execute(sys.argv[1:])
    with suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    # A normal exit waits for the Temporal client's threads, which now and then crash on the way.
    os._exit(code)


def execute(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    return _exit_code(list(arguments), Output(as_json="--json" in arguments))


def _exit_code(arguments: list[str], output: Output) -> int:
    try:
        code = app(arguments, prog_name="account-pause", standalone_mode=False)
    except typer.TyperException as error:
        if not output.as_json:
            # The base class of all usage errors has all that is asked of it here.
            typer.rich_utils.rich_format_error(error)  # type: ignore[arg-type]
            return error.exit_code
        output.problem(Problem(Code.VALIDATION_FAILED, error.format_message(), {}, USAGE))
        return error.exit_code
    except Exception as error:
        problem = _problem_of(error)
        if problem is None:
            raise
        output.problem(problem)
        return problem.exit_code
    return code if isinstance(code, int) else 0


def _problem_of(error: Exception) -> Problem | None:
    """What a foreseeable error means; None for one that nobody foresaw."""
    match error:
        case Rejected():
            return Problem(error.code, _sentence(error.message), error.figures, REFUSED)
        case InvariantViolated():
            return Problem("invariant_violated", str(error), {}, REFUSED)
        case SettingsError():
            return Problem(Code.VALIDATION_FAILED, str(error), {}, USAGE)
        case Transient() | NoServer() | StackFailed() | AlreadyUp():
            return Problem(Code.UNAVAILABLE, _sentence(str(error)), {}, UNAVAILABLE)
        case typer.Abort():
            message = "Interrupted; nothing was confirmed."
            return Problem(Code.VALIDATION_FAILED, message, {}, REFUSED)
        case _:
            return None


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."
