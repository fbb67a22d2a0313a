"""The commands around a pause: card, disable, seed, migrate."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from temporalio.service import RPCError

from domain.errors import Code, Rejected, Transient
from domain.money import display
from domain.states import AccountStatus
from settings import Settings
from starter.backend import CardChanged
from starter.cli.app import AccountName, AsJson, AsUser, Yes, app, confirmed, run
from starter.cli.context import Context, connected, opened
from starter.cli.output import Output
from starter.cli.views import day, facts, grid, named, state
from starter.local.server import register_search_attributes
from systems.billing.cards import CardView
from systems.gateways.sandbox import CARDS
from systems.migrate import upgrade
from systems.numbers.trackers import TrackerStatus, TrackerView
from systems.sample import SampleAccount
from systems.sample import seed as seed_accounts
from systems.wiring import open_systems

ACCOUNTS, SET_UP = "Accounts", "Set-up"


@app.command(rich_help_panel=ACCOUNTS)
def card(
    account: AccountName,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="CARD",
            help="A test card of the sandbox gateway, by name; left out: show what is on file.",
            show_default=False,
        ),
    ] = None,
    reopen: Annotated[
        bool, typer.Option("--reopen", help="On a closed account: reopen it, at the price shown.")
    ] = False,
    as_user: AsUser = None,
    as_json: AsJson = False,
) -> None:
    """Show or change the card on file.

    A new card is tried at once on every fee that is unpaid. On a closed account it opens the
    account again on its plan, from today.
    """
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=name is not None) as context:
            account_id = context.account(account).account_id
            if name is None:
                on_file = context.systems.billing.card(account_id)
                output.result({"card": on_file, "test_cards": sorted(CARDS)}, _card_view(on_file))
                return
            requested_by = context.requester(context.account(account), as_user, output)
            meant = reopen or _asked_to_reopen(context, account_id, output)
            changed = await context.backend.change_card(
                account_id, requested_by, name, reopen=meant
            )
            output.result(changed, *_changed_views(changed))

    run(work())


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
    """Make the sample accounts that are missing, and say what each is for."""
    output = Output(as_json=as_json)

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=False) as context:
            accounts = seed_accounts(context.systems, datetime.now(UTC))
            output.result({"accounts": accounts}, _samples_table(accounts))

    run(work())


@app.command(rich_help_panel=SET_UP)
def migrate(as_json: AsJson = False) -> None:
    """Bring the database to today's tables, and register search attributes with Temporal.

    Safe to repeat. Without a Temporal service only the database is migrated.
    """
    output = Output(as_json=as_json)
    settings = Settings.load()
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    systems = open_systems(settings.database, settings.gateway, pool_size=1)
    try:
        upgrade(systems.engine)
    finally:
        systems.close()
    registered = run(_registered(settings, output))
    document = {"migrated": True, "registered_search_attributes": registered}
    output.result(document, "The database is up to date.", _registered_view(registered))


async def _registered(settings: Settings, output: Output) -> list[str] | None:
    """The search attributes that the service lacked; None if there is no service to ask."""
    try:
        return await register_search_attributes(await connected(settings))
    except Transient as error:
        output.note(str(error))
        return None
    except RPCError as error:
        raise Transient(
            f"The Temporal service does not let us register search attributes"
            f" ({error.status.name}); have its operator register them."
        ) from error


def _registered_view(registered: list[str] | None) -> str:
    if registered is None:
        return "Search attributes were not looked at: no Temporal service answers."
    if not registered:
        return "Temporal has all search attributes."
    return f"Registered with Temporal: {', '.join(registered)}."


def _asked_to_reopen(context: Context, account_id: str, output: Output) -> bool:
    """On a closed account: show the price, then ask; without anybody to ask nothing is meant."""
    account = context.systems.accounts.account(account_id)
    if account.status is not AccountStatus.CLOSED or output.as_json:
        return False
    quote = context.systems.billing.quote(account_id)
    price = display(quote.amount_minor, quote.currency)
    output.show(f"The account is closed. The card reopens it on its plan from today, {price}.")
    return typer.confirm("Reopen it?")


def _changed_views(changed: CardChanged) -> list[RenderableType]:
    views: list[RenderableType] = [_card_view(changed.card)]
    if changed.reopened is not None:
        price = display(changed.reopened.amount_minor, changed.reopened.currency)
        first_on = day(changed.reopened.next_billing_on)
        views.append(f"The account is open again; first invoice {first_on}, {price}.")
    return views


def _card_view(card: CardView | None) -> RenderableType:
    if card is None:
        on_file: RenderableType = Text("none", style="bold red")
    else:
        expiry = f"{card.expires_month:02}/{card.expires_year}"
        on_file = f"{card.brand} ending {card.last4}, good until {expiry}"
    return facts("", [("Card on file", on_file), ("Test cards", ", ".join(sorted(CARDS)))])


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


def _samples_table(accounts: list[SampleAccount]) -> Table:
    table = grid("Sample accounts", "Account, its id and its administrator's", "What for")
    for each in accounts:
        table.add_row(named(each.name, each.account_id, each.administrator_id), each.what_for)
    return table
