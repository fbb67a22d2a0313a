"""The official client, set up so that it does what it is asked for once and nothing else."""

import logging

import stripe

from domain.stripe_access import StripeAccess

# The API as this code was written for, whatever is the account's default. The package's types
# describe it; both move together.
API_VERSION = "2026-10-28.endive"

# To connect, and then for each part of an answer. Collecting asks three times as a rule: is the
# payment there, create it, confirm it. Three calls of 11 s and three transactions of 13 s are 72 s,
# which fits into the 75 s of COLLECT in workflows/options.py. In truth it takes less, since the
# first call that runs out of time ends the step; one that takes longer is begun again, safely.
CONNECT_SECONDS = 3.0
READ_SECONDS = 8.0
TIMEOUT_SECONDS = (CONNECT_SECONDS, READ_SECONDS)


def make_client(
    access: StripeAccess, timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS
) -> stripe.StripeClient:
    """A client for that key, safe to share between threads. Nothing is sent by making it.

    It never repeats a request by itself: whoever asks decides, by what is on record.
    """
    # Requests would tell Stripe about this machine, and answers are logged: at level debug whole,
    # at level info in Stripe's free words, which may repeat what was sent (R17).
    stripe.enable_telemetry = False
    logging.getLogger("stripe").setLevel(logging.WARNING)
    return stripe.StripeClient(
        access.api_key,
        stripe_version=API_VERSION,
        base_addresses={"api": access.url.rstrip("/")} if access.url else None,
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=timeout_seconds),
    )
