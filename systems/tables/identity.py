"""What proves who somebody is: sessions, known devices, API keys; and what requests came to.

Of secrets only their SHA-256 is here: whoever reads the tables can act as nobody.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from systems.tables.base import Base


class SessionRow(Base):
    """Somebody is logged in. Ended ones are removed."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    csrf_secret: Mapped[str]
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class DeviceRow(Base):
    """A browser from which the user has logged in before."""

    __tablename__ = "devices"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    seen_at: Mapped[datetime]


class ApiKeyRow(Base):
    """A key under which a backend acts for `user_id`. `hint` is its end, to recognise it by."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    label: Mapped[str]
    hint: Mapped[str] = mapped_column(String(8))
    # A user id, or `operator`.
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class RequestRow(Base):
    """One request under an idempotency key, and once it is over what it was answered with.

    `effect_id` is the UUID of which the request makes its pause, close or tracker. `held_until`:
    somebody works on it until then; past it, whoever did has died.
    """

    __tablename__ = "requests"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    method: Mapped[str] = mapped_column(String(8), primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    effect_id: Mapped[str] = mapped_column(String(32))
    began_at: Mapped[datetime] = mapped_column(index=True)
    held_until: Mapped[datetime | None]
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[str | None] = mapped_column(Text)
