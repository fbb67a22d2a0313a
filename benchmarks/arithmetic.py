"""What many open pauses need, worked out from what one was measured to need. Pure functions.

`docs/scale.md` has the inputs and the results in tables; `tests/house/test_scale.py` works the
results out from the inputs there and compares. Kilo and giga are 1,024 to the first and the third.
"""

from dataclasses import dataclass

KIB_PER_GIB = 1024 * 1024
DAYS_PER_MONTH = 30.44
SECONDS_PER_DAY = 86_400
# Temporal Cloud's own month, for which a gigabyte is 744 gigabyte-hours.
HOURS_PER_MONTH = 744
MILLION = 1_000_000

# The days of a month that accounts can be billed on; a short month bills its last ones together.
ANCHOR_DAYS = 31
SHORTEST_MONTH = 28

# What the SDK asks for at once when runs are listed.
RUNS_OF_A_PAGE = 1000

# A fee that falls due costs two actions: its step, and the timer for what comes next.
ACTIONS_OF_A_FEE = 2

# Price of a million actions, by how many of them a month has: "up to so many millions, so much".
ACTION_TIERS = ((5, 50.0), (10, 45.0), (20, 40.0), (50, 35.0), (100, 30.0), (200, 25.0))
ACTIVE_GB_HOUR = 0.042
RETAINED_GB_HOUR = 0.00105
# The Business plan: whichever is more.
PLAN_SHARE, PLAN_LEAST = 0.1, 500.0


@dataclass(frozen=True)
class Inputs:
    """What was measured, looked up or assumed; the page says which is which."""

    open_pauses: float
    months_of_a_pause: float
    fee_usd: float
    actions_of_a_pause: float
    history_kib: float
    idle_kib: float
    rows_of_a_pause: float
    database_kib: float
    cached_kib: float
    fee_cpu_ms: float
    fees_per_second_of_a_worker: float
    workers: float
    stripe_requests_per_second: float
    stripe_requests_per_second_and_endpoint: float
    stripe_requests_of_a_fee: float
    seconds_of_a_fee_at_stripe: float
    retention_days: float
    sweep_seconds: float
    shards: float


def new_pauses_per_month(it: Inputs) -> float:
    """As many begin as end, and each stays for its months."""
    return it.open_pauses / it.months_of_a_pause


def actions_per_month(it: Inputs) -> float:
    """Each pause spreads its actions over its months."""
    return new_pauses_per_month(it) * it.actions_of_a_pause


def actions_per_second(it: Inputs) -> float:
    """The average."""
    return actions_per_month(it) / DAYS_PER_MONTH / SECONDS_PER_DAY


def fees_on_a_day(it: Inputs) -> float:
    """On any day from the 1st to the 28th, anchor days being spread evenly."""
    return it.open_pauses / ANCHOR_DAYS


def fees_on_the_worst_day(it: Inputs) -> float:
    """28 February: the accounts of the 29th, 30th and 31st are billed on it as well."""
    return fees_on_a_day(it) * (1 + ANCHOR_DAYS - SHORTEST_MONTH)


def workers_minutes(it: Inputs, fees: float) -> float:
    """How long so many workers take for fees that are due at one instant; the gateway is free."""
    return fees / (it.fees_per_second_of_a_worker * it.workers) / 60


def processor_minutes(it: Inputs, fees: float) -> float:
    """What the same takes of one processor: worker, Temporal's server and database together."""
    return fees * it.fee_cpu_ms / 1000 / 60


def stripe_fees_per_second(it: Inputs) -> float:
    """One request of each kind per fee: the limit of an endpoint holds, or that of the account."""
    of_the_account = it.stripe_requests_per_second / it.stripe_requests_of_a_fee
    return min(it.stripe_requests_per_second_and_endpoint, of_the_account)


def stripe_minutes(it: Inputs, fees: float) -> float:
    """How long the same takes if Stripe is asked as often as it allows."""
    return fees / stripe_fees_per_second(it) / 60


def stripe_slots(it: Inputs) -> float:
    """How many fees may be under way at once, over all workers, before Stripe refuses some."""
    return stripe_fees_per_second(it) * it.seconds_of_a_fee_at_stripe


def stripe_actions_per_second(it: Inputs) -> float:
    """Temporal's share of it at that pace."""
    return stripe_fees_per_second(it) * ACTIONS_OF_A_FEE


def workers_actions_per_second(it: Inputs) -> float:
    """And where workers go as fast as they can."""
    return it.fees_per_second_of_a_worker * it.workers * ACTIONS_OF_A_FEE


def temporal_gib(it: Inputs) -> float:
    """Temporal's own database, of the open ones."""
    return it.open_pauses * it.idle_kib / KIB_PER_GIB


def database_gib_per_month(it: Inputs) -> float:
    """How much the product's database grows; what is over stays for good."""
    return new_pauses_per_month(it) * it.database_kib / KIB_PER_GIB


def rows_per_month(it: Inputs) -> float:
    """The same in rows."""
    return new_pauses_per_month(it) * it.rows_of_a_pause


def cache_gib_of_all(it: Inputs) -> float:
    """Memory if workers kept every pause, which they need not."""
    return it.open_pauses * it.cached_kib / KIB_PER_GIB


def pauses_of_a_shard(it: Inputs) -> float:
    """How many open runs each of Temporal's history shards looks after."""
    return it.open_pauses / it.shards


def sweep_calls_per_second(it: Inputs) -> float:
    """Pages of the list of open runs that all sweepers ask Temporal for, on average."""
    return it.workers * it.open_pauses / RUNS_OF_A_PAGE / it.sweep_seconds


def actions_usd(it: Inputs) -> float:
    """A month's actions on Temporal Cloud, tier by tier."""
    left, reached, price = actions_per_month(it) / MILLION, 0.0, 0.0
    for up_to, usd in ACTION_TIERS:
        part = min(left, up_to - reached)
        price += part * usd
        left, reached = left - part, up_to
    if left > 0:
        raise ValueError("beyond 200 million actions a month the price is not public")
    return price


def active_usd(it: Inputs) -> float:
    """A month's histories of open pauses, each taken for as long as it is at its end."""
    gib = it.open_pauses * it.history_kib / KIB_PER_GIB
    return gib * HOURS_PER_MONTH * ACTIVE_GB_HOUR


def retained_usd(it: Inputs) -> float:
    """A month's histories of pauses that are over and still kept."""
    kept = new_pauses_per_month(it) * it.retention_days / DAYS_PER_MONTH
    return kept * it.history_kib / KIB_PER_GIB * HOURS_PER_MONTH * RETAINED_GB_HOUR


def cloud_usd(it: Inputs) -> float:
    """A month on the Business plan, allowances not taken off."""
    usage = actions_usd(it) + active_usd(it) + retained_usd(it)
    return usage + max(PLAN_LEAST, usage * PLAN_SHARE)


def fees_usd(it: Inputs) -> float:
    """What the same pauses pay in a month."""
    return it.open_pauses * it.fee_usd
