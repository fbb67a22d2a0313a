"""Every name that crosses the wire: a public API for backends, operators and running histories.

Renaming anything here breaks pauses in flight and whoever calls us; `tests/domain/test_names.py`
pins the values.
"""

from enum import StrEnum

TASK_QUEUE = "account-pause"

# What Temporal calls all builds of the worker together, where builds are told apart.
WORKER_DEPLOYMENT = "account-pause"

ACCOUNT_PAUSE = "AccountPause"
ACCOUNT_CLOSE = "AccountClose"
PAYMENT_RECONCILIATION = "PaymentReconciliation"

# The schedule, and what the ids of its runs begin with.
RECONCILIATION_SCHEDULE_ID = "account-pause-reconciliation"

RESUME = "resume"
PAYMENT_METHOD_UPDATED = "payment_method_updated"
RETRY = "retry"
PAYMENT_NEWS = "payment_news"
PAUSE = "pause"
CHANGE_RESUME_DATE = "change_resume_date"
CLOSE = "close"
STATUS = "status"


def pause_workflow_id(account_id: str) -> str:
    """The id under which the pause of an account runs: one at a time (S1)."""
    return f"account-pause:{account_id}"


def close_workflow_id(account_id: str) -> str:
    """The id under which the close of an active account runs."""
    return f"account-close:{account_id}"


def account_id_of(workflow_id: str) -> str:
    """The account that a run with this id is about; for runs started under the ids above."""
    return workflow_id.partition(":")[2]


class SearchAttribute(StrEnum):
    """What the list of workflows can be searched by, with the server's type behind each name."""

    ACCOUNT_ID = "AccountId"
    PAUSE_STATE = "PauseState"
    RESUME_AT = "ResumeAt"
    PAST_DUE = "PastDue"
    NEEDS_OPERATOR = "NeedsOperator"


SEARCH_ATTRIBUTE_TYPES: dict[SearchAttribute, str] = {
    SearchAttribute.ACCOUNT_ID: "Keyword",
    SearchAttribute.PAUSE_STATE: "Keyword",
    SearchAttribute.RESUME_AT: "Datetime",
    SearchAttribute.PAST_DUE: "Bool",
    SearchAttribute.NEEDS_OPERATOR: "Bool",
}


class Activity(StrEnum):
    """The steps, named for the operator who reads them in the list of pending activities."""

    BEGIN_PAUSE = "begin_pause"
    MARK_PAUSED = "mark_paused"
    MARK_REFUSED = "mark_refused"
    CHANGE_RESUME_DATE = "change_resume_date"
    SEND_REMINDER = "send_reminder"
    BEGIN_RESUME = "begin_resume"
    MARK_RESUMED = "mark_resumed"
    BEGIN_CLOSE = "begin_close"
    MARK_CLOSED = "mark_closed"

    SUSPEND_PLAN = "suspend_plan"
    RESTORE_PLAN = "restore_plan"
    COLLECT_FEE = "collect_fee"
    CLOSE_BILLING = "close_billing"

    DISABLE_SCRIPT = "disable_script"
    ENABLE_SCRIPT = "enable_script"

    SUSPEND_ACCESS = "suspend_access"
    RESTORE_ACCESS = "restore_access"
    CLOSE_ACCESS = "close_access"

    RETAIN_NUMBERS = "retain_numbers"
    REACTIVATE_NUMBERS = "reactivate_numbers"
    RELEASE_NUMBERS = "release_numbers"

    RECONCILE_PAYMENTS = "reconcile_payments"
