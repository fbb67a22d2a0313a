"""The command that sets up Temporal's namespace."""

from typing import Annotated

import typer

from settings import Settings
from starter.cli.app import AsJson, app, run
from starter.cli.context import connected
from starter.cli.output import Output
from starter.namespace import Namespace, ensure_namespace

PANEL = "Set-up"

# Long enough for whoever looks at an ended pause next month; the audit is kept in our database.
DAYS = 30


@app.command(rich_help_panel=PANEL)
def namespace(
    retention_days: Annotated[
        int, typer.Option(min=1, max=3650, help="For how many days ended runs can be looked at.")
    ] = DAYS,
    as_json: AsJson = False,
) -> None:
    """Make the namespace of TEMPORAL_NAMESPACE if it is missing, and set its retention.

    Safe to repeat. On Temporal Cloud it says what to do there instead. Run migrate after it.
    """
    output = Output(as_json=as_json)

    async def work() -> Namespace:
        client = await connected(Settings.load())
        with output.progress("Setting up the namespace"):
            return await ensure_namespace(client, retention_days)

    there = run(work())
    output.result(there, _told(there))


def _told(there: Namespace) -> str:
    did = "was made" if there.was_made else "was changed" if there.was_changed else "was there"
    days = there.retention_days
    return f"The namespace {there.namespace} {did}; ended runs are kept for {days} days."
