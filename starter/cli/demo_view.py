"""The demonstration on the screen: the timeline as it happens, then what came of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import RenderableType
from rich.text import Text

from domain.money import display
from starter.cli.output import Output
from starter.cli.views import charges_table, day, event_line, facts, grid, moment, state
from starter.local.demo import TIME_ZONE, DemoResult, SystemCheck
from starter.story import Event
from systems.notices import NoticeKind
from systems.notices.outbox import NoticeView

# Six months take a second; on a terminal each event stays long enough to be read.
SECONDS_PER_EVENT = 0.25

MAILS = {
    NoticeKind.PAUSED: "Your account is paused",
    NoticeKind.RECEIPT: "Receipt for the monthly fee",
    NoticeKind.REMINDER: "Your account resumes soon",
    NoticeKind.RESUMED: "Your account is back",
}


class DemoScreen:
    """Tells events as they come."""

    def __init__(self, output: Output, *, fast: bool) -> None:
        """`fast`: without time to read."""
        self._output = output
        is_read = output.console.is_terminal and not output.as_json
        self._pause = SECONDS_PER_EVENT if is_read and not fast else 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Show that it goes on, on a terminal."""
        if not self._output.console.is_terminal or self._output.as_json:
            yield
            return
        with self._output.console.status("Six months on a virtual clock"):
            yield

    async def tell(self, event: Event) -> None:
        """One event."""
        self._output.show(event_line(event, TIME_ZONE))
        await asyncio.sleep(self._pause)


def result_views(result: DemoResult) -> list[RenderableType]:
    """What came of the demonstration."""
    amount, of_it = (
        display(minor, result.quote.currency)
        for minor in (result.quote.amount_minor, result.remaining_days_minor)
    )
    return [
        "",
        charges_table(result.charges, TIME_ZONE),
        _mails_table(result.mails),
        _checks_table(result.checks),
        facts(
            "The account",
            [
                ("State", state(result.state)),
                ("Paused", moment(result.paused_at, TIME_ZONE) if result.paused_at else None),
                ("Came back", moment(result.ended_at, TIME_ZONE) if result.ended_at else None),
                ("Paid", f"{result.payments} fees, by the gateway's own record"),
                (
                    "Plan again",
                    f"{day(result.quote.next_billing_on)}  {amount}, of which {of_it} for the days"
                    " before that",
                ),
            ],
        ),
        "",
        _verdict(result),
    ]


def _mails_table(mails: tuple[NoticeView, ...]) -> RenderableType:
    table = grid("Mails", "When", "What", "Recipients")
    for mail in mails:
        what = MAILS.get(mail.kind, mail.kind)
        table.add_row(moment(mail.at, TIME_ZONE), what, str(mail.recipients))
    return table


def _checks_table(checks: tuple[SystemCheck, ...]) -> RenderableType:
    table = grid("The account against its snapshot", "System", "Settings", "Differences")
    for check in checks:
        found = Text(", ".join(check.differing), style="bold red")
        none = Text("none", style="green")
        table.add_row(check.system, str(check.compared), found if check.differing else none)
    return table


def _verdict(result: DemoResult) -> RenderableType:
    if not result.problems:
        return Text("Everything is as it was, and as it was promised.", style="bold green")
    return Text("\n".join(["This is not as it should be:", *result.problems]), style="bold red")
