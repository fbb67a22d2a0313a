"""The command line, `account-pause`: each module adds its commands to the app."""

from starter.cli import accounts, call, cards, identity, local, money, pauses, reconciling, web
from starter.cli.app import app, main

__all__ = [
    "accounts",
    "app",
    "call",
    "cards",
    "identity",
    "local",
    "main",
    "money",
    "pauses",
    "reconciling",
    "web",
]
