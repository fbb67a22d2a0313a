"""The commands of the local stack: up, demo, fast-forward."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, time, timedelta
from typing import Annotated

import typer

from domain.calendar import instant
from domain.errors import Code, Rejected
from domain.ports import Act
from settings import Settings
from starter.cli.app import REFUSED, UNAVAILABLE, AccountName, AsJson, app, run
from starter.cli.context import Context, opened
from starter.cli.demo_view import DemoScreen, result_views
from starter.cli.output import Output
from starter.cli.up_view import UpScreen
from starter.cli.views import event_line, moment, status_view
from starter.connect import configured_address, configured_namespace
from starter.local.clock import Moved, clock_of
from starter.local.clock import fast_forward as move_clock
from starter.local.demo import Stage, demonstrate, own_stage
from starter.local.marker import running_stack
from starter.local.stack import Plan, StackFailed
from starter.local.up import run_up
from systems.accounts.views import AccountView

PANEL = "Local stack"
PORT, UI_PORT, WEB_PORT = 7233, 8233, 8000

# A day is reached once its fees and reminders, at 09:00, are done.
NOON = time(12)


@app.command(rich_help_panel=PANEL)
def up(
    port: Annotated[int, typer.Option(help="Where the Temporal server answers.")] = PORT,
    ui_port: Annotated[int, typer.Option(help="Where its Web UI answers.")] = UI_PORT,
    web_port: Annotated[int, typer.Option(help="Where the product's pages are.")] = WEB_PORT,
    as_json: AsJson = False,
) -> None:
    """Start the local stack: Temporal with its Web UI, databases, sample data, worker and web.

    Runs until Ctrl-C; what happened is kept for the next time. With TEMPORAL_ADDRESS set that
    service is used and no server started; with DATABASE_URL set, that database.
    """
    settings = Settings.load()
    namespace = configured_namespace()
    screen = UpScreen(settings, namespace, Output(as_json=as_json))
    plan = Plan(settings, port, ui_port, configured_address(), namespace, web_port)
    try:
        run(run_up(plan, screen.say, screen.ready))
    except StackFailed as error:
        if not screen.is_ready:
            raise
        # Standard output has had its document.
        screen.say(str(error))
        raise typer.Exit(UNAVAILABLE) from None


@app.command(rich_help_panel=PANEL)
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Do not wait for people to read.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch a whole pause of six months on the virtual clock of the real server, in seconds.

    Uses the local stack if it is up, else a stack of its own that leaves nothing behind. Exit code
    0 only if six fees were paid and everything came back as it was.
    """
    output = Output(as_json=as_json)
    settings = Settings.load()
    screen = DemoScreen(output, fast=fast)

    async def work() -> bool:
        async with _demo_stage(settings, output) as stage:
            with screen.running():
                result = await demonstrate(stage, settings, screen.tell)
            output.result(result, *result_views(result))
            return not result.problems

    if not run(work()):
        raise typer.Exit(REFUSED)


@app.command("fast-forward", rich_help_panel=PANEL)
def fast_forward(
    account: AccountName,
    days: Annotated[
        int | None, typer.Option(min=1, help="How many days.", show_default=False)
    ] = None,
    to: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Until noon of a day, by the account.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Move the clock of one paused account forward: fees, reminders and the resume really happen.

    Works on the local stack's own server only. The clock stays ahead while that pause is open.
    """
    output = Output(as_json=as_json)
    if (days is None) == (to is None):
        raise typer.BadParameter("give either --days or --to")

    async def work() -> None:
        settings = Settings.load()
        _check_is_local(settings)
        async with opened(settings) as context:
            found = context.account(account)
            act = _open_act(context, found)
            until = await _target(context, found, act, days, to.date() if to else None)
            with output.progress("Moving the clock"):
                moved = await move_clock(context.client, context.systems, act, until)
            _show_moved(moved, found, output)

    run(work())


@asynccontextmanager
async def _demo_stage(settings: Settings, output: Output) -> AsyncIterator[Stage]:
    stack = running_stack(settings.state_dir)
    is_here = stack is not None and stack.owns_server
    # A demonstration of six months moves no money at Stripe, not even play money.
    if stack and is_here and not settings.stripe and configured_address() in (None, stack.address):
        output.note(f"On the local stack at {stack.address}; the account stays there to look at.")
        async with opened(settings) as context:
            yield Stage(context.client, context.systems)
    else:
        why = "Money moves at Stripe here" if settings.stripe else "No local stack is up"
        output.note(f"{why}: the demonstration starts a stack of its own.")
        async with own_stage(settings, output.note) as stage:
            yield stage


def _check_is_local(settings: Settings) -> None:
    """Let the local stack's own server through, unless real money would move ahead of its time.

    Raises:
        Rejected: commands go to another server, or money moves at Stripe in live mode.
    """
    if settings.stripe and settings.stripe.is_live:
        raise Rejected(
            Code.VALIDATION_FAILED,
            "With a live key of Stripe a moved clock would charge real cards before their time;"
            " use a test key, or none.",
        )
    stack = running_stack(settings.state_dir)
    address = configured_address()
    if stack is None or not stack.owns_server or address not in (None, stack.address):
        where = f"the service at {address}" if address else "no local stack"
        raise Rejected(
            Code.VALIDATION_FAILED,
            "Clocks can be moved on the server that `account-pause up` has started, nowhere else;"
            f" this would be {where}.",
        )


def _open_act(context: Context, account: AccountView) -> Act:
    act = context.systems.accounts.open_act(account.account_id)
    if act is None:
        raise Rejected(
            Code.ACCOUNT_NOT_PAUSED,
            f"{account.name} is not paused, and the clock that moves is the pause's.",
        )
    return act


async def _target(
    context: Context, account: AccountView, act: Act, days: int | None, on: date | None
) -> datetime:
    if on is not None:
        return instant(on, NOON, account.time_zone)
    return await clock_of(context.client, act) + timedelta(days=days or 0)


def _show_moved(moved: Moved, account: AccountView, output: Output) -> None:
    zone = account.time_zone
    output.result(
        moved,
        *(event_line(event, zone) for event in moved.events),
        "" if moved.events else "Nothing was due.",
        f"The clock of {account.name}'s pause shows {moment(moved.to_at, zone)}.",
        "",
        status_view(moved.status, account.name, zone),
    )
