"""What is good for one machine and not for production: told at the start, or refused there.

Nothing here can be seen from outside until it hurts: charges that move no money, mails that lie in
a folder, a database that the next machine does not see.
"""

import logging
from collections.abc import Iterator
from urllib.parse import urlsplit

from sqlalchemy import make_url

from settings import Settings, SettingsError
from starter.connect import configured_address

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_production(settings: Settings, log: logging.Logger) -> None:
    """Refuse or tell what is meant for one machine only.

    With `production` it is refused. Without it each is a warning, as soon as anything says that
    this is more than a trial on one machine; else nothing is said.

    Raises:
        SettingsError: this is production, and not fit for it; the message names every variable.
    """
    findings = list(unfit(settings))
    if settings.production and findings:
        lines = "".join(f"\n- {finding}" for finding in findings)
        raise SettingsError(f"ACCOUNT_PAUSE_PRODUCTION is set, and this is not fit for it:{lines}")
    if _is_for_others(settings):
        for finding in findings:
            log.warning("not for production: %s", finding)


def unfit(settings: Settings) -> Iterator[str]:
    """Every setting that is meant for one machine, with what it would do in production."""
    if make_url(settings.database).get_backend_name() == "sqlite":
        yield "DATABASE_URL is a SQLite file, which no other machine sees; use PostgreSQL."
    if settings.stripe is None:
        yield "STRIPE_API_KEY is missing, so cards are charged at a sandbox and no money moves."
    if not settings.smtp_url:
        yield "SMTP_URL is missing, so mails are written to files and reach nobody."
    if settings.is_local:
        yield "ACCOUNT_PAUSE_PUBLIC_URL is this machine's, so links in mails lead nowhere."
    elif urlsplit(settings.public_url).scheme != "https":
        yield "ACCOUNT_PAUSE_PUBLIC_URL is not https, so cookies and passwords can be read."
    if settings.support_email.endswith("@example.com"):
        yield "ACCOUNT_PAUSE_SUPPORT_EMAIL is an example, so people who ask for help write nobody."
    if configured_address() is None:
        yield "TEMPORAL_ADDRESS is missing, so a Temporal server is looked for on this machine."


def _is_for_others(settings: Settings) -> bool:
    """Whether anything says that this runs for more than one person at one machine."""
    has_server = make_url(settings.database).get_backend_name() != "sqlite"
    host = (configured_address() or "").rpartition(":")[0].strip("[]")
    return has_server or not settings.is_local or (bool(host) and host not in LOOPBACK)
