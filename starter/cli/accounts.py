"""The commands around a pause: disable, seed, migrate."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import Code, Rejected, Transient
from settings import Settings
from starter.cli.app import AccountName, AsJson, AsUser, Yes, app, confirmed, run
from starter.cli.context import connected, opened
from starter.cli.output import Output
from starter.cli.views import grid, named, state
from starter.local.server import register_search_attributes
from starter.schedules import NOT_SCHEDULED, schedule_reconciliation
from systems.migrate import upgrade
from systems.numbers.trackers import TrackerStatus, TrackerView
from systems.sample import PASSWORD, SampleAccount
from systems.sample import seed as seed_accounts
from systems.wiring import open_systems

ACCOUNTS, SET_UP = "Accounts", "Set-up"


@app.command(rich_help_panel=ACCOUNTS)
def disable(
    account: AccountName,
    tracker: Annotated[
        str | None,
        typer.Argument(
            metavar="TRACKER",
            help="A tracker's id, or the beginning of its name; left out: list the trackers.",
            show_default=False,
        ),
    ] = None,
    as_user: AsUser = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """List an account's trackers, or disable one for good: its numbers go."""
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            found = context.account(account)
            trackers = context.systems.numbers.trackers(found.account_id)
            if tracker is None:
                output.result({"trackers": trackers}, _trackers_table(trackers, found.name))
                return
            chosen = _tracker(trackers, tracker)
            requested_by = context.requester(found, as_user, output)
            count = len(chosen.tracking_numbers)
            question = f"Disable “{chosen.name}” and give up its {count} numbers for good?"
            confirmed(question, yes=yes, as_json=as_json)
            disabled = context.backend.disable_tracker(
                found.account_id, requested_by, chosen.tracker_id
            )
            output.result(disabled, f"Disabled “{disabled.name}”; {count} numbers are given up.")

    run(work())


@app.command(rich_help_panel=SET_UP)
def seed(as_json: AsJson = False) -> None:
    """Make the sample accounts that are missing, and say what each is for.

    Their users may log in where the web process is for this machine only.
    """
    output = Output(as_json=as_json)

    async def work() -> None:
        settings = Settings.load()
        async with opened(settings, needs_temporal=False) as context:
            now, is_local = datetime.now(UTC), settings.is_local
            accounts = seed_accounts(context.systems, now, with_log_ins=is_local)
            password = PASSWORD if is_local else None
            output.result(
                {"accounts": accounts, "password": password}, _samples_table(accounts, password)
            )

    run(work())


@app.command(rich_help_panel=SET_UP)
def migrate(as_json: AsJson = False) -> None:
    """Bring the database to today's tables; register search attributes and the daily schedule.

    Safe to repeat. Without a Temporal service only the database is migrated.
    """
    output = Output(as_json=as_json)
    settings = Settings.load()
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    systems = open_systems(settings.database, settings.gateway, 1, settings.stripe)
    try:
        upgrade(systems.engine)
    finally:
        systems.close()
    registered, is_scheduled = run(_prepared(settings, output))
    document = {
        "migrated": True,
        "registered_search_attributes": registered,
        "reconciliation_is_scheduled": is_scheduled,
    }
    output.result(document, "The database is up to date.", _registered_view(registered))


async def _prepared(settings: Settings, output: Output) -> tuple[list[str] | None, bool]:
    """The search attributes that the service lacked, None if there is no service to ask.

    And whether the daily reconciliation is scheduled there.
    """
    try:
        client = await connected(settings)
    except Transient as error:
        output.note(str(error))
        return None, False
    try:
        registered = await register_search_attributes(client)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Transient(
                f"Temporal has no namespace {client.namespace}: run `account-pause namespace`"
                " first, or see TEMPORAL_NAMESPACE. The database is up to date."
            ) from error
        raise Transient(
            f"The Temporal service does not let us register search attributes"
            f" ({error.status.name}); have its operator register them."
        ) from error
    try:
        await schedule_reconciliation(client)
    except RPCError as error:
        output.note(f"{NOT_SCHEDULED} ({error.status.name}).")
        return registered, False
    return registered, True


def _registered_view(registered: list[str] | None) -> str:
    if registered is None:
        return "Search attributes were not looked at: no Temporal service answers."
    if not registered:
        return "Temporal has all search attributes."
    return f"Registered with Temporal: {', '.join(registered)}."


def _tracker(trackers: list[TrackerView], named: str) -> TrackerView:
    found = [each for each in trackers if each.tracker_id == named] or [
        each for each in trackers if each.name.casefold().startswith(named.casefold())
    ]
    if len(found) == 1:
        return found[0]
    what = "Several trackers are" if found else "No tracker is"
    raise Rejected(
        Code.VALIDATION_FAILED,
        f"{what} called “{named}”; `account-pause disable ACCOUNT` lists them with their ids.",
    )


def _trackers_table(trackers: list[TrackerView], name: str) -> Table:
    table = grid(name, "Tracker", "Company", "Type", "Numbers", "Status")
    for each in trackers:
        is_active = each.status is TrackerStatus.ACTIVE
        table.add_row(
            named(each.name, each.tracker_id),
            each.company,
            each.type,
            str(len(each.tracking_numbers)),
            state(each.status),
            style="" if is_active else "dim",
        )
    active = sum(
        len(each.tracking_numbers) for each in trackers if each.status is TrackerStatus.ACTIVE
    )
    table.caption = f"{active} active tracking numbers"
    table.caption_justify = "left"
    return table


def _samples_table(accounts: list[SampleAccount], password: str | None) -> Table:
    table = grid("Sample accounts", "Account, its id and its administrator's", "Users", "What for")
    for each in accounts:
        table.add_row(
            named(each.name, each.account_id, each.administrator_id),
            "\n".join(each.emails),
            each.what_for,
        )
    if password is not None:
        table.caption = f"Every user's password: {password}"
        table.caption_justify = "left"
    return table
