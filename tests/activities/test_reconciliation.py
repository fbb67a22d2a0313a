"""The step of the reconciliation: it beats, and stops at a beat when it is told to."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.reconciliation import ReconciliationActivities
from domain.errors import Code
from domain.messages import ReconcilePayments
from tests.fakes.reconciliation import FakeReconciler

AT = datetime(2026, 1, 16, 3, tzinfo=UTC)
REQUEST = ReconcilePayments(at=AT, since=AT - timedelta(days=3), until=AT)


def test_it_compares_what_it_is_asked_for() -> None:
    reconciler = FakeReconciler(waiting=2)

    reconciled = ReconciliationActivities(reconciler).reconcile_payments(REQUEST)

    assert [(AT, REQUEST.since, REQUEST.until)] == reconciler.asked
    assert 2 == reconciled.waiting


def test_its_beats_tell_how_far_it_is() -> None:
    beats: list[tuple[object, ...]] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.append(details)

    environment.run(ReconciliationActivities(FakeReconciler(beats=3)).reconcile_payments, REQUEST)

    assert [(1,), (2,), (3,)] == beats


def test_told_to_stop_it_stops_at_the_next_beat_and_may_be_begun_again() -> None:
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *_: environment.cancel()

    with pytest.raises(ApplicationError) as stopped:
        environment.run(
            ReconciliationActivities(FakeReconciler(beats=3)).reconcile_payments, REQUEST
        )

    assert (Code.UNAVAILABLE, False) == (stopped.value.type, stopped.value.non_retryable)


def test_nothing_is_thrown_into_the_middle_of_its_work() -> None:
    steps = ReconciliationActivities(FakeReconciler())

    definition = activity._Definition.must_from_callable(steps.reconcile_payments)

    assert definition.no_thread_cancel_exception
