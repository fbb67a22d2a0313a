"""Trackers, their tracking numbers, call flows, where a call goes, and the activity log."""

from systems.numbers.activity import Activity
from systems.numbers.system import SqlNumbers

__all__ = ["Activity", "SqlNumbers"]
