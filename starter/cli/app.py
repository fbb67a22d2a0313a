"""The command's frame: options that all share, errors told without a traceback, exit codes."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Annotated, Any, TypeVar

import typer
import typer.rich_utils
from sqlalchemy.exc import InterfaceError, OperationalError
from typer.core import TyperGroup

from domain.errors import Code, InvariantViolated, Rejected, Transient
from settings import SettingsError
from starter.cli.output import Output, Problem
from starter.local.marker import AlreadyUp
from starter.local.server import NoServer
from starter.local.stack import StackFailed
from systems.db import reason_of

Result = TypeVar("Result")

REFUSED, USAGE, UNAVAILABLE, WAITS, INTERRUPTED = 1, 2, 3, 4, 130

EPILOG = (
    "Exit codes: 0 done, 1 refused by a rule, 2 wrong usage, 3 something is not available,"
    " 4 something waits for an operator, 130 after Ctrl-C."
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


def run(
    work: Coroutine[Any, Any, Result],
    *,
    when_interrupted: str = "Interrupted. What was asked for before goes on; asking again is safe.",
) -> Result:
    """Run a command's asynchronous part; Ctrl-C leaves with 130 and is told `when_interrupted`."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        Output(as_json=False).note(when_interrupted)
        raise typer.Exit(INTERRUPTED) from None


def asked(question: Callable[[], Result]) -> Result:
    """What somebody at the terminal answers; Ctrl-C is an answer, too.

    Otherwise asyncio would keep it for the next `await`, which comes after the answer.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return question()
    finally:
        signal.signal(signal.SIGINT, before)


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
    if not asked(lambda: typer.confirm(question)):
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
            message = "No answer; nothing was changed. --help says how to answer beforehand."
            return Problem(Code.VALIDATION_FAILED, message, {}, REFUSED)
        case OperationalError() | InterfaceError():
            message = f"A database does not answer: {reason_of(error)}. See DATABASE_URL."
            return Problem(Code.UNAVAILABLE, message, {}, UNAVAILABLE)
        case OverflowError():
            message = "That date lies beyond all calendars."
            return Problem(Code.VALIDATION_FAILED, message, {}, USAGE)
        case _:
            return None


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."
