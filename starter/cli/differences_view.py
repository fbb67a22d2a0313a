"""How people see a reconciliation: what was compared, what differs, and what to do about it."""

from collections.abc import Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from domain.differences import DifferenceKind, Side
from domain.messages import Reconciled
from domain.money import display
from starter.cli.views import facts, lines
from systems.billing.reconciling import DifferenceView
from systems.tables import DifferenceState

WORDS = {
    DifferenceKind.MISSING_HERE: "missing here",
    DifferenceKind.MISSING_THERE: "missing at the gateway",
    DifferenceKind.AMOUNT: "another amount",
    DifferenceKind.STATE: "another outcome",
    DifferenceKind.OWNER: "another owner",
    DifferenceKind.DUPLICATE_DATE: "paid twice",
    DifferenceKind.UNKNOWN: "unknown for days",
}
ADVICE = {
    DifferenceKind.MISSING_HERE: (
        "Nothing here asked for it. Find out who did; if nobody owed it, give it back at the"
        " gateway."
    ),
    DifferenceKind.MISSING_THERE: (
        "The gateway has no such object. Make sure that the key is of the right account there, then"
        " ask the gateway's support."
    ),
    DifferenceKind.AMOUNT: (
        "Somebody changed one of the records. Correct it at the gateway, or give the difference"
        " back; then release what is held with `account-pause retry`."
    ),
    DifferenceKind.STATE: (
        "Both cannot be. Compare the histories of both; collect again, or give back, as the"
        " customer owes."
    ),
    DifferenceKind.OWNER: (
        "The gateway's names for it were changed, or it is somebody else's. Correct them there."
    ),
    DifferenceKind.DUPLICATE_DATE: (
        "The date was paid twice and it is not proven which to give back. Give one back at the"
        " gateway."
    ),
    DifferenceKind.UNKNOWN: (
        "Ask the gateway what became of it. It is looked up daily and goes by itself once known."
    ),
}


def reconciled_view(reconciled: Reconciled) -> RenderableType:
    """What one run has compared and done, in counts."""
    it = reconciled
    waiting = Text(f"{it.waiting}, {it.new} of them new", style="bold red") if it.waiting else "0"
    return facts(
        "Our record and the gateway's",
        [
            ("Created", f"{it.since:%Y-%m-%d %H:%M} to {it.until:%Y-%m-%d %H:%M} UTC"),
            ("Payments", f"{it.payments:,}"),
            ("Refunds", f"{it.refunds:,}"),
            ("Of other products", f"{it.foreign:,}" if it.foreign else None),
            ("Settled", str(it.settled)),
            ("Given back", str(it.refunded)),
            ("No longer there", str(it.vanished)),
            ("Wait for an operator", waiting),
        ],
    )


def differences_views(
    title: str, found: Sequence[DifferenceView], names: Mapping[str, str]
) -> list[RenderableType]:
    """The differences, one below the other, each with what to do; `names` are the accounts'.

    Plain lines, since ids are there to be copied and a table would break them.
    """
    if not found:
        return [Text("No difference to show.", style="dim")]
    return ["", Text(title, style="bold"), *(_block(each, names) for each in found)]


def _block(difference: DifferenceView, names: Mapping[str, str]) -> Text:
    what = f"{'refund' if difference.is_refund else 'payment'} {WORDS[difference.kind]}"
    is_open = difference.state is DifferenceState.OPEN
    rows = [
        ("Account", _account(difference, names)),
        ("Date", _date(difference)),
        ("Here", _side(difference.here, difference.our_key)),
        ("At the gateway", _side(difference.there, difference.payment_id, _object_id(difference))),
        ("Paid before by", difference.other_id),
        ("State", None if is_open else difference.state.value),
        ("To do", ADVICE[difference.kind] if is_open else None),
        ("Then", f"account-pause acknowledge {difference.key} --reason …" if is_open else None),
    ]
    return lines(what.capitalize(), rows)


def _account(difference: DifferenceView, names: Mapping[str, str]) -> str:
    account_id = difference.account_id
    return "none of ours" if account_id is None else f"{names.get(account_id, '')}  {account_id}"


def _date(difference: DifferenceView) -> str | None:
    dates = (side.billing_on for side in (difference.here, difference.there) if side)
    return next((on.isoformat() for on in dates if on), None)


def _side(side: Side | None, *ids: str | None) -> str:
    shown = f"{display(side.amount_minor, side.currency)} {side.state}" if side else "nothing"
    return "  ".join([shown, *(name for name in ids if name)])


def _object_id(difference: DifferenceView) -> str | None:
    """The refund's id; of a payment it is there already."""
    return difference.object_id if difference.is_refund else None
