"""The command that explains a pause: explain."""

from datetime import date, datetime
from typing import Annotated

import typer

from domain.errors import Transient
from domain.states import ActKind, PauseState
from settings import Settings
from starter.cli.app import AccountName, AsJson, app, examples, run
from starter.cli.context import Context, opened
from starter.cli.explain_view import explanation_views
from starter.cli.output import Output
from starter.explaining import Explanation, answers, explained, gather, meant


@app.command(
    rich_help_panel="Pauses",
    epilog=examples(
        "explain Brightside",
        "explain Brightside --date 2027-01-31",
        "explain Brightside --pause PAU00000000000000000000000000000000 --json",
    ),
)
def explain(
    account: AccountName,
    pause_id: Annotated[
        str | None,
        typer.Option(
            "--pause",
            metavar="PAUSE_ID",
            help="Which pause or close; the open one, else the last, if left out.",
            show_default=False,
        ),
    ] = None,
    on: Annotated[
        datetime | None,
        typer.Option(
            "--date",
            metavar="YYYY-MM-DD",
            formats=["%Y-%m-%d"],
            help="Only why there was a charge on that day, or none.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a pause: every fee, mail and change, with its rule, its actor and the evidence.

    Why was I charged on that day, or not? Who has changed the date? Why did it
    resume or close, or why was it refused? Once the run is gone, what only
    Temporal's history knew is left out, and that is said. Nothing is changed.
    """
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            found = context.account(account)
            asked_on = on.date() if on else None
            with output.progress("Putting the records together"):
                explanation = await _explanation(context, found.account_id, pause_id, asked_on)
            users = context.systems.accounts.users(found.account_id)
            people = {user.user_id: user.name for user in users}
            output.result(explanation, *explanation_views(explanation, found.name, people))

    run(work())


async def _explanation(
    context: Context, account_id: str, pause_id: str | None, asked_on: date | None
) -> Explanation:
    act_id = pause_id or meant(
        context.systems, account_id, asked_on, await _refused(context, account_id)
    )
    now = context.backend.business_now(account_id)
    facts = await gather(context.systems, context.client, account_id, act_id, now)
    return Explanation(
        account_id=account_id,
        pause_id=act_id,
        state=facts.act.state if facts.act else PauseState.REFUSED,
        time_zone=facts.zone,
        asked_on=asked_on,
        answers=tuple(answers(facts, asked_on)) if asked_on else (),
        lines=tuple(explained(facts)),
        history_note=facts.history_note,
    )


async def _refused(context: Context, account_id: str) -> str | None:
    """The pause that was asked for last, if a rule has refused it at once."""
    try:
        last = await context.backend.run(account_id, ActKind.PAUSE)
    except Transient:
        return None
    is_refused = last is not None and last.result is not None and last.result.refusal is not None
    return last.result.pause_id if last and last.result and is_refused else None
