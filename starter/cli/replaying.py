"""The command that replays pauses on the code as it is, before a release: replay."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text
from temporalio.client import Client, WorkflowHistory

from domain.errors import Code, Rejected
from domain.states import ActKind
from settings import Settings
from starter.anew import workflow_id_of
from starter.answers import RunIsGone, translated
from starter.cli.app import REFUSED, AsJson, app, examples, run
from starter.cli.context import Context, connected, opened
from starter.cli.output import Output
from starter.cli.views import facts, grid
from starter.listing import OPEN_RUNS
from starter.replaying import Difference, Replayed, read_history, replay

RUN_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

WHAT_TO_DO = (
    "A worker with this code would stop at that event: the run does not go on before a worker with"
    " fitting code is there. Put the change behind `workflow.patched`, so that runs that are under"
    " way go the old way; docs/releases.md says what may change and how. Do not release it as it"
    " is, and do not reset or terminate the run."
)


@app.command(
    "replay",
    rich_help_panel="Operators",
    epilog=examples(
        "replay Brightside",
        "replay account-pause:ACC0d5db1940281569db722616986b09693 --json",
        "replay --history downloaded.json",
        "replay --all-open",
    ),
)
def replay_command(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="ACCOUNT|WORKFLOW_ID",
            help="Whose last pause or close, or which workflow.",
            show_default=False,
        ),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN_ID", help="A run before the last.", show_default=False),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A history that the Web UI or `temporal workflow show -o json` has written.",
            show_default=False,
        ),
    ] = None,
    all_open: Annotated[
        bool, typer.Option("--all-open", help="Every pause and close that is running.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Replay what a pause has done on the code as it is: would it survive this release?

    Nothing is run and nothing is changed, on the server or elsewhere. Exit code
    0 if all replays cleanly, 1 if anything does not.
    """
    output = Output(as_json=as_json)
    if [what is not None, history is not None, all_open].count(True) != 1:
        raise typer.BadParameter("name an account, a workflow, --history FILE or --all-open")
    if run_id is not None and what is None:
        raise typer.BadParameter("--run needs the account or workflow whose run it is")
    if run_id is not None and not RUN_ID.fullmatch(run_id):
        raise typer.BadParameter(f"“{run_id}” is no run id; the Web UI shows it on the run's page")

    async def work() -> bool:
        if all_open:
            return await _all_open(output)
        if history is not None:
            found = read_history(history)
        else:
            found = await _fetched(what or "", run_id)
        with output.progress("Replaying"):
            replayed = await replay(found)
        output.result(replayed, replayed_view(replayed))
        return replayed.difference is None

    if not run(work()):
        raise typer.Exit(REFUSED)


def replayed_view(replayed: Replayed) -> RenderableType:
    """What one replay came to, and what to do about it."""
    if replayed.difference is None:
        return Text.assemble(
            f"{replayed.workflow_id} ", ("replays cleanly", "green"), f": {replayed.events} events."
        )
    return Group(
        Text.assemble(f"{replayed.workflow_id} ", ("does not replay", "bold red"), "."),
        facts("", [*_rows(replayed.difference), ("Run", replayed.run_id)]),
        Text(f"\n{WHAT_TO_DO}"),
    )


def _rows(difference: Difference) -> list[tuple[str, RenderableType | None]]:
    at = difference.event_id
    recorded = difference.recorded or "nothing more of that step"
    return [
        ("First differing event", f"{at}: {recorded}" if at else recorded),
        ("Today's code wants", difference.wanted or "nothing there"),
        ("The SDK says", difference.told),
    ]


async def _fetched(what: str, run_id: str | None) -> WorkflowHistory:
    if ":" in what:
        return await _history(await connected(Settings.load()), what, run_id)
    async with opened(Settings.load()) as context:
        workflow_id = _workflow_id(context, what)
        return await _history(context.client, workflow_id, run_id)


def _workflow_id(context: Context, named: str) -> str:
    account = context.account(named)
    act = context.systems.accounts.last_act(account.account_id)
    kind = act.kind if act else ActKind.PAUSE
    return workflow_id_of(account.account_id, kind)


async def _history(client: Client, workflow_id: str, run_id: str | None) -> WorkflowHistory:
    try:
        with translated():
            return await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    except RunIsGone:
        which = f"run {run_id} of {workflow_id}" if run_id else workflow_id
        raise Rejected(
            Code.PAUSE_NOT_FOUND,
            f"Temporal has no {which}, or none any more: closed runs are removed after the"
            " namespace's retention.",
        ) from None


async def _all_open(output: Output) -> bool:
    client = await connected(Settings.load())
    with translated():
        total = (await client.count_workflows(OPEN_RUNS)).count
    replayed: list[Replayed] = []
    with output.counted("Replaying", total) as advance:
        async for each in _open_histories(client):
            replayed.append(await replay(each))
            advance()
    failed = [each for each in replayed if each.difference is not None]
    document = {"replayed": len(replayed), "events": _events(replayed), "failed": failed}
    output.result(document, summary_view(replayed))
    return not failed


async def _open_histories(client: Client) -> AsyncIterator[WorkflowHistory]:
    """The histories of all runs that are open, one at a time: only one is in memory."""
    with translated():
        async for found in client.list_workflows(OPEN_RUNS):
            try:
                yield await _history(client, found.id, found.run_id)
            except Rejected:
                # The list is a moment old; that run has ended and is gone.
                continue


def summary_view(replayed: list[Replayed]) -> RenderableType:
    """What the replay of many runs came to: the failures one by one, then the counts."""
    failed = [each for each in replayed if each.difference is not None]
    counts = f"{len(replayed)} open runs, {_events(replayed)} events"
    if not failed:
        words = (
            "No pause or close is running." if not replayed else f"All replay cleanly: {counts}."
        )
        return Text(words, style="green" if replayed else "")
    table = grid("", "Workflow", "Event", "Recorded", "Today's code wants")
    for each in failed:
        difference = each.difference
        assert difference is not None
        table.add_row(
            each.workflow_id,
            str(difference.event_id or ""),
            difference.recorded or "",
            difference.wanted or difference.told,
        )
    return Group(
        table,
        Text(f"{len(failed)} of {counts} do not replay.", style="bold red"),
        Text(f"\n{WHAT_TO_DO}"),
    )


def _events(replayed: list[Replayed]) -> int:
    return sum(each.events for each in replayed)
