"""Mails to administrators: queued with what causes them, written, and sent."""

from systems.notices.queue import NoticeKind, Relay, enqueue

__all__ = ["NoticeKind", "Relay", "enqueue"]
