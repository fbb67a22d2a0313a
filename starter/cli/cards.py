"""The command about the card on file: show it, use a test card, or have one entered."""

import asyncio
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from domain.errors import Code, Rejected
from domain.money import display
from domain.payments import CardPage, PageState
from domain.states import AccountStatus
from settings import Settings
from starter.backend import CardChanged
from starter.cli.app import AccountName, AsJson, AsUser, app, asked, run
from starter.cli.context import Context, opened
from starter.cli.output import Output, is_interactive
from starter.cli.views import day, facts, lines
from starter.web.paths import CARD_ENTERED
from systems.accounts.views import AccountView
from systems.billing.cards import CardView
from systems.gateways.sandbox import CARDS, SandboxGateway

SECONDS_BETWEEN_LOOKS = 0.5


@app.command(rich_help_panel="Accounts")
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
    enter: Annotated[
        bool, typer.Option("--enter", help="Get the address of a page for entering a card.")
    ] = False,
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
    if enter and name is not None:
        raise typer.BadParameter("give either the name of a test card or --enter")

    async def work() -> None:
        async with opened(Settings.load(), needs_temporal=name is not None) as context:
            found = context.account(account)
            if enter:
                await _enter(context, found, as_user, output, reopen=reopen)
            elif name is not None:
                await _change(context, found, name, as_user, output, reopen=reopen)
            else:
                _show(context, found, output)

    run(work())


def _show(context: Context, account: AccountView, output: Output) -> None:
    on_file = context.systems.billing.card(account.account_id)
    cards = _test_cards(context)
    output.result({"card": on_file, "test_cards": cards}, _card_view(on_file, cards))


async def _change(
    context: Context,
    account: AccountView,
    name: str,
    as_user: str | None,
    output: Output,
    *,
    reopen: bool,
) -> None:
    requested_by = context.requester(account, as_user, output)
    meant = reopen or _asked_to_reopen(context, account.account_id, output)
    changed = await context.backend.change_card(
        account.account_id, requested_by, name, reopen=meant
    )
    output.result(changed, *_changed_views(changed))


async def _enter(
    context: Context, account: AccountView, as_user: str | None, output: Output, *, reopen: bool
) -> None:
    requested_by = context.requester(account, as_user, output)
    meant = reopen or _asked_to_reopen(context, account.account_id, output)
    page = context.backend.enter_card(
        account.account_id, requested_by, f"{context.public_url}{CARD_ENTERED}", reopen=meant
    )
    places = [
        ("Address", page.url),
        ("Good until", f"{page.expires_at:%Y-%m-%d %H:%M} UTC"),
        ("On file?", f"account-pause card {account.account_id}"),
    ]
    document = {"page_id": page.page_id, "url": page.url, "expires_at": page.expires_at}
    output.result(document, lines("Enter the card in a browser", places))
    if is_interactive() and not output.as_json:
        with output.progress("Waiting for the card; Ctrl-C stops waiting, nothing else"):
            await _until_over(context, page)
        output.show(_card_view(context.systems.billing.card(account.account_id)))


async def _until_over(context: Context, page: CardPage) -> None:
    """Wait until the page's card is on file.

    Raises:
        Rejected: nothing came of the page.
    """
    while (entry := context.systems.card_entries.entry(page.page_id)) and not entry.is_over:
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
    if entry is None or entry.state is not PageState.ENTERED:
        raise Rejected(
            Code.PAYMENT_METHOD_REQUIRED,
            f"No card came on file from page {page.page_id}: it has expired, or whoever asked for"
            " it may no longer change the card.",
        )


def _asked_to_reopen(context: Context, account_id: str, output: Output) -> bool:
    """On a closed account: show the price, then ask; without anybody to ask nothing is meant."""
    account = context.systems.accounts.account(account_id)
    if account.status is not AccountStatus.CLOSED or output.as_json:
        return False
    quote = context.systems.billing.quote(account_id)
    price = display(quote.amount_minor, quote.currency)
    output.show(f"The account is closed. The card reopens it on its plan from today, {price}.")
    return asked(lambda: typer.confirm("Reopen it?"))


def _test_cards(context: Context) -> list[str]:
    return sorted(CARDS) if isinstance(context.systems.gateway, SandboxGateway) else []


def _changed_views(changed: CardChanged) -> list[RenderableType]:
    views: list[RenderableType] = [_card_view(changed.card, sorted(CARDS))]
    if changed.reopened is not None:
        price = display(changed.reopened.amount_minor, changed.reopened.currency)
        first_on = day(changed.reopened.next_billing_on)
        views.append(f"The account is open again; first invoice {first_on}, {price}.")
    return views


def _card_view(card: CardView | None, test_cards: list[str] | None = None) -> RenderableType:
    if card is None:
        on_file: RenderableType = Text("none", style="bold red")
    else:
        expiry = f"{card.expires_month:02}/{card.expires_year}"
        on_file = f"{card.brand} ending {card.last4}, good until {expiry}"
    rows: list[tuple[str, RenderableType]] = [("Card on file", on_file)]
    if test_cards:
        rows.append(("Test cards", ", ".join(test_cards)))
    return facts("", rows)
