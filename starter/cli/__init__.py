"""The command line, `account-pause`: each module adds its commands to the app."""

from starter.cli import (
    accounts,
    call,
    cards,
    explaining,
    identity,
    listing,
    local,
    money,
    namespace,
    pauses,
    reconciling,
    replaying,
    status,
    sweeping,
    web,
)
from starter.cli.app import app, main

__all__ = [
    "accounts",
    "app",
    "call",
    "cards",
    "explaining",
    "identity",
    "listing",
    "local",
    "main",
    "money",
    "namespace",
    "pauses",
    "reconciling",
    "replaying",
    "status",
    "sweeping",
    "web",
]
