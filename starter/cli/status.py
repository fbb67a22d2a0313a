"""The command that shows where a pause stands, once or until it is over: status."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic_core import to_jsonable_python
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from domain.errors import Code, Rejected, Transient
from domain.messages import Status
from domain.ports import Act
from domain.states import PauseState
from settings import Settings
from starter.cli.app import REFUSED, AccountName, AsJson, app, examples, run
from starter.cli.context import Context, opened
from starter.cli.follow_view import changes
from starter.cli.output import Output
from starter.cli.views import status_view
from starter.following import Follower, Sighting
from systems.accounts.views import AccountView
from systems.audit import SYSTEM


@app.command(
    rich_help_panel="Pauses",
    epilog=examples("status Brightside", "status Brightside --follow", "status Harbour --json"),
)
def status(
    account: AccountName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Stay, and show every change until it is over.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show where an account's pause stands: state, charges, what comes next, who has to act.

    With --follow it stays until the pause is over; with --json, too, it prints
    one document per line and change. Exit code then: 0 when the pause has ended
    as asked or planned, 1 when it was refused or closed for an unpaid fee, 130
    after Ctrl-C, which leaves the pause as it is.
    """
    output = Output(as_json=as_json)
    if not follow:
        run(_show(account, output))
        return
    following = _follow(account, output)
    if not run(following, when_interrupted="Not looking any more; the pause goes on."):
        raise typer.Exit(REFUSED)


async def _show(account: str, output: Output) -> None:
    # What the database knows is told without Temporal, too.
    async with opened(Settings.load(), needs_temporal=False) as context:
        found = context.account(account)
        try:
            with output.progress("Asking the worker"):
                shown = await context.backend.status(found.account_id)
        except Transient as error:
            output.note(f"From the database only: {error}.")
            shown = context.backend.record(found.account_id)
        output.result(shown, status_view(shown, found.name, found.time_zone))


async def _follow(account: str, output: Output) -> bool:
    """Whether the pause ended as somebody had asked, or as planned."""
    # Temporal may be away also at the beginning.
    async with opened(Settings.load(), needs_temporal=False) as context:
        found = context.account(account)
        act = context.systems.accounts.last_act(found.account_id)
        if act is None:
            raise Rejected(Code.PAUSE_NOT_FOUND, f"Account {found.account_id} was never paused.")
        sightings = Follower(context.backend, act).sightings()
        if output.as_json or not output.console.is_terminal:
            last = await _lines(sightings, found, output)
        else:
            last = await _live(sightings, found, output)
        return _is_as_asked(context, act, last)


async def _lines(
    sightings: AsyncIterator[Sighting], account: AccountView, output: Output
) -> Status:
    before: Sighting | None = None
    async for sighting in sightings:
        told = changes(before, sighting, account.time_zone)
        if output.as_json:
            document = {"changes": told, "note": sighting.note, "status": sighting.status}
            print(json.dumps(to_jsonable_python(document)), flush=True)
        else:
            for each in told:
                output.show(f"{datetime.now(UTC):%H:%M:%S}  {each}")
        before = sighting
    assert before is not None
    return before.status


async def _live(sightings: AsyncIterator[Sighting], account: AccountView, output: Output) -> Status:
    before: Sighting | None = None
    with Live(console=output.console, auto_refresh=False) as live:
        async for sighting in sightings:
            live.update(_view(before, sighting, account), refresh=True)
            before = sighting
    assert before is not None
    return before.status


def _view(before: Sighting | None, now: Sighting, account: AccountView) -> RenderableType:
    told = changes(before, now, account.time_zone) if before else []
    footer: list[RenderableType] = [Text(f"\n{'; '.join(told)}")] if told else []
    if now.note:
        footer.append(Text(f"\n{now.note}", style="bold yellow"))
    if not now.status.state.is_final:
        footer.append(Text("\nFollowing; Ctrl-C stops looking, not the pause.", style="dim"))
    return Group(status_view(now.status, account.name, account.time_zone), *footer)


def _is_as_asked(context: Context, act: Act, last: Status) -> bool:
    """A close for a fee that was not paid is nobody's wish; its actor is the system."""
    if last.state is not PauseState.CLOSED:
        return last.state is PauseState.RESUMED
    entries = context.systems.accounts.audit(act.account_id)
    return not any(
        entry.act_id == act.act_id and entry.what == "close_begun" and entry.actor == SYSTEM
        for entry in entries
    )
