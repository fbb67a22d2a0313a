"""Trackers, their tracking numbers, call flows, and where a call goes."""

from systems.numbers.system import SqlNumbers

__all__ = ["SqlNumbers"]
