"""Everything that can be configured, read once from the environment and validated at the start.

Temporal's own variables (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`,
`TEMPORAL_TLS_*`) are read by the SDK's `envconfig`. `docs/settings.md` lists every field.
"""

from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as Unreadable
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from domain.states import LadderEnd
from domain.stripe_access import StripeAccess
from domain.terms import Offer

DEFAULTS = Offer()
DATABASES = ("sqlite", "postgresql", "postgresql+psycopg")


class LogFormat(StrEnum):
    """How a process writes its log: lines for people, or one JSON object per line."""

    TEXT = "text"
    JSON = "json"


class SettingsError(Exception):
    """The environment holds a value that cannot be used; the message says which and why."""


class Settings(BaseSettings):
    """One frozen object; `Settings.load()` reads it. Secrets have no defaults."""

    model_config = SettingsConfigDict(
        env_prefix="ACCOUNT_PAUSE_", frozen=True, extra="ignore", populate_by_name=True
    )

    state_dir: Path = Field(
        default=Path(".account-pause"),
        description="Where the embedded databases, mails and logs of a local stack are kept.",
    )
    production: bool = Field(
        default=False,
        description="Refuse to start with what is meant for one machine only.",
    )
    database_url: str = Field(
        default="",
        validation_alias="DATABASE_URL",
        description="SQLAlchemy URL of SQLite or PostgreSQL; empty: a SQLite file in `state_dir`.",
    )
    gateway_url: str = Field(
        default="",
        description="Database of the embedded card gateway; empty: a SQLite file in `state_dir`.",
    )
    smtp_url: str = Field(
        default="",
        validation_alias="SMTP_URL",
        description="smtp://user:password@host:port; empty: mails are files in `state_dir`.",
    )
    public_url: str = Field(
        default="http://127.0.0.1:8000",
        description="Where browsers reach the web process; used in mails and at the gateway.",
    )
    support_email: str = Field(
        default="support@example.com",
        description="Whom people can write to who need help; shown on every page.",
    )
    stripe_api_key: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="STRIPE_API_KEY",
        description="Charge through Stripe with this secret key; empty: the embedded sandbox.",
    )
    stripe_webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="STRIPE_WEBHOOK_SECRET",
        description="Believe Stripe's webhooks that are signed with it; empty: none.",
    )
    stripe_url: str = Field(
        default="", description="Another address of Stripe's API, for tests; empty: Stripe's own."
    )
    twilio_auth_token: SecretStr = Field(
        default=SecretStr(""),
        description="Believe calls that Twilio signs with it; empty: those from this machine only.",
    )

    requests_per_minute: int = Field(
        default=600,
        ge=1,
        description="Requests per minute of one user, or from one address while unknown.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Proxies whose X-Forwarded-For and -Proto are believed, as ip,ip/bits.",
    )

    terms_version: str = Field(
        default=DEFAULTS.version, description="The name of the terms on offer."
    )
    fee_minor: int = Field(default=DEFAULTS.fee_minor, ge=1, description="Monthly fee, in cents.")
    max_numbers: int = Field(
        default=DEFAULTS.max_numbers, ge=0, description="How many numbers a pause keeps at most."
    )
    months: int = Field(
        default=DEFAULTS.months, ge=1, le=24, description="How many months a pause lasts at most."
    )
    drain_minutes: int = Field(
        default=DEFAULTS.drain_minutes,
        ge=0,
        le=1440,
        description="Minutes during which calls are still routed after the pause.",
    )
    ladder_days: tuple[int, ...] = Field(
        default=DEFAULTS.ladder_days,
        description="Days after a decline on which the fee is tried again, as a JSON list.",
    )
    last_attempt_day: int = Field(
        default=DEFAULTS.last_attempt_day, description="Day of the last attempt after a decline."
    )
    ladder_end: LadderEnd = Field(
        default=DEFAULTS.ladder_end,
        description="After the last attempt: `close` the account or `keep` it, fee written off.",
    )
    reminder_days: tuple[int, ...] = Field(
        default=DEFAULTS.reminder_days,
        description="Days before a planned resume on which to remind, as a JSON list.",
    )

    worker_slots: int = Field(
        default=20, ge=1, le=500, description="Activities, threads and connections of one worker."
    )
    cached_workflows: int = Field(
        default=2000, ge=0, description="Pauses that one worker keeps in memory."
    )
    shutdown_seconds: int = Field(
        default=30, ge=0, description="How long a stopping worker lets running activities finish."
    )
    job_seconds: float = Field(
        default=2.0, gt=0, description="Seconds between two runs of the mail and invoice jobs."
    )
    sweep_seconds: float = Field(
        default=300.0, ge=0, description="Seconds between two looks for lost runs; 0: never."
    )
    build_id: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_-]{0,40}$",
        description="Which build of the worker this is, for Worker Versioning; empty: none.",
    )

    metrics_address: str = Field(
        default="", description="Where Prometheus reads metrics, as ip:port; empty: nowhere."
    )
    health_address: str = Field(
        default="", description="Where a worker says whether it works, as ip:port; empty: nowhere."
    )
    log_format: LogFormat = Field(
        default=LogFormat.TEXT, description="How logs are written: `text` or `json`."
    )
    otlp_endpoint: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Where traces are sent, by OTLP over HTTP; empty: there are none.",
    )

    @model_validator(mode="after")
    def _ladder_climbs(self) -> Self:
        days = (0, *self.ladder_days, self.last_attempt_day)
        if any(later <= earlier for earlier, later in pairwise(days)):
            raise ValueError("the ladder's days must rise, and the last attempt be the latest")
        return self

    @field_validator("database_url", "gateway_url")
    @classmethod
    def _databases_are_known(cls, value: str) -> str:
        try:
            is_known = not value or make_url(value).drivername in DATABASES
        except (ArgumentError, ValueError):
            is_known = False
        if not is_known:
            # The value itself may hold a password.
            raise ValueError(
                "write it as sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME"
            )
        return value

    @field_validator("smtp_url")
    @classmethod
    def _mail_server_has_an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            is_address = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.port != 0
        except ValueError:
            is_address = False
        if value and not is_address:
            # The value itself may hold a password.
            raise ValueError("write it as smtp://USER:PASSWORD@HOST:PORT or smtps://HOST")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, value: str) -> str:
        for each in filter(None, value.split(",")):
            ip_network(each.strip(), strict=False)
        return value

    @classmethod
    def load(cls) -> Self:
        """The settings as the environment has them.

        Raises:
            SettingsError: naming the variables that cannot be used.
        """
        try:
            return cls()
        except Unreadable as error:
            raise SettingsError(
                f"The settings cannot be used: {error}; a list is JSON, such as [1, 5, 10]"
            ) from None
        except ValidationError as error:
            problems = "; ".join(
                f"{_variable(problem['loc'])}: {problem['msg']}" for problem in error.errors()
            )
            raise SettingsError(f"The settings cannot be used: {problems}") from None

    @property
    def database(self) -> str:
        """The product's database, as an SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{self.state_dir / 'account-pause.db'}"

    @property
    def gateway(self) -> str:
        """The embedded gateway's database, as an SQLAlchemy URL."""
        return self.gateway_url or f"sqlite:///{self.state_dir / 'sandbox-gateway.db'}"

    @property
    def stripe(self) -> StripeAccess | None:
        """How to reach Stripe, None where the embedded sandbox is used."""
        key = self.stripe_api_key.get_secret_value()
        return StripeAccess(key, self.stripe_url) if key else None

    @property
    def is_local(self) -> bool:
        """Whether browsers reach the web process on this machine only."""
        return urlsplit(self.public_url).hostname in ("127.0.0.1", "localhost", "::1")

    @property
    def pages_url(self) -> str | None:
        """Where mails point to; None as long as nobody says where the pages are."""
        return self.public_url if "public_url" in self.model_fields_set else None

    @property
    def mail_dir(self) -> Path:
        """Where mails go as files when there is no SMTP server."""
        return self.state_dir / "mails"

    @property
    def offer(self) -> Offer:
        """What the company offers to a pause that begins now."""
        return Offer(
            version=self.terms_version,
            fee_minor=self.fee_minor,
            max_numbers=self.max_numbers,
            months=self.months,
            drain_minutes=self.drain_minutes,
            ladder_days=self.ladder_days,
            last_attempt_day=self.last_attempt_day,
            ladder_end=self.ladder_end,
            reminder_days=self.reminder_days,
        )

    @property
    def graceful_shutdown(self) -> timedelta:
        """`shutdown_seconds` as the SDK takes it."""
        return timedelta(seconds=self.shutdown_seconds)


def _variable(place: tuple[int | str, ...]) -> str:
    """The variable that a problem is about, by where pydantic has found it."""
    name = ".".join(map(str, place))
    if not name or name.isupper():
        return name or "together"
    return f"ACCOUNT_PAUSE_{name.upper()}"
