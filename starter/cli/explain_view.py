"""What people see of an explanation: what happened, by which rule, by whom, on which evidence."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from starter.cli.views import day, facts, moment, state
from starter.explaining import Evidence, EvidenceKind, Explanation, Line
from starter.explaining.rules import NAMES
from systems.audit import OPERATOR, SYSTEM

STYLES = {
    "paused": "bold yellow",
    "resumed": "bold green",
    "closed": "bold red",
    "pause_refused": "bold red",
    "fee_paid": "green",
    "charged": "bold green",
    "not_charged": "bold",
    "fee_declined": "bold red",
}
ACTORS = {SYSTEM: "by itself", OPERATOR: "by an operator"}


def explanation_views(
    explanation: Explanation, name: str, people: Mapping[str, str]
) -> list[RenderableType]:
    """The answer first, if a date was asked about; else the whole story. Then the rules cited."""
    shown = explanation.lines if explanation.asked_on is None else explanation.answers
    asked_about = day(explanation.asked_on) if explanation.asked_on else None
    rows: list[tuple[str, RenderableType | None]] = [
        ("Pause", explanation.pause_id),
        ("State", state(explanation.state)),
        ("Asked about", asked_about),
    ]
    views: list[RenderableType] = [Text(name, style="bold"), facts("", rows)]
    for line in shown:
        views += ["", *_line(line, explanation.time_zone, people)]
    if explanation.history_note:
        views += ["", Text(explanation.history_note, style="dim")]
    return [*views, "", _legend(shown)]


def _line(line: Line, zone: str, people: Mapping[str, str]) -> list[RenderableType]:
    head = Text.assemble(
        (f"{moment(line.at, zone)}  ", "dim"),
        (line.rule.ljust(3), "cyan"),
        "  ",
        _who(line, people),
    )
    # Wrapped below each other, not by the terminal: an indented text stays readable in 80 columns.
    return [
        head,
        Padding(Text(line.text, style=STYLES.get(line.what, "")), (0, 0, 0, 2), expand=False),
        Padding(Text(_evidence(line.evidence), style="dim"), (0, 0, 0, 2), expand=False),
    ]


def _who(line: Line, people: Mapping[str, str]) -> str:
    if line.actor in people:
        return f"by {people[line.actor]} ({line.actor})"
    return ACTORS.get(line.actor, f"by {line.actor}")


def _evidence(evidence: Sequence[Evidence]) -> str:
    return "; ".join(_reference(each) for each in evidence)


def _reference(evidence: Evidence) -> str:
    if evidence.kind is EvidenceKind.HISTORY:
        run_id, _, event_id = evidence.reference.partition("/")
        return f"event {event_id} of run {run_id}"
    return f"{evidence.kind} {evidence.reference}"


def _legend(lines: Sequence[Line]) -> RenderableType:
    cited = sorted({line.rule for line in lines}, key=list(NAMES).index)
    rows: list[tuple[str, RenderableType | None]] = [(rule, NAMES[rule]) for rule in cited]
    return Group(Text("Rules, told in docs/rules.md", style="bold"), facts("", rows))
