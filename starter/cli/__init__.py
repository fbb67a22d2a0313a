"""The command line, `account-pause`: each module adds its commands to the app."""

from starter.cli import accounts, local, pauses
from starter.cli.app import app, main

__all__ = ["accounts", "app", "local", "main", "pauses"]
