"""JSON logs: one object per line, with ids as fields, and nothing of people."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from temporalio import activity, workflow

from domain.errors import InvariantViolated
from settings import LogFormat
from starter.telemetry.logs import JsonLines, set_up_logs
from tests.e2e.leaks import leaks_in

ACCOUNT, PAUSE = f"ACC{'0a' * 16}", f"PAU{'1b' * 16}"
PERSON, EMAIL, NUMBER = "Zebulon Quagmire", "zebulon.quagmire@aquatics.example", "+12025550143"
SECRETS = (PERSON, EMAIL, NUMBER)


def line(message: str, *args: object, level: int = logging.INFO, **more: Any) -> dict[str, Any]:
    """The JSON line of one record."""
    record = logging.Logger("account_pause.jobs").makeRecord(
        "account_pause.jobs", level, __file__, 1, message, args, more.get("exc_info"), None,
        more.get("extra"),
    )  # fmt: skip
    told: dict[str, Any] = json.loads(JsonLines().format(record))
    return told


def raised(error: Exception) -> Any:
    """What a logger is given of an exception that was caught."""
    try:
        raise error
    except type(error):
        return sys.exc_info()


def test_a_line_says_when_who_what_and_about_which_ids() -> None:
    told = line("account %s waits for %s, not for %s", ACCOUNT, PAUSE, f"PAU{'2c' * 16}")

    at = told.pop("at")
    assert at.endswith("+00:00")
    assert {
        "level": "INFO",
        "logger": "account_pause.jobs",
        "message": f"account {ACCOUNT} waits for {PAUSE}, not for PAU{'2c' * 16}",
        "account_id": ACCOUNT,
        "pause_id": PAUSE,
    } == told


def test_what_the_sdk_knows_of_a_step_are_fields() -> None:
    details = {"workflow_id": "w", "workflow_run_id": "r", "activity_type": "collect_fee",
               "attempt": 3, "task_queue": "q"}  # fmt: skip

    told = line("tried", extra={"temporal_activity": details})

    assert ("w", "r", "collect_fee", 3) == tuple(
        told[name] for name in ("workflow_id", "run_id", "activity_type", "attempt")
    )
    assert "temporal_activity" not in told


def test_a_line_within_a_trace_names_it() -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("x") as span:
        told = line("x")

    assert f"{span.get_span_context().trace_id:032x}" == told["trace_id"]
    assert f"{span.get_span_context().span_id:016x}" == told["span_id"]
    assert "trace_id" not in line("x")


def test_what_libraries_say_of_people_is_struck_out() -> None:
    told = line(
        "could not send to %s, called %s",
        EMAIL,
        NUMBER,
        extra={"recipient": EMAIL, "attempt_no": 2, "mail": {"to": PERSON}},
    )

    assert set() == leaks_in(told, SECRETS)
    assert "could not send to [withheld], called [withheld]" == told["message"]
    assert ("[withheld]", 2) == (told["recipient"], told["attempt_no"])


def test_control_what_is_planted_would_be_found() -> None:
    record = logging.makeLogRecord({"msg": f"{PERSON} <{EMAIL}> {NUMBER}"})

    assert set(SECRETS) == leaks_in(logging.Formatter().format(record).splitlines(), SECRETS)


def test_ids_counts_dates_and_amounts_are_left_as_they_are() -> None:
    message = f"{ACCOUNT}: 500 USD on 2027-01-15 at 09:00:00+00:00, attempt 3 of {PAUSE}"

    assert message == line(message)["message"]


def test_of_an_error_only_its_kind_and_place_are_told() -> None:
    error = ValueError(f"{PERSON} <{EMAIL}>")

    told = line("it failed", level=logging.ERROR, exc_info=raised(error))

    assert "ValueError" == told["error"]["type"]
    assert "test_telemetry_logs.py" in told["error"]["where"][-1]
    assert "message" not in told["error"]
    assert set() == leaks_in(told, SECRETS)


def test_of_one_of_our_own_errors_its_words_are_told_too() -> None:
    error = InvariantViolated(f"account {ACCOUNT} was paid twice")

    told = line("it failed", exc_info=raised(error))

    assert f"account {ACCOUNT} was paid twice" == told["error"]["message"]


# --- setting it up -------------------------------------------------------------------------------


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """What a process sets up for good is taken back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    activity.logger.activity_info_on_message = True
    workflow.logger.workflow_info_on_message = True
    logging.getLogger("alembic").setLevel(logging.NOTSET)


@pytest.mark.parametrize(("form", "is_json"), [(LogFormat.TEXT, False), (LogFormat.JSON, True)])
@pytest.mark.usefixtures("logging_as_before")
def test_lines_for_people_unless_json_is_asked_for(
    form: LogFormat, is_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(form)

    logging.getLogger("account_pause.worker").info("ready")
    logging.getLogger("alembic.runtime").info("as often as anybody asks for the readiness")

    lines = capsys.readouterr().err.splitlines()
    assert 1 == len(lines)
    assert is_json == lines[0].startswith("{")
    assert is_json or lines[0].endswith(" INFO account_pause.worker ready")
