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


class LongStepOptions(StepOptions):
    """The same for a step that beats: one that has not for so long is given up."""

    heartbeat_timeout: timedelta


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

# It begins from its start each time, so it is asked less and less often: after 1, 2, 4 ... 512 s,
# then every ten minutes. The next day's run is left out while it lasts; the one after it looks at
# all that was missed.
FROM_ITS_START = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=10),
)

# A month of 100,000 payments is 1,000 pages of a second each, a quarter of an hour. What differs is
# looked at one by one, in a second or two: 5,000 differences, far beyond any day but the worst,
# take two hours. Between two beats lie five pages or one difference: at most eight calls of 10 s
# each and six transactions of 13 s.
RECONCILE = LongStepOptions(
    start_to_close_timeout=timedelta(hours=4),
    heartbeat_timeout=timedelta(minutes=3),
    retry_policy=FROM_ITS_START,
    # Nothing undoes it, so nobody waits until it has heard that it is to stop.
    cancellation_type=ActivityCancellationType.TRY_CANCEL,
)

# How long a close waits for the last attempts on unpaid dates: the usual answer takes a second or
# two, and neither a decline nor a silent gateway may delay an administrator's close (R14).
LAST_ATTEMPTS = timedelta(seconds=10)
