"""Passwords: hashed slowly, and anew whenever the parameters have changed meanwhile."""

from typing import Protocol
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domain.errors import invalid

SHORTEST, LONGEST = 12, 256

# The least that OWASP recommends for Argon2id: 19 MiB, two passes, one lane. It takes about 30 ms
# and holds that memory meanwhile, so a flood of log-ins is bounded by the threads that serve them.
# Source: OWASP Password Storage Cheat Sheet, "Argon2id".
PASSES, MEMORY_KIB, LANES = 2, 19 * 1024, 1

# The hash of a password that nobody knows, with the parameters above: what is compared with when
# there is nobody of that name, so that finding this out takes as long as a wrong password does.
OF_NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1$"
    "nqIfXmjvP3vlJQAhvHnFsw$JbOvOQcAaFsDPWs++qn6QJN/OS0xx0YpOLGDlxMgZLw"
)


class Hasher(Protocol):
    """What of argon2's hasher is used here; tests count its calls."""

    def hash(self, password: str) -> str:
        """The hash, with its parameters and salt."""
        ...

    def verify(self, hash: str, password: str) -> bool:
        """True, or an exception."""
        ...

    def check_needs_rehash(self, hash: str) -> bool:
        """Whether the hash has other parameters than today's."""
        ...


class Passwords:
    """Hashes passwords and compares them. Its methods take tens of milliseconds: keep no lock."""

    def __init__(self, hasher: Hasher | None = None) -> None:
        """With the parameters above, unless `hasher` has others."""
        self._hasher = hasher or PasswordHasher(PASSES, MEMORY_KIB, LANES)

    def hashed(self, password: str) -> str:
        """What is stored of `password`."""
        return self._hasher.hash(_normal(password))

    def are_same(self, stored: str | None, password: str) -> bool:
        """Whether `password` is the one that was `stored`; it takes as long if none was."""
        try:
            is_right = self._hasher.verify(stored or OF_NOBODY, _normal(password)[: LONGEST + 1])
        except (VerificationError, InvalidHashError):
            return False
        return is_right and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether today the same password would be hashed with other parameters."""
        return self._hasher.check_needs_rehash(stored)


def check_password(password: str) -> None:
    """Let a password through that may be chosen.

    Raises:
        Rejected: `validation_failed`, with the `field`: it is too short, or far too long.
    """
    if not SHORTEST <= len(_normal(password)) <= LONGEST:
        raise invalid("password", f"A password has {SHORTEST} to {LONGEST} characters.")


def _normal(password: str) -> str:
    # Keyboards differ in how they write the same letter.
    return normalize("NFKC", password)
