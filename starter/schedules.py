"""What Temporal starts by itself: the daily reconciliation of payments."""

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from domain import names
from domain.messages import ReconcileInput

# The quietest hour for banks and people in America and Europe; spread, so that the gateway does not
# meet all its customers' jobs on the stroke of the hour.
HOUR_UTC = 3
JITTER = timedelta(minutes=20)

# A service that was down at three makes up for it when it is back. After a day the next run comes
# anyway, and looks at all that was missed.
CATCH_UP = timedelta(days=1)

NOT_SCHEDULED = (
    "The Temporal service does not let us schedule the daily reconciliation of payments; have its"
    " operator allow schedules, or run `account-pause reconcile` daily by other means"
)


async def schedule_reconciliation(client: Client) -> bool:
    """Have the reconciliation run daily; returns whether it was not scheduled before.

    Safe to repeat: a schedule that is there is brought to today's, and one that an operator has
    paused stays so.

    Raises:
        RPCError: the service does not allow it, or did not answer.
    """
    try:
        await client.create_schedule(names.RECONCILIATION_SCHEDULE_ID, daily())
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(names.RECONCILIATION_SCHEDULE_ID).update(_as_of_today)
        return False
    return True


def daily(state: ScheduleState | None = None) -> Schedule:
    """The schedule: once a day, and never beside a run that has not ended."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            names.PAYMENT_RECONCILIATION,
            ReconcileInput(),
            id=names.RECONCILIATION_SCHEDULE_ID,
            task_queue=names.TASK_QUEUE,
        ),
        spec=ScheduleSpec(
            calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(HOUR_UTC)])], jitter=JITTER
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
        state=state or ScheduleState(note="Compares our payments with the gateway's, daily."),
    )


def _as_of_today(there: ScheduleUpdateInput) -> ScheduleUpdate:
    return ScheduleUpdate(daily(there.description.schedule.state))
