"""The names on the wire, spelled out. A test that fails here means: something in flight breaks.

Backends send these signals, operators saved links with these attributes, running histories hold
these activity names. Add names; never change one.
"""

import pytest

from domain import names
from domain.states import PauseState


def test_the_task_queue_and_the_workflow_types() -> None:
    assert names.TASK_QUEUE == "account-pause"
    assert names.WORKER_DEPLOYMENT == "account-pause"
    assert names.ACCOUNT_PAUSE == "AccountPause"
    assert names.ACCOUNT_CLOSE == "AccountClose"
    assert names.PAYMENT_RECONCILIATION == "PaymentReconciliation"


def test_the_workflow_ids() -> None:
    assert names.pause_workflow_id("ACC1") == "account-pause:ACC1"
    assert names.close_workflow_id("ACC1") == "account-close:ACC1"


def test_the_schedule() -> None:
    assert names.RECONCILIATION_SCHEDULE_ID == "account-pause-reconciliation"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (names.RESUME, "resume"),
        (names.PAYMENT_METHOD_UPDATED, "payment_method_updated"),
        (names.RETRY, "retry"),
        (names.PAYMENT_NEWS, "payment_news"),
        (names.PAUSE, "pause"),
        (names.CHANGE_RESUME_DATE, "change_resume_date"),
        (names.CLOSE, "close"),
        (names.STATUS, "status"),
    ],
)
def test_the_signals_updates_and_the_query(name: str, expected: str) -> None:
    assert expected == name


def test_the_search_attributes_and_their_types() -> None:
    assert {
        "AccountId": "Keyword",
        "PauseState": "Keyword",
        "ResumeAt": "Datetime",
        "PastDue": "Bool",
        "NeedsOperator": "Bool",
    } == {name.value: kind for name, kind in names.SEARCH_ATTRIBUTE_TYPES.items()}
    assert set(names.SearchAttribute) == set(names.SEARCH_ATTRIBUTE_TYPES)


def test_the_states() -> None:
    assert [
        "pausing",
        "paused",
        "resuming",
        "resumed",
        "closing",
        "closed",
        "refused",
    ] == [state.value for state in PauseState]


def test_the_activities_of_running_histories() -> None:
    assert {activity.value for activity in names.Activity} >= {
        "begin_pause",
        "mark_paused",
        "mark_refused",
        "change_resume_date",
        "send_reminder",
        "begin_resume",
        "mark_resumed",
        "begin_close",
        "mark_closed",
        "suspend_plan",
        "restore_plan",
        "collect_fee",
        "close_billing",
        "disable_script",
        "enable_script",
        "suspend_access",
        "restore_access",
        "close_access",
        "retain_numbers",
        "reactivate_numbers",
        "release_numbers",
        "reconcile_payments",
    }


def test_no_two_activities_share_a_name() -> None:
    assert len(names.Activity.__members__) == len(set(names.Activity))


def test_a_runs_id_names_its_account() -> None:
    assert "ACC1" == names.account_id_of(names.pause_workflow_id("ACC1"))
    assert "ACC1" == names.account_id_of(names.close_workflow_id("ACC1"))
