"""The commands about both records of the money: reconcile, differences, acknowledge."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import RenderableType

from domain.messages import Reconciled
from settings import Settings
from starter.cli.app import WAITS, AsJson, app, run
from starter.cli.context import Context, opened
from starter.cli.differences_view import differences_views, reconciled_view
from starter.cli.output import Output
from systems.audit import OPERATOR
from systems.billing.reconciling import DifferenceView

PANEL = "Money"
DAY = timedelta(days=1)
FORMATS = ["%Y-%m-%d"]


@app.command(rich_help_panel=PANEL)
def reconcile(
    since: Annotated[
        datetime | None,
        typer.Option(
            metavar="YYYY-MM-DD",
            formats=FORMATS,
            help="From this day on, in UTC; where the last run has come to if left out.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            metavar="YYYY-MM-DD",
            formats=FORMATS,
            help="This day included; a quarter of an hour ago if left out.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare our payments and refunds with the gateway's, and mend what mends itself.

    Temporal does it daily; it is safe at any time, and beside another run. Exit code 0 only if
    nothing waits for an operator, 4 if something does, 3 if the gateway is away.
    """
    output = Output(as_json=as_json)

    async def work() -> Reconciled:
        async with opened(Settings.load(), needs_temporal=False) as context:
            now = datetime.now(UTC)
            with output.counting("Comparing both records") as progress:
                reconciled = context.systems.reconciliation.reconcile(
                    now,
                    since.replace(tzinfo=UTC) if since else None,
                    until.replace(tzinfo=UTC) + DAY if until else None,
                    progress,
                )
            _show(context, reconciled, now, output)
            return reconciled

    if run(work()).waiting:
        raise typer.Exit(WAITS)


@app.command(rich_help_panel=PANEL)
def differences(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are mended, gone or acknowledged.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the differences between our record and the gateway's that wait for an operator."""
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            found = context.systems.reconciliation.differences(only_open=not everything)
            title = "All differences" if everything else "What waits for an operator"
            views = differences_views(title, found, context.account_names())
            output.result({"differences": found}, *views)

    run(work())


@app.command(rich_help_panel=PANEL)
def acknowledge(
    difference: Annotated[
        str, typer.Argument(metavar="DIFFERENCE", help="As `differences` names it.")
    ],
    reason: Annotated[str, typer.Option(help="What was done about it; kept in the audit only.")],
    actor: Annotated[
        str, typer.Option("--as", metavar="NAME", help="Who has dealt with it, for the audit.")
    ] = OPERATOR,
    as_json: AsJson = False,
) -> None:
    """Say that a difference has been dealt with: it is reported again only if it changes.

    Nothing is booked, charged or given back by it. Safe to repeat.
    """
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            acknowledged = context.systems.reconciliation.acknowledge(
                difference, actor, reason, datetime.now(UTC)
            )
            output.result(acknowledged, f"{acknowledged.key} waits for nobody any more.")

    run(work())


def _show(context: Context, reconciled: Reconciled, now: datetime, output: Output) -> None:
    every = context.systems.reconciliation.differences(only_open=False)
    mended = [each for each in every if each.ended_at == now]
    waiting = [each for each in every if each.ended_at is None]
    output.result(
        {"reconciled": reconciled, "mended": mended, "waiting": waiting},
        reconciled_view(reconciled),
        *_lists(mended, waiting, context.account_names()),
    )


def _lists(
    mended: list[DifferenceView], waiting: list[DifferenceView], names: dict[str, str]
) -> list[RenderableType]:
    titled = {"Dealt with by this run": mended, "What waits for an operator": waiting}
    return [
        view
        for title, found in titled.items()
        if found
        for view in differences_views(title, found, names)
    ]
