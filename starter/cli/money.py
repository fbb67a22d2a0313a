"""The commands about money: refund, statement."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated

import typer

from domain.errors import Code, Rejected, Transient
from domain.money import display
from domain.states import ActKind
from settings import Settings
from starter.cli.app import (
    REFUSED,
    UNAVAILABLE,
    AccountName,
    AsJson,
    Yes,
    app,
    asked,
    confirmed,
    run,
)
from starter.cli.context import Context, opened
from starter.cli.output import Output, is_interactive
from starter.cli.statement_view import refund_view, statement_views
from starter.cli.views import moment
from systems.audit import OPERATOR
from systems.billing.charged import Charged
from systems.billing.proof import Agreement
from systems.billing.proof_workflow import NO_RUN, RunSays
from systems.tables import RefundRowState

PANEL = "Money"

# Dollars and cents as people type them; cents are counted with Decimal, never with floats.
AMOUNT = re.compile(r"\d{1,9}(?:\.\d{1,2})?")
EXIT_CODES = {Agreement.DIFFERS: REFUSED, Agreement.AWAY: UNAVAILABLE}


@app.command(rich_help_panel=PANEL)
def refund(
    account: AccountName,
    charge: Annotated[
        str,
        typer.Argument(metavar="CHARGE", help="A billing date, YYYY-MM-DD, or a payment id."),
    ],
    amount: Annotated[
        str | None,
        typer.Option(metavar="2.50", help="A part of it; all if left out.", show_default=False),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(help="Why, in your own words; kept in the audit only.", show_default=False),
    ] = None,
    actor: Annotated[
        str, typer.Option("--as", metavar="NAME", help="Who gives it back, for the audit.")
    ] = OPERATOR,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give a charge back to the card that paid it, the whole or a part; once per charge.

    Safe to repeat: the answer is the refund as it stands. `statement` lists all charges.
    """
    output = Output(as_json=as_json)

    async def work() -> RefundRowState:
        async with opened(Settings.load(), needs_temporal=False) as context:
            found = context.account(account)
            refunds = context.systems.refunds
            part = None if amount is None else _cents(amount)
            charged = refunds.charged(found.account_id, _charge(charge), part)
            amount_minor = charged.amount_minor if part is None else part
            why = reason or _asked_for_reason(output)
            question = f"Give {_words(charged, amount_minor, found.time_zone)} back?"
            confirmed(question, yes=yes, as_json=as_json)
            with output.progress("Asking the gateway"):
                view = refunds.refund(
                    found.account_id,
                    charged.payment_id,
                    amount_minor=amount_minor,
                    actor=actor,
                    reason=why,
                    at=context.backend.business_now(found.account_id),
                )
            output.result(view, refund_view(view, found.time_zone))
            return view.state

    if run(work()) is RefundRowState.FAILED:
        raise typer.Exit(REFUSED)


@app.command(rich_help_panel=PANEL)
def statement(
    account: AccountName,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not compare with the gateway's record.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what was charged when, why and with which evidence, and prove it.

    Ledger, gateway and workflow are compared cent by cent. Exit code 0 only if they agree, 1 if
    they do not, 3 if the gateway is away.
    """
    output = Output(as_json=as_json)

    async def work() -> Agreement:
        async with opened(Settings.load(), needs_temporal=False) as context:
            found = context.account(account)
            with output.progress("Comparing the records"):
                shown = context.systems.statements.statement(
                    found.account_id,
                    context.backend.business_now(found.account_id),
                    run=await _run_says(context, found.account_id),
                    asks_gateway=not offline,
                )
            output.result(shown, *statement_views(shown, found.name))
            return shown.proof.agreement

    code = EXIT_CODES.get(run(work()), 0)
    if code:
        raise typer.Exit(code)


async def _run_says(context: Context, account_id: str) -> RunSays:
    """What the run of an open pause says of its charges; without a worker nobody answers for it."""
    act = context.systems.accounts.open_act(account_id)
    if act is None or act.kind is not ActKind.PAUSE or act.timeline is None:
        return NO_RUN
    try:
        status = await context.backend.status(account_id)
    except Transient as error:
        return RunSays(note=f"the run of the open pause was not asked: {error}")
    return RunSays(status.charges)


def _charge(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


def _cents(text: str) -> int:
    if not AMOUNT.fullmatch(text):
        raise typer.BadParameter("write the amount in dollars and cents, like 2.50")
    return int(Decimal(text) * 100)


def _asked_for_reason(output: Output) -> str:
    if output.as_json or not is_interactive():
        raise Rejected(Code.VALIDATION_FAILED, "Say why with --reason; it is kept in the audit.")
    typed: str = asked(lambda: typer.prompt("Why, in your own words"))
    return typed


def _words(charged: Charged, amount_minor: int, zone: str) -> str:
    whole = display(charged.amount_minor, charged.currency)
    part = display(amount_minor, charged.currency)
    what = whole if amount_minor == charged.amount_minor else f"{part} of {whole}"
    return f"{what}, charged {moment(charged.charged_at, zone)},"
