"""The log of a worker or web process: lines for people, or JSON for whoever collects them.

JSON lines hold the ids that a line is about as fields of their own. What libraries log is not ours,
so e-mail addresses and telephone numbers are struck out, and of exceptions that are not ours only
type and place are told (R17).
"""

import logging
import re
import sys
from datetime import datetime
from traceback import extract_tb
from types import TracebackType
from typing import Any

from opentelemetry import trace
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter
from temporalio import activity, workflow

from domain.errors import PauseError
from domain.ids import Prefix
from settings import LogFormat
from starter.telemetry.metrics import Metrics

TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"

ID = re.compile(rf"\b({'|'.join(Prefix)})[0-9a-f]{{32}}\b")
PERSONAL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\+\d{7,15}\b")
WITHHELD = "[withheld]"

# What the SDK says about where a line was written, and as what it is worth keeping.
PLACES = {
    "workflow_id": "workflow_id",
    "run_id": "run_id",
    "workflow_run_id": "run_id",
    "workflow_type": "workflow_type",
    "activity_type": "activity_type",
    "attempt": "attempt",
}

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def set_up_logs(form: LogFormat) -> None:
    """Log to standard error. Replaces what was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    is_json = form is LogFormat.JSON
    handler.setFormatter(JsonLines() if is_json else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Whoever asks for the readiness would fill the log with how the migrations are looked at.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # In JSON they are fields already.
    activity.logger.activity_info_on_message = not is_json
    workflow.logger.workflow_info_on_message = not is_json


def count_logs(metrics: Metrics) -> None:
    """From now on warnings and errors are counted too: some work goes on only in the log."""
    logging.getLogger().addHandler(Counter(metrics))


class Counter(logging.Handler):
    """Counts what is logged, by logger and level."""

    def __init__(self, metrics: Metrics) -> None:
        """Count on `metrics`."""
        super().__init__(logging.WARNING)
        self._metrics = metrics

    def emit(self, record: logging.LogRecord) -> None:
        """See the class."""
        self._metrics.logged(record.name, record.levelname)


class JsonLines(JsonFormatter):
    """One JSON object per record, with the fields that `docs/observability.md` lists."""

    def __init__(self) -> None:
        """See the class."""
        super().__init__(
            ("levelname", "name", "message"),
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "error"},
            timestamp="at",
            # uvicorn's has the message again, with the terminal's colours.
            reserved_attrs=[*RESERVED_ATTRS, "taskName", "color_message"],
        )

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Also the ids that the record is about, and the trace that it belongs to."""
        super().add_fields(log_data, record, message_dict)
        log_data |= _ids_in(record.getMessage()) | _place(log_data) | _current_trace()

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Objects that libraries hang on records stay here, and so does what is personal."""
        return {
            name: withheld(value) if isinstance(value, str) else value
            for name, value in log_data.items()
            if isinstance(value, str | int | float | datetime) or name == "error"
        }

    def formatException(self, ei: ExcInfo) -> Any:
        """What was raised and where; its words only if it is one of ours."""
        kind, error, traceback = ei
        told = {"message": withheld(str(error))} if isinstance(error, PauseError) else {}
        where = [f"{each.filename}:{each.lineno} {each.name}" for each in extract_tb(traceback)]
        return {"type": kind.__name__ if kind else None, **told, "where": where}


def withheld(text: str) -> str:
    """`text` without e-mail addresses and telephone numbers."""
    return PERSONAL.sub(WITHHELD, text)


def _ids_in(message: str) -> dict[str, str]:
    """The first id of each kind, as `account_id` and so on."""
    found = {Prefix(each[0][:3]): each[0] for each in reversed([*ID.finditer(message)])}
    return {f"{prefix.name.lower()}_id": value for prefix, value in found.items()}


def _place(log_data: dict[str, Any]) -> dict[str, Any]:
    """Which run or step wrote it, if one did."""
    told = log_data.get("temporal_activity") or log_data.get("temporal_workflow") or {}
    return {PLACES[name]: value for name, value in told.items() if name in PLACES}


def _current_trace() -> dict[str, str]:
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
