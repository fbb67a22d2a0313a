"""Everything of a pause in order, explained: audit, fees, mails, what only the history knows."""

from collections.abc import Callable, Iterator
from datetime import datetime

from domain.errors import Code
from domain.names import PAYMENT_METHOD_UPDATED, PAYMENT_NEWS, RESUME, RETRY, Activity
from starter.explaining.facts import EventKind, Evidence, EvidenceKind, Facts, HistoryFact, Line
from starter.explaining.fees import fee_lines, fees
from starter.explaining.rules import Rule
from starter.story import told
from systems.accounts.views import AuditEntry
from systems.audit import OPERATOR, SYSTEM
from systems.notices import NoticeKind
from systems.notices.outbox import NoticeView

# Which rule a line of the audit follows, and the step that has written it.
AUDITED: dict[str, tuple[Rule, Activity | None]] = {
    "pause_requested": (Rule.R17, None),
    "pause_begun": (Rule.R2, Activity.BEGIN_PAUSE),
    "access_paused": (Rule.R6, Activity.SUSPEND_ACCESS),
    "scripts_disabled": (Rule.R5, Activity.DISABLE_SCRIPT),
    "paused": (Rule.R3, Activity.MARK_PAUSED),
    "pause_refused": (Rule.R2, Activity.MARK_REFUSED),
    "numbers_retained": (Rule.R4, Activity.RETAIN_NUMBERS),
    "resume_date_changed": (Rule.R11, Activity.CHANGE_RESUME_DATE),
    "resume_begun": (Rule.R10, Activity.BEGIN_RESUME),
    "numbers_reactivated": (Rule.R9, Activity.REACTIVATE_NUMBERS),
    "scripts_enabled": (Rule.R9, Activity.ENABLE_SCRIPT),
    "access_active": (Rule.R9, Activity.RESTORE_ACCESS),
    "resumed": (Rule.R9, Activity.MARK_RESUMED),
    "close_begun": (Rule.R14, Activity.BEGIN_CLOSE),
    "access_closed": (Rule.R14, Activity.CLOSE_ACCESS),
    "numbers_released": (Rule.R14, Activity.RELEASE_NUMBERS),
    "closed": (Rule.R14, Activity.MARK_CLOSED),
    "card_changed": (Rule.R8, None),
    "reopened": (Rule.R14, None),
    "access_reopened": (Rule.R14, None),
    "tracker_created": (Rule.R1, None),
    "tracker_disabled": (Rule.R1, None),
    "refund_requested": (Rule.R15, None),
    "refunded": (Rule.R15, None),
    "refund_failed": (Rule.R15, None),
    "refund_held": (Rule.R15, None),
    "refund_reversed": (Rule.R15, None),
    "decline_was_paid": (Rule.R13, None),
}
# What happens to the account meanwhile belongs to the pause's story, though no step did it.
OF_THE_ACCOUNT = frozenset({"card_changed", "reopened", "tracker_created", "tracker_disabled"})
# A reminder is told by its mail.
TOLD_BY_ITS_MAIL = "reminded"

REFUSALS: dict[str, tuple[Rule, str]] = {
    Code.NOT_AN_ADMINISTRATOR: (Rule.R1, "whoever asked is no administrator of the account"),
    Code.TOO_MANY_TRACKING_NUMBERS: (
        Rule.R2,
        "more tracking numbers are active than a pause keeps",
    ),
    Code.PAYMENT_METHOD_REQUIRED: (Rule.R2, "no card was on file"),
    Code.ACCOUNT_ALREADY_PAUSED: (Rule.R2, "another pause or close was under way"),
    Code.ACCOUNT_CLOSED: (Rule.R2, "the account was closed"),
    Code.INVALID_RESUME_DATE: (Rule.R11, "that resume date cannot be chosen"),
    Code.PAUSING_FAILED: (Rule.R3, "a step was refused for good, and what was done was undone"),
}

MAILS: dict[NoticeKind, tuple[Rule, str]] = {
    NoticeKind.PAUSED: (Rule.R3, "the account is paused"),
    NoticeKind.RECEIPT: (Rule.R7, "receipt for the fee of {billing_on}"),
    NoticeKind.DECLINED: (
        Rule.R13,
        "the fee of {billing_on} was declined, day {day} of its ladder",
    ),
    NoticeKind.FINAL_NOTICE: (Rule.R13, "final notice for the fee of {billing_on}, day {day}"),
    NoticeKind.REMINDER: (Rule.R12, "{days_before} days to the resume on {resume_on}"),
    NoticeKind.RESUMED: (Rule.R12, "the account is back"),
    NoticeKind.CLOSED: (Rule.R14, "the account is closed"),
    NoticeKind.REFUNDED: (Rule.R15, "a charge is given back"),
    NoticeKind.REFUND_RETURNED: (Rule.R15, "a refund came back: the bank did not take it"),
}

REFUND_MAILS = frozenset({NoticeKind.REFUNDED, NoticeKind.REFUND_RETURNED})

SIGNALS: dict[str, tuple[Rule, str]] = {
    RESUME: (Rule.R10, "A resume is asked for"),
    PAYMENT_METHOD_UPDATED: (Rule.R13, "A new card is on file: every unpaid fee is tried on it"),
    PAYMENT_NEWS: (Rule.R13, "The gateway has told something: unknown charges are looked up"),
    RETRY: (Rule.R16, "An operator lets go on what waited for one"),
}


def explained(facts: Facts) -> list[Line]:
    """Every line, in the order in which it took effect; what happened first stands first."""
    lines = [*_audited(facts), *fee_lines(facts), *_mailed(facts), *_by_history(facts)]
    return sorted(lines, key=lambda line: line.at)


def _audited(facts: Facts) -> Iterator[Line]:
    for entry in facts.audit:
        if entry.what != TOLD_BY_ITS_MAIL and _is_of(entry, facts):
            yield _audit_line(entry, facts)


def _is_of(entry: AuditEntry, facts: Facts) -> bool:
    """Whether the entry is the act's own, or the account's while the act was under way."""
    if entry.act_id is not None:
        return entry.act_id == facts.act_id
    if facts.act is None or entry.what not in OF_THE_ACCOUNT:
        return False
    until = facts.act.ended_at or facts.now
    return facts.act.began_at <= entry.at <= max(until, facts.act.began_at)


def _audit_line(entry: AuditEntry, facts: Facts) -> Line:
    rule, step = AUDITED.get(entry.what, (Rule.R1, None))
    text = told(entry)
    special = SPECIAL.get(entry.what)
    if special is not None:
        rule, text = special(entry, rule, text)
    if entry.reason:
        text = f"{text}; the reason: {entry.reason}"
    return Line(
        entry.at,
        entry.what,
        text,
        rule,
        entry.actor,
        (
            Evidence(EvidenceKind.AUDIT, str(entry.entry_id)),
            *_money_evidence(entry),
            *_step_evidence(entry, facts, step),
        ),
    )


def _refused(entry: AuditEntry, rule: Rule, _: str) -> tuple[Rule, str]:
    code = str(entry.detail.get("code"))
    rule, why = REFUSALS.get(code, (rule, "a rule said no"))
    return rule, f"The pause is refused: {why} ({code})"


def _resume_begun(entry: AuditEntry, rule: Rule, _: str) -> tuple[Rule, str]:
    if entry.actor == SYSTEM:
        return Rule.R11, "The planned resume has come: the account comes back by itself"
    if entry.actor == OPERATOR:
        return Rule.R1, "The account comes back: an operator has resumed or cancelled the pause"
    return rule, "The account comes back: an administrator has asked for it"


def _close_begun(entry: AuditEntry, rule: Rule, _: str) -> tuple[Rule, str]:
    if entry.actor == SYSTEM:
        return Rule.R13, "The account is to be closed: a fee was not paid by its ladder's end"
    return rule, "The account is to be closed: an administrator has asked for it"


SPECIAL: dict[str, Callable[[AuditEntry, Rule, str], tuple[Rule, str]]] = {
    "pause_refused": _refused,
    "resume_begun": _resume_begun,
    "close_begun": _close_begun,
}


def _money_evidence(entry: AuditEntry) -> Iterator[Evidence]:
    kinds = {"payment_id": EvidenceKind.PAYMENT, "refund_id": EvidenceKind.REFUND}
    for name, kind in kinds.items():
        if reference := entry.detail.get(name):
            yield Evidence(kind, str(reference))


def _step_evidence(entry: AuditEntry, facts: Facts, step: Activity | None) -> list[Evidence]:
    if step is None:
        return []
    # A date may be moved several times: step and entry then bear the same time.
    at_that_time = [
        fact for fact in facts.steps(step) if _time_of(fact) == entry.at
    ] or facts.steps(step)
    return [fact.evidence for fact in at_that_time[-1:]]


def _time_of(fact: HistoryFact) -> datetime | None:
    at = fact.detail.get("at")
    return datetime.fromisoformat(at) if isinstance(at, str) else None


def _mailed(facts: Facts) -> Iterator[Line]:
    dates = {invoice.billing_on.isoformat() for invoice in fees(facts)}
    for notice in facts.notices:
        # A refund is no step of the pause; its mail names the billing date.
        is_refund = notice.kind in REFUND_MAILS and notice.data.get("billing_on") in dates
        if is_refund or notice.key.startswith(f"{facts.act_id}:"):
            yield _mail_line(notice, facts)


def _mail_line(notice: NoticeView, facts: Facts) -> Line:
    rule, words = MAILS[notice.kind]
    what = words.format_map({"day": "?", **notice.data})
    evidence = [Evidence(EvidenceKind.NOTICE, notice.notice_id)]
    if notice.kind is NoticeKind.REMINDER:
        evidence += _reminder_evidence(notice, facts)
    return Line(
        notice.at,
        f"mail_{notice.kind}",
        f"Mail: {what}; {_delivery(notice)}",
        rule,
        SYSTEM,
        tuple(evidence),
    )


def _reminder_evidence(notice: NoticeView, facts: Facts) -> Iterator[Evidence]:
    which = {name: notice.data[name] for name in ("resume_on", "days_before")}
    for entry in facts.audit:
        is_it = entry.what == TOLD_BY_ITS_MAIL and entry.act_id == facts.act_id
        if is_it and which.items() <= dict(entry.detail).items():
            yield Evidence(EvidenceKind.AUDIT, str(entry.entry_id))
    for fact in facts.steps(Activity.SEND_REMINDER):
        if which.items() <= fact.detail.get("reminder", {}).items():
            yield fact.evidence


def _delivery(notice: NoticeView) -> str:
    if notice.sent_at is None:
        return "not delivered to everybody yet"
    people = "administrator" if notice.recipients == 1 else "administrators"
    return f"delivered to {notice.recipients} {people}"


def _by_history(facts: Facts) -> Iterator[Line]:
    if facts.refusal is not None:
        yield _refused_at_once(*facts.refusal, facts)
    starts = [fact for fact in facts.history if fact.kind is EventKind.STARTED]
    for fact in facts.history:
        if fact.kind is EventKind.STARTED and fact != starts[0]:
            text = "The run is started anew: it goes on from what is on record"
            # By a worker's sweeper as a rule; the history does not say.
            yield _history_line(fact, text, Rule.R16, SYSTEM)
        elif fact.kind is EventKind.SIGNAL and fact.name in SIGNALS:
            rule, text = SIGNALS[fact.name]
            yield _history_line(fact, text, rule, _sender(fact))
        elif fact.kind is EventKind.CANCEL:
            text = "An operator cancels the run: what the pause has done is undone"
            yield _history_line(fact, text, Rule.R1, OPERATOR)
        elif fact.kind is EventKind.STEP_FAILED and fact.name != Activity.BEGIN_PAUSE:
            text = f"The step {fact.name} was refused for good: {fact.detail.get('type')}"
            yield _history_line(fact, text, Rule.R16, SYSTEM)
        elif fact.kind is EventKind.STEP and fact.attempts > 1:
            text = f"The step {fact.name} was done at its {fact.attempts}. attempt"
            yield _history_line(fact, text, Rule.R16, SYSTEM)


def _refused_at_once(end: HistoryFact, code: str, facts: Facts) -> Line:
    rule, why = REFUSALS.get(code, (Rule.R2, "a rule said no"))
    asked = (fact.detail.get("requested_by") for fact in facts.history)
    actor = next((str(each) for each in asked if each), OPERATOR)
    text = f"The pause is refused before anything was touched: {why} ({code})"
    return Line(end.at, "pause_refused", text, rule, actor, (end.evidence,))


def _history_line(fact: HistoryFact, text: str, rule: Rule, actor: str) -> Line:
    what = "_".join(filter(None, (fact.kind.value, fact.name)))
    return Line(fact.at, what, text, rule, actor, (fact.evidence,))


def _sender(fact: HistoryFact) -> str:
    if fact.name in (RESUME, RETRY):
        return str(fact.detail.get("requested_by") or OPERATOR)
    return SYSTEM
