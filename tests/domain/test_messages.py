"""Messages as bytes: they come back as they were, old ones stay readable, and they only grow.

`messages.schema.json` pins every field. After adding one, regenerate it from the project's folder:

    .venv/bin/python -m tests.domain.test_messages
"""

import inspect
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from domain import messages
from domain.messages import (
    AccountRecord,
    BeginEnd,
    BeginPause,
    ChangeResumeDate,
    ChangeResumeDateRequest,
    ChargeStatus,
    CloseInput,
    CloseRequest,
    CollectFee,
    Compact,
    Count,
    FeeAnswer,
    MarkPaused,
    MarkRefused,
    Message,
    NextEvent,
    PauseBegun,
    Paused,
    PauseInput,
    PauseRequest,
    PlanSuspended,
    Reconciled,
    ReconcileInput,
    ReconcilePayments,
    Refusal,
    Resumed,
    ResumeRequest,
    SendReminder,
    Settled,
    Status,
    Step,
    SuspendPlan,
)
from domain.states import AccountStatus, ChargeState, LadderEnd, PauseState
from domain.terms import Offer
from domain.timeline import plan_timeline

SCHEMA = Path(__file__).with_name("messages.schema.json")
ALL_MESSAGES = [
    found
    for _, found in inspect.getmembers(messages, inspect.isclass)
    if issubclass(found, Message) and found not in (Message, Compact)
]

# --- there and back ------------------------------------------------------------------------------

AT = datetime(2027, 1, 10, 19, 0, 0, 123456, tzinfo=UTC)
DAY = date(2027, 1, 15)
TERMS = Offer(ladder_end=LadderEnd.KEEP).for_account("America/New_York", 31)
TIMELINE = plan_timeline(TERMS, AT, DAY)
STEP = Step(act_id="PAU1", account_id="ACC1", at=AT)
CHARGE = ChargeStatus(
    billing_on=DAY,
    due_at=AT,
    amount_minor=500,
    currency="USD",
    state=ChargeState.DECLINED,
    decline_code="expired_card",
)
STATUS = Status(
    pause_id="PAU1",
    account_id="ACC1",
    state=PauseState.PAUSED,
    paused_at=AT,
    resume_on=DAY,
    resume_at=AT,
    ended_at=AT,
    retained_numbers=12,
    next_event=NextEvent(kind="fee", at=AT),
    charges=[CHARGE],
    past_due=True,
    needs_operator="Send the signal `retry`.",
    refusal=Refusal(code="pausing_failed", message="no", figures={"active": 53, "latest": "x"}),
    terms=TERMS,
)
FULL: list[Message] = [
    PauseInput(
        account_id="ACC1", requested_by="USR1", pause_id="PAU1", resume_on=DAY, terms_version="1"
    ),
    CloseInput(account_id="ACC1", requested_by="USR1", close_id="CLO1"),
    PauseRequest(pause_id="PAU1"),
    ResumeRequest(requested_by="USR1", requested_at=AT, pause_id="PAU1"),
    ChangeResumeDateRequest(
        requested_by="USR1", resume_on=DAY, pause_id="PAU1", expected_resume_on=DAY
    ),
    CloseRequest(requested_by="USR1", confirm="CLOSE", requested_at=AT, pause_id="PAU1"),
    Refusal(code="x", message="y", figures={"excess": 3}),
    NextEvent(kind="resume", at=AT),
    CHARGE,
    STATUS,
    STEP,
    BeginPause(**STEP.model_dump(), requested_by="USR1", resume_on=DAY, terms_version="1"),
    PauseBegun(
        terms=TERMS,
        retained_numbers=3,
        timeline=TIMELINE,
        ends_as=PauseState.RESUMING,
        ends_at=AT,
        ended=STATUS,
    ),
    SuspendPlan(**STEP.model_dump(), terms=TERMS),
    PlanSuspended(first_billing_on=DAY, paused_at=AT),
    MarkPaused(**STEP.model_dump(), first_billing_on=DAY, resume_on=DAY),
    Paused(timeline=TIMELINE, retained_numbers=3),
    ChangeResumeDate(**STEP.model_dump(), requested_by="USR1", resume_on=DAY),
    SendReminder(**STEP.model_dump(), reminder=TIMELINE.reminders[0]),
    BeginEnd(**STEP.model_dump(), requested_by="USR1", is_planned=True),
    MarkRefused(**STEP.model_dump(), code="pausing_failed"),
    Resumed(differences=1),
    CollectFee(**STEP.model_dump(), billing_on=DAY, due_at=AT, attempt=2, rung=None),
    FeeAnswer(
        state=ChargeState.DECLINED,
        rung=1,
        rung_at=AT,
        look_up_at=AT,
        decline_code="expired_card",
    ),
    Settled(billing_on=[DAY]),
    ReconcileInput(since=AT, until=AT),
    ReconcilePayments(since=AT, until=AT, at=AT),
    Reconciled(
        since=AT,
        until=AT,
        payments=9,
        refunds=8,
        foreign=7,
        found=6,
        settled=5,
        refunded=4,
        vanished=3,
        new=2,
        waiting=1,
    ),
    Count(count=3),
    AccountRecord(account_id="ACC1", status=AccountStatus.PAUSED, time_zone="UTC"),
]


@pytest.mark.parametrize("message", FULL, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_from_json_as_it_was(message: Message) -> None:
    assert message == type(message).model_validate_json(message.model_dump_json())


def test_defaults_are_left_out_and_a_null_that_is_no_default_is_said() -> None:
    by_nobody = BeginEnd(**STEP.model_dump())
    on_a_new_card = CollectFee(**STEP.model_dump(), billing_on=DAY, due_at=AT, rung=None)

    assert by_nobody.model_dump(mode="json").keys() == {"act_id", "account_id", "at"}
    assert on_a_new_card.model_dump(mode="json")["rung"] is None


def test_every_message_is_among_those_sent_there_and_back() -> None:
    missing = {kind.__name__ for kind in ALL_MESSAGES} - {type(sent).__name__ for sent in FULL}

    assert missing == set(), "add an example with every field set to FULL"


def test_no_example_leaves_a_field_at_its_default() -> None:
    for message in FULL:
        assert type(message).model_fields.keys() == message.model_fields_set


def test_a_timeline_and_terms_come_back_as_the_same_values() -> None:
    paused = Paused(timeline=TIMELINE, retained_numbers=3)
    begun = PauseBegun(terms=TERMS, retained_numbers=3)

    timeline = Paused.model_validate_json(paused.model_dump_json()).timeline
    terms = PauseBegun.model_validate_json(begun.model_dump_json()).terms

    assert TIMELINE == timeline
    assert hash(TIMELINE) == hash(timeline)
    assert TERMS == terms
    assert hash(TERMS) == hash(terms)
    assert terms.ladder_end is LadderEnd.KEEP


# --- what callers may leave out ------------------------------------------------------------------


def test_a_pause_needs_an_account_and_who_asks_and_nothing_else() -> None:
    parsed = PauseInput.model_validate_json('{"account_id": "ACC1", "requested_by": "USR1"}')

    assert PauseInput(account_id="ACC1", requested_by="USR1") == parsed
    assert (None, None, None) == (parsed.pause_id, parsed.resume_on, parsed.terms_version)


@pytest.mark.parametrize("sent", ["{}", '{"account_id": "ACC1"}', '{"requested_by": "USR1"}'])
def test_a_pause_without_an_account_or_a_user_is_refused(sent: str) -> None:
    with pytest.raises(ValidationError):
        PauseInput.model_validate_json(sent)


def test_a_resume_may_be_an_empty_object() -> None:
    assert ResumeRequest() == ResumeRequest.model_validate_json("{}")


@pytest.mark.parametrize("sent", ['{"requested_by": "USR1"}', '{"confirm": "CLOSE"}', "{}"])
def test_a_close_needs_a_user_and_the_typed_word(sent: str) -> None:
    with pytest.raises(ValidationError):
        CloseRequest.model_validate_json(sent)


def test_dropping_the_resume_date_is_a_null_or_nothing() -> None:
    null = ChangeResumeDateRequest.model_validate_json('{"requested_by":"U","resume_on":null}')

    assert null == ChangeResumeDateRequest.model_validate_json('{"requested_by":"U"}')
    assert null.resume_on is None


@pytest.mark.parametrize("message", FULL, ids=lambda message: type(message).__name__)
def test_a_field_that_a_newer_sender_adds_is_ignored(message: Message) -> None:
    sent = {**message.model_dump(mode="json"), "added_next_year": {"any": "thing"}}

    assert message == type(message).model_validate(sent)


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        STEP.account_id = "ACC2"  # type: ignore[misc]  # that is the point


# --- they only grow ------------------------------------------------------------------------------

Fields = dict[str, dict[str, Any]]

RULE = (
    "Messages only grow: histories and clients hold old ones. Restore what is gone or retyped, or"
    " add a new field beside it; new fields need a default. Before the first release nothing is in"
    " flight: then delete tests/domain/messages.schema.json and regenerate it."
)
REGENERATE = "Regenerate the pins with `.venv/bin/python -m tests.domain.test_messages`."
# Words for people, whose change breaks nobody; defaults are pinned where they matter.
NOT_COMPARED = frozenset({"title", "description", "default"})


def current_fields() -> Fields:
    """Every message, and every value inside one, with its fields and their JSON types."""
    found: Fields = {}
    for kind in ALL_MESSAGES:
        schema = kind.model_json_schema()
        for name, part in {**schema.get("$defs", {}), kind.__name__: schema}.items():
            found[name] = fields_of(part)
    for kind in ALL_MESSAGES:
        if issubclass(kind, Compact):
            # What it leaves out is read as the default, so that may not change either.
            for name, field in kind.model_json_schema()["properties"].items():
                if "default" in field:
                    found[kind.__name__][name]["default"] = field["default"]
    return found


def fields_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Field by field; an enum's values count as its fields."""
    if "enum" in schema:
        return {value: {"type": "value", "required": False} for value in schema["enum"]}
    required = schema.get("required", [])
    return {
        name: {**without_words(field), "required": name in required}
        for name, field in schema.get("properties", {}).items()
    }


def without_words(schema: Any) -> Any:
    """The schema as machines read it."""
    if isinstance(schema, dict):
        return {
            key: without_words(value) for key, value in schema.items() if key not in NOT_COMPARED
        }
    return [without_words(part) for part in schema] if isinstance(schema, list) else schema


def breaks(pinned: Fields, current: Fields) -> list[str]:
    """What an old message would trip over."""
    problems = []
    for name, fields in pinned.items():
        for field, kind in fields.items():
            now = current.get(name, {}).get(field)
            if now is None:
                problems.append(f"{name}.{field} is gone")
            elif not fits(kind, now):
                problems.append(f"{name}.{field} was {kind} and is {now}")
        for field, kind in current.get(name, {}).items():
            if field not in fields and kind.get("required"):
                problems.append(f"{name}.{field} is new and has no default")
    return problems


def fits(pinned: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether an old field still reads the same: a required one may get a default."""
    if not pinned["required"]:
        return pinned == now
    type_then, type_now = (
        {key: value for key, value in field.items() if key not in ("required", "default")}
        for field in (pinned, now)
    )
    return type_then == type_now


def pinned_fields() -> Fields:
    """What is committed."""
    fields: Fields = json.loads(SCHEMA.read_text())
    return fields


def test_no_field_of_a_message_has_gone_or_changed_its_type() -> None:
    problems = breaks(pinned_fields(), current_fields())

    assert problems == [], f"{problems}\n{RULE}"


def test_every_field_is_pinned() -> None:
    assert pinned_fields() == current_fields(), f"Something is new, or pinned loosely. {REGENERATE}"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({"A": {"x": {"type": "integer", "required": True}}}, ["A.y is gone"]),
        ({}, ["A.x is gone", "A.y is gone"]),
        (
            {"A": {"x": {"type": "string", "required": True}, "y": {"required": False}}},
            [
                "A.x was {'type': 'integer', 'required': True}"
                " and is {'type': 'string', 'required': True}"
            ],
        ),
        (
            {
                "A": {
                    "x": {"type": "integer", "required": False, "default": 0},
                    "y": {"required": False, "default": 1},
                }
            },
            ["A.y was {'required': False} and is {'required': False, 'default': 1}"],
        ),
        (
            {"A": {"x": {"type": "integer", "required": False}, "y": {"required": True}}},
            ["A.y was {'required': False} and is {'required': True}"],
        ),
        (
            {
                "A": {
                    "x": {"type": "integer", "required": True},
                    "y": {"required": False},
                    "z": {"required": True},
                    "ok": {"required": False},
                },
                "New": {"x": {"required": True}},
            },
            ["A.z is new and has no default"],
        ),
    ],
)
def test_the_check_notices_what_breaks_old_messages_and_lets_them_grow(
    now: Fields, expected: list[str]
) -> None:
    pinned: Fields = {"A": {"x": {"type": "integer", "required": True}, "y": {"required": False}}}

    assert expected == breaks(pinned, now)


def _regenerate() -> None:
    problems = breaks(pinned_fields(), current_fields()) if SCHEMA.exists() else []
    if problems:
        raise SystemExit(f"{problems}\n{RULE}")
    SCHEMA.write_text(json.dumps(current_fields(), indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    _regenerate()
