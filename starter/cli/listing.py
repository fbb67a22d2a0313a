"""The command that lists pauses and closes: list."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from domain.calendar import local_date
from domain.errors import Transient
from domain.states import PauseState
from settings import Settings
from starter.cli.app import AsJson, app, examples, run
from starter.cli.context import Context, opened
from starter.cli.output import Output
from starter.cli.views import grid, state
from starter.listing import ListedPause, Listing, SortedBy
from systems.accounts.act_list import Wanted, count

FORMATS = ["%Y-%m-%d"]

# Short for a table; `status` has the sentences.
NEXT_WORDS = {
    "fee": "fee",
    "collect_again": "fee again",
    "look_up": "look-up",
    "stop_routing": "calls stop",
    "remind": "reminder",
    "resume": "resume",
    "close": "close",
}


@app.command(
    "list",
    rich_help_panel="Pauses",
    epilog=examples(
        "list --past-due",
        "list --resumes-before 2027-02-01 --sort resumes",
        "list --sort next --limit 20",
        "list --account Brightside --all --json",
    ),
)
def list_command(
    states: Annotated[
        list[PauseState] | None,
        typer.Option("--state", help="Only these states, may be repeated; open ones if left out."),
    ] = None,
    ended_too: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    account: Annotated[
        str | None,
        typer.Option(metavar="ACCOUNT", help="Only of this account.", show_default=False),
    ] = None,
    resumes_before: Annotated[
        datetime | None,
        typer.Option(
            metavar="YYYY-MM-DD",
            formats=FORMATS,
            help="Only those that come back by themselves before this date.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            metavar="YYYY-MM-DD",
            formats=FORMATS,
            help="Only those begun on this day or later, by UTC.",
            show_default=False,
        ),
    ] = None,
    past_due: Annotated[
        bool, typer.Option("--past-due", help="Only those with a declined fee.")
    ] = False,
    needs_operator: Annotated[
        bool, typer.Option("--needs-operator", help="Only those that wait for an operator.")
    ] = False,
    sorted_by: Annotated[
        SortedBy,
        typer.Option(
            "--sort", help="By what; the latest first for `began` and `paused`, else ascending."
        ),
    ] = SortedBy.BEGAN,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many; all if left out.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List pauses and closes; the filters may be combined.

    Without Temporal it shows what the database knows, which is all but who needs an operator.
    """
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            wanted = Wanted(
                states=states or None,
                ended_too=ended_too,
                account_id=context.account(account).account_id if account else None,
                resumes_before=resumes_before.date() if resumes_before else None,
                since=since.replace(tzinfo=UTC) if since else None,
                past_due=past_due,
            )
            listing = await _listing(context, wanted, needs_operator, sorted_by, limit, output)
            if not listing.pauses:
                output.result(listing, _nothing(context, wanted, needs_operator=needs_operator))
                return
            output.result(listing, list_view(listing))

    run(work())


def list_view(listing: Listing) -> RenderableType:
    """Pauses and closes, one a line; dates are each account's own."""
    table = grid("", "Account", "State", "Since", "Resumes", "Next", "Kept", "Attention")
    for each in listing.pauses:
        table.add_row(*_row(each))
    hidden = listing.matching - len(listing.pauses)
    if not hidden:
        return table
    words = f"{len(listing.pauses)} of {listing.matching:,}; --limit shows more of them."
    return Group(table, Text(words, style="dim"))


def _row(pause: ListedPause) -> Iterator[RenderableType]:
    since = pause.ended_at or pause.paused_at or pause.began_at
    is_ahead = pause.resume_at is not None and pause.ended_at is None
    yield pause.account_name
    yield state(pause.state)
    yield f"{local_date(since, pause.time_zone)}"
    yield f"{local_date(pause.resume_at, pause.time_zone)}" if is_ahead and pause.resume_at else ""
    yield _next(pause)
    yield str(pause.retained_numbers)
    yield Text(", ".join(_attention(pause)), style="bold red")


def _next(pause: ListedPause) -> str:
    coming = pause.next_event
    if coming is None:
        return ""
    at = coming.at.astimezone(ZoneInfo(pause.time_zone))
    return f"{at.day:2} {at:%b} {NEXT_WORDS.get(coming.kind, coming.kind)}"


def _attention(pause: ListedPause) -> list[str]:
    flags = {"operator": pause.needs_operator, "past due": pause.past_due}
    return [word for word, is_so in flags.items() if is_so]


async def _listing(
    context: Context,
    wanted: Wanted,
    needs_operator: bool,
    sorted_by: SortedBy,
    limit: int | None,
    output: Output,
) -> Listing:
    try:
        return await context.backend.list_pauses(
            wanted, needs_operator=needs_operator, sorted_by=sorted_by, limit=limit
        )
    except Transient as error:
        if needs_operator:
            raise
        output.note(f"From the database only, so nobody is shown to need an operator: {error}.")
        return await context.backend.list_pauses(
            wanted, sorted_by=sorted_by, limit=limit, asks_temporal=False
        )


def _nothing(context: Context, wanted: Wanted, *, needs_operator: bool) -> RenderableType:
    """That nothing matches, what was looked for, and what there is."""
    filters = list(_filters(wanted, needs_operator=needs_operator))
    db = context.systems.db
    still_open, all_acts = count(db, Wanted()), count(db, Wanted(ended_too=True))
    there = f"In all, {still_open} open and {all_acts - still_open} ended."
    if not filters:
        return Text(f"No pause or close is open. {there}", style="dim")
    return Text(f"No pause or close matches: {', '.join(filters)}. {there}", style="dim")


def _filters(wanted: Wanted, *, needs_operator: bool) -> Iterator[str]:
    if wanted.states is not None:
        yield f"state {' or '.join(wanted.states)}"
    if wanted.account_id is not None:
        yield f"of account {wanted.account_id}"
    if wanted.resumes_before is not None:
        yield f"coming back before {wanted.resumes_before}"
    if wanted.since is not None:
        yield f"begun since {wanted.since.date()}"
    if wanted.past_due:
        yield "past due"
    if needs_operator:
        yield "waiting for an operator"
