"""Argon2 that takes no time, and counts what it is asked."""

from argon2 import PasswordHasher

from systems.identity.passwords import OF_NOBODY


class FastHasher:
    """Hashes with the least of everything."""

    def __init__(self, passes: int = 1) -> None:
        """`passes` tells its hashes apart from those of others."""
        self._argon2 = PasswordHasher(passes, 8, 1)
        self.asked: list[str] = []

    def hash(self, password: str) -> str:
        """See `Hasher`."""
        self.asked.append("hash")
        return self._argon2.hash(password)

    def verify(self, hash: str, password: str) -> bool:
        """See `Hasher`."""
        self.asked.append("verify")
        # The one of nobody has the real parameters, which would take a moment here.
        stored = self._argon2.hash("nobody") if hash == OF_NOBODY else hash
        return self._argon2.verify(stored, password)

    def check_needs_rehash(self, hash: str) -> bool:
        """See `Hasher`."""
        return self._argon2.check_needs_rehash(hash)
