"""What people see: statuses, previews, lists, stories. Times are the account's own."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from domain.declines import explained
from domain.ids import Prefix
from domain.messages import ChargeStatus, Status
from domain.money import display
from domain.states import ChargeState, PauseState
from starter.preview import Preview
from starter.story import Event
from workflows.page import NEXT_EVENTS, NUMBERS

STYLES: dict[str, str] = {
    PauseState.PAUSING: "yellow",
    PauseState.PAUSED: "bold yellow",
    PauseState.RESUMING: "yellow",
    PauseState.RESUMED: "bold green",
    PauseState.CLOSING: "red",
    PauseState.CLOSED: "bold red",
    PauseState.REFUSED: "bold red",
    ChargeState.PAID: "green",
    ChargeState.DECLINED: "bold red",
    ChargeState.UNKNOWN: "magenta",
    ChargeState.SCHEDULED: "dim",
    ChargeState.NOT_OWED: "dim",
    "active": "bold green",
}

STOPS = {
    "plan": "the plan stops invoicing",
    "script": "web sites show their own number again",
    "access": "dashboards and reports are shut",
    "routing": "callers hear the intercept",
}


def moment(at: datetime, zone: str) -> str:
    """An instant as people in `zone` write it, to the minute."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day:2} {local:%b %Y, %H:%M %Z}"


def day(on: date) -> str:
    """A date with its weekday."""
    return f"{on:%a} {on.day:2} {on:%b %Y}"


def state(value: str) -> Text:
    """A state in its colour."""
    return Text(value.replace("_", " "), style=STYLES.get(value, ""))


def facts(title: str, rows: Iterable[tuple[str, RenderableType | None]]) -> Table:
    """A table of names and values; rows without a value are left out."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, show_header=False
    )
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, value in rows:
        if value is not None and value != "":
            table.add_row(name, value)
    return table


def under(
    heading: str, values: Iterable[RenderableType]
) -> list[tuple[str, RenderableType | None]]:
    """Rows of one heading; only the first row repeats it."""
    return [("" if position else heading, value) for position, value in enumerate(values)]


def lines(title: str, rows: Iterable[tuple[str, str | None]]) -> Text:
    """Names and values as plain lines that can be copied; rows without a value are left out."""
    shown = [(name, value) for name, value in rows if value]
    width = max((len(name) for name, _ in shown), default=0)
    text = Text(title, style="bold")
    for name, value in shown:
        text.append_text(Text.assemble("\n ", (name.ljust(width), "not bold cyan"), "  "))
        text.append(value, style="not bold")
    return text


def grid(title: str, *headings: str) -> Table:
    """An empty table with headings."""
    table = Table(
        title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def named(name: str, *ids: str) -> Text:
    """A name, with ids below it that are never cut."""
    return Text.assemble(name, *((f"\n{each}", "dim") for each in ids))


def status_view(status: Status, name: str, zone: str) -> RenderableType:
    """Where a pause stands: its facts, then its charges."""
    at = status.next_event
    rows: list[tuple[str, RenderableType | None]] = [
        ("State", state(status.state)),
        ("Paused", moment(status.paused_at, zone) if status.paused_at else None),
        ("Ended", moment(status.ended_at, zone) if status.ended_at else None),
        (
            NUMBERS.get(status.state, "Numbers kept"),
            str(status.retained_numbers) if status.paused_at else None,
        ),
        ("Next", f"{moment(at.at, zone)}  {NEXT_EVENTS.get(at.kind, at.kind)}" if at else None),
        ("Resumes", _resumes(status, zone)),
        ("Past due", Text("yes, see the charges", style="bold red") if status.past_due else None),
        ("Operator", _attention(status.needs_operator)),
        ("Refused", status.refusal.message if status.refusal else None),
        ("Close" if status.pause_id.startswith(Prefix.CLOSE) else "Pause", status.pause_id),
        ("Account", status.account_id),
    ]
    views: list[RenderableType] = [facts(name, rows)]
    if status.charges:
        views.append(charges_table(status.charges, zone))
    return Group(*views)


def charges_table(charges: Sequence[ChargeStatus], zone: str) -> Table:
    """The fees of a pause."""
    table = grid("Charges", "Billing date", "Due", "Amount", "State")
    for charge in charges:
        table.add_row(
            day(charge.billing_on),
            moment(charge.due_at, zone),
            display(charge.amount_minor, charge.currency),
            _charge_state(charge),
        )
    return table


def preview_view(preview: Preview, name: str) -> RenderableType:
    """What a pause would do, or what the one that is open does."""
    zone, timeline, terms = preview.terms.time_zone, preview.timeline, preview.terms
    is_open = preview.pause_id is not None
    stops = [(moment(stop.at, zone), STOPS[stop.what]) for stop in preview.stops]
    rows: list[tuple[str, RenderableType | None]] = [
        ("Account", state(preview.account_status)),
        ("May pause", _may_pause(preview) if not is_open else None),
        *under("Stops", [f"{at}  {what}" for at, what in stops]),
        ("Numbers kept", _kept(preview)),
        *under("Fees", _fees(preview)),
        ("Card", f"ending {preview.card_last4}" if preview.card_last4 else "none on file"),
        *under("Reminders", [moment(each.at, zone) for each in timeline.reminders]),
        ("Resumes", f"{moment(timeline.resume_at, zone)}  by itself"),
        ("At the latest", day(timeline.latest_resume_on)),
        ("Terms", terms.version),
    ]
    afterwards = facts("If it were resumed now" if is_open else "Afterwards", _plan_rows(preview))
    return Group(facts(name, rows), afterwards)


def event_line(event: Event, zone: str) -> Text:
    """One line of a story."""
    style = {"paused": "bold yellow", "resumed": "bold green", "closed": "bold red"}
    if event.what.endswith("_paid"):
        colour = "green"
    elif event.what.endswith("_declined"):
        colour = "bold red"
    else:
        colour = style.get(event.what, "")
    return Text.assemble((f"{moment(event.at, zone)}  ", "dim"), (event.text, colour))


def _charge_state(charge: ChargeStatus) -> Text:
    text = state(charge.state)
    if charge.decline_code is None:
        return text
    return text.append(f": {explained(charge.decline_code).operator}")


def _resumes(status: Status, zone: str) -> str | None:
    if status.resume_at is None or status.ended_at is not None:
        return None
    return f"{moment(status.resume_at, zone)}  by itself"


def _attention(reason: str | None) -> RenderableType | None:
    return Text(reason, style="bold red") if reason else None


def _may_pause(preview: Preview) -> RenderableType:
    if preview.refusal is None:
        return Text("yes", style="green")
    return Text.assemble(("no: ", "bold red"), preview.refusal.message)


def _kept(preview: Preview) -> str:
    count = preview.retained_numbers
    return f"{count} of at most {preview.terms.max_numbers}" if count else "none: nothing is kept"


def _fees(preview: Preview) -> list[str]:
    zone, terms = preview.terms.time_zone, preview.terms
    fee = display(terms.fee_minor, terms.currency)
    return [f"{moment(each.due_at, zone)}  {fee}" for each in preview.timeline.fees] or [
        "none: no billing date falls in it"
    ]


def _plan_rows(preview: Preview) -> list[tuple[str, RenderableType | None]]:
    plan = display(preview.plan_amount_minor, preview.currency)
    parts = [
        f"of which {display(line.amount_minor, preview.currency)}  {line.description}"
        for line in preview.resume_lines
    ]
    return [*under("Plan invoice", [f"{day(preview.plan_resumes_on)}  {plan}", *parts])]
