"""The web process with one account of three active numbers, and the carrier that asks it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import SecretStr

from settings import Settings
from starter.web.app import build_app
from systems.db import Database
from systems.wiring import Systems, open_systems
from tests.starter.web.phone import PUBLIC_URL, TOKEN, Phone, call_id
from tests.systems.examples import ACCOUNT, add_account

FIRST, SECOND = call_id(1), call_id(2)
UNKNOWN = "+13125550199"

HERE = "http://127.0.0.1:8000"


def opened(database_url: str, folder: Path) -> Iterator[Systems]:
    """Systems with the account; a generator, for fixtures to yield from."""
    systems = open_systems(database_url, f"sqlite:///{folder / 'gateway.db'}", pool_size=20)
    add_account(Database(systems.engine))
    yield systems
    systems.close()


def app_on(systems: Systems, *, token: str = TOKEN, public_url: str = PUBLIC_URL) -> FastAPI:
    """The whole web process, with all that it puts around a route."""
    return build_app(Settings(public_url=public_url, twilio_auth_token=SecretStr(token)), systems)


def local_phone(systems: Systems, **different: Any) -> Phone:
    """Somebody with curl at the machine of a local stack."""
    here = {"address": HERE, "sender": "127.0.0.1", **different}
    return Phone(app_on(systems, token="", public_url=HERE), token="", public_url=HERE, **here)


def number_of(systems: Systems) -> str:
    """One of the account's numbers."""
    return systems.numbers.trackers(ACCOUNT)[0].tracking_numbers[0]


def destination_of(systems: Systems) -> str:
    """Where it leads."""
    return systems.numbers.trackers(ACCOUNT)[0].destination_number
