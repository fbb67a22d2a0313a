"""What is sent is read strictly, and nothing that looks like a card number is taken or repeated."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from domain.errors import Code, Rejected
from starter.backend import Backend
from starter.web.api import bodies
from starter.web.api.bodies import Body, LogInBody, PauseBody, PaymentMethodBody, TrackerBody
from starter.web.api.describing import operations
from starter.web.guards import BODY_BYTES
from systems.sample import SampleAccount
from tests.starter.web.api.desk import TERMS, Caller, Desk, api_app, code_of, new_account

CARD = "4242 4242 4242 4242"
TRACKER = {
    "company_id": "COM" + "1234567890abcdef" * 2,
    "call_flow_id": "CFL" + "12345678901234567890123456789012",
    "name": "Billboard",
    "type": "source",
    "source": "billboard",
    "destination_number": "+447911123456",
    "tracking_numbers": ["+447911123457"],
    "swap_targets": ["(020) 7946 0123"],
}


@pytest.fixture
def account(quiet_desk: Desk) -> SampleAccount:
    return new_account(quiet_desk.systems)


@pytest.fixture
def admin(quiet_desk: Desk, account: SampleAccount) -> Caller:
    return quiet_desk.with_key(account.administrator_id)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (PauseBody, {"reason": f"my card {CARD}, please"}),
        (PauseBody, {"reason": "4242-4242-4242-4242"}),
        (PauseBody, {"terms_version": "4242424242424242"}),
        (PauseBody, {"resume_on": 4242424242424242}),
        (PauseBody, {"card_number": CARD}),
        (PauseBody, {CARD: "4242424242424242"}),
        (PauseBody, {"reason": {"deep": [{"deeper": CARD}]}}),
        (TrackerBody, {**TRACKER, "name": CARD}),
        (TrackerBody, {**TRACKER, "swap_targets": ["x", CARD]}),
        (TrackerBody, {**TRACKER, "destination_number": CARD}),
        (PaymentMethodBody, {"token": "4242424242424242"}),
        (LogInBody, {"email": f"{CARD}@a.example", "password": "x"}),
        (LogInBody, {"email": "a@a.example", "password": CARD}),
    ],
)
def test_whatever_looks_like_a_card_number_is_refused_by_its_field(
    kind: type[Body], fields: dict[str, Any]
) -> None:
    with pytest.raises(Rejected) as refused:
        kind.model_validate(fields)

    assert refused.value.code is Code.VALIDATION_FAILED
    assert "4242" not in f"{refused.value.message} {refused.value.figures}"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (TrackerBody, TRACKER),
        (PaymentMethodBody, {"token": "cs_test_" + "a1b2" + "123456789012"}),
        (LogInBody, {"email": "a@a.example", "password": "horse 123456789012 battery"}),
        (PauseBody, {"pause_id": "PAU" + "12345678901234567890123456789012"}),
        (PauseBody, {"reason": "+447911123456"}),
    ],
    ids=["phone numbers and ids", "token", "password", "id", "phone number"],
)
def test_other_long_numbers_are_what_they_are(kind: type[Body], fields: dict[str, Any]) -> None:
    assert isinstance(kind.model_validate(fields), kind)


def test_every_body_of_the_api_is_read_so(quiet_backend: Backend) -> None:
    annotations = {
        param.field_info.annotation
        for route in operations(api_app(quiet_backend))
        for param in route.dependant.body_params
    }
    kinds = {kind for each in annotations for kind in get_args(each) or (each,)} - {type(None)}

    assert 7 <= len(kinds)
    assert set() == {kind for kind in kinds if not issubclass(kind, Body)}


@pytest.mark.parametrize("kind", Body.__subclasses__())
def test_the_example_of_a_body_is_one_that_is_taken(kind: type[Body]) -> None:
    examples = kind.model_json_schema()["examples"]

    assert 1 == len(examples)
    assert isinstance(kind.model_validate(examples[0]), kind)


MALFORMED: list[Any] = [
    {**TERMS, "surprise": 1},
    {"terms_version": 202611},
    {**TERMS, "resume_on": "2027-02-30"},
    {**TERMS, "resume_on": 1_800_000_000},
    {**TERMS, "resume_on": "2027-03-01T00:00:00"},
    {**TERMS, "reason": "a\x00b"},
    {**TERMS, "reason": "x" * 501},
    {**TERMS, "pause_id": "PAU1"},
    [],
    "pause",
    None,
]


async def test_what_is_malformed_is_refused_and_not_repeated(
    admin: Caller, account: SampleAccount
) -> None:
    for body in MALFORMED:
        refused = await admin.post(f"/accounts/{account.account_id}/pause", body)

        assert (422, Code.VALIDATION_FAILED) == (refused.status_code, code_of(refused)), body
        assert "x" * 50 not in refused.text


UNREADABLE: dict[str, tuple[bytes, str, int]] = {
    "cut off": (b"{", "application/json", 422),
    "no UTF-8": (b'{"terms_version": "\xff"}', "application/json", 400),
    "no JSON": (b'{"terms_version": "2026-11"}', "text/plain", 422),
    "a form": (b"terms_version=2026-11", "application/x-www-form-urlencoded", 422),
    "too large": (b"{" + b" " * BODY_BYTES + b"}", "application/json", 413),
}


async def test_a_body_that_cannot_be_read_is_refused(admin: Caller, account: SampleAccount) -> None:
    for what, (content, content_type, status) in UNREADABLE.items():
        refused = await admin.ask(
            "POST",
            f"/accounts/{account.account_id}/pause",
            content=content,
            headers={"Content-Type": content_type},
        )

        assert status == refused.status_code, what
        assert code_of(refused) in {"validation_failed", "bad_request", "payload_too_large"}


async def test_a_card_number_is_refused_over_http_and_leaves_no_trace(
    admin: Caller, account: SampleAccount, caplog: pytest.LogCaptureFixture, quiet_desk: Desk
) -> None:
    refused = await admin.post(
        f"/accounts/{account.account_id}/pause", {**TERMS, "reason": f"card {CARD}"}, "one"
    )

    assert (422, {"field": "reason"}) == (refused.status_code, refused.json()["figures"])
    assert "4242" not in refused.text + caplog.text
    assert [] == [
        entry for entry in quiet_desk.systems.accounts.audit(account.account_id) if entry.reason
    ]


def test_the_day_of_a_body_is_a_day() -> None:
    with pytest.raises(ValidationError):
        bodies.ResumeDateBody.model_validate({})

    assert bodies.ResumeDateBody.model_validate({"resume_on": None}).resume_on is None


async def test_every_answer_is_safe_to_show(admin: Caller, account: SampleAccount) -> None:
    answers = [
        await admin.get("/me"),
        await admin.get("/nowhere"),
        await admin.ask("PUT", "/me"),
        await admin.get("/accounts/ACC1"),
    ]

    for answer in answers:
        assert "nosniff" == answer.headers["x-content-type-options"]
        assert "no-store" == answer.headers["cache-control"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert [200, 404, 405, 404] == [answer.status_code for answer in answers]
    assert ["not_found", "method_not_allowed", Code.ACCOUNT_NOT_FOUND] == [
        code_of(answer) for answer in answers[1:]
    ]
    assert "GET" == answers[2].headers["allow"]
