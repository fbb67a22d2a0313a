"""The stand-in's clock and its objects."""

import secrets
import time
from string import ascii_letters, digits
from typing import Any

LETTERS = ascii_letters + digits

Object = dict[str, Any]


def new_id(prefix: str) -> str:
    """An id as Stripe's: what it is for, then 24 letters and digits."""
    return f"{prefix}_{''.join(secrets.choice(LETTERS) for _ in range(24))}"


class Clock:
    """What time it is here: the machine's time, plus what tests have moved it by."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0

    def now(self) -> int:
        """Whole seconds since 1970."""
        return int(time.time() + self._ahead_seconds)

    def advance(self, seconds: float) -> None:
        """Move it, for good."""
        self._ahead_seconds += seconds

    def set(self, seconds: float) -> None:
        """Make it this many seconds since 1970; from there it goes on."""
        self._ahead_seconds = seconds - time.time()


class Store:
    """All objects of both modes."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, Object]] = {}
        self._modes: dict[str, bool] = {}
        self._newest_first: dict[str, list[Object]] = {}

    def add(self, thing: Object, livemode: bool) -> Object:
        """Keep it under its `object` and `id`."""
        self._objects.setdefault(thing["object"], {})[thing["id"]] = thing
        self._modes[thing["id"]] = livemode
        self._newest_first.clear()
        return thing

    def find(self, kind: str, given_id: str, livemode: bool) -> Object | None:
        """The object, unless it belongs to the other mode."""
        thing = self._objects.get(kind, {}).get(given_id)
        return thing if thing is not None and self._modes[given_id] is livemode else None

    def get(self, given_id: str | None) -> Object | None:
        """The object of whatever kind and mode."""
        return next((of[given_id] for of in self._objects.values() if given_id in of), None)

    def livemode(self, given_id: str) -> bool:
        """The mode it was made in."""
        return self._modes[given_id]

    def all(self, kind: str) -> list[Object]:
        """Those of one kind, in the order in which they were made."""
        return list(self._objects.get(kind, {}).values())

    def newest_first(self, kind: str) -> list[Object]:
        """Those of one kind by `created`, within a second by the order in which they were made.

        Not to be changed.
        """
        if kind not in self._newest_first:
            oldest_first = sorted(self.all(kind), key=lambda thing: thing["created"])
            self._newest_first[kind] = oldest_first[::-1]
        return self._newest_first[kind]

    def edit(self, given_id: str, fields: Object) -> Object:
        """Change it behind everybody's back.

        Raises:
            KeyError: there is none.
        """
        thing = self.get(given_id)
        if thing is None:
            raise KeyError(given_id)
        thing.update(fields)
        self._newest_first.clear()
        return thing

    def delete(self, given_id: str) -> None:
        """Forget it as if it had never been.

        Raises:
            KeyError: there is none.
        """
        thing = self.get(given_id)
        if thing is None:
            raise KeyError(given_id)
        del self._objects[thing["object"]][given_id]
        self._newest_first.clear()
