"""The commands that bring acts and runs together again: sweep, rebuild, redo."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer
from rich.console import RenderableType

from domain.sweeping import Finding
from settings import Settings
from starter.cli.app import WAITS, AsJson, app, run
from starter.cli.context import Context, opened
from starter.cli.output import Output
from starter.cli.views import grid, named
from starter.redoing import Redo, Redone
from starter.sweeping import Found, Sweeper, Swept

PANEL = "Repair"

Each = TypeVar("Each")

# Enough for ten thousand in some minutes, and little beside what a namespace takes.
PER_SECOND = 20.0

TO_DO = {
    Finding.STARTED_ANEW: "nothing; it goes on from the database",
    Finding.LOST: "more runs are gone than by a mishap. Is this the right Temporal namespace, and"
    " has it lost its database? Then `account-pause rebuild`",
    Finding.KEEPS_FAILING: "see in the Web UI why its run failed, mend that, then `account-pause"
    " rebuild` with the account",
    Finding.PUT_ON_RECORD: "the database was an older copy: `account-pause redo` for the others",
    Finding.NOT_ON_RECORD: "the database is an older copy, or another one. Is it the right one?"
    " Then `account-pause redo`",
}

OneAccount = Annotated[
    str | None,
    typer.Argument(
        metavar="ACCOUNT",
        help="An account's id, or the beginning of its name; all accounts if left out.",
        show_default=False,
    ),
]
Rate = Annotated[
    float,
    typer.Option("--per-second", min=0.1, max=1000.0, help="At most so many runs per second."),
]


@dataclass(frozen=True)
class Rebuilt:
    """How many acts had lost their run, and what became of them."""

    lost: int
    found: list[Found]


@app.command(rich_help_panel=PANEL)
def sweep(as_json: AsJson = False) -> None:
    """Find pauses and closes without a running workflow, and the other way round; mend or tell.

    Every worker does it every few minutes; it is safe at any time, and beside others. Exit code 0
    only if nothing waits for an operator, 4 if something does, 3 if Temporal is away.
    """
    output = Output(as_json=as_json)

    async def work() -> Swept:
        async with opened(Settings.load()) as context:
            with output.progress("Comparing"):
                swept = await Sweeper(context.client, context.systems).sweep()
            compared = f"{swept.acts:,} open acts and {swept.runs:,} running workflows compared."
            output.result(
                {"acts": swept.acts, "runs": swept.runs, "found": _documents(swept.found)},
                compared,
                _found_view(swept.found, context.account_names()),
            )
            return swept

    if run(work()).waiting:
        raise typer.Exit(WAITS)


@app.command(rich_help_panel=PANEL)
def rebuild(
    account: OneAccount = None, per_second: Rate = PER_SECOND, as_json: AsJson = False
) -> None:
    """Start every open pause and close anew from the database, after Temporal has lost its own.

    What is running is left alone, so it is safe to interrupt and repeat. Exit codes as of `sweep`.
    """
    output = Output(as_json=as_json)

    async def work() -> Rebuilt:
        async with opened(Settings.load()) as context:
            sweeper = Sweeper(context.client, context.systems)
            acts = await sweeper.lost(_account_id(context, account))
            found = []
            with output.counted("Starting anew", len(acts)) as done:
                async for act in _paced(acts, per_second):
                    found.append(await sweeper.rebuild(act))
                    done()
            rebuilt = Rebuilt(len(acts), [each for each in found if each is not None])
            output.result(
                {"lost": rebuilt.lost, "found": _documents(rebuilt.found)},
                f"{rebuilt.lost:,} open acts had no running workflow.",
                _found_view(rebuilt.found, context.account_names()),
            )
            return rebuilt

    if any(each.waits for each in run(work()).found):
        raise typer.Exit(WAITS)


@app.command(rich_help_panel=PANEL)
def redo(
    account: OneAccount = None, per_second: Rate = PER_SECOND, as_json: AsJson = False
) -> None:
    """Put on record again what workflows have done since, after an older database was restored.

    Run it before workers and the web process are started. It reads what Temporal still knows and
    moves no money. Safe to repeat. Exit code 4 if something could not be put on record.
    """
    output = Output(as_json=as_json)

    async def work() -> list[Redone]:
        async with opened(Settings.load()) as context:
            again = Redo(context.client, context.systems)
            runs = await again.runs(_account_id(context, account))
            redone = []
            with output.counted("Doing again", len(runs)) as done:
                async for each in _paced(runs, per_second):
                    redone.append(await again.redo_run(each))
                    done()
            changed = [it for it in redone if it and (it.put_on_record or it.problem)]
            output.result(
                {"runs": len(runs), "redone": changed},
                f"{len(runs):,} workflows looked at.",
                _redone_view(changed, context.account_names()),
            )
            return changed

    if any(each.problem for each in run(work())):
        raise typer.Exit(WAITS)


async def _paced(them: Sequence[Each], per_second: float) -> AsyncIterator[Each]:
    """Each of them, at most so many per second."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for count, one in enumerate(them):
        await asyncio.sleep(max(0.0, begun + count / per_second - loop.time()))
        yield one


def _account_id(context: Context, account: str | None) -> str | None:
    return context.account(account).account_id if account else None


def _documents(found: list[Found]) -> list[dict[str, object]]:
    return [
        {
            "finding": each.finding,
            "account_id": each.account_id,
            "kind": each.kind,
            "act_id": each.act_id,
            "waits": each.waits,
            "to_do": TO_DO[each.finding],
        }
        for each in found
    ]


def _found_view(found: list[Found], names: dict[str, str]) -> RenderableType:
    if not found:
        return "Nothing is wrong."
    table = grid("", "Found", "Account", "To do")
    for each in found:
        name, what = names.get(each.account_id, ""), each.finding.replace("_", " ")
        table.add_row(what, named(name, each.account_id, each.act_id), TO_DO[each.finding])
    return table


def _redone_view(redone: list[Redone], names: dict[str, str]) -> RenderableType:
    if not redone:
        return "All that they have done is on record."
    table = grid("", "Account", "Put on record", "To do")
    for each in redone:
        name = names.get(each.account_id, "")
        to_do = f"{each.problem}. Look at the account by hand" if each.problem else "nothing"
        table.add_row(named(name, each.account_id, each.act_id), str(each.put_on_record), to_do)
    return table
