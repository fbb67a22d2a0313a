"""The operator's page of a run, in the Web UI's tab *User Metadata*: what is on, what may be done.

It is for somebody who has never seen the code. The Web UI draws Markdown with next to no style, so
cells of a table keep their own distance.
"""

from collections.abc import Sequence
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.declines import explained
    from domain.messages import ChargeStatus, Status
    from domain.money import display
    from domain.queries import of_account, path_of
    from domain.states import ChargeState, PauseState

NEXT_EVENTS = {
    "fee": "the fee is charged",
    "collect_again": "the fee is tried again",
    "look_up": "an unclear charge is looked up",
    "stop_routing": "calls hear the intercept",
    "remind": "a reminder is sent",
    "resume": "the account resumes by itself",
    "close": "the account is closed, the fee is still unpaid",
}

CHARGES = {
    ChargeState.SCHEDULED: "to come",
    ChargeState.COLLECTING: "being collected",
    ChargeState.UNKNOWN: "no clear answer from the gateway yet",
    ChargeState.MOVED: "unpaid, on the plan's next invoice",
    ChargeState.WRITTEN_OFF: "unpaid, written off",
    ChargeState.NOT_OWED: "not owed",
}

NUMBERS = {PauseState.RESUMED: "Numbers back", PauseState.CLOSED: "Numbers released"}

STEPS_GO_ON = (
    "nothing to do. Should a step stand under *Pending Activities* with many attempts, bring the"
    " system back that its last failure names; it goes on by itself."
)
RETRY = "send the signal `retry`, at any time; what has begun is finished, a cancel comes too late"
MAY: dict[PauseState, tuple[str, ...]] = {
    PauseState.PAUSING: (
        "press *Request Cancellation*: the pause is undone",
        "send the signal `resume`: it is kept until the pause is in effect",
    ),
    PauseState.PAUSED: (
        "send the signal `resume` without data: everything comes back now, as an operator's act",
        "send the update `change_resume_date`: another planned resume, in an administrator's name",
        "send the update `close`: the numbers are released **for good**",
        "press *Request Cancellation*: as `resume`, but the run ends as *Canceled*",
    ),
    PauseState.RESUMING: (RETRY,),
    PauseState.CLOSING: (RETRY,),
}
NEVER = (
    "*Terminate* or *Reset* this run: it would stop half-way until a worker finds it minutes later,"
    " and lose what was asked for meanwhile."
)
NEVER_WHEN_OVER = "*Reset* a run that is over: a later pause of this account would lose its own."

# What keeps two cells of a table apart.
GAP = "\N{NO-BREAK SPACE}\N{EM SPACE}"


def page(status: Status, notes: Sequence[str] = (), namespace: str = "default") -> str:
    """The page of `status` in Markdown, with what was ignored lately."""
    return "\n\n".join(
        part
        for part in (
            f"### {_headline(status)}",
            f"**Operator:** {_operator(status)}",
            _list([f"**{name}:** {value}" for name, value in _facts(status)]),
            _charges(status),
            _presses(status),
            _list(notes),
            f"[All runs of this account]({path_of(of_account(status.account_id), namespace)})",
        )
        if part
    )


def _headline(status: Status) -> str:
    reasons = [
        *(["waits for an operator"] if status.needs_operator else []),
        *(["a fee is unpaid"] if status.past_due else []),
    ]
    return ", ".join([status.state.capitalize(), *reasons])


def _operator(status: Status) -> str:
    if status.needs_operator:
        return f"**{status.needs_operator}**"
    if status.refusal:
        return f"nothing to do. The pause was refused: {status.refusal.message.rstrip('.')}."
    if status.state.is_final:
        return "nothing to do, it is over."
    if status.state is not PauseState.PAUSED:
        return STEPS_GO_ON
    if status.past_due:
        return "nothing to do. The fee is tried again by itself; the administrators have mails."
    return "nothing to do."


def _facts(status: Status) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if status.next_event:
        kind = status.next_event.kind
        facts.append(("Next", f"{_minute(status.next_event.at)}, {NEXT_EVENTS.get(kind, kind)}"))
    if status.paused_at:
        facts.append((NUMBERS.get(status.state, "Numbers kept"), str(status.retained_numbers)))
        facts.append(("Paused", _minute(status.paused_at)))
    if status.resume_at and not status.ended_at:
        facts.append(("Planned resume", _minute(status.resume_at)))
    if status.ended_at:
        facts.append(("Ended", _minute(status.ended_at)))
    if status.charges:
        facts.append(("Charged", _charged(status.charges)))
    return facts


def _charged(charges: Sequence[ChargeStatus]) -> str:
    paid = [charge for charge in charges if charge.state is ChargeState.PAID]
    if not paid:
        return "nothing"
    total = display(sum(charge.amount_minor for charge in paid), paid[0].currency)
    return f"{total}, for {len(paid)} of the dates below"


def _charges(status: Status) -> str:
    """Every billing date; once it is over, those that were owed."""
    rows = [
        f"| {charge.billing_on}{GAP}"
        f"| {display(charge.amount_minor, charge.currency)}{GAP}"
        f"| {_charge(charge)} |"
        for charge in status.charges
        if charge.state is not ChargeState.NOT_OWED
    ]
    head = [f"| Billing date{GAP}| Fee{GAP}| Charge |", "|:---|:---|:---|"]
    return "\n".join([*head, *rows]) if rows else ""


def _charge(charge: ChargeStatus) -> str:
    words = CHARGES.get(charge.state, charge.state.value)
    if charge.decline_code is None:
        return words
    return f"{words}: {explained(charge.decline_code).operator}"


def _presses(status: Status) -> str:
    if status.state.is_final:
        return f"**Never** {NEVER_WHEN_OVER}"
    return f"**You may**\n\n{_list(MAY[status.state])}\n\n**Never** {NEVER}"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _minute(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
