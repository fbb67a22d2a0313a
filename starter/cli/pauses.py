"""The commands that change a pause: preview, pause, resume, change-date, close, retry."""

from datetime import date
from typing import Annotated

import typer

from domain.errors import Code, Rejected
from domain.messages import Refusal
from domain.policy import CLOSE_CONFIRMATION
from settings import Settings
from starter.cli.app import (
    AccountName,
    AsJson,
    AsUser,
    Yes,
    app,
    asked,
    confirmed,
    examples,
    run,
)
from starter.cli.context import Context, opened
from starter.cli.output import Output
from starter.cli.views import preview_view, status_view
from systems.accounts.views import AccountView

PANEL = "Pauses"


ResumeOn = Annotated[
    str | None,
    typer.Option(
        "--resume-on",
        metavar="YYYY-MM-DD",
        help="When the account comes back by itself; the latest date if left out.",
        show_default=False,
    ),
]
PauseId = Annotated[
    str | None,
    typer.Option(
        "--pause-id",
        metavar="PAUSE_ID",
        help="Which pause is meant: makes the command safe to repeat.",
        show_default=False,
    ),
]


@app.command(
    rich_help_panel=PANEL,
    epilog=examples("preview Brightside", "preview Brightside --resume-on 2027-02-01"),
)
def preview(account: AccountName, resume_on: ResumeOn = None, as_json: AsJson = False) -> None:
    """Show what a pause would do: what stops when, every fee, the reminders, the resume.

    While the account is paused, show the course of that pause and what a resume now would cost.
    """
    output = Output(as_json=as_json)

    async def work() -> None:
        wanted = _date(resume_on)
        async with opened(Settings.load(), needs_temporal=False) as context:
            found = context.account(account)
            preview = context.backend.preview(found.account_id, resume_on=wanted)
            output.result(preview, preview_view(preview, found.name))

    run(work())


@app.command(
    rich_help_panel=PANEL,
    epilog=examples(
        "pause Brightside",
        "pause Brightside --resume-on 2027-02-01 --reason winter",
        "pause Brightside --yes --json",
    ),
)
def pause(
    account: AccountName,
    resume_on: ResumeOn = None,
    reason: Annotated[
        str | None,
        typer.Option(help="Why, in your own words; kept in the audit only.", show_default=False),
    ] = None,
    pause_id: PauseId = None,
    as_user: AsUser = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Pause an account: shows what will happen, asks, and waits until the pause is in effect.

    Confirming accepts the terms that the preview names.
    """
    output = Output(as_json=as_json)

    async def work() -> None:
        wanted = _date(resume_on)
        async with opened(Settings.load()) as context:
            found = context.account(account)
            requested_by = context.requester(found, as_user, output)
            refusal = _shown_before(context, found, wanted, output)
            if refusal is not None and not yes and pause_id is None:
                raise Rejected(Code(refusal.code), refusal.message, **refusal.figures)
            confirmed(f"Pause {found.name} on these terms?", yes=yes, as_json=as_json)
            with output.progress("Pausing"):
                status = await context.backend.pause(
                    found.account_id,
                    requested_by,
                    terms_version=context.settings.offer.version,
                    resume_on=wanted,
                    reason=reason,
                    pause_id=pause_id,
                )
            output.result(status, status_view(status, found.name, found.time_zone))

    run(work())


@app.command(
    rich_help_panel=PANEL, epilog=examples("resume Brightside", "resume Brightside --json")
)
def resume(
    account: AccountName, pause_id: PauseId = None, as_user: AsUser = None, as_json: AsJson = False
) -> None:
    """Resume a paused account now; waits until everything is back. Safe to repeat."""
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load()) as context:
            found = context.account(account)
            requested_by = context.requester(found, as_user, output)
            with output.progress("Resuming"):
                status = await context.backend.resume(
                    found.account_id, requested_by, pause_id=pause_id
                )
            output.result(status, status_view(status, found.name, found.time_zone))

    run(work())


@app.command(
    "change-date",
    rich_help_panel=PANEL,
    epilog=examples("change-date Brightside 2027-02-01", "change-date Brightside latest"),
)
def change_date(
    account: AccountName,
    resume_on: Annotated[
        str,
        typer.Argument(metavar="DATE", help="YYYY-MM-DD, or `latest` to drop the chosen date."),
    ],
    pause_id: PauseId = None,
    as_user: AsUser = None,
    as_json: AsJson = False,
) -> None:
    """Move the day on which a paused account comes back by itself."""
    output = Output(as_json=as_json)

    async def work() -> None:
        wanted = None if resume_on == "latest" else _date(resume_on)
        async with opened(Settings.load()) as context:
            found = context.account(account)
            requested_by = context.requester(found, as_user, output)
            status = await context.backend.change_resume_date(
                found.account_id, requested_by, wanted, pause_id=pause_id
            )
            output.result(status, status_view(status, found.name, found.time_zone))

    run(work())


@app.command(
    rich_help_panel=PANEL, epilog=examples("close Atelier", "close Atelier --confirm CLOSE --json")
)
def close(
    account: AccountName,
    confirm: Annotated[
        str | None,
        typer.Option(
            metavar=CLOSE_CONFIRMATION,
            help=f"The word {CLOSE_CONFIRMATION}, instead of being asked for it.",
            show_default=False,
        ),
    ] = None,
    as_user: AsUser = None,
    as_json: AsJson = False,
) -> None:
    """Close an account, paused or active. Its numbers are released for good."""
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load()) as context:
            found = context.account(account)
            requested_by = context.requester(found, as_user, output)
            typed = confirm if confirm is not None else _typed_close(found, output)
            with output.progress("Closing"):
                status = await context.backend.close(found.account_id, requested_by, typed)
            output.result(status, status_view(status, found.name, found.time_zone))

    run(work())


@app.command(rich_help_panel="Operators", epilog=examples("retry Brightside"))
def retry(account: AccountName, as_json: AsJson = False) -> None:
    """Let steps and invoices that wait for an operator go on, once the cause is mended.

    `status` says which steps wait, and why. Invoices that were held, since the
    gateway's record contradicts their order, are counted and collected again.
    """
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load()) as context:
            found = context.account(account)
            released = await context.backend.retry(found.account_id)
            output.result(
                {
                    "account_id": found.account_id,
                    "retried": True,
                    "released_invoices": released,
                },
                f"What waited for an operator goes on; see `account-pause status {account}`.",
                _released(released),
            )

    run(work())


def _released(invoices: int) -> str:
    if not invoices:
        return "No invoice was held."
    which = (
        "1 invoice was held and is" if invoices == 1 else f"{invoices} invoices were held and are"
    )
    return f"{which} collected again; see `account-pause statement`."


def _shown_before(
    context: Context, account: AccountView, resume_on: date | None, output: Output
) -> Refusal | None:
    """Show what a pause would do; returns why it would be refused."""
    if output.as_json:
        return None
    preview = context.backend.preview(account.account_id, resume_on=resume_on)
    output.show(preview_view(preview, account.name), "")
    return preview.refusal


def _typed_close(account: AccountView, output: Output) -> str:
    if output.as_json:
        return ""
    output.show(
        f"Closing [bold]{account.name}[/] releases its numbers [bold red]for good[/]; a pause keeps"
        " them."
    )
    typed: str = asked(lambda: typer.prompt(f"Type {CLOSE_CONFIRMATION} to close the account"))
    return typed


def _date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"“{text}” is not a date; write it as YYYY-MM-DD.") from None
