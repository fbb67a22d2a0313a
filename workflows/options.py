"""Every timeout and retry policy of a step, with its arithmetic."""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType


class StepOptions(TypedDict):
    """The options that `workflow.execute_activity_method` takes for one kind of step."""

    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


# A system that is away is asked for ever: after 0.2, 0.4, 0.8 ... 51 s, then every minute. Soon at
# first, since somebody waits for a pause and most faults are a lost lock or a dropped connection; a
# week's outage costs 10,000 attempts, none of which grows the history.
UNTIL_IT_ANSWERS = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=1),
)

# Most steps are one transaction: at most 8 s for the account's lock and 5 s for a connection. Those
# that read several systems take up to eight; should they all have to wait, the step is given up and
# begun again, and an attempt that commits late finds its key on record.
STEP = StepOptions(
    start_to_close_timeout=timedelta(seconds=30),
    retry_policy=UNTIL_IT_ANSWERS,
    # An undo must never run beside the step that it undoes.
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)

# Three transactions of up to 13 s each and three calls to the gateway, which answers or is given up
# after 10 s each.
COLLECT = StepOptions(
    start_to_close_timeout=timedelta(seconds=75),
    retry_policy=UNTIL_IT_ANSWERS,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)

# How long a close waits for the last attempts on unpaid dates: the usual answer takes a second or
# two, and neither a decline nor a silent gateway may delay an administrator's close (R14).
LAST_ATTEMPTS = timedelta(seconds=10)
