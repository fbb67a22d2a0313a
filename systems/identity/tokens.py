"""Secrets that are made here and shown once: random, and kept as their hash only."""

import hashlib
import secrets

# 256 bits. Nobody guesses them, so a plain hash keeps them as safely as a slow one would.
BYTES = 32


def new_secret(prefix: str = "") -> str:
    """A fresh secret of letters, digits, `-` and `_`."""
    return prefix + secrets.token_urlsafe(BYTES)


def hash_of(secret: str) -> str:
    """What is stored of `secret`, in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
